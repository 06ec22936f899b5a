"""Text of users, drawn as it was typed: never read as a formula, in a font that has its letters.

Class names and file names can hold anything: dollar signs, line breaks, Chinese, emoji. Matplotlib
and Pillow draw letters from left to right, each from one font; what they need to know is here.
"""

import re
import unicodedata
import warnings
from functools import lru_cache, partial
from pathlib import Path

import matplotlib
from matplotlib.font_manager import fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.legend import Legend
from matplotlib.ticker import LogFormatter
from PIL import ImageFont

SIZE = 17  # pixels of a letter, or 12 points where an image is shown pixel by pixel
# Matplotlib ships this font, so every machine has it.
USUAL = str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf")
MORE = "…"
LONGEST = 240  # pixels of a name beside an axis


def drawable(text):
    """Return a text as it can be drawn: from left to right, with letters that a font here has.

    What no font has becomes its name or number, such as "(cat face)" or "(U+732B)"; a warning says
    so, once for each character. Line breaks stay, other control characters become spaces.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    parts = [_drawable(character) for character in _leftwards(text)]
    return "".join(parts)


def one_line(text):
    """Return a text without line breaks and tabs."""
    return " ".join(str(text).split())


def runs(text):
    """Return a drawable text as [(font file, part of the text)], each part of one font."""
    found = []
    for character in text:
        file = font_of(character) or USUAL
        if found and found[-1][0] == file:
            found[-1][1] += character
        else:
            found.append([file, character])
    return [tuple(run) for run in found]


def width(text, size=SIZE):
    """Return how wide `write` draws a text, in pixels."""
    return sum(font(file, size).getlength(part) for file, part in runs(drawable(one_line(text))))


def fit(text, pixels, size=SIZE):
    """Return a text on one line, cut with "…" where it would be wider than this many pixels."""
    text = one_line(text)
    if len(text) * size < pixels or width(text, size) <= pixels:
        return text
    least, most = 0, len(text)
    while least < most:  # the longest beginning that fits
        middle = (least + most + 1) // 2
        least, most = (
            (middle, most) if width(text[:middle] + MORE, size) <= pixels else (least, middle - 1)
        )
    return text[:least].rstrip() + MORE


def wrap(text, pixels):
    """Return a text with line breaks, so that no line is wider than this; long words are cut."""
    lines = []
    for given in str(text).split("\n"):
        line = ""
        for word in given.split(" "):
            longer = f"{line} {word}" if line else word
            if line and width(longer) > pixels:
                lines.append(fit(line, pixels))
                longer = word
            line = longer
        lines.append(fit(line, pixels) if line.strip() else "")
    return "\n".join(lines)


def as_typed(figure):
    """Prepare the texts of a Matplotlib figure, and return {text: words} of what to put back.

    Words are not parsed for formulas, except where a logarithmic axis writes powers of ten.
    """
    powers, ticks, changed = set(), set(), {}
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        formatter = axis.get_major_formatter()
        logarithmic = isinstance(formatter, LogFormatter)
        if not logarithmic and "format_ticks" not in vars(formatter):
            formatter.format_ticks = partial(_formatted, formatter.format_ticks)
        labels = (*axis.get_ticklabels(), *axis.get_ticklabels(minor=True))
        (powers if logarithmic else ticks).update(map(id, labels))
    inside = {id(text) for legend in figure.findobj(Legend) for text in legend.get_texts()}
    for text in figure.findobj(matplotlib.text.Text):
        if id(text) in powers:
            continue
        text.set_parse_math(False)
        words = text.get_text()
        room = figure.bbox.height if text.get_rotation() == 90 else figure.bbox.width
        room = room * 0.5 if id(text) in inside else room  # or nothing is left for the axes
        shown = words if id(text) in ticks else drawable(_cut(text, room))
        if shown != words:
            changed[text] = words
            text.set_text(shown)
        if not shown.isascii():
            names = [_shapes(file).family_name for file, _ in runs(shown) if file != USUAL]
            text.set_fontfamily(list(dict.fromkeys([*text.get_fontfamily(), *names])))
    return changed


def _cut(text, room):
    """Return a text's words, with lines cut that are longer than this many pixels."""
    size = round(text.get_fontsize() * text.get_figure(root=True).dpi / 72)
    lines = text.get_text().split("\n")
    return "\n".join(line if len(line) * size < room else fit(line, room, size) for line in lines)


def _formatted(format_ticks, values):
    labels = [str(label).split("\n") for label in format_ticks(values)]
    return [drawable("\n".join(fit(line, LONGEST) for line in lines)) for lines in labels]


@lru_cache(maxsize=32)
def font(file=USUAL, size=SIZE):
    """Return a font for Pillow."""
    return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def font_of(character):
    """Return the file of a font that has a character, the usual one first; None if none does."""
    if character.isspace():
        return USUAL
    others = sorted(entry.fname for entry in fontManager.ttflist if entry.style == "normal")
    return next((file for file in (USUAL, *others) if _has(file, character)), None)


def _has(file, character):
    shapes = _shapes(file)
    return shapes is not None and bool(shapes.get_char_index(ord(character)))


@lru_cache(maxsize=1024)
def _shapes(file):
    try:
        return FT2Font(file)
    except (OSError, RuntimeError):  # gone, or of coloured bitmaps, which Matplotlib cannot draw
        return None


@lru_cache(maxsize=4096)
def _drawable(character):
    """Return what to draw for a character; the first time, warn where it is not itself."""
    if character == "\n":
        return character
    kind = unicodedata.category(character)
    if kind in ("Cc", "Zl", "Zp"):
        return " "
    if kind != "Cf" and font_of(character):
        return character
    if kind in ("Cf", "Mn", "Me"):  # joiners, and marks that change what stands before them
        return ""
    name = unicodedata.name(character, "")
    known = name and f"{ord(character):X}" not in name
    shown = f"({name.lower() if known else f'U+{ord(character):04X}'})"
    warnings.warn(
        f"No font on this machine can draw {character!r}: figures show {shown}. A font that has "
        "it, such as Noto, helps once it is installed and Python is started anew.",
        stacklevel=2,
    )
    return shown


def _leftwards(text):
    """Return a text with Hebrew and Arabic reversed, as they are read from the right."""

    def leftward(character):
        return unicodedata.bidirectional(character) in ("R", "AL")

    if not any(map(leftward, text)):
        return text
    kinds = "".join("R" if leftward(c) else "N" if c == " " or _mark(c) else "L" for c in text)
    parts, end = [], 0
    for found in re.finditer(r"R(?:[RN]*R)?", kinds):
        parts += [text[end : found.start()], text[found.start() : found.end()][::-1]]
        end = found.end()
    return "".join((*parts, text[end:]))


def _mark(character):
    return unicodedata.bidirectional(character) == "NSM"
