"""Patterns: pictures that are all style, drawn from a seed.

No two seeds give the same pattern, and the same seed gives the same one. Patterns are drawn twice
as large and reduced, so that edges are smooth.
"""

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree

from helpers.core.arguments import check_count

LARGER = 2  # times as large as the result, while drawing
PALETTES = {
    "waves": ((20, 40, 120), (40, 110, 190), (240, 200, 60), (250, 240, 200), (200, 80, 40)),
    "mosaic": ((12, 110, 120), (240, 190, 70), (215, 85, 55), (245, 235, 210), (60, 45, 90)),
    "rings": ((250, 235, 215), (220, 60, 70), (30, 120, 160), (250, 190, 60), (40, 40, 60)),
    "strokes": ((18, 32, 92), (40, 90, 170), (120, 170, 210), (245, 215, 90), (250, 245, 220)),
}
PATTERNS = tuple(PALETTES)


def pattern(name, size=(256, 384), seed=0):
    """Return a pattern: uint8 (H, W, 3).

    Arguments:
        name: "waves", "mosaic", "rings" or "strokes" (`PATTERNS`).
        size: (height, width), each 16 or more.
        seed: a whole number, 0 or more.

    Raises ValueError for an unknown name, and for a size or seed that is none.
    """
    if name not in PATTERNS:
        raise ValueError(f"there is no pattern {name!r}; choose from {', '.join(PATTERNS)}")
    if np.shape(size) != (2,) or any(int(side) != side or side < 16 for side in size):
        raise ValueError(f"size must be (height, width), each 16 or more, not {size!r}")
    check_count("seed", seed, 0)
    random = np.random.default_rng(seed)
    height, width = (int(side) * LARGER for side in size)
    colours = np.array(PALETTES[name], np.uint8)
    large = _DRAWERS[name](height, width, colours, random)
    small = Image.fromarray(large).resize((width // LARGER, height // LARGER), Image.Resampling.BOX)
    return np.asarray(small)


def _waves(height, width, colours, random):
    """Bands of colour between two wavy directions."""
    y, x = np.mgrid[:height, :width] / LARGER
    bend, phase = random.uniform(22, 36, 2), random.uniform(0, 2 * np.pi, 4)
    one = np.sin((x + 40 * np.sin(y / bend[0] + phase[0])) / 9 + phase[1])
    other = np.sin((y + 30 * np.sin(x / bend[1] + phase[2])) / 11 + phase[3])
    steps = np.clip((one + other + 2) / 4 * len(colours), 0, len(colours) - 1)
    return colours[steps.astype(int)]


def _mosaic(height, width, colours, random):
    """Stones of all shapes, with joints between them."""
    side = 14 * LARGER
    corners = np.stack(np.mgrid[-side : height + side : side, -side : width + side : side], -1)
    stones = corners.reshape(-1, 2) + random.uniform(0, side, (corners[..., 0].size, 2))
    count = len(stones)
    pixels = np.stack(np.mgrid[:height, :width], axis=-1).reshape(-1, 2)
    far, nearest = KDTree(stones).query(pixels, k=2)
    shade = random.normal(0, 12, (count, 1))
    chosen = np.clip(colours[random.integers(0, len(colours), count)] + shade, 0, 255)
    picture = chosen[nearest[:, 0]]
    picture[far[:, 1] - far[:, 0] < 2.5 * LARGER] = (235, 228, 215)
    return np.uint8(picture).reshape(height, width, 3)


def _rings(height, width, colours, random):
    """Circles within circles, one over the other."""
    page = Image.new("RGB", (width, height), tuple(colours[0].tolist()))
    pen = ImageDraw.Draw(page)
    for _ in range(height * width // (LARGER * 16) ** 2):
        x, y = random.uniform(0, width), random.uniform(0, height)
        for radius in np.arange(random.integers(2, 6), 0, -1) * 5 * LARGER:
            colour = tuple(colours[random.integers(len(colours))].tolist())
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), colour)
    return np.asarray(page)


def _strokes(height, width, colours, random):
    """Strokes of a brush that follow a current; their colours change slowly from place to place."""
    smooth = [
        gaussian_filter(random.normal(size=(height, width)), 26 * LARGER, mode="wrap")
        for _ in range(2)
    ]
    angles = 1.3 * smooth[0] / smooth[0].std()
    light = smooth[1] / smooth[1].std()
    page = Image.new("RGB", (width, height), tuple(colours[0].tolist()))
    pen = ImageDraw.Draw(page)
    for _ in range(height * width // (LARGER * 4) ** 2):
        y, x = int(random.integers(height)), int(random.integers(width))
        step = 8 * LARGER * np.array([np.cos(angles[y, x]), np.sin(angles[y, x])])
        level = (light[y, x] + random.normal(0, 0.35) + 2) / 4 * len(colours)
        colour = colours[int(np.clip(level, 0, len(colours) - 1))] + random.normal(0, 14, 3)
        ends = (x - step[0], y - step[1], x + step[0], y + step[1])
        pen.line(ends, tuple(np.clip(colour, 0, 255).astype(int).tolist()), 3 * LARGER)
    return np.asarray(page)


_DRAWERS = {"waves": _waves, "mosaic": _mosaic, "rings": _rings, "strokes": _strokes}
