"""Maps of points, drawn fast enough for a slider: dots or pictures, rings, lines, names.

A *map* is an array (N, 2), such as t-SNE gives: x to the right, y upwards, both to one scale.
Pillow draws, which takes a few milliseconds. The maps themselves, and the accuracy that marks
them, come from `embedding`.
"""

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from helpers.stamps import (  # noqa: F401 - scatter.COLORS, scatter.style and so on
    COLORS,
    INK,
    PICKED,
    lines,
    mark,
    stamp,
    style,
    thumbnail,
    write,
)  # fmt: skip

DOT, THUMBNAIL = 15, 44  # pixels, unless told
LEGEND = 30  # pixels at the top, where there are names
_DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, 1), "down": (0, -1)}


def neighbours(points, k=5):
    """Return the numbers of each point's k nearest others, nearest first: int (N, k).

    `points` is (N, D). Of others equally far away the earlier one comes first. Raises ValueError
    for a k that is not 1 to N - 1.
    """
    points = np.asarray(points, np.float64)
    if not 1 <= k < len(points):
        raise ValueError(f"k must be 1 to {len(points) - 1} for {len(points)} points, not {k!r}")
    distances = cdist(points, points)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1, kind="stable")[:, :k]


def step(points, number, direction):
    """Return which point one comes to from a point by going "left", "right", "up" or "down".

    It is the nearest of those that lie in that quarter of the map (N, 2), seen from the point;
    where there is none, one stays. Raises ValueError for an unknown direction.
    """
    if direction not in _DIRECTIONS:
        raise ValueError(f"go {', '.join(_DIRECTIONS)}, not {direction!r}")
    ways = np.asarray(points, np.float64) - points[number]
    ahead = ways @ _DIRECTIONS[direction]
    aside = np.abs(ways @ _DIRECTIONS[direction][::-1])
    lengths = np.where((ahead > 0) & (ahead >= aside), np.hypot(ahead, aside), np.inf)
    return int(lengths.argmin()) if np.isfinite(lengths).any() else int(number)


def turned(points, reference):
    """Return a map turned, and mirrored if need be, to lie as much like another as it can.

    Both are (N, 2), of the same N points. Distances stay as they are; the middle comes to zero.
    Returns float32. Raises ValueError for maps of different length. (Schönemann 1966)
    """
    points, reference = (_as_map(array) for array in (points, reference))
    if len(points) != len(reference):
        raise ValueError(f"the maps have {len(points)} and {len(reference)} points, not the same")
    points, reference = points - points.mean(axis=0), reference - reference.mean(axis=0)
    left, _, right = np.linalg.svd(points.T @ reference)
    return np.float32(points @ left @ right)


def to_grid(points, columns=None):
    """Return a map in which each point has a cell of a grid for itself: float32 (N, 2).

    Cells are numbered from 0; `columns` of them lie side by side, by default about as many as one
    above the other. Together, points move as little as they can: their squared ways, measured in
    cells, add up to the least sum. Raises ValueError for columns below 1.
    """
    points = _as_map(points)
    columns = int(np.ceil(np.sqrt(len(points)))) if columns is None else columns
    if columns < 1:
        raise ValueError(f"columns is {columns!r}; there must be 1 or more")
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
    """Draw a map as a picture, uint8 (H, W, 3): a dot for each point, or its image, if given.

    points: (N, 2). labels: an int for each, 0 or more; see `style`. images: (N, H, W, 3); they are
    framed in the colour of the class, round for class 0 and square for others. ringed, picked,
    joined: numbers of points: to be ringed, to be ringed in red, to be joined to it with a line.
    names: of the classes; those that occur are listed at the top. side: of a dot or an image, size:
    width and height of the picture, in pixels. Later points hide earlier ones, ringed ones come
    last. Raises ValueError for what does not fit, NaN, and numbers that no point has.
    """
    points, labels = _as_map(points), np.asarray(labels)
    count = len(points)
    if labels.shape != (count,) or images is not None and len(images) != count:
        given = f"{labels.shape} and {'no' if images is None else len(images)} images"
        raise ValueError(f"give one label, and one image, for each of {count} points: {given}")
    ringed, joined = list(ringed), list(joined)
    for number in (*ringed, *joined, *([] if picked is None else [picked])):
        if not 0 <= number < count:
            raise ValueError(f"no point is number {number}: there are 0 to {count - 1}")
    if joined and picked is None:
        raise ValueError("joined points need one that is picked")
    side = side or (DOT if images is None else THUMBNAIL)
    canvas = Image.new("RGB", size, "white")
    places = _places(points, size, side, LEGEND if names else 0)
    if joined:
        lines(canvas, places[picked], places[joined], max(3, side // 12))
    last = {number: 1 for number in ringed} | ({} if picked is None else {picked: 2})
    for number in sorted(range(count), key=lambda number: last.get(number, 0)):
        place, label = tuple(places[number]), int(labels[number])
        shape = "circle" if images is None or label == 0 else "square"
        if number == picked:
            stamp(canvas, place, shape, side + 17, PICKED)
        if number in ringed:
            stamp(canvas, place, shape, side + 10, INK)
        if number in last:
            stamp(canvas, place, shape, side + 4, "white")
        if images is None:
            mark(canvas, place, label, side)
        else:
            thumbnail(canvas, place, label, side, images[number])
    if names:
        _legend(canvas, sorted(set(labels.tolist())), names)
    return np.asarray(canvas)


def _as_map(points):
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not points.size or not np.isfinite(points).all():
        raise ValueError(f"a map is finite numbers (N, 2), not {points.shape} or with NaN in it")
    return points


def _places(points, size, side, top):
    """Return where points lie in a picture, in pixels from its upper left corner: (N, 2)."""
    room = np.array(size) - (0, top) - 2.2 * side
    low, high = points.min(axis=0), points.max(axis=0)
    scale = np.min(np.divide(room, high - low, out=np.full(2, np.inf), where=high > low))
    middle = (size[0] / 2, top + (size[1] - top) / 2)
    return middle + (points - (low + high) / 2) * (scale if np.isfinite(scale) else 1) * (1, -1)


def _legend(canvas, present, names):
    x = 12
    for label in present:
        mark(canvas, (x + DOT / 2, LEGEND / 2), label, DOT)
        x += DOT + 8
        x += write(canvas, (x, LEGEND / 2), str(names[label])) + 20
