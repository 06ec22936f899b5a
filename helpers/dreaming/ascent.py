"""Gradient ascent: images that a network responds to strongly, from noise or from a photo.

Four choices that compose (Olah et al., Feature Visualization, Distill 2017): an *objective*, what
to maximize; a *parameterization*, how the image is represented; *transforms*, what it must be
robust to; and the *loop*, which is here. Inside, images are (N, H, W, 3) in 0-1; arguments and
results are in 0-255. Any size will do, as convolutions take images of any size.
"""

from numbers import Integral

import numpy as np
import tensorflow as tf

from helpers.core.progress import progress
from helpers.core.tracing import compiled
from helpers.dreaming import objectives
from helpers.dreaming.evaluation import begin, images_of, of_goals, value_of
from helpers.dreaming.optimizers import Normalized, adam
from helpers.dreaming.parameterizations import pixels, spectrum
from helpers.dreaming.sizes import check, fits, shape_known
from helpers.dreaming.transforms import Roll, shaken
from helpers.dreaming.waking import PATIENCE, awake, check_finite, check_moved, gradients_of
from helpers.plotting import resize

# A radius that no image reaches: one compiled ascent serves with a radius and without.
UNBOUND = 1e9


def maximize(network, objective, start=None, size=None, steps=128, **choices):
    """Return images that maximize an objective, by gradient ascent (Erhan 2009, Olah 2017).

    float32 in 0-255: (H, W, 3), or (N, H, W, 3) where the start is a batch or the objective is for
    several images. Arguments and errors are those of `ascend`.
    """
    count = images_of(objective) or (len(start) if np.ndim(start) == 4 else 1)
    every = max(1, 16 // count)
    made = ascend(network, objective, start, size, steps, every=every, **choices)
    for pictures in progress(made, -(-steps // every), "maximize"):  # noqa: B007
        pass
    return pictures


def ascend(
    network, objective, start=None, size=None, steps=128, rate=0.1, parameterization=spectrum,
    transform=shaken, rule=adam, radius=None, seed=0, every=1,
):  # fmt: skip
    """Return an iterator over the images of an ascent, after every `every` steps and at the end.

    Arguments:
        start: (N, H, W, 3) or (H, W, 3) in 0-255; by default grey with a little noise, of `size`
            (height, width) or the network's own.
        rate: the step size.
        transform: `function(images, key)`, random in each step, or None.
        rule: the optimizer.
        radius: how far (L2, pixels in 0-1) images may move away from the start, or None.

    To stop early, stop iterating. The network is not changed; traces are kept for each form of
    objective and set of choices. Where the objective has no gradient at all, inactive ReLUs pass
    one until it has.

    Raises ValueError, before it starts, for an unknown layer, class, channel or position, and for
    images that are invalid or of a size that the layers cannot take; on the way for NaN or
    infinity, and for an objective that does not move. Warns of images that show nothing.
    """
    for name, number in (("steps", steps), ("every", every)):
        if not isinstance(number, Integral) or number < 1:
            raise ValueError(f"{name} must be a whole number, 1 or more, not {number!r}")
    if not np.isfinite(rate) or not (radius is None or 0 < radius < np.inf):
        raise ValueError(f"give a finite rate and a radius above 0, not {rate} and {radius}")
    start, single = begin(network, objective, start, size, seed)
    check(network, objective, *start.shape[1:3])
    numbers = parameterization.begin(start, seed)
    weights, at = objective.numbers(len(start))
    shape = shape_known(network, start.shape[1:3])
    written = (None, *(numbers.shape[1:] if shape[1] else [None] * (numbers.shape.rank - 1)))
    signature = (
        *[(shape, "float32"), *[(written, "float32")] * 3, *[((), "int32")] * 3],
        *[((), "float32")] * 2,
        *[((len(weights),), "float32"), ((len(at), None), "int32"), *of_goals(objective)],
    )
    options = objective.form, parameterization, transform, rule
    fixed = [tf.constant(number, tf.float32) for number in (rate, radius or UNBOUND, weights)]
    fixed += map(tf.constant, (at, *objective.goals))

    def run(waking, *state):
        climb = compiled(network, _climb, *options, waking, signature=signature)
        return climb(tf.constant(start), *state, tf.constant(seed), *fixed)

    def pictures():
        state = numbers, tf.zeros_like(numbers), tf.zeros_like(numbers)
        number, waking, moved, woken = 1, False, False, False
        for end in (*range(1 + every, steps + 1, every), steps + 1):
            while number < end:
                span = tf.constant(number), tf.constant(end)
                made, *state, reached, values, steepness, own, any_way = run(waking, *state, *span)
                number = int(reached)
                check_finite(number, objective=values, gradient=steepness, picture=made)
                woken, moved = woken | own.numpy(), moved | any_way.numpy()
                waking = waking or number < end  # it stood still
                if number > min(steps, PATIENCE) and (waking and not moved.any() or number > steps):
                    check_moved(moved, woken, number - 1)
            yield (made[0] if single else made).numpy() * 255

    return pictures()


def deep_dream(network, image, layer, octaves=5, steps=20, **choices):
    """Return an image in which a network's own patterns have been amplified more and more.

    float32 in 0-255. Arguments and errors are those of `ascend_octaves`. (Mordvintsev 2015)
    """
    every = max(1, min(5, steps))
    made = ascend_octaves(
        network, image, layer, octaves=octaves, steps=steps, every=every, **choices
    )
    for picture in progress(made, octaves * -(-steps // every), "deep dream"):  # noqa: B007
        pass
    return picture


def ascend_octaves(
    network, image, layer, channel=None, octaves=5, octave_scale=1.3, steps=20, rate=1.5,
    parameterization=pixels, transform=Roll(32), rule=Normalized(5),  # noqa: B008 - both are frozen
    seed=0, every=1,
):  # fmt: skip
    """Return an iterator over the images of a deep dream, all of the image's size.

    The dream starts on a small copy of the image, then goes on with one `octave_scale` times as
    large, and so on: large shapes first, then finer ones. The changes are enlarged and added to the
    image itself, so no detail is lost.

    Arguments:
        image: (H, W, 3) or a batch, in 0-255.
        layer: a name, or any `Objective`. All channels count (`energy`, normalized), or one
            `channel`.
        rate: the step size, in 0-255.

    Other arguments and errors are as in `ascend`.
    """
    if octaves < 1 or octave_scale <= 1:
        raise ValueError(f"give octaves >= 1 and octave_scale > 1, not {octaves}, {octave_scale}")
    if isinstance(layer, objectives.Objective):
        objective = layer
    elif channel is None:
        objective = objectives.energy(layer, normalize=True)
    else:
        objective = objectives.channel(layer, channel)
    image, single = begin(network, objective, image)
    height, width = image.shape[1:3]
    shrink = [octave_scale ** (octave + 1 - octaves) for octave in range(octaves)]
    sizes = [(max(1, round(height * s)), max(1, round(width * s))) for s in shrink]
    _check_octaves(network, objective, sizes)
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


def _check_octaves(network, objective, sizes):
    """Raise ValueError where the smallest octave is too small, and say how many are possible."""
    possible = sum(fits(network, objective, *size) for size in sizes)
    advice = f"This is the smallest of {len(sizes)} octaves; {possible} of them would work."
    check(network, objective, *sizes[0], advice if possible else "")


def within(pictures, start, radius):
    """Return images projected onto the L2 ball of `radius` around `start` (Engstrom 2019)."""
    change = pictures - start
    length = tf.sqrt(tf.reduce_sum(change**2, (1, 2, 3), keepdims=True) + 1e-12)
    return start + change * tf.minimum(1.0, radius / length)


def _climb(network, start, numbers, *rest):
    """Return what an ascent has reached after the steps from `first` to before `last`.

    These are images, numbers and memory; the next step; the value and the size of the gradient at
    the images, each (N,); and which images had a gradient, by themselves and at all. It ends early
    at NaN, and unless it is `waking` where an image has no gradient.
    """
    mean, square, first, last, seed, rate, radius, weights, at, *goals = rest[:-5]
    form, parameterization, transform, rule, waking = rest[-5:]
    read = parameterization.reader(start)

    def picture(numbers):
        pictures = tf.ensure_shape(read(numbers), start.shape)
        return tf.where(radius < UNBOUND, within(pictures, start, radius), pictures)

    def uphill(numbers, number):
        pictures = picture(numbers)
        shown = transform(pictures, tf.stack([seed, number])) if transform else pictures
        shown = tf.identity(shown)  # what the network alone looks at
        worth = value_of(network, pictures, shown, weights, at, goals, form)
        slope, through = gradients_of(worth, [numbers, shown], "the pictures")
        return slope, worth, _total(slope if through is None else through), through is None

    def step(_, number, numbers, mean, square, *seen):
        slope, worth, steepness, bare = uphill(numbers, number)
        asleep = tf.fill(tf.shape(steepness), False) if bare else tf.equal(steepness, 0)
        go = tf.reduce_all(tf.math.is_finite(worth) & tf.math.is_finite(steepness))

        def woken():
            inner = tf.identity(numbers)
            with awake(inner.graph):
                other = uphill(inner, number)[0]
            return tf.where(tf.reshape(asleep, (-1, *[1] * (slope.shape.rank - 1))), other, slope)

        if waking:
            slope = tf.cond(tf.reduce_any(asleep), woken, lambda: slope)
        else:
            go &= ~tf.reduce_any(asleep)

        change, memory = rule(slope, (mean, square), number)
        before, after = (number, numbers, mean, square), (number + 1, numbers + rate * change)
        went = [tf.where(go, *pair) for pair in zip((*after, *memory), before, strict=True)]
        *_, own, any_way = seen
        any_way |= tf.not_equal(_total(slope), 0) if waking else ~asleep
        return go, *went, worth, steepness, own | ~asleep, any_way

    nothing = tf.zeros(tf.shape(start)[0])
    begun = first, numbers, mean, square, nothing, nothing, nothing > 0, nothing > 0
    _, number, numbers, *others = tf.while_loop(
        lambda go, number, *_: go & (number < last), step, (True, *begun)
    )
    return picture(numbers), numbers, *others[:2], number, *others[2:]


def _total(slope):
    """Return the sum of absolute values of each image: 0 only where all of them are."""
    return tf.reduce_sum(tf.abs(slope), tuple(range(1, slope.shape.rank)))
