"""Handwritten digits and drawn pets to learn from, few of each, and small networks that learn them.

Some labels can be made wrong. A network learns the digits within a second.
"""

from typing import NamedTuple

import keras
import numpy as np
from sklearn import datasets

from helpers import drawn, plotting
from helpers.gradients import scores
from helpers.regularization.regularizers import smoothed
from helpers.training import train

TESTED = 1000  # digits that a network is tested on
SIDE = 32  # pixels of a small picture of a pet
VALIDATION_SEED = 500_000
FLAT, SCORES = ("Flatten", {}), ("Dense", {"units": 10, "name": "scores"})


class Examples(NamedTuple):
    """Digits or pets to learn from, some with wrong labels, and new ones to test on.

    images, new_images: float32, standardized: digits (N, 8, 8, 1), pets (N, 32, 32, 3). labels: for
    training, some wrong. true_labels, new_labels: what the pictures show. pictures: to look at,
    digits (N, 8, 8) in 0-1, black on white, pets uint8 (N, 128, 128, 3).
    """

    images: np.ndarray
    labels: np.ndarray
    true_labels: np.ndarray
    new_images: np.ndarray
    new_labels: np.ndarray
    pictures: np.ndarray


def load_digits(count=200, wrong=0.2, seed=0, each_pixel=True):
    """Return scikit-learn's handwritten digits: `count` to train on, 1000 others to test on.

    wrong: the share of training labels that are replaced by another digit at random, 0 to 1.
    each_pixel: standardize every pixel by itself; False takes one mean and one spread for all, so
    that a digit that is moved by a pixel remains a digit.
    """
    images, labels = datasets.load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(images))[: count + TESTED]
    images, true = images[rows].reshape(-1, 8, 8, 1).astype(np.float32), labels[rows]
    pictures = 1 - images[:count, ..., 0] / 16
    axis = 0 if each_pixel else None
    mean, spread = images[:count].mean(axis=axis), images[:count].std(axis=axis)
    images = (images - mean) / (spread + 1.0)  # a pixel that is always white becomes zero
    told = true[:count].copy()
    false = rng.permutation(count)[: round(wrong * count)]
    told[false] = (told[false] + rng.integers(1, 10, len(false))) % 10
    return Examples(images[:count], told, true[:count], images[count:], true[count:], pictures)


def load_pets(count=50, seed=0, new=None):
    """Return drawn cats and dogs as `Examples`, `count` of each to train on.

    Another seed gives other pictures; with the same seed, the first pictures of a larger count are
    those of a smaller one. new: how many of each to draw for new ones; None takes the 200 of each
    that the course keeps for testing.
    """
    pictures, labels, _ = drawn.dataset(drawn.PETS, count, 100 * seed)
    fresh = drawn.load_test() if new is None else drawn.dataset(drawn.PETS, new, VALIDATION_SEED)
    small = [(plotting.resize(many, SIDE, SIDE, antialias=True) - 127.5) / 64 for many in
             (pictures, fresh[0])]  # fmt: skip
    return Examples(small[0], labels, labels, small[1], fresh[1], pictures)


def dense(hidden=100, l2=0.0, seed=0, dropout=0.0, normalized=False):
    """Build a network with one hidden dense layer; l2 is the penalty on all its weights.

    dropout: the share of hidden values that are set to 0 in each training step. normalized: batch
    normalization before the ReLU.
    """
    inner = _layer("Dense", {"units": hidden, "name": "hidden"}, normalized)
    return _network([FLAT, *inner, *_dropped(dropout), SCORES], l2, seed)


def pet_network(share=1.0, l2=0.0, seed=0, dropout=0.0, normalized=False):
    """Build a network of three convolutions and a dense layer for small pictures of pets.

    share: of 16, 32 and 64 channels and 64 hidden values, above 0. Others as in `dense`.
    """
    kinds = []
    for filters in (16, 32, 64):
        look = {"filters": round(share * filters), "kernel_size": 3, "padding": "same"}
        kinds += [*_layer("Conv2D", look, normalized), ("MaxPooling2D", {})]
    inner = _layer("Dense", {"units": round(share * 64), "name": "hidden"}, normalized)
    two = ("Dense", {"units": 2, "name": "scores"})
    kinds += [FLAT, *inner, *_dropped(dropout), two]
    return _network(kinds, l2, seed, (SIDE, SIDE, 3))


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


def learn(
    network, digits, steps=300, rate=0.01, every=10, batch=None, smoothing=0.0, change=None,
    test=None, seed=0,
):  # fmt: skip
    """Train a network of logits in place and return its learning curves.

    The learning rate of Adam falls to zero. Returns a dict of lists like Keras' `History.history`,
    with a value every `every` steps: loss (with penalties), accuracy (on the labels, wrong ones
    included) and val_accuracy (on the new digits).

    Arguments:
        digits: `Examples`.
        steps: how often all of `digits.images` are used, together, or in shuffled batches of
            `batch`, for which `seed` is.
        smoothing: of the labels, see `smoothed`. change: see `train` and `changes`.
        test: (images, labels), measured as test_accuracy beside the others.
    """
    measured = {"accuracy": digits[:2], "val_accuracy": digits[3:5]}
    measured |= {"test_accuracy": test} if test else {}
    history = {"loss": []} | {name: [] for name in measured}
    labels, classes = digits.labels, network.output_shape[-1]
    labels = smoothed(labels, smoothing, classes) if smoothing else labels
    order = None if batch else np.arange(len(labels))

    def right(images, labels):
        return float((scores(network, images, len(images)).argmax(axis=1) == labels).mean())

    def measure(losses):
        if len(losses) % every == 0:
            history["loss"].append(losses[-1])
            for name, examples in measured.items():
                history[name].append(right(*examples))

    train(
        network, digits.images, labels, steps, rate, "cosine", batch=batch or len(labels),
        seed=seed, order=order, augmented=False, change=change, until=measure,
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


def _layer(kind, arguments, normalized):
    """Return a layer and its ReLU, with batch normalization between them if `normalized`."""
    if not normalized:
        return [(kind, arguments | {"activation": "relu"})]
    return [(kind, arguments), ("BatchNormalization", {"momentum": 0.9}), ("ReLU", {})]


def _dropped(rate):
    return [("Dropout", {"rate": rate})] if rate else []


def _network(kinds, l2, seed, shape=(8, 8, 1)):
    """Return a network of layers, given as (kind, arguments), with seeded random weights.

    What is put between the layers changes none of their weights.
    """
    price = keras.regularizers.L2(l2) if l2 else None
    layers, number = [keras.Input(shape)], 100 * seed
    for kind, arguments in kinds:
        if kind in ("Dense", "Conv2D", "SimpleRNN"):
            start = keras.initializers.GlorotUniform(seed=number)
            arguments = arguments | {"kernel_initializer": start, "kernel_regularizer": price}
        if kind == "SimpleRNN":
            start = keras.initializers.Orthogonal(seed=number)
            arguments |= {"recurrent_initializer": start, "recurrent_regularizer": price}
        if kind == "Dropout":
            arguments = arguments | {"seed": number}
        layers.append(getattr(keras.layers, kind)(**arguments))
        number += kind not in ("Dropout", "BatchNormalization", "ReLU")
    return keras.Sequential(layers)
