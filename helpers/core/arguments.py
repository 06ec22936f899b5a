"""Argument checks that several methods share, made before any long computation."""

import numbers

import numpy as np


def check_count(name, value, least, most=float("inf"), why=""):
    """Raise ValueError, naming the limits, unless a value is a whole number within them.

    Arguments:
        name, value: of the argument.
        least, most: the limits, both inclusive.
        why: what the upper limit stands for, for the message.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        limit = f"or more{why}" if most == float("inf") else f"to {most}, {why}"
        raise ValueError(f"{name} must be a whole number, {least} {limit}, not {value!r}.")


def baseline_like(batch, baseline):
    """Return a baseline, a number or an array, broadcast to a batch of images (N, H, W, C).

    Raises ValueError for a shape that does not fit, NaN or infinity.
    """
    start = np.asarray(baseline, np.float32)
    try:
        start = np.broadcast_to(start, batch.shape)
    except ValueError:
        raise ValueError(
            f"baseline must be a number or of the images' shape {batch.shape[1:]}, "
            f"not {start.shape}."
        ) from None
    if not np.isfinite(start).all():
        raise ValueError("baseline must be finite, 0 to 255, but it holds NaN or infinity.")
    return start
