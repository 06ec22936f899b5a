"""Questions of lesson 04: saliency, from a rule for ReLUs to a baseline that hides the animal."""

import functools

import numpy as np

from helpers import drawn, perturbation, saliency
from helpers.exercises.answers import array, called, choice, picture
from helpers.exercises.exercise import Question, drawn_network, drawn_world
from helpers.metrics.sanity import Forgetful, own_weights, rank_correlation
from helpers.networks import predict

BROKEN = 8  # the test picture that the last question is about
METHODS = {
    "gradient": saliency.gradient,
    "guided gradient": saliency.guided_gradient,
    "integrated gradients": functools.partial(saliency.integrated_gradients, steps=8),
    "SmoothGrad": functools.partial(saliency.smooth_gradient, samples=8),
}


def _hidden(answer):
    world = drawn_world()
    image, animal = world.test.images[BROKEN], world.test.parts[BROKEN] > 0
    baseline = picture(answer, image.shape)
    target = int(world.test.labels[BROKEN])
    heat = saliency.integrated_gradients(world.network, image, target, baseline, steps=20)
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
    """Return by how much the score falls without each part, on average over eight animals."""
    drawings = [drawn.draw(kind, drawn.TEST_SEED + i) for i in range(4) for kind in drawn.PETS]
    network, targets = drawn_network(), [0, 1] * 4
    effects = perturbation.part_effects(network, drawings, targets, part_names=drawn.FACE)
    return {part: float(np.nanmean(values)) for part, values in effects.items()}


def _counts_most(answer):
    answer = choice(answer, drawn.FACE)
    mean = _mean_effects()
    if mean[answer] == max(mean.values()):
        return None
    return f"Without {answer} the score falls by {mean[answer]:.1f} on average; another costs more."


@functools.cache
def _alike_after_forgetting():
    """Return how alike each method's maps stay when the last layer is shuffled."""
    network, images = drawn_network(), drawn_world().test.images[:3]
    target = predict(network, images).argmax(axis=1)
    forgetful = Forgetful(network)
    forgetful.forget(list(own_weights(network).values())[-1], np.random.default_rng(0))
    return {
        name: np.mean([
            rank_correlation(np.abs(a).sum(axis=2), np.abs(b).sum(axis=2))
            for a, b in zip(*(method(net, images, target) for net in (network, forgetful)),
                            strict=True)
        ])
        for name, method in METHODS.items()
    }  # fmt: skip


def _hardly_changes(answer):
    answer = choice(answer, METHODS)
    alike = _alike_after_forgetting()
    if alike[answer] == max(alike.values()):
        return None
    return f"The rank correlation of {answer} falls to {alike[answer]:.2f}; another stays higher."


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
        _hardly_changes,
        (
            "The last layer decides between cat and dog. Which method hardly asks what it wants?",
            "Which map looked most like a drawing of the picture itself?",
        ),
        'answer = "guided gradient"',
        'answer = "integrated gradients"',
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
