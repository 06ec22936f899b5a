"""Metrics: how good is a saliency map, measured against the truth and against the network?

The drawn world knows the true parts of each image: how much of a map lies on them (`part_scores`),
and where does it point (`pointing_game`)? Does a map add up (`completeness_gap`)? What does the
network predict without the pixels that a map calls important (`deletion_curve`), or with only them
(`insertion_curve`)? Does the map change when the network's weights are shuffled
(`randomization_check`)? `compare_methods` puts several methods side by side.

A map is (N, H, W), or (N, H, W, C) where a method gives a value for each colour. Parts are int
(N, H, W), the index of each pixel's part in `part_names`. A single map and its parts, (H, W), give
single numbers.
"""

from typing import NamedTuple

import keras
import numpy as np
from scipy.stats import spearmanr
from skimage.filters import gaussian, sobel
from skimage.metrics import structural_similarity

from helpers import cam, gradients, perturbation, saliency
from helpers.core.arguments import baseline_like
from helpers.core.progress import progress
from helpers.core.tracing import layers
from helpers.drawn import FACE, PART_NAMES
from helpers.networks import check_images, input_shape, predict

BLUR = 1 / 16  # sigma of the image where insertion starts, as a share of its longer side
FEATURES = (*FACE, "tongue")  # what a face shows
EFFECTS = (*FEATURES, "body")  # parts that can be left out one by one


def part_scores(maps, parts, part_names):
    """Return the share of a map's mass that lies on each part: `{part name: float array (N,)}`.

    The mass of a pixel is its absolute value, summed over colours. Shares add up to 1; they are NaN
    for a map of zeros. If one part is "background", the key "animal" holds all the rest. Raises
    ValueError for shapes that do not match, parts without a name, and NaN or infinity.
    """
    maps, parts = _matched(maps, parts)
    if parts.dtype.kind not in "ui" or parts.min() < 0 or parts.max() >= len(part_names):
        raise ValueError(
            f"parts must be indices of part_names, 0 to {len(part_names) - 1}, "
            f"not {parts.dtype} {parts.min()} to {parts.max()}."
        )
    shape, pixels = parts.shape[:-2], parts.shape[-2:]
    found = [  # one by one, as all maps as float64 would take a lot of memory
        _shares(one, ids, len(part_names))
        for one, ids in zip(maps.reshape(-1, *pixels), parts.reshape(-1, *pixels), strict=True)
    ]
    shares = {
        name: column.reshape(shape)[()]
        for name, column in zip(part_names, np.array(found, np.float32).T, strict=True)
    }
    if "background" in shares:
        shares.setdefault("animal", 1 - shares["background"])
    return shares


def _shares(heat, parts, count):
    """Return the share of one map's mass that lies on each part, NaN for a map of zeros."""
    mass = np.bincount(parts.ravel().astype(int), np.abs(heat, dtype=np.float64).ravel(), count)
    total = mass.sum()
    return mass / (total if total > 0 else np.nan)


def pointing_game(maps, parts, allowed=None):
    """Return whether each map's highest pixel lies where it should: bool array (N,).

    `allowed` is one or several part indices that count as a hit; None reads `parts` as a mask that
    is true where a hit is. Colours are summed by absolute value; otherwise the sign counts, and a
    map with no value above zero is a miss. Of equal pixels the first in reading order counts.
    Raises ValueError for shapes that do not match, NaN and infinity. (Zhang 2016, with no margin)
    """
    maps, parts = _matched(maps, parts)
    if allowed is not None and np.asarray(allowed).dtype.kind not in "ui":
        raise TypeError(f"allowed must be indices of part_names, not {allowed!r}.")
    mask = parts.astype(bool) if allowed is None else np.isin(parts, allowed)
    flat, hit = (array.reshape(*array.shape[:-2], -1) for array in (maps, mask))
    peak = flat.argmax(axis=-1, keepdims=True)
    points = np.take_along_axis(flat, peak, axis=-1) > 0
    return (points & np.take_along_axis(hit, peak, axis=-1))[..., 0]


def completeness_gap(network, images, attributions, target=None, baseline=0.0):
    """Return how far attributions are from adding up to what they should, as a share of it: (N,).

    Integrated gradients of an image should add up to the target's score minus the score of
    `baseline`, a number or an array: 0.01 means that they are off by 1 %. If the two scores are
    equal, the gap is 0 or infinite. Raises ValueError for another shape than the images'.
    (Sundararajan 2017)
    """
    batch, single = check_images(network, images)
    attributions = np.asarray(attributions, np.float64)
    if attributions.shape != np.shape(images):
        raise ValueError(
            f"attributions must be {np.shape(images)} like images, not {attributions.shape}."
        )
    scores = gradients.scores(network, batch).astype(np.float64)
    targets = gradients.chosen(gradients.check_target(network, batch, target), scores)
    rows = np.arange(len(batch))
    gained = (scores - gradients.scores(network, baseline_like(batch, baseline)))[rows, targets]
    missed = np.abs(attributions.reshape(len(batch), -1).sum(axis=1) - gained)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.float32(np.where(missed == 0, 0.0, missed / np.abs(gained)))
    return gap[0] if single else gap


def deletion_curve(network, images, maps, target=None, steps=32, baseline=0.0):
    """Return the target's probability as pixels are removed, those highest in the map first.

    The lower the mean of a curve, the better the map. A curve is float32 (N, steps + 1), or
    (steps + 1,) for a single image, from the whole image to `baseline` (a number or an array).
    Colours are summed by absolute value; of equal values the first in reading order goes first.
    Raises ValueError for maps that do not fit, NaN, and steps out of range. (Petsiuk 2018)
    """
    batch, single = check_images(network, images)
    emptied = baseline_like(batch, baseline)
    return _curve(network, batch, emptied, images, maps, target, steps, single)


def insertion_curve(network, images, maps, target=None, steps=32, baseline=None):
    """Return the target's probability as pixels are inserted, those highest in the map first.

    Like `deletion_curve`, but from `baseline` to the whole image: the higher its mean, the better
    the map. The baseline None is the blurred image, which has hardly any edges. (Petsiuk 2018)
    """
    batch, single = check_images(network, images)
    spread = BLUR * max(batch.shape[1:3])
    if baseline is None:
        baseline = np.stack([gaussian(x, spread, channel_axis=-1) for x in batch])
    emptied = baseline_like(batch, baseline)
    return _curve(network, emptied, batch, images, maps, target, steps, single)


def _curve(network, begin, end, images, maps, target, steps, single):
    """Return the target's probability on the way from `begin` to `end`, pixel by pixel."""
    count, height, width = begin.shape[:3]
    if not 1 <= steps <= height * width:
        raise ValueError(f"steps must be 1 to {height * width}, the number of pixels, not {steps}.")
    maps = np.asarray(maps)[None] if single else np.asarray(maps)
    maps, _ = _matched(maps, np.zeros((count, height, width), np.uint8))
    given, _ = check_images(network, images)
    targets = gradients.chosen_targets(network, given, target)
    changed = np.round(np.linspace(0, height * width, steps + 1))
    curves = []
    for first, last, heat, wanted in zip(begin, end, maps, targets, strict=True):
        rank = np.empty(heat.size, int)
        rank[np.argsort(-heat, axis=None, kind="stable")] = np.arange(heat.size)
        on = (rank < changed[:, None]).reshape(-1, height, width, 1)
        curves.append(predict(network, np.where(on, last, first), batch_size=16)[:, wanted])
    return curves[0] if single else np.stack(curves)


def _matched(maps, parts):
    """Return maps without colours, and parts, in the same shape (N, H, W) or (H, W)."""
    maps, parts = np.asarray(maps), np.asarray(parts)
    if parts.ndim not in (2, 3) or maps.shape[: parts.ndim] != parts.shape or parts.size == 0:
        raise ValueError(
            f"maps (N, H, W[, C]) must match parts (N, H, W), not {maps.shape} and {parts.shape}."
        )
    if not np.isfinite(maps).all():
        raise ValueError("maps must be finite, with no NaN or infinity.")
    if maps.ndim == parts.ndim + 1:
        maps = np.abs(maps).sum(axis=-1)
    if maps.ndim != parts.ndim:
        raise ValueError(f"maps must be (N, H, W) or (N, H, W, C), not {maps.shape}.")
    return maps, parts


class RandomizationCheck(NamedTuple):
    """Similarity of maps before and after: `layers` (L), `rank_correlation` and `ssim` (L, N)."""

    layers: tuple
    rank_correlation: np.ndarray
    ssim: np.ndarray


def randomization_check(network, images, method, target=None, seed=0):
    """Return how similar a method's maps stay as the network's layers are shuffled, last one first.

    `method(network, images, target)` returns maps (N, H, W) or (N, H, W, C). Weights are shuffled
    layer by layer, from the scores back to the input, and stay shuffled. Row l compares the maps
    after shuffling `layers[l]` with those of the intact network, by absolute value and summed over
    colours: Spearman's rank correlation, and SSIM of maps divided by their maximum. Both are 1 for
    equal maps, NaN for constant ones. The target None is the intact network's prediction.
    (Adebayo 2018)
    """
    batch, _ = check_images(network, images)
    target = gradients.chosen_targets(network, batch, target)
    before = _flat(method(network, batch, target), batch)
    forgetful, rng = Forgetful(network), np.random.default_rng(seed)
    from_the_top = list(reversed(own_weights(network).items()))
    rank, ssim = [], []
    for _, weights in progress(from_the_top, label="Randomization check"):
        forgetful.forget(weights, rng)
        after = _flat(method(forgetful, batch, target), batch)
        rank.append([rank_correlation(a, b) for a, b in zip(before, after, strict=True)])
        ssim.append([similarity(a, b) for a, b in zip(before, after, strict=True)])
    names = tuple(name for name, _ in from_the_top)
    return RandomizationCheck(names, np.float32(rank), np.float32(ssim))


class Forgetful(keras.Model):
    """A network with other weights: it borrows the network's layers and does not change them.

    Keras reads weights from an open `StatelessScope`; this one holds the shuffled copies.
    """

    def __init__(self, network):
        super().__init__(name=f"{network.name}_forgetful")
        self.network = network
        self.copies = {id(v): keras.Variable(v, trainable=False) for v in network.weights}
        self.input_shape = (None, *input_shape(network))
        self.built = True

    def call(self, x, training=False):
        """Return the network's output for x, with the copies in place of its weights."""
        pairs = [(v, self.copies[id(v)].value) for v in self.network.weights]
        with keras.StatelessScope(state_mapping=pairs):
            return self.network(x, training=training)

    def forget(self, weights, rng):
        """Shuffle the copies of some weights: the same numbers in other places."""
        for variable in weights:
            copy = self.copies[id(variable)]
            values = copy.numpy()
            copy.assign(rng.permutation(values.ravel()).reshape(values.shape))


def own_weights(network):
    """Return the weights of each layer that has any, by name, without those of layers inside it."""
    found, met = {}, set()
    for name, layer in layers(network).items():  # inner layers before those that hold them
        own = [weight for weight in layer.weights if id(weight) not in met]
        met.update(map(id, own))
        if own:
            found[name] = own
    return found


def rank_correlation(one, other):
    """Return Spearman's rank correlation of two maps, -1 to 1; NaN where a map is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return np.nan
    return float(spearmanr(one, other, axis=None).statistic)


def similarity(one, other):
    """Return the structural similarity of two maps, each divided by its maximum; NaN for zeros."""
    if one.max() <= 0 or other.max() <= 0:
        return np.nan
    window = min(7, *one.shape) - 1 | 1  # an odd number of pixels
    one, other = one / one.max(), other / other.max()
    return structural_similarity(one, other, data_range=1.0, win_size=window)


def _flat(maps, batch):
    """Return maps as (N, H, W) by absolute value; ValueError where they do not fit the images."""
    maps = np.abs(np.asarray(maps, np.float32))
    maps = maps.sum(axis=-1) if maps.ndim == 4 else maps
    if maps.shape != batch.shape[:3]:
        raise ValueError(f"the method must return maps {batch.shape[:3]}, not {maps.shape}")
    return maps


def even(_network, images, _target=None):
    """Return a map that is the same everywhere: the chance level."""
    return np.ones(np.shape(images)[:-1], np.float32)


def edges(_network, images, _target=None):
    """Return how quickly brightness changes at each pixel (Sobel), without asking the network."""
    grey = np.asarray(images, np.float32).mean(axis=-1)
    return np.stack([sobel(g) for g in grey]) if grey.ndim == 3 else sobel(grey)


METHODS = {
    "even": even,
    "edges": edges,
    "gradient": saliency.gradient,
    "guided gradient": saliency.guided_gradient,
    "SmoothGrad": saliency.smooth_gradient,
    "integrated gradients": saliency.integrated_gradients,
    "Grad-CAM": cam.grad_cam,
    "Guided Grad-CAM": cam.guided_grad_cam,
    "occlusion": perturbation.occlusion,
    "LIME": perturbation.lime,
}


def compare_methods(network, drawings, target=None, methods=None):
    """Return how well methods do on drawings: `{method: {metric: mean over the drawings}}`.

    `drawings` come from `drawn.draw`; `methods` are `{name: function(network, images, target)}`, by
    default `METHODS`; `target` is None (the predicted class), an int, or one int per drawing. The
    metrics, where higher is better except for deletion:

    - "on animal", "on face": the share of the map's mass there (`part_scores`);
    - "hits animal", "hits head": whether the highest pixel lies there (`pointing_game`);
    - "effects": Spearman's correlation, over an animal's parts, of the mass on a part with the
      score that is lost when the animal is drawn without it (`perturbation.part_effects`);
    - "deletion", "insertion": the mean of the target's probability along the curve.
    """
    images = np.stack([drawing.image for drawing in drawings])
    parts = np.stack([drawing.parts for drawing in drawings])
    batch, _ = check_images(network, images)
    target = gradients.chosen_targets(network, batch, target)
    head = parts >= PART_NAMES.index("head")
    effects = perturbation.part_effects(network, drawings, target)
    found = {}
    methods = METHODS if methods is None else methods
    for name, method in progress(methods.items(), label="methods"):
        maps = method(network, images, target)
        shares = part_scores(maps, parts, PART_NAMES)
        each = {
            "on animal": shares["animal"],
            "on face": sum(shares[part] for part in FEATURES),
            "hits animal": pointing_game(maps, parts > 0),
            "hits head": pointing_game(maps, head),
            "effects": _agreement(shares, effects),
            "deletion": deletion_curve(network, images, maps, target).mean(axis=1),
            "insertion": insertion_curve(network, images, maps, target).mean(axis=1),
        }
        found[name] = {mark: float(np.nanmean(values)) for mark, values in each.items()}
    return found


def _agreement(shares, effects):
    """Return for each drawing how well the mass on its parts ranks their true effects."""
    truth = np.stack([effects[part] for part in EFFECTS], axis=1)
    mass = np.stack([shares[part] for part in EFFECTS], axis=1)
    known = ~np.isnan(truth)  # an animal without whiskers cannot lose them
    pairs = zip(mass, truth, known, strict=True)
    return np.array([rank_correlation(m[k], t[k]) for m, t, k in pairs])
