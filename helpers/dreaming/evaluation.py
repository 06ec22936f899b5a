"""The value of an objective for images of any size, on any network, which is not changed."""

import itertools
import warnings

import numpy as np
import tensorflow as tf

from helpers.core.tracing import compiled
from helpers.dreaming.objectives import PICTURE, Objective
from helpers.dreaming.sizes import check, outputs_at, shape_known
from helpers.networks import input_shape


def value(network, objective, pictures):
    """Return the value of an objective for images in 0-255: float32 (N,), or a single number.

    Raises ValueError as `begin` and `check` do, and for a value that is NaN or infinite.
    """
    pictures, single = begin(network, objective, pictures)
    check(network, objective, *pictures.shape[1:3])
    weights, at = objective.numbers(len(pictures))
    shapes = shape_known(network, pictures.shape[1:3]), (len(weights),), (len(at), None)
    signature = tuple(zip(shapes, ("float32", "float32", "int32"), strict=True))
    run = compiled(network, _value, objective.form, signature=signature + of_goals(objective))
    values = run(*map(tf.constant, (pictures, weights, at, *objective.goals))).numpy()
    if not np.isfinite(values).all():
        raise ValueError(f"the objective is {values[~np.isfinite(values)][0]} here")
    return values[0] if single else values


def begin(network, objective, start=None, size=None, seed=0):
    """Return the images to start from, float32 (N, H, W, 3) in 0-1, and whether it is a single one.

    Arguments:
        start: (N, H, W, 3) or (H, W, 3) in 0-255; None is grey with a little noise. A single image
            is repeated where the objective is for several.
        size: (height, width) of the noise, by default the network's own; not with a start.

    Raises ValueError for images that are invalid, NaN, beyond 0-255, or not as many as the
    objective is for, for another size, and for a network that does not take RGB images.
    """
    takes, count = input_shape(network), images_of(objective)
    if len(takes) != 3 or takes[2] not in (None, 3):
        raise ValueError(f"dreams are RGB images, but {network.name!r} takes {takes}")
    if start is None:
        size = takes[:2] if size is None else size
        whole = np.shape(size) == (2,) and all(
            type(n) is int or isinstance(n, np.integer) for n in size
        )
        if not whole or min(size) < 1:
            raise ValueError(f"size must be (height, width), each 1 or more, not {size}")
        noise = np.random.default_rng(seed).normal(127.5, 2.5, (count or 1, *size, 3))
        return np.float32(noise / 255), count is None
    if size is not None:
        raise ValueError("give a start or a size, not both: a start has its own size")
    start = np.asarray(start)
    if start.ndim not in (3, 4) or start.shape[-1] != 3 or 0 in start.shape:
        raise ValueError(f"start must be (N, H, W, 3) or (H, W, 3), not {start.shape}")
    # Resizing may give 255.00002, which is rounding; anything beyond that is a mistake.
    if start.dtype.kind not in "uif" or not (start.min() >= -0.01 and start.max() <= 255.01):
        raise ValueError("start must hold numbers from 0 to 255, and no NaN")
    if start.dtype.kind == "f" and 0 < start.max() <= 1:
        warnings.warn("The start looks like 0-1, but it must be in 0-255.", stacklevel=3)
    single = start.ndim == 3 and count is None
    batch = start[None] if start.ndim == 3 else start
    if count and len(batch) == 1:
        batch = np.repeat(batch, count, axis=0)
    if count not in (None, len(batch)):
        raise ValueError(f"the objective is for {count} images, but start has {len(batch)}")
    return np.clip(np.ascontiguousarray(batch, np.float32) / 255, 0, 1), single


def images_of(objective):
    """Return how many images an objective is for, None for any number; TypeError if it is none."""
    if not isinstance(objective, Objective):
        raise TypeError(f"give an objective of `dreaming`, not {type(objective).__name__}")
    return objective.count


def of_goals(objective):
    """Return (shape, type) of each of an objective's goals, as far as it is compiled in.

    Rows and columns are not: what was compiled for one image serves for images of other sizes.
    """
    shapes = (goal.shape for goal in objective.goals)
    open_shapes = ((s[0], None, None, s[3]) if len(s) == 4 else s for s in shapes)
    return tuple((shape, "float32") for shape in open_shapes)


def value_of(network, pictures, shown, weights, at, goals, form):
    """Return the value (N,) of traced images, where `shown` is their transformed version.

    `weights` and `at` come from `Objective.numbers`, `goals` and `form` from the objective, too.
    """
    given = outputs_at(network, shown, {place for place, *_ in form} - {PICTURE})
    given[PICTURE] = pictures
    at, goals, total = iter(tf.unstack(at)), iter(goals), 0.0
    for weight, (place, measure, *counts) in zip(tf.unstack(weights), form, strict=True):
        own = [*itertools.islice(at, counts[0]), *itertools.islice(goals, counts[1])]
        total += weight * measure(given[place], *own)
    return total


def _value(network, pictures, weights, at, *rest):
    *goals, form = rest
    return value_of(network, pictures, pictures, weights, at, goals, form)
