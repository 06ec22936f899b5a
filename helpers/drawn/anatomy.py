"""Anatomy: each kind of animal as a table of ranges, and one animal drawn from its table.

Lengths are in units of half the head's height, x to the right and y down from the head's centre. A
pair (low, high) is sampled uniformly, a list is chosen from, anything else is used as it is.
"""

from types import SimpleNamespace

import numpy as np

GINGER, CREAM, WHITE, GREY, BLACK = (
    (224, 142, 66), (240, 214, 170), (244, 240, 232), (146, 148, 156), (62, 58, 64))  # fmt: skip
BROWN, TAN, CHOCOLATE, SAND, SILVER = (
    (150, 100, 62), (206, 160, 106), (104, 68, 48), (222, 188, 132), (190, 192, 198))  # fmt: skip
PINK, GOLD, BLUSH = (242, 176, 180), (232, 180, 84), (236, 150, 150)

COMMON = {
    "fur": [GINGER, CREAM, WHITE, GREY, BLACK, BROWN, TAN, CHOCOLATE, SAND, SILVER],
    "second": [WHITE, CREAM, BLACK, CHOCOLATE, GINGER, GREY], "pattern": ["none"],
    "head": (0.95, 1.05), "square": (2.0, 2.3), "cheek": (0.0, 0.1), "fluff": (0.01, 0.04),
    "ear": "round", "ear_size": (0.9, 1.15), "ear_turn": (-0.12, 0.12), "ear_inner": PINK,
    "eye_size": (0.17, 0.22), "eye_gap": (0.36, 0.44), "eye_y": (-0.2, -0.08),
    "iris": [(92, 58, 34), (64, 42, 30), (40, 34, 34)], "pupil": "round", "muzzle": "snout",
    "muzzle_width": (0.42, 0.5), "muzzle_height": (0.34, 0.42), "muzzle_y": (0.4, 0.48),
    "nose": (0.13, 0.17), "nose_colour": [(44, 36, 38), (70, 48, 46)], "whiskers": 0.0,
    "tongue": 0.1, "collar": 0.0, "mane": False, "horns": False, "disc": False,
}  # fmt: skip

KINDS = {
    "cat": {
        "pattern": ["tabby", "tabby", "none", "patch", "points", "tuxedo"],
        "head": (1.05, 1.2), "cheek": (0.06, 0.16), "fluff": (0.02, 0.07),
        "ear": "pointed", "ear_size": (0.9, 1.2), "eye_size": (0.21, 0.27),
        "iris": [(150, 190, 60), (226, 176, 50), (90, 170, 210), (110, 176, 120), (206, 130, 40)],
        "pupil": "slit", "muzzle": "pads", "muzzle_width": (0.22, 0.27),
        "muzzle_height": (0.17, 0.22), "nose": (0.085, 0.115),
        "nose_colour": [(226, 130, 136), (214, 112, 118), (80, 52, 56)],
        "whiskers": 1.0, "tongue": 0.05, "collar": 0.3,
    },
    "dog": {
        "pattern": ["none", "patch", "eyepatch", "tuxedo", "points"],
        "head": (0.86, 1.0), "cheek": (0.0, 0.08), "ear": "floppy", "ear_size": (0.85, 1.2),
        "eye_size": (0.15, 0.19), "muzzle_width": (0.42, 0.52), "muzzle_height": (0.4, 0.5),
        "muzzle_y": (0.46, 0.56), "nose": (0.17, 0.22), "whiskers": 0.12, "tongue": 0.5,
        "collar": 0.4,
    },
    "bear": {
        "fur": [BROWN, CHOCOLATE, BLACK, WHITE, TAN], "head": (1.0, 1.12), "fluff": (0.02, 0.06),
        "ear_size": (0.85, 1.05), "eye_size": (0.1, 0.13), "muzzle_width": (0.38, 0.46),
        "tongue": 0.05, "collar": 0.1,
    },
    "rabbit": {
        "fur": [WHITE, CREAM, GREY, TAN, SILVER, BROWN, SAND], "head": (0.86, 0.96),
        "pattern": ["none", "patch", "tuxedo"], "cheek": (0.08, 0.16), "ear": "long",
        "ear_size": (0.85, 1.1), "eye_size": (0.16, 0.2), "muzzle": "pads",
        "muzzle_width": (0.2, 0.24), "muzzle_height": (0.16, 0.2), "nose": (0.07, 0.09),
        "nose_colour": [(226, 130, 136)], "whiskers": 0.8, "tongue": 0.0, "collar": 0.1,
    },
    "mouse": {
        "fur": [GREY, SILVER, WHITE, TAN, BROWN], "head": (0.84, 0.94), "cheek": (0.0, 0.05),
        "ear": "dish", "ear_size": (0.95, 1.2), "eye_size": (0.12, 0.15),
        "iris": [(24, 20, 24)], "muzzle": "pads", "muzzle_width": (0.17, 0.2),
        "muzzle_height": (0.14, 0.17), "nose": (0.1, 0.13), "nose_colour": [(230, 130, 140)],
        "whiskers": 0.9, "tongue": 0.0,
    },
    "fox": {
        "fur": [(222, 110, 46), (206, 96, 50), (196, 190, 186)], "second": [WHITE],
        "pattern": ["cheeks"], "head": (1.08, 1.2), "cheek": (0.14, 0.24), "fluff": (0.05, 0.09),
        "ear": "pointed", "ear_size": (1.1, 1.3), "ear_inner": (70, 48, 44),
        "eye_size": (0.13, 0.16), "iris": [(214, 140, 40), (170, 110, 40)], "pupil": "slit",
        "muzzle_width": (0.26, 0.32), "muzzle_height": (0.36, 0.44), "muzzle_y": (0.5, 0.58),
        "nose": (0.11, 0.14), "whiskers": 0.3,
    },
    "pig": {
        "fur": [PINK, (246, 196, 190), (232, 160, 160), (120, 92, 92)], "pattern": ["none"],
        "head": (1.0, 1.12), "ear": "folded", "eye_size": (0.11, 0.14), "muzzle": "disc",
        "muzzle_width": (0.32, 0.4), "muzzle_height": (0.24, 0.3), "muzzle_y": (0.3, 0.38),
        "nose": (0.07, 0.09), "nose_colour": [(140, 70, 80)],
    },
    "koala": {
        "fur": [GREY, SILVER, (160, 158, 150)], "head": (1.02, 1.14), "ear": "dish",
        "ear_size": (0.95, 1.15), "ear_inner": WHITE, "fluff": (0.03, 0.07),
        "eye_size": (0.1, 0.13), "iris": [(60, 40, 30)], "muzzle": "none", "muzzle_y": (0.18, 0.26),
        "nose": (0.25, 0.31), "nose_colour": [(40, 36, 42)], "tongue": 0.0,
    },
    "monkey": {
        "fur": [BROWN, CHOCOLATE, TAN, BLACK, GINGER], "head": (1.0, 1.1), "ear": "side",
        "ear_inner": (236, 190, 150), "eye_size": (0.14, 0.18), "eye_gap": (0.26, 0.32),
        "disc": "heart", "second": [(236, 196, 156), (226, 180, 140)], "muzzle_width": (0.48, 0.58),
        "muzzle_height": (0.3, 0.36), "nose": (0.06, 0.08),
    },
    "cow": {
        "fur": [WHITE, BROWN, BLACK, TAN], "second": [BLACK, CHOCOLATE, WHITE, BROWN],
        "pattern": ["eyepatch", "patch", "blaze"], "head": (0.78, 0.88), "ear": "leaf",
        "eye_size": (0.13, 0.16), "eye_gap": (0.42, 0.5), "muzzle": "disc",
        "muzzle_width": (0.52, 0.62), "muzzle_height": (0.3, 0.36), "muzzle_y": (0.58, 0.66),
        "nose": (0.07, 0.09), "nose_colour": [(120, 76, 84)], "horns": True, "collar": 0.3,
    },
    "lion": {
        "fur": [GOLD, SAND, (226, 170, 90)],
        "second": [(150, 82, 38), (120, 66, 34), (180, 100, 40)],
        "head": (0.92, 1.02), "ear_size": (0.75, 0.9), "eye_size": (0.13, 0.16),
        "iris": [(190, 130, 40), (160, 110, 50)], "muzzle": "pads", "muzzle_width": (0.26, 0.31),
        "muzzle_height": (0.2, 0.25), "nose": (0.15, 0.19), "whiskers": 0.5, "mane": True,
    },
    "owl": {
        "fur": [BROWN, TAN, GREY, WHITE, CHOCOLATE], "pattern": ["speckle"], "ear": "tuft",
        "ear_inner": CHOCOLATE,
        "second": [CREAM, WHITE, TAN], "head": (1.05, 1.16), "eye_size": (0.24, 0.3),
        "eye_gap": (0.36, 0.42), "iris": [(240, 180, 40), (236, 140, 40), (220, 200, 60)],
        "disc": "round", "muzzle": "beak", "muzzle_y": (0.16, 0.24), "nose": (0.13, 0.17),
        "nose_colour": [(226, 160, 60), (90, 80, 80)], "tongue": 0.0,
    },
}  # fmt: skip

# Hard examples borrow these traits from another kind, or hide what distinguishes the kinds.
CROSSES = {
    "cat": (
        {"muzzle": "snout", "muzzle_width": (0.36, 0.46), "muzzle_height": (0.34, 0.42),
         "nose": (0.13, 0.18), "nose_colour": [(44, 36, 38)]},
        {"ear": "floppy", "ear_size": (0.7, 0.9), "pupil": "round"},
        {"muzzle": "snout", "pupil": "round", "whiskers": 0.3, "eye_size": (0.17, 0.2)},
    ),
    "dog": (
        {"ear": "pointed", "ear_size": (0.85, 1.1), "tongue": 0.1},
        {"ear": "pointed", "whiskers": 0.6, "muzzle_width": (0.3, 0.36), "nose": (0.12, 0.15)},
        {"muzzle": "pads", "muzzle_width": (0.24, 0.3), "muzzle_height": (0.2, 0.25),
         "tongue": 0.2, "eye_size": (0.19, 0.24)},
    ),
}  # fmt: skip
HARD = 0.12  # the share of hard examples


def sample(kind, rng):
    """Return one animal of a kind: a namespace of traits, with all random choices made."""
    table = COMMON | KINDS[kind]
    hard = kind in CROSSES and rng.random() < HARD
    if hard:
        table = table | CROSSES[kind][rng.integers(len(CROSSES[kind]))]
    traits = SimpleNamespace(kind=kind, hard=hard)
    for name, choice in table.items():
        setattr(traits, name, _pick(choice, rng))
    for name in ("whiskers", "tongue", "collar"):
        setattr(traits, name, rng.random() < getattr(traits, name))
    traits.yaw = rng.normal(0, 0.45)
    traits.asleep = rng.random() < 0.03
    traits.wild = rng.uniform(0, 1, (8, 12))
    return traits


def _pick(choice, rng):
    if isinstance(choice, list):
        return choice[rng.integers(len(choice))]
    if isinstance(choice, tuple) and len(choice) == 2:
        return rng.uniform(*choice)
    return choice


def colours(traits):
    """Return fur, second colour, light and dark shade of an animal, clearly distinct."""
    fur, second = np.array(traits.fur), np.array(traits.second)
    jitter = (traits.wild[0, :3] - 0.5) * 28
    fur = np.clip(fur + jitter, 20, 250)
    if np.abs(fur - second).sum() < 120:
        second = np.array(WHITE) if fur.sum() < 500 else np.array(CHOCOLATE)
    light = fur + (255 - fur) * 0.5
    return tuple(tuple(int(v) for v in c) for c in (fur, second, light, fur * 0.62))
