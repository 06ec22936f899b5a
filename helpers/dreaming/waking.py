"""Let gradients through inactive ReLUs, and say what stands in an ascent's way.

Behind a ReLU that is inactive everywhere, an objective has no gradient, and an ascent would stand
still. While that is so, its ReLUs pass a tenth of the gradient where they are inactive, until
something becomes active. (Olah 2017)
"""

import contextlib
import warnings

import numpy as np
import tensorflow as tf

from helpers.core.graphs import check_own_gradients
from helpers.dreaming.objectives import ASLEEP

MEND = "Start from a photo instead of grey, take more steps, or choose another channel or layer."
PATIENCE = 16  # steps without any gradient after which an ascent is given up


def awake(graph):
    """Return a context in which ReLUs that are traced in a graph pass gradients when inactive."""
    return graph.gradient_override_map({"Relu": "CourseAwakeRelu", "Relu6": "CourseAwakeRelu6"})


def _passing(op, slope):
    features = op.inputs[0]
    off = features <= 0
    if op.type == "Relu6":
        off |= features >= 6
    return tf.where(off, ASLEEP * slope, slope)


for _name in "Relu", "Relu6":
    with contextlib.suppress(KeyError):  # already registered when the module is reloaded
        tf.RegisterGradient(f"CourseAwake{_name}")(_passing)


def gradients_of(worth, tensors, name):
    """Return the gradients of a traced value, None where one does not count, but not for the first.

    Raises ValueError where the value does not depend on the first tensor, whose name is given.
    """
    check_own_gradients(worth.graph)
    slopes = tf.gradients(worth, tensors)
    if slopes[0] is None:
        raise ValueError(f"The objective does not depend on {name}: no gradient flows back to it.")
    return slopes


def check_finite(step, **found):
    """Raise ValueError where a value of an image, (N, ...), is NaN or infinite."""
    for what, numbers in found.items():
        numbers = np.reshape(numbers, (len(numbers), -1)).sum(axis=1)
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if len(wrong):
            raise ValueError(
                f"At step {step} the {what} of image {wrong[0]} is {numbers[wrong[0]]}. Try a "
                "lower rate or another start. If that does not help, look for NaN among the "
                "network's weights, a division by 0 in the objective, or an overflow in float16."
            )


def check_moved(moved, woken, steps):
    """Raise ValueError where no image ever had a gradient; warn where some images had none.

    moved, woken: bool (N,): had any gradient; had one without the help of `awake`.
    """
    if not moved.any():
        raise ValueError(
            f"The objective does not move: in {steps} steps its gradient was 0 in every pixel, "
            f"even with gradients let through inactive ReLUs. {MEND}"
        )
    for which, what in (
        (~moved, "have not changed, as their objective has no gradient."),
        (moved & ~woken, "have changed, but their objective is still inactive: they show nothing."),
    ):
        if which.any():
            numbers = ", ".join(map(str, np.flatnonzero(which)))
            warnings.warn(f"Images {numbers} of {len(moved)} {what} {MEND}", stacklevel=3)
