"""How right is a map? Marks against the true parts of a picture, which the drawn world knows.

A map is (N, H, W), or (N, H, W, C) where a method gives a value for each colour. Parts are integer
ids (N, H, W), the index of each pixel's part in `part_names`. A single map with a single picture's
parts, (H, W), gives single numbers.
"""

import numpy as np


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
    mass = np.abs(maps, dtype=np.float64)
    total = mass.sum(axis=(-2, -1))
    total = np.where(total > 0, total, np.nan)
    shares = {
        name: np.float32((mass * (parts == part)).sum(axis=(-2, -1)) / total)
        for part, name in enumerate(part_names)
    }
    if "background" in shares:
        shares.setdefault("animal", 1 - shares["background"])
    return shares


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
