"""The value of an objective for images of any size, on any network, which is not changed.

A convolution takes images of any size, but Keras only accepts the size that a network was built
for. It can check only a size that it knows, so other sizes are left unknown while tracing.
"""

import warnings

import numpy as np
import tensorflow as tf

from helpers.core.tracing import compiled, logits, seen, watch
from helpers.dreaming.objectives import PICTURE, SCORES
from helpers.networks import find_layer, input_shape


def value(network, objective, pictures):
    """Return the value of an objective for images in 0-255: float32 (N,), or a single number.

    Raises ValueError as `begin` does.
    """
    pictures, single = begin(network, objective, pictures)
    weights, at = objective.numbers(len(pictures))
    shapes = shape_known(network, pictures), (len(weights),), (len(at), None)
    signature = tuple(zip(shapes, ("float32", "float32", "int32"), strict=True))
    run = compiled(network, _value, objective.form, signature=signature)
    values = run(tf.constant(pictures), tf.constant(weights), tf.constant(at)).numpy()
    return values[0] if single else values


def begin(network, objective, start=None, size=None, seed=0):
    """Return the images to start from, float32 (N, H, W, 3) in 0-1, and whether it is a single one.

    Arguments:
        start: (N, H, W, 3) or (H, W, 3) in 0-255; None is grey with a little noise. A single image
            is repeated where the objective is for several.
        size: (height, width) of the noise, by default the network's own.

    Raises ValueError for images that are invalid, NaN, beyond 0-255, or not as many as the
    objective is for, and for a network that does not take RGB images.
    """
    takes, count = input_shape(network), objective.count
    if len(takes) != 3 or takes[2] not in (None, 3):
        raise ValueError(f"dreams are RGB images, but {network.name!r} takes {takes}")
    if start is None:
        size = takes[:2] if size is None else tuple(size)
        if len(size) != 2 or None in size or min(size) < 1:
            raise ValueError(f"size must be (height, width), each 1 or more, not {size}")
        noise = np.random.default_rng(seed).normal(127.5, 2.5, (count or 1, *size, 3))
        return np.float32(noise / 255), count is None
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


def check(network, objective, pictures):
    """Raise ValueError where an objective cannot be computed for images (N, H, W, 3) of this size.

    That is for an unknown layer, class, channel or cell, and where a layer cannot take the size.
    """
    places = tuple(sorted({t.place for t in objective.terms} - {PICTURE}))
    signature = ((shape_known(network, pictures), "float32"),)
    run = compiled(network, _shapes, places, signature=signature)
    height, width = pictures.shape[1:3]
    try:
        found = [shape.numpy() for shape in run(tf.constant(pictures[:1]))]
    except tf.errors.InvalidArgumentError:
        found = [(0,)]
    if any(0 in shape or shape[0] != 1 for shape in found):
        own = "x".join(map(str, input_shape(network)[:2]))
        raise ValueError(
            f"The network {network.name!r} is made for {own} pixels and cannot compute "
            f"{' and '.join(places)} for {height}x{width}. An earlier layer may work."
        )
    shapes = dict(zip(places, found, strict=True))
    for term in objective.terms:
        if term.place == PICTURE:
            continue
        _, *cells, last = shapes[term.place]
        if len(term.at) > 1 and len(cells) != 2:
            raise ValueError(f"{term.place!r} has no rows and columns")
        what = "class" if term.place == SCORES else "channel"
        limits = zip(term.at, (what, "row", "column"), (last, *cells), strict=False)
        for numbers, name, limit in limits:
            least = 0 if name == what else -1  # the centre
            for number in np.unique(numbers):
                if not least <= number < limit:
                    raise ValueError(
                        f"there is no {name} {number} in {term.place!r}, only 0 to {limit - 1}"
                    )


def shape_known(network, pictures):
    """Return the shape of images that is known while tracing: only the network's own size."""
    shape = input_shape(network)
    fits = all(n in (None, m) for n, m in zip(shape, pictures.shape[1:], strict=True))
    return (None, *shape[:2], 3) if fits else (None, None, None, 3)


def value_of(network, pictures, shown, weights, at, form):
    """Return the value (N,) of traced images, where `shown` is their transformed version.

    `weights` and `at` come from `Objective.numbers`, `form` is `Objective.form`.
    """
    given = _given(network, shown, {place for place, *_ in form} - {PICTURE})
    given[PICTURE] = pictures
    at, total = iter(tf.unstack(at)), 0.0
    for weight, (place, measure, count) in zip(tf.unstack(weights), form, strict=True):
        total += weight * measure(given[place], *(next(at) for _ in range(count)))
    return total


def _value(network, pictures, weights, at, form):
    return value_of(network, pictures, pictures, weights, at, form)


def _shapes(network, pictures, places):
    given = _given(network, pictures, places)
    return [tf.shape(given[place]) for place in places]


def _given(network, pictures, places):
    """Return the outputs of places for images in 0-1, `{place: float32 tensor (N, ...)}`."""
    found = {place: find_layer(network, place) for place in places if place != SCORES}
    x = pictures * 255.0
    if not tf.TensorShape((None, *input_shape(network))).is_compatible_with(x.shape):
        x = tf.raw_ops.PlaceholderWithDefault(input=x, shape=(None, None, None, 3))
    with watch(found.values()) as outputs:
        output = network(x, training=False)
    given = {place: seen(outputs, layer, x) for place, layer in found.items()}
    if SCORES in places:
        given[SCORES] = logits(output)
    return {place: tf.cast(tensor, tf.float32) for place, tensor in given.items()}
