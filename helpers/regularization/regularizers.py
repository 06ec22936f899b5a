"""Regularizers outside a network: what they do to labels, to pictures and to training time."""

import functools

import numpy as np
import tensorflow as tf


def smoothed(labels, smoothing, classes=10):
    """Return labels as probabilities (N, classes), a share `smoothing` spread evenly over all.

    (Szegedy et al. 2016)
    """
    return (1 - smoothing) * np.eye(classes)[labels] + smoothing / classes


def mix(inputs, probabilities, partners, shares):
    """Return a weighted mean of each input with its partner, and of their probabilities alike.

    partners: row numbers (N,). shares: of each input itself, (N,), 0 to 1. NumPy or TensorFlow.
    (mixup, Zhang et al. 2018)
    """
    mixed = []
    for whole in (inputs, probabilities):
        own = tf.reshape(tf.cast(shares, whole.dtype), (-1,) + (1,) * (len(whole.shape) - 1))
        mixed.append(own * whole + (1 - own) * tf.gather(whole, partners))
    return mixed


def move(images, rows, columns, edge=False):
    """Return images (N, H, W, C) moved down by `rows` and right by `columns` whole pixels, (N,).

    What comes in from outside is each image's lowest value, its blank paper; with `edge`, what
    stands at the edge is repeated.
    """
    images = tf.convert_to_tensor(images)
    blank = tf.reduce_min(images, axis=(1, 2, 3), keepdims=True)
    rows, columns = (tf.cast(shift, tf.float32) for shift in (rows, columns))
    one, zero = tf.ones_like(rows), tf.zeros_like(rows)
    way = tf.stack((one, zero, -columns, zero, one, -rows, zero, zero), axis=1)
    return blank + tf.raw_ops.ImageProjectiveTransformV3(
        images=images - blank, transforms=way, output_shape=tf.shape(images)[1:3], fill_value=0.0,
        interpolation="NEAREST", fill_mode="NEAREST" if edge else "CONSTANT",
    )  # fmt: skip


@functools.cache
def changes(shift=0, mixup=0.0, flip=None, edge=False):
    """Return a function for the `change` of `train`: what happens to a batch before each step.

    Arguments:
        shift: each image is moved by up to this many pixels, down or up and right or left; `edge`
            is that of `move`.
        mixup: alpha of the Beta distribution of the shares in `mix`; 0 mixes nothing.
        flip: "mirrored" or "turned" does that to half of the images (turned: upside down by half a
            turn), whether or not it leaves the label true.

    Returns None where nothing changes.
    """
    if not (shift or mixup or flip):
        return None

    def change(images, probabilities, key):
        keys, count = tf.random.split(key, 4), tf.shape(images)[0]
        if shift:
            by = tf.random.stateless_uniform((2, count), keys[0], -shift, shift + 1, tf.int32)
            images = move(images, *tf.unstack(by), edge)
        if flip:
            other = images[:, :, ::-1] if flip == "mirrored" else images[:, ::-1, ::-1]
            chosen = tf.random.stateless_uniform((count, 1, 1, 1), keys[1]) < 0.5
            images = tf.where(chosen, other, images)
        if mixup:
            own, other = tf.unstack(tf.random.stateless_gamma((2, count), keys[2], mixup))
            partners = tf.argsort(tf.random.stateless_uniform((count,), keys[3]))
            shares = own / (own + other)
            images, probabilities = mix(images, probabilities, partners, shares)
        return images, probabilities

    return change


def keep(curve, patience=5):
    """Return the number of the value that early stopping keeps: the best until it gives up.

    curve: accuracies on validation examples. It gives up when so many values in a row are no better
    than the best before them. (Prechelt 1998)
    """
    best = 0
    for number, value in enumerate(curve):
        if value > curve[best]:
            best = number
        if number - best >= patience:
            break
    return best
