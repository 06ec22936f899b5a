"""Backgrounds for the drawn animals: outdoors under any sky, wallpaper, texture, or plain.

`backdrop` is the only public function. All randomness comes from its generator.
"""

import numpy as np
from PIL import Image

from helpers.drawn.canvas import Canvas, blend, curve, oval

PAPERS = ((246, 222, 205), (214, 228, 240), (226, 238, 214), (248, 236, 200), (231, 219, 241),
          (200, 222, 218), (240, 205, 208), (188, 200, 222), (120, 140, 150),
          (96, 84, 110))  # fmt: skip
SKIES = {"sunny": (0.0, 0.15), "cloudy": (0.85, 1.0)}


def backdrop(rng, size=128, sky=None):
    """Return a Canvas with a background on it.

    `sky` is None (any background), "sunny", "cloudy", or a number from 0 (clear) to 1 (overcast).
    """
    if sky is None and rng.random() < 0.55:
        return (_wallpaper, _texture, _plain)[rng.integers(3)](rng, size)
    return _outdoors(rng, size, _cloudiness(rng, sky))


def _cloudiness(rng, sky):
    if sky is None:
        return rng.random()
    if isinstance(sky, str):
        if sky not in SKIES:
            raise ValueError(f"sky is {sky!r}; it must be None, 'sunny', 'cloudy', or 0 to 1")
        return rng.uniform(*SKIES[sky])
    if not 0 <= sky <= 1:
        raise ValueError(f"sky is {sky!r}; as a number it must be 0 (clear) to 1 (overcast)")
    return float(sky)


def _gradient(top, bottom, size):
    share = np.linspace(0, 1, size)[:, None, None]
    column = (1 - share) * np.array(top) + share * np.array(bottom)
    return np.broadcast_to(column, (size, size, 3)).round().astype(np.uint8)


def _outdoors(rng, size, cloudy):
    top = blend((70, 145, 232), (122, 128, 138), cloudy)
    low = blend((196, 228, 252), (186, 190, 194), cloudy)
    canvas = Canvas(_gradient(top, low, size))
    horizon = size * rng.uniform(0.5, 0.72)
    x, y, radius = size * rng.uniform(0.08, 0.92), size * rng.uniform(0.08, 0.2), size * 0.075
    for ring in (2.2, 1.6, 1.0):
        glow = blend((255, 246, 190), top, min(1.0, (ring - 1) * 0.62))
        canvas.polygon(oval(x, y, radius * ring), blend(glow, top, min(1.0, cloudy * 1.4)))
    for _ in range(int(2 + 9 * cloudy + rng.integers(2))):
        _cloud(canvas, rng, size, horizon, cloudy)
    for tone in (0.0, 0.5):
        _hill(canvas, rng, size, horizon + tone * size * 0.1, cloudy, tone)
    _meadow(canvas, rng, size, horizon + size * 0.1, cloudy)
    return canvas


def _cloud(canvas, rng, size, horizon, cloudy):
    x, y = rng.uniform(0, size), rng.uniform(0, horizon * 0.8)
    colour = blend((255, 255, 255), (150, 154, 162), cloudy * rng.uniform(0.55, 1.0))
    width = size * rng.uniform(0.05, 0.09) * (1 + cloudy)
    for _ in range(5):
        dx, dy = rng.normal(0, width * 1.1), rng.normal(0, width * 0.25)
        canvas.polygon(oval(x + dx, y + dy, width * rng.uniform(0.6, 1.1), width * 0.55), colour)


def _hill(canvas, rng, size, y, cloudy, tone):
    xs = np.linspace(-5, size + 5, 24)
    ys = y + size * 0.05 * np.sin(xs / size * rng.uniform(3, 8) + rng.uniform(0, 6))
    clear = blend((150, 196, 150), (112, 178, 98), tone)
    outline = np.concatenate([np.stack([xs, ys], -1), [[size + 5, size], [-5, size]]])
    canvas.polygon(outline, blend(clear, (120, 130, 122), cloudy * 0.75))


def _meadow(canvas, rng, size, y, cloudy):
    green = blend((104, 186, 76), (104, 124, 96), cloudy * 0.8)
    xs = np.linspace(-2, size + 2, 60)
    ys = y + rng.uniform(-1.5, 1.5, xs.size)
    canvas.polygon(np.concatenate([np.stack([xs, ys], -1), [[size, size], [0, size]]]), green)
    for _ in range(26):
        x, base = rng.uniform(0, size), rng.uniform(y + 4, size + 4)
        tip = x + rng.normal(0, 1.5), base - rng.uniform(3, 7)
        blade = [(x - 0.7, base), tip, (x + 0.7, base)]
        canvas.polygon(blade, blend(green, (40, 90, 40), rng.uniform(0.1, 0.5)))
    petals = ((255, 255, 255), (255, 214, 70), (244, 130, 160), (170, 130, 230))
    for _ in range(rng.integers(3, 10)):
        x, base = rng.uniform(0, size), rng.uniform(y + 5, size)
        petal = blend(petals[rng.integers(4)], (150, 150, 150), cloudy * 0.6)
        for turn in np.arange(5) * 2 * np.pi / 5:
            canvas.polygon(oval(x + 1.3 * np.cos(turn), base + 1.3 * np.sin(turn), 1.0), petal)
        canvas.polygon(oval(x, base, 0.9), blend((250, 190, 40), (150, 150, 150), cloudy * 0.6))


def _wallpaper(rng, size):
    paper = PAPERS[rng.integers(len(PAPERS))]
    ink = blend(paper, ((255, 255, 255), (60, 60, 90))[rng.integers(2)], rng.uniform(0.25, 0.6))
    canvas = Canvas(_gradient(paper, blend(paper, (90, 80, 90), 0.12), size))
    step, design = rng.uniform(13, 22), rng.integers(4)
    if design == 0:
        for x in np.arange(0, size, step):
            canvas.polygon([(x, 0), (x + step * 0.45, 0), (x + step * 0.45, size), (x, size)], ink)
        return canvas
    heart = np.array(
        [(0, 0.5), (-0.5, -0.1), (-0.25, -0.45), (0, -0.2), (0.25, -0.45), (0.5, -0.1)]
    )
    leaf = np.array([(0, 0.6), (-0.3, 0.0), (0, -0.6), (0.3, 0.0)])
    shape = (None, oval(0, 0, 0.28), curve(heart), curve(leaf))[design]
    for row, y in enumerate(np.arange(0, size + step, step * 0.8)):
        for x in np.arange(0, size + step, step) + (row % 2) * step / 2:
            canvas.polygon(shape * step * 0.55 + (x, y), ink)
    return canvas


def _texture(rng, size):
    coarse, base = rng.integers(3, 14), np.array(PAPERS[rng.integers(len(PAPERS))])
    noise = rng.normal(0, 1, (coarse, coarse, 1)) * 20 + rng.normal(0, 9, (coarse, coarse, 3))
    small = np.clip(base * rng.uniform(0.6, 1) + noise, 0, 255).astype(np.uint8)
    large = Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC)
    return Canvas(np.asarray(large))


def _plain(rng, size):
    colour = PAPERS[rng.integers(len(PAPERS))]
    shade = blend(colour, ((40, 40, 60), (255, 255, 255))[rng.integers(2)], rng.uniform(0.1, 0.5))
    canvas = Canvas(_gradient(colour, shade, size))
    if rng.random() < 0.5:
        for _ in range(rng.integers(4, 14)):
            spot = oval(rng.uniform(0, size), rng.uniform(0, size), size * rng.uniform(0.02, 0.1))
            canvas.polygon(spot, blend(shade, (255, 250, 230), rng.uniform(0.15, 0.45)))
    return canvas
