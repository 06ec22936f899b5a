"""Where a map lies: its share on each part of the animal, and where it points."""

import numpy as np

from helpers.drawn import FACE

FEATURES = (*FACE, "tongue")  # what a face shows
EFFECTS = (*FEATURES, "body")  # parts that can be left out one by one


def part_scores(maps, parts, part_names, signed=False):
    """Return how much of each map lies on each part: `{part name: float array (N,)}`.

    Arguments:
        maps: (N, H, W), or (N, H, W, C), whose colours are added up.
        parts: int (N, H, W), indices of `part_names`.
        signed: False gives the share of the map's mass, which is its absolute value: shares add up
            to 1, and are NaN for a map of zeros. True gives the sum of the signed values, in units
            of the map: for integrated gradients, what the part contributes to the score.

    If one part is "background", the key "animal" holds all the rest. Raises ValueError for shapes
    that do not match, parts without a name, and NaN or infinity.
    """
    maps, parts = matched(maps, parts, signed)
    if parts.dtype.kind not in "ui" or parts.min() < 0 or parts.max() >= len(part_names):
        raise ValueError(
            f"parts must be indices of part_names, 0 to {len(part_names) - 1}, "
            f"not {parts.dtype} {parts.min()} to {parts.max()}."
        )
    shape, pixels = parts.shape[:-2], parts.shape[-2:]
    found = [  # one by one, as all maps as float64 would take a lot of memory
        _sums(one, ids, len(part_names), signed)
        for one, ids in zip(maps.reshape(-1, *pixels), parts.reshape(-1, *pixels), strict=True)
    ]
    columns = np.array(found).T
    if "background" in part_names and "animal" not in part_names:
        animal = [name != "background" for name in part_names]
        part_names, columns = (*part_names, "animal"), [*columns, columns[animal].sum(axis=0)]
    return {
        name: np.float32(column).reshape(shape)[()]
        for name, column in zip(part_names, columns, strict=True)
    }


def _sums(heat, parts, count, signed):
    """Return one map's sum over each part; unless signed, as a share of all, NaN for zeros."""
    heat = np.asarray(heat, np.float64)
    sums = np.bincount(parts.ravel().astype(int), (heat if signed else np.abs(heat)).ravel(), count)
    total = 1.0 if signed else sums.sum()
    return sums / (total if total > 0 else np.nan)


def pointing_game(maps, parts, allowed=None):
    """Return whether each map's highest pixel lies where it should: float array (N,), 0 to 1.

    Several pixels that are equally high share the answer: 0.5 if half of them are hits.

    Arguments:
        maps: (N, H, W), whose sign counts, or (N, H, W, C), summed over colours by absolute value.
            A map with no value above zero is a miss.
        parts: int (N, H, W).
        allowed: one or several part indices that count as a hit; None reads `parts` as a mask that
            is true where a hit is.

    Raises ValueError for shapes that do not match, NaN and infinity. (Zhang 2016, with no margin)
    """
    maps, parts = matched(maps, parts)
    if allowed is not None and np.asarray(allowed).dtype.kind not in "ui":
        raise TypeError(f"allowed must be indices of part_names, not {allowed!r}.")
    mask = parts.astype(bool) if allowed is None else np.isin(parts, allowed)
    highest = maps.max(axis=(-2, -1), keepdims=True)
    peaks = (maps == highest) & (highest > 0)
    return np.float32((peaks & mask).sum(axis=(-2, -1)) / np.maximum(peaks.sum(axis=(-2, -1)), 1))


def matched(maps, parts, signed=False):
    """Return maps without colours, and parts, in the same shape (N, H, W) or (H, W)."""
    maps, parts = np.asarray(maps), np.asarray(parts)
    if parts.ndim not in (2, 3) or maps.shape[: parts.ndim] != parts.shape or parts.size == 0:
        raise ValueError(
            f"maps (N, H, W[, C]) must match parts (N, H, W), not {maps.shape} and {parts.shape}."
        )
    if not np.isfinite(maps).all():
        raise ValueError("maps must be finite, with no NaN or infinity.")
    if maps.ndim == parts.ndim + 1:
        maps = (maps if signed else np.abs(maps)).sum(axis=-1)
    if maps.ndim != parts.ndim:
        raise ValueError(f"maps must be (N, H, W) or (N, H, W, C), not {maps.shape}.")
    return maps, parts
