"""Objectives: what to maximize, as sums of weighted terms.

A term is a weight, a place to look at (a layer, the scores, or the image itself) and a measure: a
function of the output at that place that gives one value per image. So

    channel("block4_conv2", 7) + 0.5 * target_class(0) - 2 * total_variation()

is an objective. (Olah et al., Feature Visualization, 2017)
"""

import operator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

SCORES, PICTURE = "<scores>", "<picture>"  # places other than layers
CENTRE = -1  # the middle row or column
ASLEEP = 0.1  # how much of an inactive cell counts, so that it can become active


class Term(NamedTuple):
    """Weight times `measure(output at the place, *at, *goals)`.

    `at` holds ints, or tuples of one int per image; `goals` are arrays to compare the output with.
    """

    weight: float
    place: str
    measure: callable
    at: tuple = ()
    goals: tuple = ()


@dataclass(frozen=True)
class Objective:
    """What to maximize: a tuple of terms. Objectives can be added, subtracted and scaled."""

    terms: tuple

    def __add__(self, other):
        return Objective(self.terms + other.terms)

    def __mul__(self, factor):
        return Objective(tuple(t._replace(weight=t.weight * factor) for t in self.terms))

    __rmul__ = __mul__

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -other

    @property
    def form(self):
        """The terms without their numbers: `(place, measure, how many numbers, and goals)` each.

        Objectives of the same form, such as all channels of a layer, are compiled only once.
        """
        return tuple((t.place, t.measure, len(t.at), len(t.goals)) for t in self.terms)

    @property
    def goals(self):
        """The arrays that the terms compare with, in their order."""
        return [goal for t in self.terms for goal in t.goals]

    @property
    def count(self):
        """The number of images that the objective is for, None for any number."""
        counts = {len(n) for t in self.terms for n in t.at if isinstance(n, tuple)}
        if len(counts) > 1:
            raise ValueError(f"the terms are for different numbers of images: {sorted(counts)}")
        return counts.pop() if counts else None

    def numbers(self, count):
        """Return the weights (terms,) and, for `count` images, all `at` (numbers, count)."""
        weights = np.array([t.weight for t in self.terms], np.float32)
        columns = [np.broadcast_to(n, count) for t in self.terms for n in t.at]
        return weights, np.array(columns, np.int32).reshape(len(columns), count)


def target_class(index, against=None):
    """Return the objective "this class's logit", or how far it is above the others.

    Arguments:
        index: an int, or one per image.
        against: None for the logit; "rest" for the log-odds, the logit less the log of the summed
            exponentials of all other logits; an int, or one per image, for the logit less that
            class's. It decides why a network would say this class, and not another.

    Raises ValueError for a class against itself.
    """
    if against is None:
        return _term(SCORES, _at_index, index)
    if isinstance(against, str):
        if against != "rest":
            raise ValueError(f'against must be None, "rest" or a class, not {against!r}')
        return _term(SCORES, _margin, index)
    objective = _term(SCORES, _difference, index, against)
    if np.any(np.equal(*objective.terms[0].at)):
        raise ValueError(f"against={against!r} is the class itself: the difference is always 0")
    return objective


def margin(index):
    """Return the objective `target_class(index, against="rest")`; for two classes, the margin."""
    return target_class(index, "rest")


def _at_index(output, index):
    """Return each image's own entry of (N, entries)."""
    return tf.gather(output, index, axis=1, batch_dims=1)


def _margin(scores, index):
    if scores.shape[1] < 2:
        raise ValueError('against="rest": the network has no other class')
    own = tf.one_hot(index, scores.shape[1], True, False)
    others = tf.reduce_logsumexp(tf.where(own, -np.inf, scores), axis=1)
    return _at_index(scores, index) - others


def _difference(scores, index, against):
    return _at_index(scores, index) - _at_index(scores, against)


def channel(layer, index):
    """Return the objective "this channel of a layer, averaged over the image".

    `index` is an int, or one per image: `channel(layer, range(64))` is for 64 images at once. If
    the layer ends in a ReLU, the ReLU's input counts, negative values by a tenth: so even a channel
    that is inactive everywhere has a gradient and can become active.
    """
    return _term(layer, _channel, index)


def _channel(output, index):
    before = _before_relu(output)
    # Not leaky_relu: TensorFlow's graph optimizer fails on it after a bias, with a log on stderr.
    awake = output if before is output else tf.maximum(before, ASLEEP * before)
    return _at_index(tf.reduce_mean(awake, tuple(range(1, output.shape.rank - 1))), index)


def neuron(layer, index, position=None):
    """Return the objective "one cell of this channel", at (row, column) or in the centre.

    If the layer ends in a ReLU, the ReLU's input counts. Raises ValueError for a position below 0.
    """
    row, column = (CENTRE, CENTRE) if position is None else position
    if position is not None and np.min(position) < 0:
        raise ValueError(f"position is {position}; it must be (row, column), 0 or more")
    return _term(layer, _neuron, index, row, column)


def _neuron(output, index, row, column):
    height, width = tf.unstack(tf.shape(output)[1:3])
    row = tf.where(row == CENTRE, height // 2, row)
    column = tf.where(column == CENTRE, width // 2, column)
    number = tf.range(tf.shape(output)[0])
    return tf.gather_nd(_before_relu(output), tf.stack([number, row, column, index], axis=1))


def _before_relu(output):
    """Return the input of the ReLU that an output comes from, or the output if there is none.

    Works while tracing, and looks through a concatenation as well.
    """
    kind, inputs = output.op.type, list(output.op.inputs)
    if kind in ("Relu", "Relu6"):
        return inputs[0]
    parts = inputs[:1] if kind in ("Identity", "Cast") else inputs[:-1] * (kind == "ConcatV2")
    before = [_before_relu(part) for part in parts]
    if not parts or any(one is same for one, same in zip(before, parts, strict=True)):
        return output
    return tf.cast(before[0] if len(parts) == 1 else tf.concat(before, inputs[-1]), output.dtype)


def energy(layer, normalize=False):
    """Return the objective "how active is this layer": the mean of its squares.

    With `normalize`, channels are divided by their own strength, so that none dominates, and the
    log of each cell's energy counts, so that a plain sky dreams like a busy roof.
    (Mordvintsev 2015)
    """
    return _term(layer, _even_energy if normalize else _energy)


def _energy(output):
    return tf.reduce_mean(output**2, tuple(range(1, output.shape.rank)))


def _even_energy(output):
    """Return the mean log of each cell's energy, channels divided by their own strength."""
    inner = tuple(range(1, output.shape.rank - 1))
    strength = tf.stop_gradient(tf.reduce_mean(output**2, inner, keepdims=True))
    strength += 1e-3 * tf.reduce_mean(strength, -1, keepdims=True) + 1e-12
    return tf.reduce_mean(tf.math.log(tf.reduce_mean(output**2 / strength, -1) + 0.05), inner)


def total_variation():
    """Return "how much neighbouring pixels differ, on average": subtract it for smooth images."""
    return _term(PICTURE, _total_variation)


def _total_variation(pictures):
    down, across = _differences(pictures, 1), _differences(pictures, 2)
    return tf.reduce_mean(tf.abs(down), (1, 2, 3)) + tf.reduce_mean(tf.abs(across), (1, 2, 3))


def _differences(pictures, axis):
    """Return how each pixel differs from the one before it (tf.slice: its gradient is quick)."""
    begin, size = [0, 0, 0, 0], tf.unstack(tf.shape(pictures))
    begin[axis], size[axis] = 1, size[axis] - 1
    return tf.slice(pictures, begin, size) - tf.slice(pictures, [0, 0, 0, 0], size)


def l1():
    """Return "how far pixels are from grey, on average": subtract it to keep most pixels grey."""
    return _term(PICTURE, _l1)


def _l1(pictures):
    return tf.reduce_mean(tf.abs(pictures - 0.5), (1, 2, 3))


def l2():
    """Return "how far pixels are from grey, squared, on average": subtract it for pale images."""
    return _term(PICTURE, _l2)


def _l2(pictures):
    return tf.reduce_mean((pictures - 0.5) ** 2, (1, 2, 3))


def blur():
    """Return "how far the image is from its blurred copy, squared": subtract it for less noise."""
    return _term(PICTURE, _blur)


def _blur(pictures):
    edged = tf.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), "SYMMETRIC")
    blurred = tf.stop_gradient(tf.nn.avg_pool2d(edged, 3, 1, "VALID"))  # taken as constant
    return tf.reduce_mean((pictures - blurred) ** 2, (1, 2, 3)) / 2


def measured(place, measure, *goals):
    """Return your own objective: `measure(output at the place, *goals) -> (N,)`, in TensorFlow.

    `place` is a layer, SCORES, or PICTURE (images in 0-1). Define the measure once, outside loops.
    `goals` are arrays that the measure compares the output with.
    """
    goals = tuple(np.asarray(goal, np.float32) for goal in goals)
    return Objective((Term(1.0, place, measure, (), goals),))


def _term(place, measure, *at):
    return Objective((Term(1.0, place, measure, tuple(map(_whole, at))),))


def _whole(number):
    """Return an int, or a tuple of ints for a sequence; TypeError for anything else."""
    try:
        return (
            operator.index(number) if np.ndim(number) == 0 else tuple(map(operator.index, number))
        )
    except TypeError:
        raise TypeError(f"give a whole number, or one per image, not {number!r}") from None
