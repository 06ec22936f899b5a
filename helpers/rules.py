"""How far a step goes: rules that turn a slope into a change.

A rule is called with the slope (N, ...), its memory (two tensors of the same shape, zeros at first)
and the number of the step, from 1; it returns the change for a rate of 1, and the new memory.
"""

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Adam:
    """Every number changes by about the rate, whether its slope is large or small (Kingma 2014)."""

    def __call__(self, slope, memory, number):
        """Return the mean slope over its root mean square, both over the last steps."""
        mean, square = memory
        mean += 0.1 * (slope - mean)
        square += 0.001 * (slope * slope - square)
        begun = 1 - tf.pow((0.9, 0.999), tf.cast(number, tf.float32))
        root = tf.sqrt(begun[1])
        return mean * (root / begun[0]) / (tf.sqrt(square) + 1e-8 * root), (mean, square)


@dataclass(frozen=True)
class Normalized:
    """The slope over its standard deviation, for deep dreams, in `bands` of frequencies.

    With bands, the slope is split into fine, coarser and coarser detail (a Laplacian pyramid), each
    is divided by its own standard deviation, and each counts `lean` times as much as the finer one
    before: forms grow as well as fringes. bands=1: the slope as it is. (Mordvintsev 2015)
    """

    bands: int = 1
    lean: float = 1.5

    def __call__(self, slope, memory, number):
        """Return the change, with standard deviation 1 or a little less, and the memory as it was.

        Raises ValueError for bands of what is no picture (N, H, W, 3).
        """
        if self.bands > 1 and slope.shape.rank != 4:
            raise ValueError("bands are for pictures: use the parameterization pixels, or bands=1")
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
