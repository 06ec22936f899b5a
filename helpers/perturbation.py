"""Perturbation: change the image, ask the network again, and see how the score changes.

None of these three methods uses gradients. *Occlusion* covers one square at a time. *LIME* covers
many regions at once, at random, and fits a linear model to the scores. *Part effects* need images
that can be drawn again: the same animal without its ears.

A score is a logit. Regions are covered with a `baseline`: a number (0 is black) or an array that
broadcasts to the images. The choice matters, as the network may see something in a black square.
"""

import functools

import numpy as np
import tensorflow as tf
from skimage.segmentation import slic
from sklearn.linear_model import Ridge

from helpers import drawn, gradients
from helpers.core.arguments import baseline_like, check_count
from helpers.core.heads import logits
from helpers.core.locality import covered_scores
from helpers.core.progress import portions, progress
from helpers.core.tracing import compiled
from helpers.networks import check_images

PARTS = drawn.PART_NAMES[1:]  # what an animal can be drawn without
OCCLUDED = 5 * 2**18  # occlusion: pixels in memory at once, if whole images were computed
PIXELS = 2**18  # LIME: pixels in memory at once
COMPACTNESS = 20  # LIME: of superpixels, from colour only (0) to squares (100)
KERNEL_WIDTH = 0.25  # LIME: how quickly a sample's weight falls as it covers more
PENALTY = 0.01  # LIME: of the ridge regression, where the whole image has weight 1


def occlusion(
    network,
    images,
    target=None,
    window=16,
    stride=8,
    baseline=0.0,
    batch_size=None,
    *,
    against=None,
):
    """Return the score lost where a square is covered: float32 (N, H, W), signed.

    Each pixel gets the mean loss over the squares that cover it, positive where it speaks for the
    target. For a linear network and stride = window, that is the exact sum under the square.

    Arguments:
        images: (N, H, W, C), or a single one (H, W, C), which gives a single map.
        target: None (the class predicted with nothing covered), an int, or one int per image.
        against: None for the score; "rest" for its log-odds, with two classes the margin; an int
            for the margin over that class (see `gradients.quantity`).
        window: side of the squares in pixels, at most the image's shorter side.
        stride: pixels from one square to the next, 1 to `window`. The last squares end at the edge.
        baseline: what squares are covered with.
        batch_size: squares in memory at a time; None is as many as fit into a million pixels.

    A square changes only part of the early layers' output, and only that part is computed
    (see `core.locality`). Raises ValueError for arguments out of range. (Zeiler & Fergus 2013)
    """
    batch, single = _check_pictures(network, images)
    sides = batch.shape[1:3]
    check_count("window", window, 1, min(sides), "the shorter side of the pictures")
    check_count("stride", stride, 1, window, "the window, so that no pixel is left out")
    if batch_size is not None:
        check_count("batch_size", batch_size, 1)
    covers = baseline_like(batch, baseline)
    pairs = gradients.check_target(network, batch, target, against)
    picture = (None, *batch.shape[1:]), "float32"
    signature = picture, picture, ((None, 2), "int32")
    run = compiled(network, covered_scores, int(window), int(stride), signature=signature)
    begins = (np.arange(0, side - window + stride, stride, np.int32) for side in sides)
    corners = np.stack(np.meshgrid(*begins, indexing="ij"), axis=-1).reshape(-1, 2)
    losses = np.empty((len(batch), len(corners)), np.float32)
    most = batch_size or max(1, OCCLUDED // batch[0, ..., 0].size)
    for n, some in portions(*losses.shape, most, "Occlusion"):
        tensors = batch[n : n + 1], covers[n : n + 1], corners[some]
        covered, whole = (scores.numpy() for scores in run(*map(tf.constant, tensors)))
        pairs[n] = gradients.chosen(pairs[n], whole[0])
        losses[n, some] = gradients.difference(whole, pairs[n]) - gradients.difference(
            covered, pairs[n]
        )
    gradients.check_finite(network, batch, losses)
    gradients.check_telling(network, batch, losses, pairs)
    maps = np.stack([_mean_over(corners, window, loss, sides) for loss in losses])
    return maps[0] if single else maps


def _check_pictures(network, images):
    """Return what `check_images` does; ValueError for anything but (H, W, C)."""
    batch, single = check_images(network, images)
    if batch.ndim != 4:
        raise ValueError(f"Images must be (N, H, W, C) or (H, W, C), not {np.shape(images)}.")
    if batch.shape[1] == 3 and min(batch.shape[2:]) > 4:
        raise ValueError(
            f"The network {network.name!r} takes images {batch.shape[1:]}, channels first; "
            "needed are (H, W, C): put a Permute((3, 1, 2)) in front of it."
        )
    return batch, single


def _mean_over(corners, window, losses, shape):
    """Return the mean loss over the squares that cover each pixel."""
    total, count = np.zeros(shape), np.zeros(shape)
    for (top, left), loss in zip(corners, losses, strict=True):
        square = slice(top, top + window), slice(left, left + window)
        total[square] += loss
        count[square] += 1
    return np.float32(total / count)


def lime(
    network, image, target=None, segments=50, samples=500, seed=0, baseline=0.0, *, against=None
):
    """Return how much each superpixel speaks for the target: float32 (H, W), signed.

    Each sample covers every superpixel or not, at random. Ridge regression fits a linear model to
    the scores of all samples, where a sample counts less, the more it covers. Every pixel gets its
    superpixel's coefficient: the score that the model loses when the superpixel is covered.

    Arguments:
        image: (H, W, C) or (N, H, W, C), which gives (N, H, W); RGB unless `segments` are labels.
        target: None (the class predicted with nothing covered), an int, or one int per image.
        against: as in `occlusion`.
        segments: about how many superpixels (SLIC, Achanta 2012), or int labels (H, W).
        samples: how many, more than there are superpixels.
        baseline: what to cover with; None is each superpixel's mean colour, as in the paper.

    Raises ValueError for arguments that do not fit. (Ribeiro 2016)
    """
    batch, single = _check_pictures(network, image)
    labels = _superpixels(batch, segments)
    most = int(labels.max()) + 1
    check_count("samples", samples, most + 1, why=f", more than the {most} superpixels")
    covers = _mean_colours(batch, labels) if baseline is None else baseline_like(batch, baseline)
    pairs = gradients.check_target(network, batch, target, against)
    picture = batch.shape[1:], "float32"
    signature = picture, picture, (labels.shape[1:], "int32"), ((None, None), "bool")
    run = compiled(network, _partly_covered_scores, signature=signature)
    kept = [_coins(samples, regions.max() + 1, seed) for regions in labels]
    scores = np.empty((len(batch), samples))
    for n, some in portions(*scores.shape, max(1, PIXELS // labels[0].size), "LIME"):
        tensors = batch[n], covers[n], labels[n], kept[n][some]
        found = run(*map(tf.constant, tensors))[0].numpy()
        pairs[n] = gradients.chosen(pairs[n], found[0])  # the first sample covers nothing
        scores[n, some] = gradients.difference(found, pairs[n])
    gradients.check_finite(network, batch, scores)
    gradients.check_telling(network, batch, scores - scores[:, :1], pairs)
    slopes = map(_slopes, kept, scores)
    maps = np.stack([slope[regions] for slope, regions in zip(slopes, labels, strict=True)])
    return maps[0] if single else maps


def _superpixels(batch, segments):
    """Return the superpixel labels 0, 1, ... of each image: int32 (N, H, W)."""
    shape = batch.shape[:3]
    if np.ndim(segments) == 0:
        check_count("segments", segments, 1)
        if batch.shape[3] != 3:
            raise ValueError(f"Superpixels need RGB images, or labels, not {batch.shape[1:]}.")
        labels = [_slic(picture, segments) for picture in np.clip(batch / 255, 0, 1)]
    else:
        labels = np.asarray(segments)
        if labels.dtype.kind not in "ui" or labels.shape not in (shape, shape[1:]):
            raise ValueError(
                f"segments must be a number or ints {shape[1:]}, not {labels.dtype} {labels.shape}."
            )
        labels = np.broadcast_to(labels, shape)
    counted = [np.unique(regions, return_inverse=True)[1] for regions in labels]
    return np.stack(counted).reshape(shape).astype(np.int32)


def _slic(picture, segments):
    """Return superpixels; blur the image first where noise would leave fewer than half of them."""
    for blur in (0, 1, 2, 4):
        labels = slic(picture, segments, COMPACTNESS, sigma=blur)
        if labels.max() >= segments / 2:
            break
    return labels


def _mean_colours(batch, labels):
    """Return the images with every superpixel in its mean colour."""
    flat = np.empty_like(batch)
    for picture, regions, out in zip(batch, labels, flat, strict=True):
        for label in range(regions.max() + 1):
            out[regions == label] = picture[regions == label].mean(axis=0)
    return flat


def _coins(samples, many, seed):
    """Return which superpixels each sample keeps, bool (samples, many); the first keeps all."""
    kept = np.random.default_rng(seed).random((samples, many)) < 0.5
    kept[0] = True
    return kept


def _partly_covered_scores(network, picture, cover, regions, kept):
    """Return the logits (B, classes) of an image of which B samples show only the kept regions."""
    seen = tf.gather(kept, regions, axis=1)[..., None]
    return [logits(network, tf.where(seen, picture, cover))]


def _slopes(kept, scores):
    """Return the coefficients of the linear model of the scores, float32."""
    distance = 1 - np.sqrt(kept.mean(axis=1))  # cosine distance from the whole image
    weights = np.exp(-((distance / KERNEL_WIDTH) ** 2) / 2)
    return np.float32(Ridge(PENALTY).fit(kept, scores, sample_weight=weights).coef_)


def part_effects(network, drawings, target=None, part_names=PARTS, sky=None, *, against=None):
    """Return how each part of a drawn animal affects the score: `{part name: float32 (N,)}`.

    The effect is the score of the whole drawing minus that without the part, NaN for hidden parts.

    Arguments:
        drawings: a list of `drawn.Drawing`, or one, which gives single numbers.
        target: None (the class predicted for the whole drawing), an int, or one int per drawing.
        against: as in `occlusion`.
        sky: the sky that the drawings were drawn with.

    Raises TypeError for anything but drawings, ValueError for an unknown part and for drawings that
    cannot be drawn again: scenes, incomplete animals, another sky. (FunnyBirds, Hesse 2023)
    """
    single = isinstance(drawings, drawn.Drawing)
    drawings = [drawings] if single else list(drawings)
    if not drawings or not all(isinstance(drawing, drawn.Drawing) for drawing in drawings):
        raise TypeError("drawings must be a drawn.Drawing from drawn.draw, or a list of them.")
    for name in part_names:
        if name not in PARTS:
            raise ValueError(f"{name!r} cannot be left out; choose from {', '.join(PARTS)}.")
    batch, _ = check_images(network, np.stack([drawing.image for drawing in drawings]))
    pairs = gradients.chosen_targets(network, batch, target, against)
    effects = {name: np.full(len(batch), np.nan, np.float32) for name in part_names}
    for n, drawing in enumerate(progress(drawings, label="Part effects")):
        shown = [name for name in part_names if drawn.PART_NAMES.index(name) in drawing.parts]
        bare = [_without(drawing, name, sky) for name in shown]
        scores = gradients.scores(network, np.stack([drawing.image, *bare]))
        whole, *without = gradients.difference(scores, pairs[n])
        for name, score in zip(shown, without, strict=True):
            effects[name][n] = whole - score
    return {name: values[0] if single else values for name, values in effects.items()}


_draw = functools.lru_cache(maxsize=512)(drawn.draw)  # redrawn once for several networks


def _without(drawing, name, sky):
    """Return the image without a part; ValueError where other pixels would change, too."""
    if not isinstance(drawing.kind, str):
        raise ValueError(f"{drawing} is a scene: part effects need drawings of a single animal.")
    bare = _draw(drawing.kind, drawing.seed, (name,), sky).image
    rest = drawing.parts != drawn.PART_NAMES.index(name)
    if not np.array_equal(bare[rest], drawing.image[rest]):
        raise ValueError(f"{drawing} is not a whole animal, or not drawn with sky={sky!r}.")
    return bare
