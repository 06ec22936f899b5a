"""What of a layer, of the scores or of a picture is measured: one value per picture.

A measure is a function of a tensor (N, ...) and of whole numbers (N,) that say where to look. It is
for use while tracing; `objectives` makes sums of measures.
"""

import numpy as np
import tensorflow as tf

CENTRE = -1
ASLEEP = 0.1  # how much of a silent cell counts, so that it can wake


def before_relu(output):
    """Return what goes into the ReLU that an output comes from, or the output where there is none.

    For use while tracing. Looks through a concatenation as well.
    """
    kind, inputs = output.op.type, list(output.op.inputs)
    if kind in ("Relu", "Relu6"):
        return inputs[0]
    parts = inputs[:1] if kind in ("Identity", "Cast") else inputs[:-1] * (kind == "ConcatV2")
    before = [before_relu(part) for part in parts]
    if not parts or any(one is same for one, same in zip(before, parts, strict=True)):
        return output
    return tf.cast(before[0] if len(parts) == 1 else tf.concat(before, inputs[-1]), output.dtype)


def at_index(output, index):
    """Return each picture's own entry of (N, entries): a class's logit."""
    return tf.gather(output, index, axis=1, batch_dims=1)


def margin(scores, index):
    """Return a class's logit, less the log-sum-exp of all others."""
    own = tf.one_hot(index, scores.shape[1], True, False)
    others = tf.reduce_logsumexp(tf.where(own, -np.inf, scores), axis=1)
    return at_index(scores, index) - others


def channel(output, index):
    """Return a channel's mean; what goes into a ReLU counts a tenth where it is negative."""
    before = before_relu(output)
    # Not leaky_relu: after a bias TensorFlow's optimizer fails on it, and says so on stderr.
    awake = output if before is output else tf.maximum(before, ASLEEP * before)
    return at_index(tf.reduce_mean(awake, tuple(range(1, output.shape.rank - 1))), index)


def neuron(output, index, row, column):
    """Return what goes into one cell of a channel; CENTRE stands for the middle row or column."""
    height, width = tf.unstack(tf.shape(output)[1:3])
    row = tf.where(row == CENTRE, height // 2, row)
    column = tf.where(column == CENTRE, width // 2, column)
    number = tf.range(tf.shape(output)[0])
    return tf.gather_nd(before_relu(output), tf.stack([number, row, column, index], axis=1))


def energy(output):
    """Return the mean of the squares."""
    return tf.reduce_mean(output**2, tuple(range(1, output.shape.rank)))


def even_energy(output):
    """Return the mean log of each cell's energy, channels divided by their own strength."""
    inner = tuple(range(1, output.shape.rank - 1))
    strength = tf.stop_gradient(tf.reduce_mean(output**2, inner, keepdims=True))
    strength += 1e-3 * tf.reduce_mean(strength, -1, keepdims=True) + 1e-12
    return tf.reduce_mean(tf.math.log(tf.reduce_mean(output**2 / strength, -1) + 0.05), inner)


def total_variation(pictures):
    """Return how much neighbouring pixels differ, on average."""
    down, across = pictures[:, 1:] - pictures[:, :-1], pictures[:, :, 1:] - pictures[:, :, :-1]
    return tf.reduce_mean(tf.abs(down), (1, 2, 3)) + tf.reduce_mean(tf.abs(across), (1, 2, 3))


def l1(pictures):
    """Return how far pixels are from grey, on average."""
    return tf.reduce_mean(tf.abs(pictures - 0.5), (1, 2, 3))


def l2(pictures):
    """Return how far pixels are from grey, squared, on average."""
    return tf.reduce_mean((pictures - 0.5) ** 2, (1, 2, 3))


def blur(pictures):
    """Return half the squared distance of a picture from its own blur; the blur stands still."""
    edged = tf.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), "SYMMETRIC")
    blurred = tf.stop_gradient(tf.nn.avg_pool2d(edged, 3, 1, "VALID"))
    return tf.reduce_mean((pictures - blurred) ** 2, (1, 2, 3)) / 2
