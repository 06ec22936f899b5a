"""What a dream must be robust to: small random moves, made anew at every step of the ascent.

A network can be pleased by a pattern that is gone when the picture moves by a pixel. What still
pleases it when the picture is moved, turned and scaled is a form. Every move is a 3x3 matrix, to
compose is to multiply, and the picture is resampled but once. A *transform* is any function of
pictures (N, H, W, 3) in 0-1 and a key (two whole numbers) that gives pictures.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

GREY = 0.5


@dataclass(frozen=True)
class Moves:
    """Random moves, one after the other: called with pictures and a key, it gives them moved.

    moves: pairs of a function and its amounts. border: pixels of grey put around the picture. What
    lies outside the picture is grey where there is a border, otherwise the picture is mirrored.
    """

    moves: tuple = ()
    border: int = 0

    def __call__(self, pictures, key):
        """Return pictures (N, H + 2 border, W + 2 border, 3), all moved alike."""
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
    """Return the transform that puts a border of grey pixels around the picture."""
    return Moves(border=border)


def jitter(pixels):
    """Return the transform that moves the picture by up to so many pixels each way."""
    return Moves(((_jitter, pixels),))


def scale(low, high):
    """Return the transform that makes the picture `low` to `high` times as large."""
    return Moves(((_scale, low, high),))


def rotate(degrees):
    """Return the transform that turns the picture by up to so many degrees, either way."""
    return Moves(((_rotate, degrees),))


def compose(*transforms):
    """Return the transform that makes all these moves one after the other."""
    return Moves(sum((t.moves for t in transforms), ()), sum(t.border for t in transforms))


@dataclass(frozen=True)
class Roll:
    """Roll pictures by up to so many pixels, what leaves at one edge enters at the other."""

    pixels: int

    def __call__(self, pictures, key):
        """Return pictures of the same shape, all rolled alike."""
        shift = tf.random.stateless_uniform((2,), key, -self.pixels, self.pixels + 1, tf.int32)
        return tf.roll(pictures, shift, axis=(1, 2))


def _middle(size):
    """Return the (x, y) of the middle of a picture of size (height, width), in pixels."""
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


# Lucid's recipe, and the same without its border: the picture is mirrored at its edges.
lucid = compose(pad(12), jitter(8), scale(0.9, 1.1), rotate(10), jitter(4))
shaken = compose(jitter(8), scale(0.9, 1.1), rotate(10))
