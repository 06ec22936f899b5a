"""Change the picture and ask the network again: what did the change cost?

Three methods, and no gradient in any of them. *Occlusion* covers one square after another. *LIME*
covers many regions at once, at random, and fits a linear model to the scores. *Part effects*
(`counterfactuals`) are for a world that can be drawn again: the same animal without its ears.

A score is a logit. What covers is the `baseline`: a number (0 is black) or an array that broadcasts
to the images. It is part of the question: a network may see something in a black square, too.
"""

import numpy as np
import tensorflow as tf
from skimage.segmentation import slic
from sklearn.linear_model import Ridge

from helpers import gradients
from helpers.counterfactuals import part_effects  # noqa: F401 - perturbation.part_effects
from helpers.locality import covered_scores
from helpers.networks import check_images
from helpers.runtime import check_count, portions
from helpers.tracing import compiled, logits

OCCLUDED = 5 * 2**18  # occlusion: how many pixels are in memory at once, were pictures whole
PIXELS = 2**18  # LIME: how many are in memory at once
KERNEL_WIDTH = 0.25  # LIME: how quickly a sample counts less, the more of the picture it covers
COMPACTNESS = 20  # LIME: of superpixels, between colours alone (0) and squares (100)
PENALTY = 0.01  # LIME: of the ridge regression, in which the whole picture weighs 1


def occlusion(network, images, target=None, window=16, stride=8, baseline=0.0, batch_size=None):
    """Return the score that is lost where a square is covered: float32 (N, H, W), signed.

    Squares of `window` pixels begin every `stride` pixels from the top left corner until all is
    covered; at the right and lower edge they end with the picture. Each pixel gets the mean loss of
    the squares that cover it, positive where the picture speaks for the target. With a stride as
    long as the window that is one square, and for a linear network the exact sum under it.

    A single image (H, W, C) gives a single map. `target` is None (the class that is predicted with
    nothing covered), an int, or one int per image. `batch_size` squares at a time are in memory
    (None: as many as pictures of a million pixels together would be). A square changes little of
    what the early layers give, and only that is computed: see `locality`.
    Raises ValueError for a window that is larger than the picture, a stride that is longer than the
    window, and a baseline that does not fit. (Zeiler & Fergus 2013)
    """
    batch, single = _check_pictures(network, images)
    sides = batch.shape[1:3]
    check_count("window", window, 1, min(sides), "the shorter side of the pictures")
    check_count("stride", stride, 1, window, "the window, so that no pixel is left out")
    if batch_size is not None:
        check_count("batch_size", batch_size, 1)
    covers = _like(batch, baseline)
    targets = gradients.check_target(network, batch, target)
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
        targets[n] = _chosen(targets[n], whole[0])
        losses[n, some] = whole[:, targets[n]] - covered[:, targets[n]]
    maps = np.stack([_mean_over(corners, window, loss, sides) for loss in losses])
    return maps[0] if single else maps


def _mean_over(corners, window, losses, shape):
    """Return for each pixel the mean loss of the squares that cover it."""
    total, count = np.zeros(shape), np.zeros(shape)
    for (top, left), loss in zip(corners, losses, strict=True):
        square = slice(top, top + window), slice(left, left + window)
        total[square] += loss
        count[square] += 1
    return np.float32(total / count)


def lime(network, image, target=None, segments=50, samples=500, seed=0, baseline=0.0):
    """Return how much each superpixel speaks for the target: float32 (H, W), signed.

    The picture is cut into about `segments` superpixels (SLIC, Achanta 2012), or as `segments` says
    where that is an int array of labels, (H, W). In each sample every superpixel is covered or not,
    as a coin falls. A linear model is fitted to the scores of all `samples` by ridge regression, in
    which a sample weighs the less, the more it covers. Every pixel gets the coefficient of its
    superpixel: the score that is lost, in the model, where that is covered.

    The `baseline` None covers each superpixel with its own mean colour, as the authors do. Several
    images give (N, H, W). Raises ValueError where the samples are not more than the superpixels,
    for labels or a baseline that do not fit, and without labels for pictures that are not RGB.
    (Ribeiro 2016)
    """
    batch, single = _check_pictures(network, image)
    labels = _superpixels(batch, segments)
    most = int(labels.max()) + 1
    check_count("samples", samples, most + 1, why=f", more than the {most} superpixels")
    covers = _mean_colours(batch, labels) if baseline is None else _like(batch, baseline)
    targets = gradients.check_target(network, batch, target)
    picture = batch.shape[1:], "float32"
    signature = picture, picture, (labels.shape[1:], "int32"), ((None, None), "bool")
    run = compiled(network, _partly_covered_scores, signature=signature)
    kept = [_coins(samples, regions.max() + 1, seed) for regions in labels]
    scores = np.empty((len(batch), samples))
    for n, some in portions(*scores.shape, max(1, PIXELS // labels[0].size), "LIME"):
        tensors = batch[n], covers[n], labels[n], kept[n][some]
        found = run(*map(tf.constant, tensors))[0].numpy()
        targets[n] = _chosen(targets[n], found[0])  # the first sample is the whole picture
        scores[n, some] = found[:, targets[n]]
    slopes = map(_slopes, kept, scores)
    maps = np.stack([slope[regions] for slope, regions in zip(slopes, labels, strict=True)])
    return maps[0] if single else maps


def _superpixels(batch, segments):
    """Return labels 0, 1, ... of each picture's superpixels, int32 (N, H, W)."""
    shape = batch.shape[:3]
    if np.ndim(segments) == 0:
        check_count("segments", segments, 1)
        if batch.shape[3] != 3:
            raise ValueError(f"Superpixels are found in RGB pictures, not in {batch.shape[1:]}.")
        labels = [_slic(picture, segments) for picture in np.clip(batch / 255, 0, 1)]
    else:
        labels = np.asarray(segments)
        if labels.dtype.kind not in "ui" or labels.shape not in (shape, shape[1:]):
            raise ValueError(
                f"segments must be a number or ints of shape {shape[1:]}, "
                f"not {labels.dtype} {labels.shape}."
            )
        labels = np.broadcast_to(labels, shape)
    counted = [np.unique(regions, return_inverse=True)[1] for regions in labels]
    return np.stack(counted).reshape(shape).astype(np.int32)


def _slic(picture, segments):
    """Return superpixels, of a smoothed picture where noise would leave less than half of them."""
    for blur in (0, 1, 2, 4):
        labels = slic(picture, segments, COMPACTNESS, sigma=blur)
        if labels.max() >= segments / 2:
            break
    return labels


def _mean_colours(batch, labels):
    """Return the pictures with every superpixel in its own mean colour."""
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
    """Return the logits (B, classes) of B pictures of which only the kept regions are seen."""
    seen = tf.gather(kept, regions, axis=1)[..., None]
    return [logits(network(tf.where(seen, picture, cover), training=False))]


def _slopes(kept, scores):
    """Return the coefficients, float32, of the linear model of the scores."""
    distance = 1 - np.sqrt(kept.mean(axis=1))  # cosine distance from the sample that keeps all
    weights = np.exp(-((distance / KERNEL_WIDTH) ** 2) / 2)
    return np.float32(Ridge(PENALTY).fit(kept, scores, sample_weight=weights).coef_)


def _check_pictures(network, images):
    """Return what `check_images` does; ValueError where images have no rows and columns."""
    batch, single = check_images(network, images)
    if batch.ndim != 4:
        raise ValueError(f"Images must be (N, H, W, C) or one (H, W, C), not {np.shape(images)}.")
    return batch, single


def _like(batch, baseline):
    """Return a baseline, a number or an array, in the shape of a batch; ValueError if it cannot."""
    cover = np.asarray(baseline, np.float32)
    fits = cover.ndim <= 4 and all(
        m in (1, n) for m, n in zip(cover.shape[::-1], batch.shape[::-1], strict=False)
    )
    if not fits or not np.isfinite(cover).all():
        raise ValueError(
            f"baseline must be a finite number or of the images' shape {batch.shape[1:]}, "
            f"not {baseline if cover.ndim == 0 else cover.shape}."
        )
    return np.broadcast_to(cover, batch.shape)


def _chosen(target, scores):
    return scores.argmax() if target == gradients.PREDICTED else target
