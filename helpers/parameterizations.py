"""How a dream is written down: the numbers that the ascent changes, and the picture they make.

A *parameterization* has two methods. `begin(start, seed)` gives the first numbers (N, ...) for the
pictures to set out from; `reader(start)` gives a function that turns numbers into pictures. Here
pictures are (N, H, W, 3) in 0-1. An ascent changes every number by about as much, so the way in
which a picture is written decides what grows first: single pixels, or forms.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

# How the colours of natural pictures vary together: columns are brightness and two contrasts.
COLOUR = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLOUR /= np.linalg.norm(COLOUR, axis=0).max()


@dataclass(frozen=True)
class Pixels:
    """The picture as it is: one number per pixel and colour, kept in 0-1 by clipping."""

    def begin(self, start, seed):
        """Return the start itself; nothing is random here."""
        return tf.constant(start)

    def reader(self, start):
        """Return a function that clips, but lets slopes pass, so that a pixel can come back."""
        return lambda numbers: (
            numbers + tf.stop_gradient(tf.clip_by_value(numbers, 0.0, 1.0) - numbers)
        )


@dataclass(frozen=True)
class Spectrum:
    """Waves in decorrelated colours, added to the start before a sigmoid (Olah 2017).

    The lower a wave, the more of it a step brings, so that forms come before fringes: its strength
    falls with frequency to the power `decay`. The first waves are noise of standard deviation
    `spread`.
    """

    decay: float = 1.25
    spread: float = 0.01

    def begin(self, start, seed):
        """Return random waves, real and imaginary: (N, 2, 3, H, W // 2 + 1)."""
        count, height, width = start.shape[:3]
        shape = (count, 2, 3, height, width // 2 + 1)
        return tf.random.stateless_normal(shape, (seed, 17), 0.0, self.spread)

    def reader(self, start):
        """Return a function from waves to pictures, which without waves are the start."""
        size = tf.shape(start)[1:3]
        strength = wave_strength(size, self.decay)
        rest = tf.clip_by_value(start, 0.02, 0.98)
        rest = tf.math.log(rest / (1 - rest))

        def picture(numbers):
            waves = tf.complex(numbers[:, 0] * strength, numbers[:, 1] * strength)
            planes = tf.transpose(tf.signal.irfft2d(waves, size), (0, 2, 3, 1))
            colours = tf.matmul(tf.reshape(planes, (-1, 3)), COLOUR.T)
            return tf.sigmoid(rest + tf.reshape(colours, tf.shape(rest)))

        return picture


def wave_strength(size, decay):
    """Return how much of each wave (H, W // 2 + 1) one unit brings; the lowest waves the most."""
    height, width = tf.unstack(tf.cast(size, tf.float32))
    down = tf.range(height)
    down = tf.minimum(down, height - down) / height
    across = tf.range(width // 2 + 1) / width
    frequency = tf.sqrt(down[:, None] ** 2 + across**2)
    lowest = 1 / tf.maximum(height, width)
    lead = tf.sqrt(height * width) / lowest / 4
    return lead * (lowest / tf.maximum(frequency, lowest)) ** decay


pixels, spectrum = Pixels(), Spectrum()
