"""Small things drawn onto a Pillow picture: the mark of a class, a framed image, a word.

Edges are smooth and nothing takes longer than a slider can wait. Classes differ in colour and in
shape, so that nobody needs the colour.
"""

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from helpers.arrays import as_rgb

# Okabe and Ito's colours, black left to the ink; the first two differ most.
COLORS = (
    "#E69F00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442",
)  # fmt: skip
INK, PICKED = "#222222", "#D81B60"
FRAME = 5  # pixels, the widest
FONT_SIZE = 17  # pixels, 12 points where a picture is shown pixel by pixel
_FINE = 4  # how many times larger a shape is drawn before it is reduced, for smooth edges
_CORNERS = {
    "square": ((0, 0), (1, 0), (1, 1), (0, 1)),
    "triangle": ((0.5, 0), (1, 0.9), (0, 0.9)),
    "diamond": ((0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)),
}
_SHAPES = ("circle", *_CORNERS)


def style(label):
    """Return the colour and the shape that stand for a class, different for the first 32."""
    color, turn = label % len(COLORS), label // len(COLORS)
    return COLORS[color], _SHAPES[(label + turn) % len(_SHAPES)]


def mark(picture, centre, label, side):
    """Draw the mark of a class onto a picture, `side` pixels wide around a centre (x, y)."""
    color, shape = style(label)
    side = 0.88 * side if shape == "square" else side  # about as large to the eye as the circle
    stamp(picture, centre, shape, side + 2, "white")
    stamp(picture, centre, shape, side, color)


def thumbnail(picture, centre, label, side, image):
    """Put an image, small, in the frame of its class, round for class 0, square for others."""
    shape, within = "circle" if label == 0 else "square", inner(side)
    stamp(picture, centre, shape, side, style(label)[0])
    small = Image.fromarray(as_rgb(image)).resize((within, within), Image.Resampling.LANCZOS)
    picture.paste(small, [round(value - within / 2) for value in centre], _mask(shape, within))


def inner(side):
    """Return how wide the image in a thumbnail is; one of just this size is drawn fastest."""
    return side - 2 * min(round(side / 12), FRAME)


def stamp(picture, centre, shape, side, color):
    """Fill a circle, square, triangle or diamond with a colour, around a centre (x, y)."""
    side = round(side)
    corner = [round(value - side / 2) for value in centre]
    picture.paste(color, (*corner, corner[0] + side, corner[1] + side), _mask(shape, side))


def lines(picture, start, ends, width, color=INK):
    """Draw straight lines from one place (x, y) to others, with smooth edges."""
    fine = Image.new("L", [2 * length for length in picture.size])
    for end in ends:
        line = [tuple(2 * value for value in place) for place in (start, end)]
        ImageDraw.Draw(fine).line(line, 255, 2 * width)
    picture.paste(color, (0, 0), fine.reduce(2))


def write(picture, place, text, anchor="lm"):
    """Write onto a picture; return the text's width in pixels. Anchors are Pillow's."""
    ImageDraw.Draw(picture).text(place, text, INK, _font(), anchor)
    return int(np.ceil(_font().getlength(text)))


@lru_cache(maxsize=256)
def _mask(shape, side):
    """Return a shape as a mask with smooth edges, `side` pixels wide."""
    fine = side * _FINE
    mask = Image.new("L", (fine, fine))
    if shape == "circle":
        ImageDraw.Draw(mask).ellipse((0, 0, fine - 1, fine - 1), 255)
    else:
        corners = [(x * (fine - 1), y * (fine - 1)) for x, y in _CORNERS[shape]]
        ImageDraw.Draw(mask).polygon(corners, 255)
    return mask.reduce(_FINE)


@lru_cache(maxsize=1)
def _font():
    """Matplotlib brings this font along, so it is there on every machine."""
    file = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    return ImageFont.truetype(str(file), FONT_SIZE)
