"""How right is a map? Marks against true parts, against the network, and against arithmetic.

True parts are what the drawn world knows of a picture. The network can be asked what it makes of
the picture without the pixels that a map calls important (`deletion_curve`), or with them alone
(`insertion_curve`), and whether the map changes when it forgets (`randomization_check`).

A map is (N, H, W), or (N, H, W, C) where a method gives a value for each colour. Parts are integer
ids (N, H, W), the index of each pixel's part in `part_names`. A single map with a single picture's
parts, (H, W), gives single numbers.
"""

import numpy as np
from skimage.filters import gaussian

from helpers import gradients
from helpers.networks import check_images, predict
from helpers.randomization import (  # noqa: F401 - metrics.randomization_check
    randomization_check,
    rank_correlation,
)
from helpers.saliency import baseline_like

BLUR = 1 / 16  # how far an insertion's first picture is blurred, as a share of its longer side


def part_scores(maps, parts, part_names):
    """Return the share of a map's mass that lies on each part: `{part name: float array (N,)}`.

    The mass of a pixel is its absolute value, summed over colours. The shares of a map add up to 1;
    those of a map that is zero everywhere are NaN, as it says nothing. Where one part is
    "background", the key "animal" holds all the rest. Raises ValueError for shapes that do not
    match, ids without a name, and maps with NaN or infinity.
    """
    maps, parts = _matched(maps, parts)
    if parts.dtype.kind not in "ui" or parts.min() < 0 or parts.max() >= len(part_names):
        raise ValueError(
            f"parts must be ids 0 to {len(part_names) - 1}, one for each of part_names, "
            f"not {parts.dtype} {parts.min()} to {parts.max()}."
        )
    shape, pixels = parts.shape[:-2], parts.shape[-2:]
    found = [  # picture by picture, as float64 of them all takes a lot of memory
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
    """Return the share of a single map's mass that lies on each part, NaN where it has none."""
    mass = np.bincount(parts.ravel().astype(int), np.abs(heat, dtype=np.float64).ravel(), count)
    total = mass.sum()
    return mass / (total if total > 0 else np.nan)


def pointing_game(maps, parts, allowed=None):
    """Return whether each map's highest pixel lies where it should: bool array (N,).

    `allowed` is the id, or the ids, of the parts that count as a hit; None takes `parts` for a
    mask, true where a hit is. Colours are added up by absolute value; otherwise the sign counts,
    and a map with nothing above zero points nowhere: a miss. Of equal pixels the first in reading
    order counts. Raises ValueError for shapes that do not match and maps with NaN or infinity.
    (Zhang 2016, here without a margin around the object)
    """
    maps, parts = _matched(maps, parts)
    if allowed is not None and np.asarray(allowed).dtype.kind not in "ui":
        raise TypeError(f"allowed must be part ids, the places in part_names, not {allowed!r}.")
    mask = parts.astype(bool) if allowed is None else np.isin(parts, allowed)
    flat, hit = (array.reshape(*array.shape[:-2], -1) for array in (maps, mask))
    peak = flat.argmax(axis=-1, keepdims=True)
    points = np.take_along_axis(flat, peak, axis=-1) > 0
    return (points & np.take_along_axis(hit, peak, axis=-1))[..., 0]


def completeness_gap(network, images, attributions, target=None, baseline=0.0):
    """Return by how much attributions miss what they should add up to, as a share of it: (N,).

    Integrated gradients of an image should add up to the target's score less that of `baseline`, a
    number or an array: 0.01 says that they miss this by 1 %. The share of nothing is infinite,
    unless nothing was missed. Raises ValueError for attributions of another shape than the images.
    (Sundararajan 2017)
    """
    batch, single = check_images(network, images)
    attributions = np.asarray(attributions, np.float64)
    if attributions.shape != np.shape(images):
        raise ValueError(
            f"attributions must be of the images' shape {np.shape(images)}, "
            f"not {attributions.shape}."
        )
    scores = gradients.scores(network, batch).astype(np.float64)
    targets = gradients.check_target(network, batch, target)
    targets = scores.argmax(axis=1) if target is None else targets
    rows = np.arange(len(batch))
    gained = (scores - gradients.scores(network, baseline_like(batch, baseline)))[rows, targets]
    missed = np.abs(attributions.reshape(len(batch), -1).sum(axis=1) - gained)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.float32(np.where(missed == 0, 0.0, missed / np.abs(gained)))
    return gap[0] if single else gap


def deletion_curve(network, images, maps, target=None, steps=32, baseline=0.0):
    """Return the target's probability as pixels are taken away, those highest in the map first.

    float32 (N, steps + 1), or (steps + 1,) for a single image: the whole image first, `baseline`
    (a number or an array) last. The lower its mean, the better the map. Maps are (N, H, W), or have
    colours, which are added up by absolute value; of equal values the first in reading order goes
    first. Raises ValueError for maps that do not fit the images, NaN, and steps out of range.
    (Petsiuk 2018)
    """
    batch, single = check_images(network, images)
    emptied = baseline_like(batch, baseline)
    return _curve(network, batch, emptied, images, maps, target, steps, single)


def insertion_curve(network, images, maps, target=None, steps=32, baseline=None):
    """Return the target's probability as pixels are put in, those highest in the map first.

    As `deletion_curve`, from `baseline` to the whole image: the higher its mean, the better the
    map. The baseline None is the blurred image, whose own edges say little. (Petsiuk 2018)
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
    targets = gradients.check_target(network, given, target)
    targets = predict(network, given).argmax(axis=1) if target is None else targets
    changed = np.round(np.linspace(0, height * width, steps + 1))
    curves = []
    for first, last, heat, wanted in zip(begin, end, maps, targets, strict=True):
        rank = np.empty(heat.size, int)
        rank[np.argsort(-heat, axis=None, kind="stable")] = np.arange(heat.size)
        on = (rank < changed[:, None]).reshape(-1, height, width, 1)
        curves.append(predict(network, np.where(on, last, first), batch_size=16)[:, wanted])
    return curves[0] if single else np.stack(curves)


def _matched(maps, parts):
    """Return maps without colours and parts, of one shape (N, H, W) or (H, W)."""
    maps, parts = np.asarray(maps), np.asarray(parts)
    if parts.ndim not in (2, 3) or maps.shape[: parts.ndim] != parts.shape or parts.size == 0:
        raise ValueError(
            "maps (N, H, W) or (N, H, W, C) must match parts (N, H, W), "
            f"but they are {maps.shape} and {parts.shape}."
        )
    if not np.isfinite(maps).all():
        raise ValueError("The maps hold NaN or infinity.")
    if maps.ndim == parts.ndim + 1:
        maps = np.abs(maps).sum(axis=-1)
    if maps.ndim != parts.ndim:
        raise ValueError(f"maps must be (N, H, W) or (N, H, W, C), not {maps.shape}.")
    return maps, parts
