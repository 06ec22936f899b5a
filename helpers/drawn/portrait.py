"""Portraits: paint one animal on a canvas, from body and ears to fur pattern and face.

Everything is placed in the head's coordinates (see `anatomy`), which `Frame` maps to the image.
Nothing here is random: an animal painted again without its ears is the same animal.
"""

import numpy as np

from helpers.drawn.anatomy import BLUSH, CHOCOLATE, colours
from helpers.drawn.canvas import blend, curve, oval

# Outlines of the right ear; the left one is mirrored.
EARS = {
    "pointed": [(0.12, -0.8), (0.34, -1.12), (0.62, -1.5), (0.82, -1.1), (0.9, -0.5), (0.5, -0.5)],
    "round": [(0.42, -0.7), (0.5, -1.02), (0.78, -1.12), (1.0, -0.9), (0.92, -0.58), (0.6, -0.5)],
    "dish": [(0.5, -0.5), (0.55, -1.05), (0.95, -1.3), (1.4, -1.0), (1.36, -0.5), (0.95, -0.2)],
    "floppy": [(0.5, -0.88), (0.86, -0.82), (1.14, -0.3), (1.2, 0.42), (0.98, 0.62), (0.78, 0.2),
               (0.72, -0.3)],
    "long": [(0.16, -0.8), (0.1, -1.5), (0.3, -2.25), (0.56, -2.2), (0.66, -1.5), (0.52, -0.7)],
    "folded": [(0.35, -0.95), (0.72, -1.2), (1.1, -0.9), (1.12, -0.42), (0.9, -0.5), (0.6, -0.6)],
    "side": [(0.85, -0.3), (1.05, -0.48), (1.36, -0.36), (1.42, 0.0), (1.2, 0.24), (0.88, 0.16)],
    "leaf": [(0.7, -0.55), (1.0, -0.78), (1.45, -0.7), (1.6, -0.45), (1.25, -0.28), (0.8, -0.3)],
    "tuft": [(0.3, -0.75), (0.6, -1.02), (0.98, -1.42), (0.98, -0.95), (0.88, -0.45), (0.5, -0.6)],
}  # fmt: skip
IN_FRONT = ("floppy", "folded")


class Frame:
    """The head's coordinates: centre, radius in pixels, tilt in radians, yaw (-1 to 1)."""

    def __init__(self, x, y, radius, tilt, yaw):
        self.centre, self.radius, self.yaw = np.array([x, y]), radius, yaw
        self.turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])

    def __call__(self, points, depth=0.0):
        """Map points (n, 2) to the image; points in front by `depth` move with the yaw."""
        points = np.asarray(points, float) + (self.yaw * depth, 0)
        return points @ self.turn * self.radius + self.centre


def paint(canvas, traits, frame, upright):
    """Paint the animal; `upright` is the frame of the body, which does not tilt."""
    palette = colours(traits)
    _body(canvas, traits, upright, palette)
    if traits.mane:
        _mane(canvas, traits, frame, palette)
    if traits.horns:
        for side in (-1, 1):
            horn = np.array([(0.35, -0.8), (0.5, -1.2), (0.78, -1.38), (0.66, -1.05), (0.6, -0.7)])
            canvas.polygon(frame(curve(horn * (side, 1)), -0.1), (228, 214, 180), "other")
    if traits.ear not in IN_FRONT:
        _ears(canvas, traits, frame, palette)
    _head(canvas, traits, frame, palette)
    if traits.ear in IN_FRONT:
        _ears(canvas, traits, frame, palette)
    _face(canvas, traits, frame, palette)


def _body(canvas, traits, frame, palette):
    fur, second, light, dark = palette
    wide = 0.95 + 0.3 * traits.wild[1, 0]
    canvas.polygon(frame(oval(0, 2.15, wide, 1.6)), blend(fur, dark, 0.12), "body")
    clip = canvas.mask("body")
    canvas.polygon(frame(oval(0, 0.95, wide * 1.1, 0.45)), blend(fur, dark, 0.7), "body", clip)
    bib = second if traits.pattern in ("tuxedo", "cheeks") else light
    canvas.polygon(frame(oval(0, 2.0, wide * 0.5, 0.95)), bib, "body", clip)
    for side in (-1, 1):
        paw = oval(side * wide * 0.42, 3.3, wide * 0.34, 0.42)
        canvas.polygon(frame(paw), blend(fur, light, 0.35), "body")
    if traits.collar:
        bright = ((214, 60, 70), (60, 110, 200), (60, 160, 110), (240, 170, 40), (150, 80, 180))
        colour = bright[int(traits.wild[1, 1] * 5)]
        canvas.polygon(frame(oval(0, 0.98, wide * 0.8, 0.28)), colour, "other", clip)
        canvas.polygon(frame(oval(0, 1.3, 0.17)), (250, 214, 90), "other")
        canvas.polygon(frame(oval(0.02, 1.33, 0.07)), (190, 140, 40), "other")


def _mane(canvas, traits, frame, palette):
    _, second, _, _ = palette
    for radius, share in ((1.5, 0.0), (1.28, 0.25)):
        turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        spike = radius * (1 + 0.09 * (np.arange(64) % 4 - 1.5) / 1.5)
        ring = np.stack([spike * np.cos(turn), spike * np.sin(turn)], -1)
        canvas.polygon(frame(ring, -0.05), blend(second, (250, 190, 110), share), "other")


def _ears(canvas, traits, frame, palette):
    fur, second, _, dark = palette
    outer = blend(fur, dark, 0.25 if traits.ear not in IN_FRONT else 0.6)
    outer = second if traits.pattern == "eyepatch" else outer
    outer = blend(dark, CHOCOLATE, 0.6) if traits.pattern == "points" else outer
    for side in (-1, 1):
        outline = np.array(EARS[traits.ear])
        root = outline[[0, -1]].mean(axis=0)
        turn = traits.ear_turn * side + 0.12 * (traits.wild[2, side] - 0.5)
        cos, sin = np.cos(turn), np.sin(turn)
        outline = (outline - root) * traits.ear_size @ np.array([[cos, sin], [-sin, cos]]) + root
        shape = curve(outline)
        middle = shape.mean(axis=0)
        canvas.polygon(frame(shape * (side, 1), -0.12), outer, "ears")
        if traits.ear in IN_FRONT:
            fold = (shape - middle) * (0.55, 0.7) + middle + (0.03, 0.08)
            canvas.polygon(frame(fold * (side, 1), -0.12), blend(outer, fur, 0.3), "ears")
            continue
        inner = (shape - middle) * 0.62 + middle + (0, 0.06)
        canvas.polygon(frame(inner * (side, 1), -0.12), blend(traits.ear_inner, dark, 0.12), "ears")


def _head(canvas, traits, frame, palette):
    fur, second, light, dark = palette
    turn = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    cos, sin, power = np.cos(turn), np.sin(turn), 2 / traits.square
    x = np.sign(cos) * np.abs(cos) ** power * traits.head
    y = np.sign(sin) * np.abs(sin) ** power
    x = x * (1 + traits.cheek * np.clip(sin + 0.5, 0, 1))
    tuft = traits.fluff * (0.5 + 1.6 * (np.abs(cos) > 0.6)) * (np.arange(120) % 5 - 2) / 2
    canvas.polygon(frame(np.stack([x * (1 + tuft), y * (1 + tuft)], -1)), fur, "head")
    clip = canvas.mask("head")
    _pattern(canvas, traits, frame, palette, clip)
    for side in (-1, 1):
        blush = oval(side * 0.66 * traits.head, 0.36, 0.17, 0.11)
        canvas.polygon(frame(blush, 0.15), blend(fur, BLUSH, 0.3), "head", clip)
    if traits.disc == "round":
        for side in (-1, 1):
            canvas.polygon(frame(oval(side * 0.42, -0.08, 0.5, 0.52), 0.1), second, "head", clip)
    if traits.disc == "heart":
        heart = curve([(0, -0.38), (0.42, -0.56), (0.66, -0.1), (0.5, 0.5), (0, 0.8),
                       (-0.5, 0.5), (-0.66, -0.1), (-0.42, -0.56)])  # fmt: skip
        canvas.polygon(frame(heart, 0.12), second, "head", clip)


def _pattern(canvas, traits, frame, palette, clip):
    fur, second, light, dark = palette

    def mark(points, colour, depth=0.1):
        canvas.polygon(frame(points, depth), colour, "head", clip)

    if traits.pattern == "tabby":
        for x in (-0.26, 0.0, 0.26):
            mark([(x - 0.07, -1.1), (x + 0.07, -1.1), (x * 0.5, -0.42)], dark)
        for side in (-1, 1):
            for y in (-0.05, 0.2, 0.45):
                stripe = [(1.4, y - 0.06), (1.4, y + 0.1), (0.72, y + 0.03)]
                mark(np.array(stripe) * (side, 1), dark)
    elif traits.pattern == "patch":
        for row in traits.wild[3:6]:
            x, y, r = 1.8 * row[0] - 0.9, 1.6 * row[1] - 1.1, 0.22 + 0.3 * row[2]
            mark(curve(oval(x, y, r, r * (0.7 + 0.5 * row[3]), samples=7) + 0.05 * row[4]), second)
        mark(oval(0, -0.1, 0.06, 0.1, samples=10), dark)
    elif traits.pattern == "speckle":
        for x, y in (traits.wild[3:7].reshape(-1, 2) * 2 - 1) * (1, 0.9):
            mark(oval(x * 1.1, y - 0.1, 0.06, 0.1, samples=10), dark)
    elif traits.pattern == "eyepatch":
        side = -1 if traits.wild[3, 0] < 0.5 else 1
        mark(oval(side * 0.45, -0.2, 0.36, 0.46), second)
    elif traits.pattern == "points":
        mark(oval(0, 0.35, 0.55, 0.75), blend(fur, dark, 0.55))
        mark(oval(0, 0.42, 0.4, 0.6), blend(dark, CHOCOLATE, 0.5))
    elif traits.pattern in ("tuxedo", "blaze"):
        mark(
            [(-0.1, -1.1), (0.1, -1.1), (0.22, 0.2), (0.5, 1.2), (-0.5, 1.2), (-0.22, 0.2)], second
        )
    elif traits.pattern == "cheeks":
        for side in (-1, 1):
            mark(np.array(curve([(0.1, 0.25), (0.8, 0.1), (1.6, 0.5), (0.6, 1.2), (0.05, 1.1)]))
                 * (side, 1), second)  # fmt: skip


def _face(canvas, traits, frame, palette):
    """Paint eyes, muzzle with nose and mouth, tongue and whiskers onto a head."""
    _eyes(canvas, traits, frame)
    _muzzle(canvas, traits, frame, palette)
    if traits.whiskers:
        _whiskers(canvas, traits, frame, palette)


def _eyes(canvas, traits, frame):
    for side in (-1, 1):
        r = traits.eye_size * (1 - 0.12 * side * traits.yaw)
        x, y = side * traits.eye_gap, traits.eye_y
        if traits.asleep:
            lid = [(x - r, y), (x - r / 2, y + r * 0.4), (x + r / 2, y + r * 0.4), (x + r, y)]
            canvas.line(frame(lid, 0.2), (40, 30, 34), r * 0.3 * frame.radius, "eyes")
            continue
        canvas.polygon(frame(oval(x, y, r * 1.14, r * 1.14), 0.2), (34, 28, 32), "eyes")
        canvas.polygon(frame(oval(x, y + r * 0.04, r, r), 0.2), traits.iris, "eyes")
        glow = blend(traits.iris, (255, 255, 220), 0.35)
        canvas.polygon(frame(oval(x, y + r * 0.45, r * 0.72, r * 0.45), 0.2), glow, "eyes")
        pupil = (r * 0.32, r * 0.86) if traits.pupil == "slit" else (r * 0.64, r * 0.66)
        canvas.polygon(frame(oval(x, y, *pupil), 0.22), (16, 14, 18), "eyes")
        canvas.polygon(frame(oval(x - r * 0.34, y - r * 0.38, r * 0.27), 0.22), (255,) * 3, "eyes")
        canvas.polygon(frame(oval(x + r * 0.34, y + r * 0.4, r * 0.13), 0.22), (240,) * 3, "eyes")


def _muzzle(canvas, traits, frame, palette):
    _, second, light, dark = palette
    w, h, y = traits.muzzle_width, traits.muzzle_height, traits.muzzle_y
    style, line = traits.muzzle, (58, 40, 44)
    pale = blend(dark, CHOCOLATE, 0.5) if traits.pattern == "points" else light
    pale = blend(second, light, 0.3) if traits.pattern in ("tuxedo", "cheeks") else pale
    mouth, nose_y = y + h * 0.5, y - h * 0.55
    if traits.tongue:
        tip = oval(0, mouth + h * 0.75, w * 0.36 + 0.05, h * 0.5 + 0.08)
        canvas.polygon(frame(tip, 0.3), (234, 104, 122), "tongue")
        crease = [(0, mouth + h * 0.2), (0, mouth + h * 1.0)]
        canvas.line(frame(crease, 0.3), (200, 70, 92), 0.05 * frame.radius, "tongue")
    _cheeks(canvas, traits, frame, palette, pale)
    _nose(canvas, traits, frame, nose_y)
    if style in ("pads", "snout", "none"):
        thick = 0.045 * frame.radius
        low = nose_y + traits.nose * 0.7 if style != "none" else y + 0.38
        mouth = max(mouth, low + 0.08)
        canvas.line(frame([(0, low), (0, mouth)], 0.36), line, thick, "muzzle")
        for side in (-1, 1):
            smile = [(0, mouth), (side * w * 0.3, mouth + 0.09), (side * w * 0.62, mouth - 0.02)]
            canvas.line(frame(smile, 0.34), line, thick, "muzzle")


def _cheeks(canvas, traits, frame, palette, pale):
    """Paint what the nose sits on: two pads, a snout or a disc."""
    fur, _, _, dark = palette
    w, h, y = traits.muzzle_width, traits.muzzle_height, traits.muzzle_y
    if traits.muzzle == "pads":
        canvas.polygon(frame(oval(0, y + h * 1.0, w * 0.8, h * 0.75), 0.28), pale, "muzzle")
        for side in (-1, 1):
            pad = oval(side * w * 0.82, y + h * 0.3, w, h)
            canvas.polygon(frame(pad, 0.3), blend(pale, (255,) * 3, 0.25), "muzzle")
    elif traits.muzzle in ("snout", "disc"):
        tint = blend(fur, (236, 140, 150), 0.55) if traits.muzzle == "disc" else pale
        canvas.polygon(frame(oval(0, y, w * 1.06, h * 1.06), 0.3), blend(tint, dark, 0.3), "muzzle")
        canvas.polygon(frame(oval(0, y - h * 0.04, w, h), 0.32), tint, "muzzle")


def _nose(canvas, traits, frame, nose_y):
    """Paint a nose at height `nose_y`, two nostrils or a beak."""
    w, y, n, nose = traits.muzzle_width, traits.muzzle_y, traits.nose, traits.nose_colour
    style = traits.muzzle
    if style == "disc":
        for side in (-1, 1):
            canvas.polygon(frame(oval(side * w * 0.42, y - 0.02, n, n * 1.4), 0.36), nose, "muzzle")
    elif style == "beak":
        beak = curve([(-n, y - n), (0, y - n * 1.4), (n, y - n), (0, y + n * 1.9)])
        canvas.polygon(frame(beak, 0.3), nose, "muzzle")
    else:
        tall = 1.5 if style == "none" else 0.78
        shape = curve([(-n, nose_y - n * 0.35), (0, nose_y - n * 0.62), (n, nose_y - n * 0.35),
                       (n * 0.55, nose_y + n * tall * 0.6), (0, nose_y + n * tall),
                       (-n * 0.55, nose_y + n * tall * 0.6)])  # fmt: skip
        canvas.polygon(frame(shape, 0.4), nose, "muzzle")
        shine = oval(-n * 0.3, nose_y - n * 0.22, n * 0.3, n * 0.16)
        canvas.polygon(frame(shine, 0.4), blend(nose, (255,) * 3, 0.65), "muzzle")


def _whiskers(canvas, traits, frame, palette):
    colour = (250, 248, 244) if sum(palette[0]) < 560 else (70, 62, 64)
    long = 0.75 + 0.5 * traits.wild[7, 0]
    for side in (-1, 1):
        for spread in (-0.16, 0.02, 0.2):
            y = traits.muzzle_y + spread * 0.5
            hair = [(side * traits.muzzle_width * 1.2, y),
                    (side * (0.4 + long * 0.5), y + spread * 0.6),
                    (side * (0.45 + long), y + spread * 1.5 + 0.05)]  # fmt: skip
            canvas.line(frame(hair, 0.28), colour, max(0.5, 0.022 * frame.radius), "whiskers")
