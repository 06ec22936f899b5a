"""Transforms: small random moves, new at every step of the ascent, that a dream must be robust to.

A network can respond to a pattern that vanishes when the image moves by a pixel. What it still
responds to when the image is moved, rotated and scaled is a shape. Every move is a 3x3 matrix, so
moves compose by multiplication, and the image is resampled only once. A *transform* is any function
of images (N, H, W, 3) in 0-1 and a key (two ints) that returns images.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

GREY = 0.5


@dataclass(frozen=True)
class Moves:
    """Random moves, one after the other: called with images and a key, it returns them moved.

    `moves` are pairs of a function and its amounts. `border` is the width of grey added around the
    image, in pixels. Beyond the edges is grey if there is a border, otherwise the image is
    mirrored.
    """

    moves: tuple = ()
    border: int = 0

    def __call__(self, pictures, key):
        """Return images (N, H + 2 border, W + 2 border, 3), all moved in the same way."""
        draws = tf.random.stateless_uniform((len(self.moves), 2), key, -1.0, 1.0)
        old, size = tf.shape(pictures)[1:3], tf.shape(pictures)[1:3] + 2 * self.border
        matrix = _shift(_middle(old))
        for number, (move, *amounts) in enumerate(self.moves):
            matrix = tf.matmul(matrix, move(draws[number], *amounts))
        matrix = tf.matmul(matrix, _shift(_middle(size), -1.0))
        moved = tf.raw_ops.ImageProjectiveTransformV3(
            images=pictures - GREY,
            transforms=tf.reshape(matrix, (1, 9))[:, :8],
            output_shape=size,
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="CONSTANT" if self.border else "REFLECT",
        )
        height, width = (n and n + 2 * self.border for n in pictures.shape[1:3])
        return tf.ensure_shape(moved + GREY, (None, height, width, 3))


def pad(border):
    """Return the transform that adds a border of grey pixels around the image."""
    return Moves(border=border)


def jitter(pixels):
    """Return the transform that moves the image by up to this many pixels in each direction."""
    return Moves(((_jitter, pixels),))


def scale(low, high):
    """Return the transform that scales the image by a factor from `low` to `high`."""
    return Moves(((_scale, low, high),))


def rotate(degrees):
    """Return the transform that rotates the image by up to this many degrees, either way."""
    return Moves(((_rotate, degrees),))


def compose(*transforms):
    """Return the transform that makes all these moves one after the other."""
    return Moves(sum((t.moves for t in transforms), ()), sum(t.border for t in transforms))


@dataclass(frozen=True)
class Roll:
    """Roll images by up to this many pixels: what leaves at one edge comes back at the other."""

    pixels: int

    def __call__(self, pictures, key):
        """Return images of the same shape, all rolled in the same way."""
        shift = tf.random.stateless_uniform((2,), key, -self.pixels, self.pixels + 1, tf.int32)
        return tf.roll(pictures, shift, axis=(1, 2))


def _middle(size):
    """Return the centre (x, y) of an image of this (height, width), in pixels."""
    height, width = tf.unstack((tf.cast(size, tf.float32) - 1) / 2)
    return width, height


def _shift(by, sign=1.0):
    return _matrix(((1.0, 0.0, sign * by[0]), (0.0, 1.0, sign * by[1]), (0.0, 0.0, 1.0)))


def _jitter(draw, pixels):
    return _shift(tf.unstack(draw * pixels))


def _scale(draw, low, high):
    shrink = 2 / (low + high + draw[0] * (high - low))
    return _matrix(((shrink, 0.0, 0.0), (0.0, shrink, 0.0), (0.0, 0.0, 1.0)))


def _rotate(draw, degrees):
    angle = draw[0] * (degrees * np.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    return _matrix(((cos, -sin, 0.0), (sin, cos, 0.0), (0.0, 0.0, 1.0)))


def _matrix(rows):
    return tf.stack([tf.stack(row) for row in rows])


# Lucid's recipe, and the same without a border, so that the image is mirrored at its edges.
lucid = compose(pad(12), jitter(8), scale(0.9, 1.1), rotate(10), jitter(4))
shaken = compose(jitter(8), scale(0.9, 1.1), rotate(10))
