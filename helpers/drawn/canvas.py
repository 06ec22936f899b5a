"""An image and the map of its parts, painted together.

Everything is painted `OVERSAMPLE` times too large with hard edges, then averaged down. That gives
smooth edges, and tells for every final pixel which parts touch it. Coordinates (x, y) are in final
pixels.
"""

import functools

import numpy as np
from PIL import Image, ImageChops, ImageDraw

OVERSAMPLE = 4

PART_NAMES = (
    "background", "body", "head", "ears", "eyes", "muzzle", "whiskers", "tongue", "other",
)  # fmt: skip
PART_IDS = {name: number for number, name in enumerate(PART_NAMES)}


class Canvas:
    """An RGB image with a label map of the same size; every stroke is painted on both."""

    def __init__(self, background):
        """Start from a background: uint8 (h, w, 3), scaled to the oversampled size."""
        height, width = background.shape[0], background.shape[1]
        self.size = (width * OVERSAMPLE, height * OVERSAMPLE)
        self.picture = Image.fromarray(background).resize(self.size, Image.Resampling.NEAREST)
        self.pen = ImageDraw.Draw(self.picture)
        self.labels = Image.new("L", self.size, 0)
        self.without = frozenset()

    @property
    def labels(self):
        """Return the label map, oversampled: an image of part ids."""
        return self._labels

    @labels.setter
    def labels(self, image):
        """Return the label map, oversampled: an image of part ids."""
        self._labels, self._label_pen = image, ImageDraw.Draw(image)

    def polygon(self, points, colour, part=None, clip=None):
        """Fill a polygon of points (n, 2); `clip` (a mask) keeps the paint inside another shape."""
        if part in self.without:
            return
        points = np.asarray(points) * OVERSAMPLE
        outline = points.ravel().tolist()
        if clip is None:
            self.pen.polygon(outline, fill=tuple(colour))
            if part is not None:
                self._label_pen.polygon(outline, fill=PART_IDS[part])
            return
        left, top = np.maximum(points.min(axis=0).astype(int) - 1, 0)
        right, bottom = np.minimum(points.max(axis=0).astype(int) + 2, self.size)
        if left >= right or top >= bottom:
            return
        box = (int(left), int(top), int(right), int(bottom))
        inside = clip.crop(box)
        stencil = Image.new("L", inside.size, 0)
        ImageDraw.Draw(stencil).polygon((points - (left, top)).ravel().tolist(), fill=255)
        stencil = ImageChops.darker(stencil, inside)
        self.picture.paste(tuple(colour), box, stencil)
        if part is not None:
            self.labels.paste(PART_IDS[part], box, stencil)

    def line(self, points, colour, width, part=None):
        """Draw a line through points (n, 2), `width` final pixels wide."""
        if part in self.without:
            return
        path = (np.asarray(points, float) * OVERSAMPLE).ravel().tolist()
        thickness = max(1, round(width * OVERSAMPLE))
        self.pen.line(path, tuple(colour), thickness, joint="curve")
        if part is not None:
            self._label_pen.line(path, PART_IDS[part], thickness, joint="curve")

    def mask(self, part):
        """Return the mask (0 or 255) of where a part is visible so far."""
        wanted = PART_IDS[part]
        return self.labels.point([255 * (value == wanted) for value in range(256)])

    def finish(self):
        """Return the image, float32 (h, w, 3) in 0-255, and the parts, uint8 (h, w).

        A pixel belongs to the part with the highest number that touches it, so leaving out a part
        cannot change a pixel outside its own label (see `drawn.draw`).
        """
        return np.asarray(self.picture.reduce(OVERSAMPLE), np.float32), self.parts()

    def parts(self):
        """Return the label map at the final size, uint8 (h, w)."""
        labels = np.asarray(self.labels)
        rows = np.maximum.reduce([labels[step::OVERSAMPLE] for step in range(OVERSAMPLE)])
        return np.maximum.reduce([rows[:, step::OVERSAMPLE] for step in range(OVERSAMPLE)])


def blend(first, second, share):
    """Return the colour at `share` (0-1) of the way from the first to the second."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))


def curve(points, samples=8):
    """Return a smooth closed curve through points (n, 2): Catmull-Rom, `samples` per span."""
    points = np.asarray(points, float)
    before, after, beyond = (np.roll(points, shift, axis=0) for shift in (1, -1, -2))
    t = np.linspace(0, 1, samples, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (array[:, None] for array in (before, points, after, beyond))
    spans = 2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
    spans = spans + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    return (spans / 2).reshape(-1, 2)


@functools.cache
def _circle(samples):
    turn = np.linspace(0, 2 * np.pi, samples, endpoint=False)
    return np.cos(turn), np.sin(turn)


def oval(x, y, rx, ry=None, angle=0.0, samples=36):
    """Return the outline (samples, 2) of an ellipse, rotated by `angle` radians."""
    circle = _circle(samples)
    a, b = rx * circle[0], (rx if ry is None else ry) * circle[1]
    outline = np.empty((samples, 2))
    cos, sin = (np.cos(angle), np.sin(angle)) if angle else (1.0, 0.0)
    outline[:, 0], outline[:, 1] = x + a * cos - b * sin, y + a * sin + b * cos
    return outline
