"""What to make large: objectives that add and scale.

An objective is a sum of terms. A term is a weight, a place to look at (a layer, the scores, or the
picture itself) and a measure: a function of what that place gives, with one value per picture. So

    channel("block4_conv2", 7) + 0.5 * target_class(0) - 2 * total_variation()

is an objective, and a new kind of dream is one more measure. (Olah et al., Feature Visualization,
2017)
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from helpers import measures

SCORES, PICTURE = "<scores>", "<picture>"  # places that are no layers


class Term(NamedTuple):
    """Weight times `measure(what the place gives, *at)`; `at` holds an int or one per picture."""

    weight: float
    place: str
    measure: callable
    at: tuple = ()


@dataclass(frozen=True)
class Objective:
    """What to make large: a tuple of terms. Objectives add, subtract and scale."""

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
        """The terms without their numbers: `(place, measure, how many numbers)` each.

        What has the same form is compiled once: all channels of a layer, all classes.
        """
        return tuple((t.place, t.measure, len(t.at)) for t in self.terms)

    @property
    def count(self):
        """How many pictures the objective is for, None where it is for any number alike."""
        counts = {len(n) for t in self.terms for n in t.at if isinstance(n, tuple)}
        if len(counts) > 1:
            raise ValueError(f"terms of one objective are for {sorted(counts)} pictures: which?")
        return counts.pop() if counts else None

    def numbers(self, count):
        """Return the weights (terms,) and, for `count` pictures, all `at` (numbers, count)."""
        weights = np.array([t.weight for t in self.terms], np.float32)
        columns = [np.broadcast_to(n, count) for t in self.terms for n in t.at]
        return weights, np.array(columns, np.int32).reshape(len(columns), count)


def target_class(index):
    """Return the objective "this class's logit"; `index` is an int or one per picture."""
    return _term(SCORES, measures.at_index, index)


def margin(index):
    """Return the objective "this class's logit, less all others' (log-sum-exp)"."""
    return _term(SCORES, measures.margin, index)


def channel(layer, index):
    """Return the objective "this channel of a layer, on average over the picture".

    `index` is an int, or one per picture: `channel(layer, range(64))` is for 64 pictures at once.
    Where the layer ends in a ReLU, what goes into it counts a tenth wherever it is negative: so a
    channel that is silent everywhere has a slope too, and wakes.
    """
    return _term(layer, measures.channel, index)


def neuron(layer, index, position=None):
    """Return the objective "this channel of a layer in one cell", (row, column) or the centre.

    What goes into a ReLU counts, as in `channel`. Raises ValueError for a position below 0.
    """
    row, column = (measures.CENTRE, measures.CENTRE) if position is None else position
    if position is not None and np.min(position) < 0:
        raise ValueError(f"position is {position}; it must be (row, column), 0 or more")
    return _term(layer, measures.neuron, index, row, column)


def energy(layer, normalize=False):
    """Return the objective "how much happens in a layer": the mean of its squares.

    With `normalize`, every channel is first divided by its own strength, so that no loud one rules,
    and the logarithm of each cell's energy counts, so that the quiet sky dreams like the busy roof.
    (Mordvintsev 2015)
    """
    return _term(layer, measures.even_energy if normalize else measures.energy)


def total_variation():
    """Return "how much neighbouring pixels differ": subtract it for smooth pictures."""
    return _term(PICTURE, measures.total_variation)


def l1():
    """Return "how far pixels are from grey, on average": subtract it to have few that are."""
    return _term(PICTURE, measures.l1)


def l2():
    """Return "how far pixels are from grey, squared, on average": subtract it for pale pictures."""
    return _term(PICTURE, measures.l2)


def blur():
    """Return "how far the picture is from its own blur, squared": subtract it against noise."""
    return _term(PICTURE, measures.blur)


def measured(place, measure):
    """Return an objective of your own: `measure(what the place gives) -> (N,)`, in TensorFlow.

    `place` is a layer, SCORES, or PICTURE (pictures in 0-1). Define the measure once, outside of
    loops: what is compiled is kept for each function.
    """
    return _term(place, measure)


def _term(place, measure, *at):
    numbers = tuple(int(n) if np.ndim(n) == 0 else tuple(int(i) for i in n) for n in at)
    return Objective((Term(1.0, place, measure, numbers),))
