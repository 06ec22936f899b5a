"""Maps of points, drawn fast enough for a slider: dots or images, rings, lines, names.

A *map* is an array (N, 2), for example from t-SNE: x to the right, y upwards, on the same scale.
`draw_map` draws it with Pillow in a few milliseconds, `to_grid` spreads it over a grid, `step`
finds the next point in a direction; the rest are the shapes and texts that they draw with. Classes
differ in colour and in shape, so colour is never needed to tell them apart.
"""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from helpers.plotting import text as texts
from helpers.plotting.pictures import as_rgb

# Okabe and Ito's colours without black; the first two differ most.
COLORS = (
    "#E69F00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442",
)  # fmt: skip
INK, PICKED = "#222222", "#D81B60"
DOT, THUMBNAIL = 15, 44  # default sides, in pixels
FRAME = 5  # maximum width of a frame, in pixels
LEGEND = 30  # pixels at the top for the names of classes
NAME = 20  # pixels of a letter in the name of a class
LEAST_NAME = 60  # pixels that a class name may take, however many there are
_FINE = 4  # shapes are drawn this many times larger, then reduced, for smooth edges
_CORNERS = {
    "square": ((0, 0), (1, 0), (1, 1), (0, 1)),
    "triangle": ((0.5, 0), (1, 0.9), (0, 0.9)),
    "diamond": ((0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)),
}
_SHAPES = ("circle", *_CORNERS)
_DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, 1), "down": (0, -1)}


def step(points, number, direction):
    """Return the point that one reaches from a point by going "left", "right", "up" or "down".

    It is the nearest of the points in that quarter of the map (N, 2), or the point itself if there
    is none. Raises ValueError for an unknown direction.
    """
    if direction not in _DIRECTIONS:
        raise ValueError(f"direction must be {', '.join(_DIRECTIONS)}, not {direction!r}")
    ways = np.asarray(points, np.float64) - points[number]
    ahead = ways @ _DIRECTIONS[direction]
    aside = np.abs(ways @ _DIRECTIONS[direction][::-1])
    lengths = np.where((ahead > 0) & (ahead >= aside), np.hypot(ahead, aside), np.inf)
    return int(lengths.argmin()) if np.isfinite(lengths).any() else int(number)


def to_grid(points, columns=None):
    """Return a map in which each point has its own cell of a grid: float32 (N, 2).

    Cells are numbered from 0, `columns` of them side by side, by default about as many as rows. The
    sum of the points' squared moves is minimal. Raises ValueError for columns below 1.
    """
    points = _as_map(points)
    columns = int(np.ceil(np.sqrt(len(points)))) if columns is None else columns
    if columns < 1:
        raise ValueError(f"columns is {columns!r}; it must be at least 1")
    rows = -(-len(points) // columns)
    extent = np.ptp(points, axis=0)
    wanted = (points - points.min(axis=0)) / np.where(extent > 0, extent, 1)
    cells = np.stack(np.meshgrid(range(columns), range(rows), indexing="ij"), -1).reshape(-1, 2)
    ways = cdist(wanted * (columns - 1, rows - 1), cells, "sqeuclidean")
    return np.float32(cells[linear_sum_assignment(ways)[1]])


def draw_map(
    points, labels, images=None, ringed=(), picked=None, joined=(), names=None, side=None,
    size=(640, 512),
):  # fmt: skip
    """Draw a map as an image, uint8 (H, W, 3): a dot for each point, or its picture, if given.

    Arguments:
        points: (N, 2).
        labels: one int per point, 0 or more (see `marker`).
        images: (N, H, W, 3), framed in the class colour, round for class 0 and square for others.
        ringed, picked: indices of points with a dark ring, and of one with a red ring.
        joined: indices of points to join to `picked` with lines.
        names: of the classes; those that occur are listed at the top.
        side: of a dot or an image, in pixels.
        size: width and height of the result, in pixels.

    Later points hide earlier ones, ringed ones come last. Raises ValueError for what does not fit.
    """
    points, labels = _as_map(points), np.asarray(labels)
    count = len(points)
    if labels.shape != (count,) or images is not None and len(images) != count:
        given = f"{labels.shape} and {'no' if images is None else len(images)} images"
        raise ValueError(f"give one label, and one image, for each of {count} points, not {given}")
    ringed, joined = list(ringed), list(joined)
    for number in (*ringed, *joined, *([] if picked is None else [picked])):
        if not 0 <= number < count:
            raise ValueError(f"there is no point {number}, only 0 to {count - 1}")
    if joined and picked is None:
        raise ValueError("joined points need a picked point")
    side = side or (DOT if images is None else THUMBNAIL)
    canvas = Image.new("RGB", size, "white")
    spots = places(points, size, side, LEGEND if names else 0)
    if joined:
        lines(canvas, spots[picked], spots[joined], max(3, side // 12))
    last = {number: 1 for number in ringed} | ({} if picked is None else {picked: 2})
    for number in sorted(range(count), key=lambda number: last.get(number, 0)):
        place, label = tuple(spots[number]), int(labels[number])
        shape = "circle" if images is None or label == 0 else "square"
        if number == picked:
            stamp(canvas, place, shape, side + 17, PICKED)
        if number in ringed:
            stamp(canvas, place, shape, side + 10, INK)
        if number in last:
            stamp(canvas, place, shape, side + 4, "white")
        if images is None:
            draw_marker(canvas, place, label, side)
        else:
            thumbnail(canvas, place, label, side, images[number])
    if names:
        _legend(canvas, sorted(set(labels.tolist())), names)
    return np.asarray(canvas)


def _as_map(points):
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not points.size or not np.isfinite(points).all():
        raise ValueError(f"a map must be finite numbers (N, 2), not {points.shape} or with NaN")
    return points


def places(points, size, side, top):
    """Return the positions of points in pixels from the image's upper left corner: (N, 2)."""
    room = np.array(size) - (0, top) - 2.2 * side
    low, high = points.min(axis=0), points.max(axis=0)
    scale = np.min(np.divide(room, high - low, out=np.full(2, np.inf), where=high > low))
    middle = (size[0] / 2, top + (size[1] - top) / 2)
    return middle + (points - (low + high) / 2) * (scale if np.isfinite(scale) else 1) * (1, -1)


def _legend(canvas, present, names):
    x, room = 12, max(LEAST_NAME, (canvas.width - 12) / len(present) - DOT - 28)
    for label in present:
        if x + DOT + 8 + room > canvas.width and label != present[-1]:
            write(canvas, (x, LEGEND / 2), texts.MORE)  # the caption of a picture names its class
            break
        draw_marker(canvas, (x + DOT / 2, LEGEND / 2), label, DOT)
        x += DOT + 8
        x += write(canvas, (x, LEGEND / 2), str(names[label]), most=room, size=NAME) + 20


def marker(label):
    """Return the colour and the shape of a class, different for the first 32 classes."""
    color, turn = label % len(COLORS), label // len(COLORS)
    return COLORS[color], _SHAPES[(label + turn) % len(_SHAPES)]


def draw_marker(picture, centre, label, side):
    """Draw the marker of a class, `side` pixels wide, around a centre (x, y)."""
    color, shape = marker(label)
    side = 0.88 * side if shape == "square" else side  # looks as large as the circle
    stamp(picture, centre, shape, side + 2, "white")
    stamp(picture, centre, shape, side, color)


def thumbnail(picture, centre, label, side, image):
    """Draw a small image in the frame of its class, round for class 0, square for others."""
    shape, within = "circle" if label == 0 else "square", inner(side)
    stamp(picture, centre, shape, side, marker(label)[0])
    small = Image.fromarray(as_rgb(image)).resize((within, within), Image.Resampling.LANCZOS)
    picture.paste(small, [round(value - within / 2) for value in centre], _mask(shape, within))


def inner(side):
    """Return the width of the image in a thumbnail; an image of this size is drawn fastest."""
    return side - 2 * min(round(side / 12), FRAME)


def stamp(picture, centre, shape, side, color):
    """Fill a circle, square, triangle or diamond with a colour, around a centre (x, y)."""
    side = round(side)
    corner = [round(value - side / 2) for value in centre]
    picture.paste(color, (*corner, corner[0] + side, corner[1] + side), _mask(shape, side))


def lines(picture, start, ends, width, color=INK):
    """Draw smooth straight lines from one place (x, y) to others."""
    fine = Image.new("L", [2 * length for length in picture.size])
    for end in ends:
        line = [tuple(2 * value for value in place) for place in (start, end)]
        ImageDraw.Draw(fine).line(line, 255, 2 * width)
    picture.paste(color, (0, 0), fine.reduce(2))


def write(picture, place, text, anchor="lm", most=None, size=texts.SIZE):
    """Write one line onto an image and return its width in pixels; anchors are Pillow's.

    A text that is wider than `most` pixels is cut. `size` is the height of a letter.
    """
    text = texts.one_line(text) if most is None else texts.fit(text, most, size)
    wide = texts.width(text, size)
    x = place[0] - wide * {"l": 0, "m": 0.5, "r": 1}[anchor[0]]
    for file, part in texts.runs(texts.drawable(text)):
        font = texts.font(file, size)
        ImageDraw.Draw(picture).text((x, place[1]), part, INK, font, f"l{anchor[1]}")
        x += font.getlength(part)
    return int(np.ceil(wide))


@lru_cache(maxsize=256)
def _mask(shape, side):
    """Return a shape as a smooth mask, `side` pixels wide."""
    fine = side * _FINE
    mask = Image.new("L", (fine, fine))
    if shape == "circle":
        ImageDraw.Draw(mask).ellipse((0, 0, fine - 1, fine - 1), 255)
    else:
        corners = [(x * (fine - 1), y * (fine - 1)) for x, y in _CORNERS[shape]]
        ImageDraw.Draw(mask).polygon(corners, 255)
    return mask.reduce(_FINE)
