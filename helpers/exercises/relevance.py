"""Questions of lesson 08: relevance, from shuffled weights to occlusion written by hand."""

import functools

import numpy as np

from helpers import gradients, saliency
from helpers.exercises.answers import Wrong, array, called, choice, quoted
from helpers.exercises.exercise import Question, drawn_network, drawn_world
from helpers.metrics import rank_correlation
from helpers.metrics.sanity import Forgetful, own_weights
from helpers.networks import predict

METHODS = {
    "gradient": saliency.gradient,
    "guided gradient": saliency.guided_gradient,
    "integrated gradients": functools.partial(
        saliency.integrated_gradients, steps=8, tolerance=None
    ),
    "SmoothGrad": functools.partial(saliency.smooth_gradient, samples=8),
}
OCCLUSION = """
def my_occlusion(margin, picture, side, grey_level):
    heat = np.zeros(picture.shape[:2])
    for top in range(0, picture.shape[0], side):
        for left in range(0, picture.shape[1], side):
            covered = picture.copy()
            covered[top : top + side, left : left + side] = grey_level
            lost = margin(picture[None])[0] - margin(covered[None])[0]
            heat[top : top + side, left : left + side] = lost
    return heat
""".strip()
STATEMENTS = ("integrated gradients", "occlusion", "guided gradient")


@functools.cache
def _alike_after_forgetting():
    """Return how alike each method's maps stay when the last layer is shuffled."""
    network, images = drawn_network(), drawn_world().test.images[:3]
    target = predict(network, images).argmax(axis=1)
    forgetful = Forgetful(network)
    forgetful.forget(list(own_weights(network).values())[-1], np.random.default_rng(0))
    alike = {}
    for name, method in METHODS.items():
        before, after = (method(net, images, target) for net in (network, forgetful))
        sizes = (np.abs(maps).sum(axis=3) for maps in (before, after))
        alike[name] = np.mean([rank_correlation(a, b) for a, b in zip(*sizes, strict=True)])
    return alike


def _hardly_changes(answer):
    method, alike = choice(answer, METHODS), _alike_after_forgetting()
    if alike[method] == max(alike.values()):
        return None
    return f"The rank correlation of {method} falls to {alike[method]:.2f}; another stays higher."


def _occludes(function):
    network, images = drawn_network(), drawn_world().test.images[[5, 10]]

    def margin(pictures):
        return gradients.quantity(network, pictures, 0, against="rest")

    for image, side, level in (images[0], 32, 127), (images[1], 48, 0):
        got = array(called(function, margin, image, side, level), image.shape[:2], "a map")
        wanted, before = np.zeros(image.shape[:2]), margin(image[None])[0]
        for top in range(0, image.shape[0], side):
            for left in range(0, image.shape[1], side):
                covered = image.copy()
                square = slice(top, top + side), slice(left, left + side)
                covered[square] = level
                wanted[square] = before - margin(covered[None])[0]
        scale = np.abs(wanted).max()
        if np.abs(got - wanted).max() <= 0.01 * scale:
            continue
        if np.abs(got + wanted).max() <= 0.01 * scale:
            return "The signs are the wrong way round: the map holds what is lost, before - after."
        if np.abs(before - got - wanted).max() <= 0.01 * scale:
            return "That is the margin of the covered picture. What is lost is before - after."
        return "The map differs. Cover one square at a time, and uncover it before the next."
    return None


def _matched(answer):
    if not isinstance(answer, list | tuple) or len(answer) != len(STATEMENTS):
        raise Wrong(f"Answer with three names in a list, not with {quoted(answer)}.")
    named = [choice(one, STATEMENTS) for one in answer]
    wrong = [
        n for n, (one, true) in enumerate(zip(named, STATEMENTS, strict=True), 1) if one != true
    ]
    return f"Statement {wrong[0]} is about another method." if wrong else None


QUESTIONS = (
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
        _occludes,
        (
            "Two loops over the corners of the squares, and one copy of the picture for each.",
            "covered[top : top + side, left : left + side] = grey_level, and the same for the map.",
            "The loss is margin(picture[None])[0] - margin(covered[None])[0].",
        ),
        OCCLUSION,
        OCCLUSION.replace("margin(picture[None])[0] - ", ""),
    ),
    Question(
        _matched,
        (
            "Which of them multiplies slopes by how far each pixel moved?",
            "Two of the three follow slopes back through the network; the other one only asks.",
        ),
        'answer = ["integrated gradients", "occlusion", "guided gradient"]',
        'answer = ["guided gradient", "occlusion", "integrated gradients"]',
    ),
)
