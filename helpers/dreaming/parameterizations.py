"""Parameterizations: the numbers that the ascent changes, and the image they represent.

A *parameterization* has two methods. `begin(start, seed)` returns the first numbers (N, ...) for
the images to start from; `reader(start)` returns a function from numbers to images, (N, H, W, 3) in
0-1. An ascent changes every number by about as much, so the parameterization decides what grows
first: pixels or shapes.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

# How colours vary together in natural images: columns are brightness and two contrasts.
COLOUR = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLOUR /= np.linalg.norm(COLOUR, axis=0).max()


@dataclass(frozen=True)
class Pixels:
    """The image itself: one number per pixel and colour, clipped to 0-1."""

    def begin(self, start, seed):
        """Return the start itself; nothing is random here."""
        return tf.constant(start)

    def reader(self, start):
        """Return a function that clips but passes gradients, so that clipped pixels can recover."""
        return lambda numbers: (
            numbers + tf.stop_gradient(tf.clip_by_value(numbers, 0.0, 1.0) - numbers)
        )


@dataclass(frozen=True)
class Spectrum:
    """Waves in decorrelated colours, added to the start before a sigmoid (Olah 2017).

    A step changes low frequencies more, so that large shapes come before fine texture: strength
    falls with frequency to the power of `decay`. Waves start as noise of this `spread`.
    """

    decay: float = 1.25
    spread: float = 0.01

    def begin(self, start, seed):
        """Return random waves, real and imaginary: (N, 2, 3, H, W // 2 + 1)."""
        count, height, width = start.shape[:3]
        shape = (count, 2, 3, height, width // 2 + 1)
        return tf.random.stateless_normal(shape, (seed, 17), 0.0, self.spread)

    def reader(self, start):
        """Return a function from waves to images; without waves, it returns the start."""
        size = tf.shape(start)[1:3]
        strength = wave_strength(size, self.decay)
        rest = tf.clip_by_value(start, 0.02, 0.98)
        rest = tf.math.log(rest / (1 - rest))

        def picture(numbers):
            real, imaginary = tf.unstack(numbers, 2, axis=1)
            waves = tf.complex(real * strength, imaginary * strength)
            planes = tf.transpose(tf.signal.irfft2d(waves, size), (0, 2, 3, 1))
            colours = tf.matmul(tf.reshape(planes, (-1, 3)), COLOUR.T)
            return tf.sigmoid(rest + tf.reshape(colours, tf.shape(rest)))

        return picture


def wave_strength(size, decay):
    """Return the strength of each wave (H, W // 2 + 1) per unit, highest for low frequencies."""
    height, width = tf.unstack(tf.cast(size, tf.float32))
    down = tf.range(height)
    down = tf.minimum(down, height - down) / height
    across = tf.range(width // 2 + 1) / width
    frequency = tf.sqrt(down[:, None] ** 2 + across**2)
    lowest = 1 / tf.maximum(height, width)
    lead = tf.sqrt(height * width) / lowest / 4
    return lead * (lowest / tf.maximum(frequency, lowest)) ** decay


pixels, spectrum = Pixels(), Spectrum()
