"""Questions of lesson 01: what a penalty does, what it forgets, and how to break it."""

import functools

import numpy as np

from helpers import regularization
from helpers.exercises.answers import array, called, choice
from helpers.exercises.exercise import Question

CATS, NEW_CATS = 60, 1000


def _gradient_of_penalties(function):
    rng = np.random.default_rng(3)
    for l1, l2 in ((0.0, 0.3), (0.7, 0.0), (0.5, 0.2)):
        weights = rng.normal(size=8)
        got = array(called(function, weights, l1, l2), weights.shape, "one number for each weight,")
        right = l1 * np.sign(weights) + 2 * l2 * weights
        if np.allclose(got, right, atol=1e-6):
            continue
        if l1 == 0 and np.allclose(2 * got, right, atol=1e-6):
            return "The derivative of w^2 is not w; you are wrong by a factor."
        which = f"l1={l1}, l2={l2}"
        return f"For {which} and weight {weights[0]:.2f} it is {right[0]:.2f}, not {got[0]:.2f}."
    return None


@functools.cache
def _share_known_by_heart():
    """Return which share of the false labels a network with a penalty has learned."""
    data, network = regularization.load_digits(), regularization.dense(l2=0.03)
    regularization.learn(network, data)
    said = network(data.images).numpy().argmax(axis=1)
    return (said == data.labels)[data.labels != data.true_labels].mean()


def _known_by_heart(answer):
    shares = {"all": (1, 1), "most": (0.5, 0.999), "less than half": (0, 0.5)}
    low, high = shares[choice(answer, shares)]
    if low <= _share_known_by_heart() <= high:
        return None
    return (
        "Large weights are what it takes to make an exception for one picture. What do they cost?"
    )


def _units_that_break(answer):
    units = array(answer, (2 * regularization.PAIRS,), "an array of factors")
    if not (units > 0).all():
        return f"Give {2 * regularization.PAIRS} positive factors, one for each measurement."
    cats, new = regularization.cats(CATS), regularization.cats(NEW_CATS, seed=1)

    def error(penalty, factors):
        weights, offset = regularization.ridge(cats.measured * factors, cats.purring, penalty)
        said = (new.measured * factors) @ weights + offset
        return np.sqrt(np.mean((said - new.purring) ** 2))

    if not abs(error(0, units) / error(0, 1.0) - 1) <= 0.01:
        return "Even without a penalty the error is another one: such factors are too extreme."
    before, after = error(10, 1.0), error(10, units)
    if after > 1.3 * before:
        return None
    return (
        f"With the penalty the error goes from {before:.2f} to {after:.2f}: not yet a third more."
    )


@functools.cache
def _right_with(width):
    """Return on which share of new digits a random layer of that width ends up right."""
    data = regularization.load_digits()
    old, new = (regularization.random_layer(x, width) for x in (data.images, data.new_images))
    weights, offset = regularization.ridge(old, np.eye(10)[data.labels])
    return ((new @ weights + offset).argmax(axis=1) == data.new_labels).mean()


def _worst_width(answer):
    widths = (20, 200, 2000)
    answer = choice(answer, widths)
    right = {width: _right_with(width) for width in widths}
    if right[answer] == min(right.values()):
        return None
    return f"{answer} neurons are not the worst. When is there just one way to fit every label?"


QUESTIONS = (
    Question(
        _gradient_of_penalties,
        (
            "Take one weight: how does |w| change when w grows a little, and how does w^2?",
            "np.sign(weights) is the derivative of the absolute value; that of w^2 is 2 w.",
        ),
        "def gradient_of_penalty(weights, l1, l2):\n"
        "    return l1 * np.sign(weights) + 2 * l2 * weights",
        "def gradient_of_penalty(weights, l1, l2):\n"
        "    return l1 * np.abs(weights) + l2 * weights**2",
    ),
    Question(
        _known_by_heart,
        (
            "A wrong label is an exception: neighbours of that picture have another label.",
            "An exception needs large weights, and these have their price now.",
        ),
        'answer = "less than half"',
        'answer = "all"',
    ),
    Question(
        _units_that_break,
        (
            "In metres instead of millimetres, a measurement becomes a thousand times smaller.",
            "Its weight must become a thousand times larger. What does the penalty say to that?",
            "Which measurements matter? See cats.matters; make one of the first tiny.",
        ),
        "units = np.ones(30)\nunits[0] = 1 / 1000",
        "units = np.full(30, 1000.0)",
    ),
    Question(
        _worst_width,
        (
            "There are 200 examples, and one weight for each neuron and class.",
            "With fewer neurons not every label can be fitted; with more there is a choice.",
        ),
        "answer = 200",
        "answer = 20",
    ),
)
