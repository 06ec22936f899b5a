"""Regularization: small problems with known answers, and handwritten digits to learn.

The small problems are a thrown ball, purring cats, and a loss of two weights. Each is generated
from a seed with known noise, so that a fit can be compared with the truth; arrays are float64
because exact solutions are compared to many digits. The digits are few, some have wrong labels, and
a network learns them within a second.
"""

from typing import NamedTuple

import keras
import numpy as np
from sklearn import datasets

from helpers.gradients import scores
from helpers.training import train

FIRST, LAST, LANDING = 0.2, 1.4, 2.18  # seconds: first and last photograph, impact
PAIRS = 15  # features measured on the left and right of a cat
TESTED = 1000  # digits that a network is tested on
FLAT, SCORES = ("Flatten", {}), ("Dense", {"units": 10, "name": "scores"})


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


class Digits(NamedTuple):
    """Digits to learn from, some with wrong labels, and new ones to test on.

    images, new_images: float32 (N, 8, 8, 1), standardized. labels: for training, some wrong.
    true_labels, new_labels: what the pictures show. pictures: (N, 8, 8) in 0-1, black on white.
    """

    images: np.ndarray
    labels: np.ndarray
    true_labels: np.ndarray
    new_images: np.ndarray
    new_labels: np.ndarray
    pictures: np.ndarray


def load_digits(count=200, wrong=0.2, seed=0):
    """Return scikit-learn's handwritten digits: `count` to train on, 1000 others to test on.

    wrong: the share of training labels that are replaced by another digit at random, 0 to 1.
    """
    images, labels = datasets.load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(images))[: count + TESTED]
    images, true = images[rows].reshape(-1, 8, 8, 1).astype(np.float32), labels[rows]
    pictures = 1 - images[:count, ..., 0] / 16
    mean, spread = images[:count].mean(axis=0), images[:count].std(axis=0)
    images = (images - mean) / (spread + 1.0)  # a pixel that is always white becomes zero
    told = true[:count].copy()
    false = rng.permutation(count)[: round(wrong * count)]
    told[false] = (told[false] + rng.integers(1, 10, len(false))) % 10
    return Digits(images[:count], told, true[:count], images[count:], true[count:], pictures)


def dense(hidden=100, l2=0.0, seed=0):
    """Build a network with one hidden dense layer; l2 is the penalty on all its weights."""
    inner = ("Dense", {"units": hidden, "activation": "relu", "name": "hidden"})
    return _network([FLAT, inner, SCORES], l2, seed)


def linear(l2=0.0, seed=0):
    """Build a network of a single dense layer, from pixels to scores."""
    return _network([FLAT, SCORES], l2, seed)


def convolutional(l2=0.0, seed=0):
    """Build a network with two convolutions of 16 and 32 channels."""
    look = {"kernel_size": 3, "activation": "relu"}
    convolutions = [("Conv2D", {"filters": filters, **look}) for filters in (16, 32)]
    return _network([*convolutions, FLAT, SCORES], l2, seed)


def recurrent(l2=0.0, seed=0):
    """Build a recurrent network that reads a digit row by row, with 64 hidden units."""
    rows = ("Reshape", {"target_shape": (8, 8)})
    return _network([rows, ("SimpleRNN", {"units": 64}), SCORES], l2, seed)


def learn(network, digits, steps=300, rate=0.01, every=10):
    """Train a network of logits in place and return its learning curves.

    Adam uses all of `digits.images` in every step; the learning rate falls to zero. Returns a dict
    of lists like Keras' `History.history`, with a value every `every` steps: loss (with penalties),
    accuracy (on the labels, wrong ones included) and val_accuracy (on the new digits).
    """
    history = {"loss": [], "accuracy": [], "val_accuracy": []}

    def right(images, labels):
        return float((scores(network, images, len(images)).argmax(axis=1) == labels).mean())

    def measure(losses):
        if len(losses) % every == 0:
            history["loss"].append(losses[-1])
            history["accuracy"].append(right(digits.images, digits.labels))
            history["val_accuracy"].append(right(digits.new_images, digits.new_labels))

    train(
        network, digits.images, digits.labels, steps, rate, "cosine", batch=len(digits.images),
        order=np.arange(len(digits.images)), augmented=False, until=measure,
    )  # fmt: skip
    return history


def random_layer(images, neurons, seed=0):
    """Return the outputs of a dense ReLU layer with fixed random weights: (N, neurons).

    With `ridge` on top, it is a network whose best last layer is known exactly.
    """
    pixels = images.reshape(len(images), -1).astype(float)
    weights = np.random.default_rng(seed).normal(size=(pixels.shape[1], neurons))
    values = pixels @ (weights / np.sqrt(pixels.shape[1]))
    return np.maximum(values, 0.0, out=values)


def _network(kinds, l2, seed):
    """Return a network of layers, given as (kind, arguments), with seeded random weights."""
    price = keras.regularizers.L2(l2) if l2 else None
    layers = [keras.Input((8, 8, 1))]
    for number, (kind, arguments) in enumerate(kinds, 100 * seed):
        if kind not in ("Flatten", "Reshape"):
            start = keras.initializers.GlorotUniform(seed=number)
            arguments = arguments | {"kernel_initializer": start, "kernel_regularizer": price}
        if kind == "SimpleRNN":
            start = keras.initializers.Orthogonal(seed=number)
            arguments |= {"recurrent_initializer": start, "recurrent_regularizer": price}
        layers.append(getattr(keras.layers, kind)(**arguments))
    return keras.Sequential(layers)
