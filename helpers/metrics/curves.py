"""What the network says as pixels come and go: the most important ones first."""

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import spsolve
from skimage.filters import gaussian

from helpers import gradients
from helpers.core.arguments import baseline_like, check_count
from helpers.core.progress import progress
from helpers.metrics.parts import matched
from helpers.networks import check_images, predict

BLUR = 1 / 16  # sigma of the image where insertion starts, as a share of its longer side
NOISE = 2.0  # standard deviation of the noise on imputed pixels, in grey levels
NEIGHBOURS = {  # ROAD: (row, column) and weight of a pixel's neighbours; diagonals count half
    (0, 1): 1 / 6, (1, 0): 1 / 6, (0, -1): 1 / 6, (-1, 0): 1 / 6,
    (1, 1): 1 / 12, (1, -1): 1 / 12, (-1, 1): 1 / 12, (-1, -1): 1 / 12,
}  # fmt: skip


def completeness_gap(network, images, attributions, target=None, baseline=0.0, *, against=None):
    """Return how far attributions are from adding up to what they should, as a share of it: (N,).

    Integrated gradients of an image should add up to the target's score (or its margin, with
    `against`) minus that of `baseline`, a number or an array: 0.01 means that they are off by 1 %.
    If the two are equal, the gap is 0 or infinite. Raises ValueError for another shape than the
    images'. (Sundararajan 2017)
    """
    batch, single = check_images(network, images)
    attributions = np.asarray(attributions, np.float64)
    if attributions.shape != np.shape(images):
        raise ValueError(
            f"attributions must be {np.shape(images)} like images, not {attributions.shape}."
        )
    pairs = gradients.chosen_targets(network, batch, target, against)
    whole, empty = (
        gradients.difference(gradients.scores(network, pictures), pairs).astype(np.float64)
        for pictures in (batch, baseline_like(batch, baseline))
    )
    missed = np.abs(attributions.reshape(len(batch), -1).sum(axis=1) - (whole - empty))
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.float32(np.where(missed == 0, 0.0, missed / np.abs(whole - empty)))
    return gap[0] if single else gap


def deletion_curve(network, images, maps, target=None, steps=32, baseline=0.0, *, against=None):
    """Return what the network says as pixels are removed, those highest in the map first.

    The lower the curve (`area`), the better the map.

    Arguments:
        maps: (N, H, W), or (N, H, W, C), summed over colours by absolute value. Of equal values
            the first in reading order goes first.
        target: None (the class predicted for the whole image), an int, or one int per image.
        steps: the curve has steps + 1 points, evenly spaced from the whole image to `baseline`.
        baseline: a number or an array.
        against: None for the target's probability, as in the paper; "rest" or an int for the
            log-odds or the margin (see `gradients.quantity`), which do not saturate.

    A curve is float32 (N, steps + 1), or (steps + 1,) for a single image. Raises ValueError for
    maps that do not fit, NaN, and steps out of range. (Petsiuk 2018)
    """
    batch, single = check_images(network, images)
    emptied = baseline_like(batch, baseline)
    return _curve(network, batch, emptied, images, maps, target, against, steps, single)


def insertion_curve(network, images, maps, target=None, steps=32, baseline=None, *, against=None):
    """Return what the network says as pixels are inserted, those highest in the map first.

    Like `deletion_curve`, but from `baseline` to the whole image: the higher the curve, the better
    the map. The baseline None is the blurred image, which has hardly any edges. (Petsiuk 2018)
    """
    batch, single = check_images(network, images)
    spread = BLUR * max(batch.shape[1:3])
    if baseline is None:
        baseline = np.stack([gaussian(x, spread, channel_axis=-1) for x in batch])
    emptied = baseline_like(batch, baseline)
    return _curve(network, emptied, batch, images, maps, target, against, steps, single)


def _curve(network, begin, end, images, maps, target, against, steps, single):
    """Return what the network says on the way from `begin` to `end`, pixel by pixel."""
    count, height, width = begin.shape[:3]
    if not 1 <= steps <= height * width:
        raise ValueError(f"steps must be 1 to {height * width}, the number of pixels, not {steps}.")
    given, _ = check_images(network, images)
    maps = _one_each(maps, given, single)
    pairs = gradients.chosen_targets(network, given, target, against)
    changed = np.round(np.linspace(0, height * width, steps + 1))
    curves = []
    for first, last, heat, pair in zip(begin, end, maps, pairs, strict=True):
        on = (_ranks(heat) < changed[:, None, None])[..., None]
        curves.append(_said(network, np.where(on, last, first), pair, against))
    return curves[0] if single else np.stack(curves)


def road_curve(network, images, maps, target=None, steps=9, seed=0, *, against=None):
    """Return what the network says as pixels are removed and filled in from their neighbours.

    A black hole is itself something to see: its outline can tell the class. ROAD (remove and
    debias) fills each removed pixel with the weighted mean of its neighbours plus a little noise
    (`impute`), so that hardly more than the pixel's own information is gone. Most important pixels
    first: the lower the curve (`area`), the better the map.

    Arguments are as in `deletion_curve`; step k of `steps` removes k / (steps + 1) of all pixels,
    so the last picture keeps a few. float32 (N, steps + 1). (Rong 2022)
    """
    batch, single = check_images(network, images)
    check_count("steps", steps, 1, batch[0, ..., 0].size - 1, "fewer than there are pixels")
    maps = _one_each(maps, batch, single)
    pairs = gradients.chosen_targets(network, batch, target, against)
    changed = np.round(np.arange(steps + 1) / (steps + 1) * maps[0].size)
    curves = []
    for picture, heat, pair in zip(progress(batch, label="ROAD"), maps, pairs, strict=True):
        ranks = _ranks(heat)
        filled = [impute(picture, ranks < most, seed) for most in changed]
        curves.append(_said(network, np.stack(filled), pair, against))
    return curves[0] if single else np.stack(curves)


def impute(picture, removed, seed=0):
    """Return a picture with its removed pixels filled in from their neighbours.

    Each removed pixel becomes the weighted mean of its eight neighbours, removed or not (one sparse
    system of linear equations), plus Gaussian noise. Known pixels stay as they are.

    Arguments:
        picture: (H, W, C), 0 to 255.
        removed: bool (H, W); at least one pixel must stay.

    float32 (H, W, C). Raises ValueError where no pixel stays. (Rong 2022, noisy linear imputation)
    """
    picture, removed = np.asarray(picture, np.float32), np.asarray(removed, bool)
    if removed.shape != picture.shape[:2] or removed.all():
        raise ValueError(f"removed must be a mask {picture.shape[:2]} that leaves a pixel.")
    number = np.full(np.add(removed.shape, 2), -1)  # of each unknown; a border lies around
    inside = number[1:-1, 1:-1]
    inside[removed] = np.arange(removed.sum())
    known = np.pad(picture, ((1, 1), (1, 1), (0, 0)))
    within = np.pad(np.ones(removed.shape), 1)
    rows, columns = np.nonzero(removed)
    total, right = np.zeros(len(rows)), np.zeros((len(rows), picture.shape[2]))
    entries = []
    for (down, across), weight in NEIGHBOURS.items():
        there = rows + 1 + down, columns + 1 + across
        total += weight * within[there]
        unknown = number[there] >= 0
        right += np.where(unknown[:, None], 0, weight * known[there])
        which = np.flatnonzero(unknown)
        entries.append((np.full(len(which), -weight), which, number[there][which]))
    values, i, j = (np.concatenate(part) for part in zip(*entries, strict=True))
    size = (len(rows), len(rows))
    system = scipy.sparse.csc_matrix((values, (i, j)), size) + scipy.sparse.diags(total)
    filled = picture.copy()
    if len(rows):
        noise = np.random.default_rng(seed).normal(0, NOISE, right.shape)
        found = spsolve(system.tocsc(), right).reshape(right.shape)
        filled[removed] = np.clip(found + noise, 0, 255)
    return filled


def area(curves):
    """Return the area under curves (..., steps + 1) over a width of 1, by the trapezoid rule."""
    curves = np.asarray(curves, np.float64)
    return np.float32((curves[..., 1:] + curves[..., :-1]).mean(axis=-1) / 2)


def _one_each(maps, batch, single):
    """Return one map without colours per image, (N, H, W); ValueError where they do not fit."""
    maps = np.asarray(maps)[None] if single else np.asarray(maps)
    return matched(maps, np.zeros(batch.shape[:3], np.uint8))[0]


def _ranks(heat):
    """Return the place of each pixel in the order from the highest down, 0 first: int (H, W)."""
    ranks = np.empty(heat.size, int)
    ranks[np.argsort(-heat, axis=None, kind="stable")] = np.arange(heat.size)
    return ranks.reshape(heat.shape)


def _said(network, pictures, pair, against):
    """Return the probability of the target in pictures, or with `against` the quantity."""
    if against is None:
        return predict(network, pictures)[:, pair[0]]
    return gradients.difference(gradients.scores(network, pictures), pair)
