"""Pictures that a network likes: start from almost nothing, or from a photo, and climb.

Four choices that compose (Olah et al., Feature Visualization, Distill 2017): an *objective*, what
to make large; a *parameterization*, how the picture is written down; *transforms*, what it must be
robust to; and the *loop*, which is here. Inside, pictures are (N, H, W, 3) in 0-1; they come and go
in 0-255. They may be of any size, whatever size the network is made for: convolutions do not mind.
"""

import numpy as np
import tensorflow as tf

from helpers import objectives
from helpers.arrays import resize
from helpers.films import save_gif  # noqa: F401 - dreaming speaks all of their words
from helpers.gradients import gradient_of
from helpers.objectives import (  # noqa: F401
    PICTURE,
    SCORES,
    Objective,
    blur,
    channel,
    energy,
    l1,
    l2,
    margin,
    measured,
    neuron,
    target_class,
    total_variation,
)
from helpers.parameterizations import Pixels, Spectrum, pixels, spectrum  # noqa: F401
from helpers.rules import Normalized, adam
from helpers.runtime import progress
from helpers.tracing import compiled
from helpers.transforms import Roll, compose, jitter, lucid, pad, rotate, scale, shaken  # noqa: F401
from helpers.worth import begin, check, shape_known, value, value_of  # noqa: F401


def maximize(network, objective, start=None, size=None, steps=128, **choices):
    """Return pictures that make an objective large, by gradient ascent (Erhan 2009, Olah 2017).

    float32 in 0-255: (H, W, 3), or (N, H, W, 3) where the start is a batch or the objective is for
    several pictures. Choices, defaults and errors are those of `ascend`.
    """
    pictures = start if objective.count is None else np.empty((objective.count, 1, 1, 3))
    every = max(1, 16 // (len(pictures) if np.ndim(pictures) == 4 else 1))
    made = ascend(network, objective, start, size, steps, every=every, **choices)
    for pictures in progress(made, -(-steps // every), "maximize"):  # noqa: B007
        pass
    return pictures


def ascend(
    network,
    objective,
    start=None,
    size=None,
    steps=128,
    rate=0.1,
    parameterization=spectrum,
    transform=shaken,
    rule=adam,
    radius=None,
    seed=0,
    every=1,
):
    """Return an iterator over the pictures of an ascent, after every so many steps and at the end.

    To stop early, stop asking. `start`: (N, H, W, 3) or (H, W, 3) in 0-255 to set out from; by
    default grey with a little noise, of `size` (height, width) or the network's own. `rate`: how
    far a step goes. `transform`: a function of pictures and a key, made anew in each step, or None.
    `radius`: how far (L2, pixels in 0-1) pictures may go from the start. The network is not
    changed; what is traced is kept for each form of objective and set of choices.

    Raises ValueError, before it begins, for a layer, class, channel or position that there is not,
    and for pictures that are no pictures or of a size that the objective's layers cannot take.
    """
    if steps < 1 or every < 1:
        raise ValueError(f"steps and every must be at least 1, not {steps} and {every}")
    start, single = begin(network, objective, start, size, seed)
    check(network, objective, start)
    numbers = parameterization.begin(start, seed)
    weights, at = objective.numbers(len(start))
    shape = shape_known(network, start)
    written = (None, *(numbers.shape[1:] if shape[1] else [None] * (numbers.shape.rank - 1)))
    signature = (
        *[(shape, "float32"), *[(written, "float32")] * 3, *[((), "int32")] * 3],
        *[((), "float32")] * 2,
        *[((len(weights),), "float32"), ((len(at), None), "int32")],
    )
    options = objective.form, parameterization, transform, rule, radius is not None
    run = compiled(network, _climb, *options, signature=signature)
    fixed = [tf.constant(number, tf.float32) for number in (rate, radius or 0.0, weights)]

    def pictures():
        state = numbers, tf.zeros_like(numbers), tf.zeros_like(numbers)
        for first in range(1, steps + 1, every):
            span = (tf.constant(n) for n in (first, min(first + every, steps + 1), seed))
            made, *state = run(tf.constant(start), *state, *span, *fixed, tf.constant(at))
            yield (made[0] if single else made).numpy() * 255

    return pictures()


def deep_dream(network, image, layer, octaves=5, steps=20, **choices):
    """Return a picture in which a network has found more and more of what it knows.

    float32 in 0-255, in the shape of the image. Choices, defaults and errors are those of
    `ascend_octaves`. (Mordvintsev 2015)
    """
    every = max(1, min(5, steps))
    made = ascend_octaves(
        network, image, layer, octaves=octaves, steps=steps, every=every, **choices
    )
    for picture in progress(made, octaves * -(-steps // every), "deep dream"):  # noqa: B007
        pass
    return picture


def ascend_octaves(
    network,
    image,
    layer,
    channel=None,  # noqa: F811
    octaves=5,
    octave_scale=1.3,
    steps=20,
    rate=1.5,
    parameterization=pixels,
    transform=Roll(32),  # noqa: B008 - it never changes
    rule=Normalized(5),  # noqa: B008
    seed=0,
    every=1,
):
    """Return an iterator over the pictures of a deep dream, all of the image's size.

    It dreams on the image made small, then on one `octave_scale` times as large, and so on: large
    forms first, finer ones within them. What was dreamt is enlarged and added to the image itself,
    so that no detail is lost. `image`: (H, W, 3) or a batch, in 0-255. `layer`: a name, or any
    `Objective`; of a layer all channels count (`energy`, normalized), or the one `channel`. `rate`:
    how far a step goes, in 0-255. The rest is as in `ascend`, errors too.
    """
    if octaves < 1 or octave_scale <= 1:
        raise ValueError(f"give octaves >= 1, octave_scale > 1, not {octaves} and {octave_scale}")
    objective = layer
    if not isinstance(layer, Objective):
        whole = channel is None
        objective = energy(layer, True) if whole else objectives.channel(layer, channel)
    image, single = begin(network, objective, image)
    height, width = image.shape[1:3]
    shrink = [octave_scale ** (octave + 1 - octaves) for octave in range(octaves)]
    sizes = [(max(1, round(height * s)), max(1, round(width * s))) for s in shrink]
    check(network, objective, resize(image, *sizes[0]))
    choices = dict(parameterization=parameterization, transform=transform, rule=rule, every=every)

    def pictures():
        change = np.zeros_like(image)
        for octave, size in enumerate(sizes):
            base = resize(image, *size, antialias=True)
            start = np.clip(base + resize(change, *size), 0, 1) * 255
            for made in ascend(
                network, objective, start, None, steps, rate / 255, seed=seed + octave,
                **choices,
            ):  # fmt: skip
                change = made / 255 - base
                whole = np.clip(image + resize(change, height, width), 0, 1) * 255
                yield whole[0] if single else whole

    return pictures()


def within(pictures, start, radius):
    """Return pictures pulled back into the L2 ball of `radius` around `start` (Engstrom 2019)."""
    change = pictures - start
    length = tf.sqrt(tf.reduce_sum(change**2, (1, 2, 3), keepdims=True) + 1e-12)
    return start + change * tf.minimum(1.0, radius / length)


def _climb(network, start, numbers, *rest):
    """Return pictures, numbers and memory after the steps from `first` to before `last`."""
    *memory, first, last, seed, rate, radius, weights, at = rest[:-5]
    form, parameterization, transform, rule, bounded = rest[-5:]
    read = parameterization.reader(start)

    def picture(numbers):
        pictures = tf.ensure_shape(read(numbers), start.shape)
        return within(pictures, start, radius) if bounded else pictures

    def step(number, numbers, *memory):
        pictures = picture(numbers)
        shown = transform(pictures, tf.stack([seed, number])) if transform else pictures
        worth = value_of(network, pictures, shown, weights, at, form)
        slope = gradient_of(worth, numbers, "the pictures")
        change, memory = rule(slope, memory, number)
        return number + 1, numbers + rate * change, *memory

    _, numbers, *memory = tf.while_loop(
        lambda number, *_: number < last, step, (first, numbers, *memory)
    )
    return picture(numbers), numbers, *memory
