"""Optimizers: how a gradient becomes a step.

An optimizer takes the gradient (N, ...), its memory (two tensors of the same shape, zeros at first)
and the number of the step, from 1; it returns the change for a rate of 1 and the new memory.
"""

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Adam:
    """Every number changes by about the rate, however large its gradient is (Kingma 2014)."""

    def __call__(self, slope, memory, number):
        """Return the mean gradient over its root mean square, both over recent steps."""
        mean, square = memory
        mean += 0.1 * (slope - mean)
        square += 0.001 * (slope * slope - square)
        begun = 1 - tf.pow((0.9, 0.999), tf.cast(number, tf.float32))
        root = tf.sqrt(begun[1])
        return mean * (root / begun[0]) / (tf.sqrt(square) + 1e-8 * root), (mean, square)


@dataclass(frozen=True)
class Normalized:
    """The gradient over its standard deviation, for deep dreams, in `bands` of frequencies.

    With several bands, the gradient is split into fine, coarser and coarsest detail (a Laplacian
    pyramid). Each band is divided by its own standard deviation and counts `lean` times as much as
    the finer one before, so that large shapes grow as well as fine texture. (Mordvintsev 2015)
    """

    bands: int = 1
    lean: float = 1.5

    def __call__(self, slope, memory, number):
        """Return the change, with standard deviation 1 or a little less, and the memory unchanged.

        Raises ValueError for several bands of anything but images (N, H, W, 3).
        """
        if self.bands > 1 and slope.shape.rank != 4:
            raise ValueError("bands need images: use the parameterization pixels, or bands=1")
        size = tf.shape(slope)[1:3]
        change, rest, weight, total = 0.0, slope, 1.0, 0.0
        for band in range(self.bands):
            detail = rest
            if band < self.bands - 1:
                coarse = tf.image.resize(rest, (tf.shape(rest)[1:3] + 1) // 2, antialias=True)
                detail, rest = rest - tf.image.resize(coarse, tf.shape(rest)[1:3]), coarse
            axes = tuple(range(1, detail.shape.rank))
            detail *= weight / (tf.math.reduce_std(detail, axes, keepdims=True) + 1e-20)
            change += tf.image.resize(detail, size) if band else detail
            weight, total = weight * self.lean, total + weight**2
        return change / total**0.5, memory


adam = Adam()
