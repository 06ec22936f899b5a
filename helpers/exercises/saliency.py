"""Questions of lesson 04: saliency, from a rule for ReLUs to a baseline that hides the animal."""

import functools

import numpy as np

from helpers import drawn, perturbation, saliency
from helpers.exercises.answers import array, called, choice, picture
from helpers.exercises.exercise import Question, drawn_network, drawn_world

BROKEN = 8  # the test picture that the last question is about


def _hidden(answer):
    world = drawn_world()
    image, animal = world.test.images[BROKEN], world.test.parts[BROKEN] > 0
    baseline = picture(answer, image.shape)
    target = int(world.test.labels[BROKEN])
    heat = saliency.integrated_gradients(world.network, image, target, baseline, 20, tolerance=None)
    mass = np.abs(heat).sum(axis=2)
    if mass.sum() == 0:
        return "Now the map is empty. Leave something of it, but nothing on the animal."
    share = mass[animal].sum() / mass.sum()
    if share < 0.001:
        return None
    return f"{share:.0%} of the map's mass still lies on the animal."


def _guided(function):
    rng = np.random.default_rng(3)
    for shape in ((3, 3), (2, 5), (4,)):
        x, slope = rng.normal(size=(2, *shape))
        got = array(called(function, x, slope), shape, "one number for each that went in,")
        forward, backward = slope * (x > 0), slope * (slope > 0)
        if np.allclose(got, forward * (slope > 0)):
            continue
        if np.allclose(got, forward):
            return "That is the plain gradient: it lets negative slopes through, too."
        if np.allclose(got, backward):
            return "That is the backward rule: it forgets what the ReLU had cut off going forward."
        return "The rule passes the slope on where two things are positive, and else gives zero."
    return None


@functools.cache
def _mean_effects():
    """Return how much of the margin is lost without each part, on average over 16 animals."""
    drawings = [drawn.draw(kind, drawn.TEST_SEED + i) for i in range(8) for kind in drawn.PETS]
    asked = dict(target=[0, 1] * 8, part_names=drawn.FACE, against="rest")
    effects = perturbation.part_effects(drawn_network(), drawings, **asked)
    return {part: float(np.nanmean(values)) for part, values in effects.items()}


def _counts_most(answer):
    part, mean = choice(answer, drawn.FACE), _mean_effects()
    if mean[part] == max(mean.values()):
        return None
    return f"Without {part} the margin falls by {mean[part]:.1f} on average; another costs more."


def _integrates(function):
    network, images = drawn_network(), drawn_world().test.images[[3, 6]]

    def slope(pictures):
        return saliency.gradient(network, pictures, 1, against="rest")

    for image, baseline, steps in (images[0], 0.0, 4), (images[1], 127.0, 7):
        got = called(function, slope, image.astype(np.float32), baseline, steps)
        got = array(got, image.shape, "a map")
        asked = {"against": "rest", "tolerance": None}
        wanted = saliency.integrated_gradients(network, image, 1, baseline, steps, **asked)
        scale = np.abs(wanted).max()
        if np.abs(got - wanted).max() <= 0.01 * scale:
            continue
        mean = wanted / np.where(image == baseline, np.inf, image - baseline)
        if np.abs(got - mean).max() <= 0.01 * np.abs(mean).max():
            return "That is the mean slope. Multiply it by how far each pixel moved."
        if np.abs(got - steps * wanted).max() <= 0.01 * steps * scale:
            return "Take the mean over the steps, not their sum."
        if baseline and np.abs(got - image * mean).max() <= 0.01 * np.abs(image * mean).max():
            return "A pixel moved from the baseline to the picture: multiply by their difference."
        return (
            "The map differs from the helper's. Take the slopes in the middle of each step: "
            "at shares (k + 0.5) / steps of the way from the baseline to the picture."
        )
    return None


QUESTIONS = (
    Question(
        _guided,
        (
            "Compare the tables cell by cell: where is the third one zero, and why?",
            "Where x > 0 the forward rule lets pass, where slope > 0 the backward rule does.",
            "np.where(condition, slope, 0) with both conditions at once, joined by &.",
        ),
        "def guided_rule(x, slope):\n    return np.where((x > 0) & (slope > 0), slope, 0)",
        "def guided_rule(x, slope):\n    return np.where(x > 0, slope, 0)",
    ),
    Question(
        _counts_most,
        (
            "Look at the maps above: on which part do most of them agree?",
            "It is where several maps have their brightest spots, round and in pairs.",
        ),
        'answer = "eyes"',
        'answer = "ears"',
    ),
    Question(
        _integrates,
        (
            "Three lines: the shares of the way, the pictures on the way, and the product.",
            "shares = (np.arange(steps) + 0.5) / steps; give them the shape (steps, 1, 1, 1).",
            "The map is (picture - baseline) * slope(pictures on the way).mean(axis=0).",
        ),
        "def my_integrated_gradients(slope, picture, baseline, steps):\n"
        "    shares = (np.arange(steps) + 0.5) / steps\n"
        "    way = baseline + shares[:, None, None, None] * (picture - baseline)\n"
        "    return (picture - baseline) * slope(way).mean(axis=0)",
        "def my_integrated_gradients(slope, picture, baseline, steps):\n"
        "    return (picture - baseline) * slope(picture[None])[0]",
    ),
    Question(
        _hidden,
        (
            "Look at the formula: which factor can you make zero, pixel by pixel?",
            "A pixel in which the baseline equals the picture gets nothing.",
            "np.where(animal[..., None], picture, something else) with animal = parts > 0.",
        ),
        f"animal = truth.test.parts[{BROKEN}] > 0\n"
        f"answer = np.where(animal[..., None], truth.test.images[{BROKEN}], 0)",
        f"answer = np.zeros_like(truth.test.images[{BROKEN}])",
    ),
)
