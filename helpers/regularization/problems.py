"""Small problems with known answers: a thrown ball, purring cats, and a loss of two weights.

Each is generated from a seed with known noise, so that a fit can be compared with the truth. Arrays
are float64 because exact solutions are compared to many digits.
"""

from typing import NamedTuple

import numpy as np

FIRST, LAST, LANDING = 0.2, 1.4, 2.18  # seconds: first and last photograph, impact
PAIRS = 15  # features measured on the left and right of a cat


def height(seconds):
    """Return the true height in metres of a ball thrown upwards at 10 m/s from 1.5 m."""
    return 1.5 + 10 * np.asarray(seconds) - 4.9 * np.asarray(seconds) ** 2


def throws(count=5, noise=0.4, seed=0, repeats=None):
    """Return when a ball was photographed and its measured heights: seconds and metres, (count,).

    The photographs are evenly spaced from 0.2 to 1.4 s. noise: standard deviation in metres.
    repeats: a number of throws that differ only in noise; heights are then (repeats, count).
    """
    seconds = np.linspace(FIRST, LAST, count)
    shape = (count,) if repeats is None else (repeats, count)
    return seconds, height(seconds) + noise * np.random.default_rng(seed).normal(size=shape)


def powers(seconds, degree):
    """Return the powers 1 to `degree` of the time since 1 s: (..., degree)."""
    return (np.asarray(seconds)[..., None] - 1.0) ** np.arange(1, degree + 1)


def ridge(features, targets, penalty=0.0):
    """Return the weights and the offset of a ridge regression, solved exactly.

    They minimize the sum of (features @ weights + offset - targets)^2 over examples, plus `penalty`
    times the sum of the squared weights. With penalty 0, if many weights fit equally well, the
    smallest are returned. features: (N, D). targets: (N,) or (N, K), for weights (D,) or (D, K).
    Raises ValueError for a negative penalty. (Hoerl & Kennard 1970)
    """
    if not penalty >= 0:
        raise ValueError(f"the penalty is {penalty}; it must be 0 or more")
    features, targets = np.asarray(features, float), np.asarray(targets, float)
    mean, level = features.mean(axis=0), targets.mean(axis=0)
    left, sizes, right = np.linalg.svd(features - mean, full_matrices=False)
    counts = sizes > 1e-11 * sizes[0]  # the others are zero up to rounding
    gain = np.divide(sizes, sizes**2 + penalty, out=np.zeros_like(sizes), where=counts)
    weights = right.T @ ((left * gain).T @ (targets - level))
    return weights, level - mean @ weights


def polynomial(seconds, heights, degree, penalty=0.0):
    """Fit a polynomial to heights by `ridge` and return it as a function of time.

    It takes times (T,) and returns heights (T,), or (repeats, T) if fitted to several throws.
    """
    weights, offset = ridge(powers(seconds, degree), np.transpose(heights), penalty)
    return lambda times: (powers(times, degree) @ weights + offset).T


def errors(curve):
    """Return a curve's root mean squared errors in metres, from 0.2 to 1.4 s and until landing.

    curve: a function of time, such as `polynomial` returns.
    """
    spans = np.linspace(FIRST, LAST, 61), np.linspace(LAST, LANDING, 61)
    return [distance(curve(span), height(span)) for span in spans]


def distance(said, truth):
    """Return the root mean squared difference between predictions and the truth."""
    return float(np.sqrt(np.mean((np.asarray(said) - truth) ** 2)))


class Cats(NamedTuple):
    """Thirty measurements of each cat, how loud it purrs, and the true weights."""

    measured: np.ndarray
    purring: np.ndarray
    matters: np.ndarray


def cats(count=60, alike=0.0, seed=0):
    """Generate cats with 15 features, each measured left and right; 3 of them cause the purring.

    alike: the correlation of left and right, 0 to 1. Returns arrays (count, 30), (count,) and (30,)
    of the true weights; columns 0 and 1 are left and right of the same feature, and so on. Another
    seed gives other cats with the same true weights.
    """
    rng = np.random.default_rng(seed)
    both, each = rng.normal(size=(count, PAIRS, 1)), rng.normal(size=(count, PAIRS, 2))
    measured = (np.sqrt(alike) * both + np.sqrt(1 - alike) * each).reshape(count, 2 * PAIRS)
    matters = np.zeros(2 * PAIRS)
    matters[:6] = np.repeat([3.0, -2.0, 1.5], 2)
    return Cats(measured, measured @ matters + 3.0 * rng.normal(size=count), matters)


def valley(turn):
    """Return a loss of two weights: its matrix (2, 2), and the weights (2,) that minimize it.

    The loss is (w - lowest) @ matrix @ (w - lowest), a long valley, rotated by `turn` degrees.
    """
    angle = np.deg2rad(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return rotation @ np.diag([0.3, 1.5]) @ rotation.T, np.array([1.2, 1.6])


def penalized_minimum(matrix, lowest, l1=0.0, l2=0.0):
    """Return the minimum of a `valley` plus l1 * sum |w| + l2 * sum w^2, with exact zeros.

    By coordinate descent, as lasso solvers do it: minimize over one weight at a time.
    """
    weights = np.array(lowest, float)
    for _ in range(500):
        for k in range(len(weights)):
            pull = matrix[k] @ (lowest - weights) + matrix[k, k] * weights[k]
            weights[k] = soft_threshold(pull, l1 / 2) / (matrix[k, k] + l2)
    return weights


def soft_threshold(weights, amount):
    """Return weights moved towards zero by `amount`, but not past it."""
    return np.sign(weights) * np.maximum(np.abs(weights) - amount, 0.0)
