"""Pictures that a network likes: start from almost nothing and climb.

Four choices that compose (Olah et al., Feature Visualization, Distill 2017): an *objective*, what
to make large; a *parameterization*, how the picture is written down; *transforms*, what it must be
robust to; and the *loop*. Inside, pictures are (N, H, W, 3) in 0-1; networks are given 0-255.

An objective is a function of the logits (N, classes) and of the watched layers' outputs that gives
one value per picture. Objectives add and scale.
"""

from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from helpers.networks import find_layer, input_shape
from helpers.runtime import progress
from helpers.tracing import logits, watch

# How the colours of natural pictures vary together: columns are brightness and two contrasts.
COLOUR = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLOUR /= np.linalg.norm(COLOUR, axis=0).max()


@dataclass(frozen=True)
class Objective:
    """What to make large: `value(scores, outputs) -> (N,)`, and the layers that it looks at."""

    value: callable
    layers: tuple = field(default=())

    def __add__(self, other):
        return Objective(
            lambda scores, seen: self.value(scores, seen) + other.value(scores, seen),
            self.layers + other.layers,
        )

    def __mul__(self, factor):
        return Objective(lambda scores, seen: factor * self.value(scores, seen), self.layers)

    __rmul__ = __mul__


def target_class(index):
    """Return the objective "this class's logit"."""
    return Objective(lambda scores, seen: _column(scores, index, "class"))


def margin(index):
    """Return the objective "this class's logit, less all others' (log-sum-exp)"."""

    def value(scores, seen):
        own = _column(scores, index, "class")
        others = tf.concat([scores[:, :index], scores[:, index + 1 :]], axis=1)
        return own - tf.reduce_logsumexp(others, axis=1)

    return Objective(value)


def channel(layer, index):
    """Return the objective "this channel of a layer, on average over the picture"."""
    return Objective(
        lambda scores, seen: tf.reduce_mean(_column(seen[layer], index, "channel"), (1, 2)),
        (layer,),
    )


def _column(tensor, index, what):
    """Return tensor[..., index]; ValueError where there is no such class or channel."""
    count = tensor.shape[-1]
    if not 0 <= index < count:
        raise ValueError(f"there is no {what} {index!r}: they are numbered 0 to {count - 1}")
    return tensor[..., index]


def pixels(start, seed=0):
    """Write the picture as it is: one number per pixel and colour, kept in 0-1 by clipping.

    Nothing is random here, so that `seed`, which every parameterization is given, has no effect.
    """
    return [tf.Variable(start)], lambda variables: tf.clip_by_value(variables[0], 0.0, 1.0)


def spectrum(start, seed=0, spread=0.01):
    """Write the picture as waves in decorrelated colours, which come from `start` on.

    Low waves and high ones then grow alike, so that forms come before fringes.
    """
    count, height, width = start.shape[:3]
    shape = (2, count, 3, height, width // 2 + 1)
    waves = tf.Variable(tf.random.stateless_normal(shape, (seed, 17), 0.0, spread))
    vertical, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    frequency = np.maximum(np.hypot(vertical, across), 1 / max(height, width))
    scale = tf.constant(np.sqrt(height * width) / frequency / 4, tf.float32)
    rest = np.clip(start, 0.02, 0.98)
    rest = tf.constant(np.log(rest / (1 - rest)), tf.float32)

    def picture(variables):
        waves = tf.complex(variables[0][0] * scale, variables[0][1] * scale)
        plain = tf.transpose(tf.signal.irfft2d(waves, [height, width]), (0, 2, 3, 1))
        return tf.sigmoid(rest + tf.matmul(plain, COLOUR.T))

    return [waves], picture


def shaken(pictures, key, jitter=8, turn=10.0, zoom=0.1):
    """Return pictures moved by up to `jitter` pixels, turned (degrees) and zoomed, for a key."""
    shift = tf.random.stateless_uniform((2,), key, -jitter, jitter)
    angle, scale = tf.unstack(tf.random.stateless_uniform((2,), key + 1, -1.0, 1.0))
    angle, scale = angle * turn * np.pi / 180, 1.0 + scale * zoom
    height, width = pictures.shape[1:3]
    cos, sin = tf.cos(angle) * scale, tf.sin(angle) * scale
    x = shift[0] + (width - cos * width + sin * height) / 2
    y = shift[1] + (height - sin * width - cos * height) / 2
    flat = tf.stack([cos, -sin, x, sin, cos, y, 0.0, 0.0])[None]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=flat,
        output_shape=pictures.shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


def roughness(pictures):
    """Return each picture's total variation: how much neighbouring pixels differ on average."""
    down, across = pictures[:, 1:] - pictures[:, :-1], pictures[:, :, 1:] - pictures[:, :, :-1]
    return tf.reduce_mean(tf.abs(down), (1, 2, 3)) + tf.reduce_mean(tf.abs(across), (1, 2, 3))


def within(pictures, start, radius):
    """Return pictures pulled back into the L2 ball of `radius` around `start` (Engstrom 2019)."""
    change = pictures - start
    length = tf.sqrt(tf.reduce_sum(change**2, (1, 2, 3), keepdims=True) + 1e-12)
    return start + change * tf.minimum(1.0, radius / length)


def maximize(
    network,
    objective,
    start=None,
    steps=128,
    rate=0.05,
    parameterization=spectrum,
    transform=shaken,
    smoothness=0.0,
    radius=None,
    seed=0,
    quiet=True,
):
    """Return pictures that make an objective large, by gradient ascent (Erhan 2009, Olah 2017).

    start: (N, H, W, 3) or (H, W, 3) in 0-255 to set out from, grey by default; the result has its
    shape, float32 in 0-255. parameterization: `spectrum` or `pixels`. transform: a function of
    pictures and a key, or None. smoothness: weight of the total variation. radius: how far
    (L2, pixels in 0-1) the pictures may go from the start. The network is not changed.
    """
    shape = input_shape(network)
    if len(shape) != 3 or shape[2] != 3:
        raise ValueError(f"dreams are RGB pictures, but {network.name!r} takes {shape}")
    if start is None and None in shape:
        raise ValueError(f"{network.name!r} takes pictures of any size: give start")
    start = np.full(shape, 127.5) if start is None else start
    given = np.shape(start)[-3:-1]
    height, width = (own or other for own, other in zip(shape, given, strict=False))
    begin = np.asarray(start, np.float32) / 255
    single = begin.ndim == 3
    begin = begin[None] if single else begin
    if begin.ndim != 4 or begin.shape[1:] != (height, width, 3):
        raise ValueError(f"start is {np.shape(start)}; it must be ({height}, {width}, 3)")
    watched = [find_layer(network, name) for name in objective.layers]
    variables, picture = parameterization(begin, seed)
    moments = [[tf.Variable(tf.zeros_like(v)) for v in variables] for _ in range(2)]

    def shown():
        pictures = picture(variables)
        return pictures if radius is None else within(pictures, begin, radius)

    @tf.function(autograph=False)
    def step(number, key):
        pictures = shown()
        seen_pictures = transform(pictures, key) if transform else pictures
        with watch(watched) as outputs:
            scores = logits(network(seen_pictures * 255.0, training=False))
        seen = {name: outputs[layer] for name, layer in zip(objective.layers, watched, strict=True)}
        value = objective.value(scores, seen)
        goal = tf.reduce_sum(value - smoothness * roughness(pictures))
        size = tf.pow(tf.constant((0.9, 0.999)), number)
        for v, g, m, s in zip(variables, tf.gradients(goal, variables), *moments, strict=True):
            m.assign(0.9 * m + 0.1 * g)
            s.assign(0.999 * s + 0.001 * g * g)
            v.assign_add(rate * (m / (1 - size[0])) / (tf.sqrt(s / (1 - size[1])) + 1e-8))
        return value

    for number in range(1, steps + 1) if quiet else progress(range(1, steps + 1), "maximize"):
        step(tf.constant(number, tf.float32), tf.constant([seed, number], tf.int32))
    pictures = shown().numpy() * 255
    return pictures[0] if single else pictures
