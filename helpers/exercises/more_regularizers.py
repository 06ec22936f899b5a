"""Questions of lesson 10: when to stop, what to drop, how sure to be, and when more data hurts."""

import functools

import numpy as np

from helpers import regularization
from helpers.exercises.answers import array, called, choice, number
from helpers.exercises.exercise import Question

PATIENCE = 3
NEURONS, MOST = 200, 797  # random neurons, and digits that can be learned from
PROTECTORS = ("dropout", "batch normalization", "L2 penalty")


def _stopped_too_soon(answer):
    curve = array(answer, (None,), "a list of accuracies")
    if not 2 <= len(curve) <= 20 or curve.min() < 0 or curve.max() > 1:
        return "Give 2 to 20 accuracies, from 0 to 1."
    kept = regularization.keep(curve, patience=PATIENCE)
    if curve.max() - curve[kept] >= 0.3 - 1e-9:
        return None
    return (
        f"Early stopping keeps number {kept}, which is {curve[kept]:.2f}; the best is "
        f"{curve.max():.2f}. Where must the best one stand, so that training never gets there?"
    )


def _dropped_channels(function):
    rng = np.random.default_rng(5)
    for rate in (0.0, 0.25, 0.5, 0.8):
        maps, draws = 1 + rng.random((2, 3, 4, 6)), rng.random((2, 6))
        got = array(called(function, maps, draws, rate), maps.shape, "feature maps")
        gone = (draws < rate)[:, None, None]
        right = np.where(gone, 0.0, maps / (1 - rate))
        if np.allclose(got, right, atol=1e-6):
            continue
        if np.allclose(got, np.where(gone, 0.0, maps), atol=1e-6):
            return f"With rate {rate}, maps shrink by {rate:.0%} on average: rescale what is kept."
        if ((got == 0) != (right == 0)).any():
            return f"With rate {rate}, a whole channel is 0 where its draw is below the rate."
        kept = right != 0
        return f"With rate {rate}, {maps[kept][0]:.2f} becomes {right[kept][0]:.2f} where kept."
    return None


def _gap(answer):
    found, right = number(answer), float(np.log(0.91 / 0.01))
    if abs(found - right) < 0.02:
        return None
    if abs(found - np.log(0.9 / 0.1)) < 0.02 or abs(found - np.log(0.9 / 0.01)) < 0.02:
        return "The right class gets 0.9 and its own tenth of 0.1, too. What do the others get?"
    if abs(found - 0.91 / 0.01) < 0.5:
        return "That is the ratio of the probabilities. A score is the logarithm of one."
    return (
        f"With a gap of {found:.2f}, softmax makes the right class "
        f"{_chance(found):.3f} probable, and the smoothed label says 0.910."
    )


def _chance(gap):
    return 1 / (1 + 9 * np.exp(-np.clip(gap, -50, 50)))


def _least(answer):
    gains = {name: _gain(name) for name in PROTECTORS}
    said = choice(answer, PROTECTORS)
    if said == min(gains, key=gains.get):
        return None
    return (
        f"{said} gains {gains[said]:.0%} on new digits. Which one leaves the network its freedom?"
    )


def _gain(name):
    runs, plain = (regularization.recorded("false labels", *some) for some in ((name,), ()))
    return float((runs["end"] - plain["end"]).mean())


@functools.cache
def _layers():
    data = regularization.load_digits(MOST, wrong=0.0)
    old, new = (regularization.random_layer(x, NEURONS) for x in (data.images, data.new_images))
    return data, old, new


def _accuracy(count):
    data, old, new = _layers()
    weights, offset = regularization.ridge(old[:count], np.eye(10)[data.labels[:count]])
    return (((new @ weights + offset).argmax(axis=1)) == data.new_labels).mean()


def _more_that_hurts(answer):
    counts = array(answer, (2,), "two numbers of examples")
    if (counts != np.round(counts)).any() or not 10 <= counts[0] < counts[1] <= MOST:
        return f"Give two whole numbers from 10 to {MOST}, the smaller one first."
    few, many = map(int, counts)
    if many < 2 * few:
        return f"{many} is less than twice {few}. With twice as many, more data should surely help."
    before, after = _accuracy(few), _accuracy(many)
    if after < before - 0.1:
        return None
    return f"From {few} to {many} examples the accuracy goes from {before:.2f} to {after:.2f}."


QUESTIONS = (
    Question(
        _stopped_too_soon,
        (
            "Patience is 3: three values in a row that are no better, and training stops.",
            "Begin with a low value, and let the high one come after at least three lower ones.",
        ),
        "curve = [0.5, 0.4, 0.4, 0.4, 0.9]",
        "curve = [0.5, 0.4, 0.4, 0.9, 0.4]",
    ),
    Question(
        _dropped_channels,
        (
            "A draw is (N, C), the maps are (N, H, W, C): draws[:, None, None] fits to both.",
            "What is kept is divided by the share that is kept, which is 1 - rate.",
            "np.where(draws[:, None, None] < rate, 0, ...) chooses between 0 and a rescaled map.",
        ),
        "def drop_channels(maps, draws, rate):\n"
        "    return np.where(draws[:, None, None] < rate, 0, maps / (1 - rate))",
        "def drop_channels(maps, draws, rate):\n"
        "    return np.where(draws[:, None, None] < rate, 0, maps)",
    ),
    Question(
        _gap,
        (
            "The loss is lowest where softmax gives exactly the smoothed label.",
            "The right class has 0.9 + 0.1 / 10, every other one 0.1 / 10.",
            "The gap between two scores is the logarithm of the ratio of their probabilities.",
        ),
        "gap = np.log((0.9 + 0.1 / 10) / (0.1 / 10))",
        "gap = np.log(0.9 / 0.1)",
    ),
    Question(
        _least,
        (
            "Which of the three leaves the network free to answer whatever it likes?",
            "One of them rescales values, and then lets the network undo it.",
        ),
        'least = "batch normalization"',
        'least = "dropout"',
    ),
    Question(
        _more_that_hurts,
        (
            "Look at the dip: where are there as many examples as neurons?",
            "Begin on the left of the dip, and end in it.",
        ),
        "counts = (100, 200)",
        "counts = (200, 400)",
    ),
)
