"""Small problems whose answer is known: a thrown ball, purring cats, a loss of two weights.

Each is drawn from a seed, with noise that we chose, so that a fit can be held against the truth.
Arrays are float64: what is solved exactly here is compared to many digits.
"""

from typing import NamedTuple

import numpy as np

FIRST, LAST, LANDING = 0.2, 1.4, 2.18  # seconds: the first and the last photograph, the ground
PAIRS = 15  # things measured of a cat, left and right


def height(seconds):
    """Return how high a ball truly is, in metres, that was thrown up at 10 m/s from 1.5 m."""
    return 1.5 + 10 * np.asarray(seconds) - 4.9 * np.asarray(seconds) ** 2


def throws(count=5, noise=0.4, seed=0, repeats=None):
    """Return when a ball was photographed, and how high it seemed: seconds and metres, (count,).

    The photographs lie evenly in 0.2 to 1.4 s; each height is off by normal noise of that many
    metres. With `repeats`, heights are (repeats, count): as many throws, all equal but for noise.
    """
    seconds = np.linspace(FIRST, LAST, count)
    shape = (count,) if repeats is None else (repeats, count)
    return seconds, height(seconds) + noise * np.random.default_rng(seed).normal(size=shape)


def powers(seconds, degree):
    """Return the powers 1 to `degree` of the time before or after 1 s: (..., degree)."""
    return (np.asarray(seconds)[..., None] - 1.0) ** np.arange(1, degree + 1)


def ridge(features, targets, penalty=0.0):
    """Return the weights and the offset that make squared error plus penalized weights least.

    Exactly: the sum over examples of (features @ weights + offset - targets)^2, plus `penalty`
    times the sum of the squared weights; the offset is free. `features` is (N, D); `targets` (N,)
    or (N, K) give weights (D,) or (D, K). With penalty 0, where many weights fit equally
    well, these are the smallest. Raises ValueError for a negative penalty. (Hoerl & Kennard 1970)
    """
    if not penalty >= 0:
        raise ValueError(f"the penalty is {penalty}; it must be 0 or more")
    features, targets = np.asarray(features, float), np.asarray(targets, float)
    mean, level = features.mean(axis=0), targets.mean(axis=0)
    left, sizes, right = np.linalg.svd(features - mean, full_matrices=False)
    counts = sizes > 1e-11 * sizes[0]  # the others are zero but for rounding
    gain = np.divide(sizes, sizes**2 + penalty, out=np.zeros_like(sizes), where=counts)
    weights = right.T @ ((left * gain).T @ (targets - level))
    return weights, level - mean @ weights


def polynomial(seconds, heights, degree, penalty=0.0):
    """Return a function of time: the polynomial of that degree fitted to some heights by `ridge`.

    It takes times (T,) and gives heights (T,), or, fitted to many throws at once, (repeats, N), it
    gives (repeats, T).
    """
    weights, offset = ridge(powers(seconds, degree), np.transpose(heights), penalty)
    return lambda times: (powers(times, degree) @ weights + offset).T


def errors(curve):
    """Return how far a curve is from the truth: between the photographs, and after them.

    Root mean squares in metres, of a function of time such as `polynomial` returns, over 0.2 to
    1.4 s and from there until the ball lands.
    """
    spans = np.linspace(FIRST, LAST, 61), np.linspace(LAST, LANDING, 61)
    return [distance(curve(span), height(span)) for span in spans]


def distance(said, truth):
    """Return the root of the mean squared difference between what was said and the truth."""
    return float(np.sqrt(np.mean((np.asarray(said) - truth) ** 2)))


class Cats(NamedTuple):
    """Thirty measurements of each cat, how loud it purrs, and what truly matters for that."""

    measured: np.ndarray
    purring: np.ndarray
    matters: np.ndarray


def cats(count=60, alike=0.0, seed=0):
    """Draw cats of which 15 things were measured, left and right; 3 of these make them purr.

    `alike`: how much left and right have in common, a correlation of 0 to 1. Returns arrays
    (count, 30), (count,) and (30,) of the true weights; columns 0 and 1 are left and right of the
    same thing, and so on. Another seed gives other cats that purr for the same reasons.
    """
    rng = np.random.default_rng(seed)
    both, each = rng.normal(size=(count, PAIRS, 1)), rng.normal(size=(count, PAIRS, 2))
    measured = (np.sqrt(alike) * both + np.sqrt(1 - alike) * each).reshape(count, 2 * PAIRS)
    matters = np.zeros(2 * PAIRS)
    matters[:6] = np.repeat([3.0, -2.0, 1.5], 2)
    return Cats(measured, measured @ matters + 3.0 * rng.normal(size=count), matters)


def valley(turn):
    """Return a loss of two weights: its matrix, and the weights (3, 1) where it is least.

    The loss is (w - lowest) @ matrix @ (w - lowest), a long valley turned by that many degrees.
    """
    angle = np.deg2rad(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return rotation @ np.diag([0.3, 1.5]) @ rotation.T, np.array([1.2, 1.6])


def penalized_lowest(matrix, lowest, l1=0.0, l2=0.0):
    """Return where such a loss plus l1 * sum |w| + l2 * sum w^2 is least, exact zeros included.

    One weight after the other is put where it is best; that is how lasso programs do it.
    """
    weights = np.array(lowest, float)
    for _ in range(500):
        for k in range(len(weights)):
            pull = matrix[k] @ (lowest - weights) + matrix[k, k] * weights[k]
            weights[k] = shrunk(pull, l1 / 2) / (matrix[k, k] + l2)
    return weights


def shrunk(weights, amount):
    """Return weights moved towards zero by `amount`, and no further than zero."""
    return np.sign(weights) * np.maximum(np.abs(weights) - amount, 0.0)
