"""Handwritten digits of 8 x 8 pixels, few and partly wrongly labelled, and networks to learn them.

Small enough to train a network within a second, many times over.
"""

from typing import NamedTuple

import numpy as np

TESTED = 1000  # digits that a network is tested on
FLAT, SCORES = ("Flatten", {}), ("Dense", {"units": 10, "name": "scores"})


class Digits(NamedTuple):
    """Digits to learn from, some with wrong labels, and others to be tested on.

    images, new_images: float32 (N, 8, 8, 1), standardized; labels: what the network is told;
    true_labels: what is in the picture; new_labels: the truth for the new ones. pictures: the
    images as they look, (N, 8, 8) in 0-1, black on white.
    """

    images: np.ndarray
    labels: np.ndarray
    true_labels: np.ndarray
    new_images: np.ndarray
    new_labels: np.ndarray
    pictures: np.ndarray


def load(count=200, wrong=0.2, seed=0):
    """Return scikit-learn's handwritten digits: `count` to learn from, 1000 others to test.

    A share `wrong` of the labels to learn from is false: another digit, drawn at random.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(images))[: count + TESTED]
    images, true = images[rows].reshape(-1, 8, 8, 1).astype(np.float32), labels[rows]
    pictures = 1 - images[:count, ..., 0] / 16
    mean, spread = images[:count].mean(axis=0), images[:count].std(axis=0)
    images = (images - mean) / (spread + 1.0)  # a pixel that is always white stays zero
    told = true[:count].copy()
    false = rng.permutation(count)[: round(wrong * count)]
    told[false] = (told[false] + rng.integers(1, 10, len(false))) % 10
    return Digits(images[:count], told, true[:count], images[count:], true[count:], pictures)


def dense(hidden=100, l2=0.0, seed=0):
    """Build a network with one hidden dense layer; l2 is the penalty on its weights."""
    inner = ("Dense", {"units": hidden, "activation": "relu", "name": "hidden"})
    return _network([FLAT, inner, SCORES], l2, seed)


def linear(l2=0.0, seed=0):
    """Build a network of one dense layer only, from the pixels to the scores."""
    return _network([FLAT, SCORES], l2, seed)


def convolutional(l2=0.0, seed=0):
    """Build a network with two convolutions of 16 and 32 channels."""
    first, second = (
        ("Conv2D", {"filters": filters, "kernel_size": 3, "activation": "relu"})
        for filters in (16, 32)
    )
    return _network([first, second, FLAT, SCORES], l2, seed)


def recurrent(l2=0.0, seed=0):
    """Build a network that reads a digit row by row, remembering 64 numbers from row to row."""
    rows = ("Reshape", {"target_shape": (8, 8)})
    return _network([rows, ("SimpleRNN", {"units": 64}), SCORES], l2, seed)


def learn(network, digits, steps=300, rate=0.01, every=10):
    """Train a network of logits in place and return what was measured on the way.

    All of `digits.images` count in every step of Adam, and so do the network's own penalties; the
    rate falls to zero, so that the weights come to rest. Returns a dict of lists as `fit` does, a
    value for every tenth step: loss (with penalties), accuracy (on the labels told) and
    val_accuracy (on the new digits).
    """
    import keras
    import tensorflow as tf

    falling = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer = keras.optimizers.Adam(falling)
    optimizer.build(network.trainable_variables)
    images, labels = tf.constant(digits.images), tf.constant(digits.labels)
    new_images = tf.constant(digits.new_images)

    @tf.function
    def several_steps():
        loss = 0.0
        for _ in tf.range(every):
            with tf.GradientTape() as tape:
                scores = network(images, training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores)
                loss = tf.reduce_mean(losses) + sum(network.losses)
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply(gradients, network.trainable_variables)
        return loss, network(images), network(new_images)

    history = {"loss": [], "accuracy": [], "val_accuracy": []}
    for _ in range(steps // every):
        loss, scores, new_scores = (value.numpy() for value in several_steps())
        history["loss"].append(float(loss))
        history["accuracy"].append(float((scores.argmax(1) == digits.labels).mean()))
        history["val_accuracy"].append(float((new_scores.argmax(1) == digits.new_labels).mean()))
    return history


def random_layer(images, neurons, seed=0):
    """Return what a dense layer of random weights, which never learn, gives for each image: (N, D).

    Each of the `neurons` adds up all pixels, by weights drawn from the seed, and passes on what is
    positive. A `toys.ridge` on top is a network whose best last layer is known exactly.
    """
    pixels = images.reshape(len(images), -1).astype(float)
    weights = np.random.default_rng(seed).normal(size=(pixels.shape[1], neurons))
    values = pixels @ (weights / np.sqrt(pixels.shape[1]))
    return np.maximum(values, 0.0, out=values)


def _network(kinds, l2, seed):
    """Return a network of layers, given as (kind, arguments), with weights drawn from the seed."""
    import keras

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
