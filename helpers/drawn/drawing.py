"""The drawn world: portraits of animals whose every part is known.

`draw("cat", 7)` is always the same image. `draw("cat", 7, without=("ears",))` is the same cat
without its ears, and no other pixel differs; `sky="cloudy"` puts it under clouds. So a map that
claims to show where a network looked can be checked (Hesse 2023, FunnyBirds; Yang 2019, BAM).
"""

import functools
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageFilter

from helpers.core.paths import DRAWN
from helpers.drawn.anatomy import KINDS as _ANATOMY
from helpers.drawn.anatomy import sample
from helpers.drawn.canvas import PART_IDS, PART_NAMES, oval
from helpers.drawn.portrait import Frame, paint
from helpers.drawn.scenery import backdrop

SIZE = 128
KINDS = tuple(_ANATOMY)
PETS = ("cat", "dog")
OTHERS = tuple(kind for kind in KINDS if kind not in PETS)
FACE = ("ears", "eyes", "muzzle", "whiskers")  # what nearly every face shows
TEST_SEED = 1_000_000
_ANY = [0] + [255] * 255
_GRID = np.mgrid[:SIZE, :SIZE].astype(np.float32)
SUN = np.array([-0.55, -0.83], np.float32)


@dataclass(frozen=True, eq=False)
class Drawing:
    """One drawn image: image uint8 (H, W, 3), parts uint8 (H, W), and how it was made.

    `parts` holds indices of `PART_NAMES`. For a scene, `animals` (H, W) tells which animal a pixel
    belongs to: 0 none, 1 the left one, 2 the right one; `kind` then names both.
    """

    image: np.ndarray = field(repr=False)
    parts: np.ndarray = field(repr=False)
    kind: str | tuple
    seed: int
    animals: np.ndarray | None = field(default=None, repr=False)


def draw(kind, seed, without=(), sky=None):
    """Draw one animal, always the same for the same seed.

    Arguments:
        kind: one of `KINDS`.
        seed: int, 0 or more.
        without: part names to leave out; pixels that do not show these parts stay exactly the same.
        sky: None (any background), "sunny", "cloudy", or a number from 0 (clear) to 1 (overcast).

    Raises ValueError for unknown kinds, parts and skies.
    """
    _check(kind, seed, without)
    whole = _once if without else _render
    image, parts = whole((kind,), seed, frozenset(), sky)[:2]
    if without:
        shown = np.isin(parts, [PART_IDS[name] for name in without])
        bare, under = _render((kind,), seed, frozenset(without), sky)[:2]
        image = np.where(shown[..., None], bare, image)
        parts = np.where(shown, under, parts)
    return Drawing(image, parts, kind, int(seed))


def scene(seed, left="cat", right="dog", sky=None):
    """Draw two animals side by side; `animals` of the result tells them apart."""
    for kind in (left, right):
        _check(kind, seed, ())
    image, parts, animals = _render((left, right), seed, frozenset(), sky)
    return Drawing(image, parts, (left, right), int(seed), animals)


def _check(kind, seed, without):
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; choose from {', '.join(KINDS)}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed is {seed!r}; it must be a whole number, 0 or more")
    if isinstance(without, str):
        raise ValueError(f"without is {without!r}; it must be a tuple: ({without!r},)")
    for name in without:
        if name not in PART_NAMES[1:]:
            raise ValueError(f"unknown part {name!r}; choose from {', '.join(PART_NAMES[1:])}")


def _render(kinds, seed, without, sky):
    """Return image, parts and animals of one or two animals, all uint8."""
    rng = np.random.default_rng([seed, *(KINDS.index(kind) for kind in kinds)])
    scenery = np.random.default_rng(rng.integers(2**32))
    canvas = backdrop(scenery, SIZE, sky)
    canvas.without = without
    light = np.ones((SIZE, SIZE), np.float32)
    animals = np.zeros((SIZE, SIZE), np.uint8)
    for number, kind in enumerate(kinds, 1):
        behind, canvas.labels = canvas.labels, Image.new("L", canvas.size)
        traits = sample(kind, rng)
        frame, upright = _pose(rng, traits, number, len(kinds))
        paint(canvas, traits, frame, upright)
        mine = canvas.parts() > 0
        animals[mine] = number
        light[mine] = _form(frame)[mine]
        canvas.labels = Image.composite(canvas.labels, behind, canvas.labels.point(_ANY))
    if rng.random() < 0.07 and len(kinds) == 1:
        _occlude(canvas, rng)
    picture, parts = canvas.finish()
    image, parts = _develop(picture * light[..., None], parts, rng)
    if len(kinds) == 2:
        wider = np.asarray(Image.fromarray(animals).filter(ImageFilter.MaxFilter(3)))
        animals = np.where((parts > 0) & (animals == 0), wider, animals)
    return image, parts, animals


_once = functools.lru_cache(maxsize=8)(_render)  # of animals that are redrawn


def _pose(rng, traits, number, count):
    yaw, tilt = float(np.clip(traits.yaw, -0.9, 0.9)), rng.normal(0, 0.16)
    radius = rng.uniform(20, 24) if count == 2 else 17 + 25 * rng.beta(2.2, 1.8)
    if count == 2:
        x, y = 33 + 63 * (number - 1) + rng.normal(0, 1.5), 60 + rng.normal(0, 3)
    else:
        room = 50 - radius
        x, y = 64 + room * rng.uniform(-0.8, 0.8), 60 + room * rng.uniform(-0.5, 0.6)
        y = y + 8 * (traits.ear == "long")
    return Frame(x, y, radius, tilt, yaw), Frame(x - yaw * radius * 0.25, y, radius, 0, 0)


def _form(frame):
    """Return the light (SIZE, SIZE) from the upper left on a round head and the body below it."""
    y, x = _GRID
    u, v = (x - frame.centre[0]) / frame.radius, (y - frame.centre[1]) / frame.radius
    v = np.minimum(v, 0.75)
    rim = np.clip(u * u + v * v - 0.35, 0, 1.2)
    return np.clip(1.03 + 0.14 * (u * SUN[0] + v * SUN[1]) - 0.11 * rim, 0.65, 1.25)


def _occlude(canvas, rng):
    """Put something in front of the animal: a fence post, a ball or a twig with leaves."""
    what, x, y = rng.integers(3), rng.uniform(20, 108), rng.uniform(30, 100)
    if what == 0:
        post = [(x - 5, 0), (x + 5, 0), (x + 5, SIZE), (x - 5, SIZE)]
        canvas.polygon(post, (150, 112, 74), "other")
        canvas.line([(x - 2, 0), (x - 2, SIZE)], (124, 88, 56), 1, "other")
    elif what == 1:
        canvas.polygon(oval(x, y, 15), (224, 70, 66), "other")
        canvas.polygon(oval(x, y, 15, 5, 0.5), (250, 236, 220), "other")
    else:
        canvas.line([(x - 40, y + 18), (x + 40, y - 12)], (98, 70, 46), 2, "other")
        for step in np.linspace(-36, 36, 9):
            leaf = oval(x + step, y + 3 - step * 0.37 + 5 * (-1) ** int(step), 6.5, 3, step)
            canvas.polygon(leaf, (84, 150, 70), "other")


def _develop(picture, parts, rng):
    """Add fur grain, light, blur and noise as a camera would; return image and parts, uint8."""
    grain = rng.standard_normal((SIZE, SIZE, 1), np.float32)
    fur = np.isin(parts, (1, 2, 3))[..., None]
    picture = picture * (1 + 0.03 * grain * fur)
    warmth, exposure = rng.normal(0, 0.05), rng.normal(0, 0.09)
    tint = np.array([1 + warmth, 1, 1 - warmth]) * np.exp(exposure)
    angle, falloff = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.22)
    y, x = _GRID / SIZE - 0.5
    lamp = 1 + falloff * (x * np.cos(angle) + y * np.sin(angle))
    picture = picture * (lamp[..., None] * tint).astype(np.float32)
    chance, strength = rng.random(), rng.random()
    if chance < 0.12:
        soft = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
        picture = np.asarray(soft.filter(ImageFilter.GaussianBlur(0.4 + 0.7 * strength)))
        parts = np.asarray(Image.fromarray(parts).filter(ImageFilter.MaxFilter(3)))
    noise = rng.standard_normal(picture.shape, np.float32)
    picture = picture + noise * (12 * strength if chance > 0.8 else 0)
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8), parts


def dataset(kinds, count, first_seed=0, sky=None, progress=None):
    """Draw `count` animals of each kind; return images, labels and parts.

    images uint8 (N, 128, 128, 3), labels int (N,) that index `kinds`, parts uint8 (N, 128, 128).
    The kinds alternate, so that any first half is balanced. `sky` is None, or one sky per kind;
    `progress` is a function that wraps an iterable.
    """
    skies = sky if sky is not None else [None] * len(kinds)
    plan = [(label, first_seed + number) for number in range(count) for label in range(len(kinds))]
    images = np.empty((len(plan), SIZE, SIZE, 3), np.uint8)
    parts = np.empty((len(plan), SIZE, SIZE), np.uint8)
    for row, (label, seed) in enumerate(progress(plan) if progress else plan):
        drawing = draw(kinds[label], seed, sky=skies[label])
        images[row], parts[row] = drawing.image, drawing.parts
    return images, np.array([label for label, _ in plan]), parts


def load_test():
    """Return images, labels and parts of the shipped test set: 200 cats and 200 dogs, alternating.

    Raises FileNotFoundError where data/drawn is missing (the course runs from a checkout).
    """
    sheets = []
    for name in ("test_images.png", "test_parts.png"):
        if not (DRAWN / name).is_file():
            raise FileNotFoundError(f"{DRAWN / name} is missing; clone the whole course again")
        with Image.open(DRAWN / name) as sheet:
            sheets.append(np.asarray(sheet))
    images, parts = (_cut(sheet) for sheet in sheets)
    return images, np.arange(len(images)) % len(PETS), parts


def save_test(count=200):
    """Draw the test set again and save it in data/drawn as two sheets, 20 images wide."""
    from helpers.plotting import tile  # here, as nothing else in this module needs Matplotlib

    images, _, parts = dataset(PETS, count, TEST_SEED)
    DRAWN.mkdir(parents=True, exist_ok=True)
    for name, pictures in (("test_images.png", images), ("test_parts.png", parts)):
        partial = DRAWN / f".{name}"
        sheet = Image.fromarray(tile(pictures, columns=20, gap=0))
        sheet.save(partial, format="PNG", optimize=True)
        partial.replace(DRAWN / name)


def _cut(sheet):
    rows, columns = sheet.shape[0] // SIZE, sheet.shape[1] // SIZE
    blocks = sheet.reshape(rows, SIZE, columns, SIZE, *sheet.shape[2:]).swapaxes(1, 2)
    return blocks.reshape(rows * columns, SIZE, SIZE, *sheet.shape[2:])
