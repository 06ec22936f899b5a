"""Perturbation: change the image, ask the network again, and see how the score changes.

None of these four methods uses gradients. *Occlusion* covers one square at a time. *LIME* covers
many regions at once, at random, and fits a linear model to the scores. *RISE* dims the image with
many random masks, and asks of each pixel how high the score is where that pixel is seen. *Part
effects* need images that can be drawn again: the same animal without its ears.

A score is a logit. Regions are covered with a `baseline`: a number (0 is black) or an array that
broadcasts to the images. The choice matters, as the network may see something in a black square.
"""

import functools
from typing import NamedTuple

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
PIXELS = 2**18  # LIME, RISE: pixels in memory at once
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
    regions = superpixels(network, image, segments, baseline)
    most = int(regions.labels.max()) + 1
    check_count("samples", samples, most + 1, why=f", more than the {most} superpixels")
    kept = [_coins(samples, labels.max() + 1, seed) for labels in regions.labels]
    scores = scores_of_kept(network, regions, kept, target, against, "LIME")
    slopes = map(_slopes, kept, scores)
    maps = np.stack([slope[labels] for slope, labels in zip(slopes, regions.labels, strict=True)])
    return maps[0] if regions.single else maps


class Regions(NamedTuple):
    """Images in superpixels, and what to cover them with: the first step of LIME and KernelSHAP."""

    images: np.ndarray  # float32 (N, H, W, C)
    labels: np.ndarray  # int32 (N, H, W): 0, 1, ...
    covers: np.ndarray  # float32 (N, H, W, C)
    single: bool  # whether one image was given, without the first axis


def superpixels(network, image, segments=50, baseline=0.0):
    """Return images cut into superpixels as `Regions`; arguments and errors are `lime`'s."""
    batch, single = _check_pictures(network, image)
    labels = _superpixels(batch, segments)
    covers = _mean_colours(batch, labels) if baseline is None else baseline_like(batch, baseline)
    return Regions(batch, labels, covers, single)


def scores_of_kept(network, regions, kept, target, against, label):
    """Return what is explained of images that show only some superpixels: arrays (samples,).

    Arguments:
        regions: the images, as `superpixels` returns them.
        kept: for each image bool (samples, superpixels); the first sample keeps all.
        target, against: as in `lime`.
        label: of the progress bar.
    """
    batch, labels, covers, _ = regions
    pairs = gradients.check_target(network, batch, target, against)
    picture = batch.shape[1:], "float32"
    signature = picture, picture, (labels.shape[1:], "int32"), ((None, None), "bool")
    run = compiled(network, _partly_covered_scores, signature=signature)
    scores = [np.empty(len(samples)) for samples in kept]
    counts, most = [len(samples) for samples in kept], max(1, PIXELS // labels[0].size)
    for n, some in portions(len(batch), counts, most, label):
        tensors = batch[n], covers[n], labels[n], kept[n][some]
        found = run(*map(tf.constant, tensors))[0].numpy()
        pairs[n] = gradients.chosen(pairs[n], found[0])  # the first sample covers nothing
        scores[n][some] = gradients.difference(found, pairs[n])
    gradients.check_finite(network, batch, np.array([found.sum() for found in scores]))
    gradients.check_telling(network, batch, np.array([np.ptp(found) for found in scores]), pairs)
    return scores


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


def rise(
    network,
    image,
    target=None,
    masks=2000,
    seed=0,
    cells=7,
    share=0.5,
    baseline=0.0,
    errors=False,
    *,
    against=None,
):
    """Return how much higher the score is, on average, where a pixel is seen: float32 (H, W).

    A mask begins as a grid of cells, each open with probability `share`. Enlarged to a little more
    than the image, bilinearly, and moved at random by less than a cell, it shows each pixel by a
    share of 0 to 1, `share` on average. With M_i the masks, s_i the scores of the images seen
    through them and s the mean of these scores, a pixel gets

        mean over i of  (s_i - s) * M_i(pixel)  /  share

    That is the paper's map less the constant s, so that a pixel that does not matter gets 0. And
    where the paper averages probabilities, these are scores, as in all methods.

    Arguments:
        image: (H, W, C) or (N, H, W, C), which gives (N, H, W). All images get the same masks.
        target: None (the class predicted for the whole image), an int, or one int per image.
        against: as in `occlusion`.
        masks: how many, 2 or more. Each takes a forward pass.
        cells: of the grid along each side, 1 to the image's shorter side.
        share: above 0 and below 1.
        baseline: what to show where a mask is closed, a number or an array.
        errors: True returns the map and its standard errors, which fall as 1 / sqrt(masks).

    Raises ValueError for arguments out of range. (Petsiuk 2018)
    """
    batch, single = _check_pictures(network, image)
    sides = batch.shape[1:3]
    check_count("masks", masks, 2)
    check_count("seed", seed, 0)
    check_count("cells", cells, 1, min(sides), "the shorter side of the pictures")
    if not 0 < share < 1:
        raise ValueError(f"share must be above 0 and below 1, not {share!r}.")
    covers = baseline_like(batch, baseline)
    pairs = gradients.chosen_targets(network, batch, target, against)
    draws = _random_grids(masks, cells, share, sides, seed)
    scores, most = np.empty((len(batch), masks)), max(1, PIXELS // batch[0, ..., 0].size)
    for n, some in portions(len(batch), masks, most, "RISE"):
        seen = _enlarged(*(draw[some] for draw in draws), sides)
        scores[n, some] = gradients.quantity_through(network, batch[n], covers[n], seen, pairs[n])
    gradients.check_finite(network, batch, scores)
    # These add up to 0, so masks less their mean, which is `share`, would give the same sums.
    weights = (scores - scores.mean(axis=1, keepdims=True)) / share
    sums, squares = np.zeros((2, *batch.shape[:3]))
    for _, some in portions(1, masks, most, "RISE, adding up"):
        seen = _enlarged(*(draw[some] for draw in draws), sides)
        sums += np.tensordot(weights[:, some], seen, 1)
        if errors:
            squares += np.tensordot(weights[:, some] ** 2, (seen - share) ** 2, 1)
    maps = np.float32(sums / masks)
    gradients.check_telling(network, batch, maps, pairs)
    found = [maps]
    if errors:
        variance = np.maximum(squares / masks - np.square(sums / masks), 0)
        found.append(np.float32(np.sqrt(variance / (masks - 1))))
    found = [values[0] if single else values for values in found]
    return tuple(found) if errors else found[0]


def _random_grids(masks, cells, share, sides, seed):
    """Return which cells are open, bool (masks, cells, cells), and first pixels, (masks, 2)."""
    random = np.random.default_rng(seed)
    grids = random.random((masks, cells, cells)) < share
    return grids, random.integers(0, [-(-side // cells) for side in sides], (masks, 2))


def _enlarged(grids, corners, sides):
    """Return masks float32 (n, H, W): grids, enlarged by one cell more than `sides`, cut out."""
    cells = grids.shape[1]
    rows, columns = (
        _bilinear(cells, (cells + 1) * -(-side // cells))[corner[:, None] + np.arange(side)]
        for side, corner in zip(sides, corners.T, strict=True)
    )
    return rows @ grids.astype(np.float32) @ columns.swapaxes(1, 2)


def _bilinear(cells, pixels):
    """Return the matrix that enlarges cells to pixels by linear interpolation, float32."""
    centres = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    return np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(cells))).astype(np.float32)


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


redrawn = functools.lru_cache(maxsize=512)(drawn.draw)  # once for several networks


def _without(drawing, name, sky):
    """Return the image without a part; ValueError where other pixels would change, too."""
    if not isinstance(drawing.kind, str):
        raise ValueError(f"{drawing} is a scene: part effects need drawings of a single animal.")
    bare = redrawn(drawing.kind, drawing.seed, (name,), sky).image
    rest = drawing.parts != drawn.PART_NAMES.index(name)
    if not np.array_equal(bare[rest], drawing.image[rest]):
        raise ValueError(f"{drawing} is not a whole animal, or not drawn with sky={sky!r}.")
    return bare
