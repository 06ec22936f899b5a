"""Paint an animal's face on a canvas: eyes, muzzle with nose and mouth, tongue, whiskers.

Called by `portrait`, in the same frame: units are the head's half height.
"""

from helpers.anatomy import CHOCOLATE
from helpers.canvas import blend, curve, oval


def paint(canvas, traits, frame, palette):
    """Paint the face onto a head that is there already; palette: fur, second, light, dark."""
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
