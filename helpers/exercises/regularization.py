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


def _minimum_with_l1(function):
    rng = np.random.default_rng(4)
    for size, l1 in ((2, 0.0), (2, 1.2), (5, 1.0), (3, 100.0)):
        points, lowest = rng.normal(size=(4 * size, size)), rng.normal(size=size)
        matrix = points.T @ points / (4 * size)
        right = regularization.penalized_minimum(matrix, lowest, l1)
        got = array(called(function, matrix, lowest, l1), (size,), "one number for each weight,")
        if np.allclose(got, right, atol=1e-3):
            if not got[right == 0].any():
                continue
            small = np.abs(got[right == 0]).max()
            return f"A weight of {small:.1g} should be exactly 0: end with the soft threshold."
        if l1 == 0:
            return "With l1=0 the minimum is the cross itself, and you leave it."
        for times in (0.5, 2.0):
            other = regularization.penalized_minimum(matrix, lowest, times * l1)
            if np.allclose(got, other, atol=1e-3):
                return f"You find the minimum for {times:g} times l1: check the factors of 2."
        far = np.abs(got - right).argmax()
        where = f"For {size} weights and l1={l1:g}, number {far}"
        return f"{where} should be {right[far] + 0:.3f}, and yours is {got[far]:.3f}."
    return None


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
        _minimum_with_l1,
        (
            "np.linalg.eigvalsh(A) gives the eigenvalues. The step is the same in all rounds.",
            "A round: w = w - step * 2 * A @ (w - lowest), then the threshold of step * l1.",
            "The threshold: np.sign(w) * np.maximum(np.abs(w) - step * l1, 0).",
        ),
        "def dot_in_the_diamond(A, lowest, l1):\n"
        "    w, step = lowest, 1 / (2 * np.linalg.eigvalsh(A).max())\n"
        "    for _ in range(1000):\n"
        "        w = w - step * 2 * A @ (w - lowest)\n"
        "        w = np.sign(w) * np.maximum(np.abs(w) - step * l1, 0)\n"
        "    return w",
        "def dot_in_the_diamond(A, lowest, l1):\n"
        "    return np.sign(lowest) * np.maximum(np.abs(lowest) - l1 / 2, 0)",
    ),
    Question(
        _known_by_heart,
        (
            "A wrong label is an exception: neighbours of that picture have another label.",
            "An exception needs much weight in all, and that has its price now.",
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
)
