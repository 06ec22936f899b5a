"""Saliency: which pixels does the score of a class hang on?

The gradient asks what a small change of each pixel would do to the score, here and now. Two ways
ask at many points and take the mean: *SmoothGrad* at copies of the picture with noise, because the
slope at one point flickers; *integrated gradients* on the straight way from a baseline b to the
picture x, because then nothing is lost. With steps t = 1/2n, 3/2n, ... the sum

    (x - b) * mean over t of  d s / d x  at  b + t (x - b)

adds up, over all pixels, to s(x) - s(b): what the picture has that the baseline has not.
"""

import numpy as np
import tensorflow as tf

from helpers import gradients
from helpers.networks import check_images
from helpers.runtime import check_count, portions
from helpers.tracing import compiled

PICTURES, PIXELS = 16, 2**20  # in memory at once, at most; more of them would be no faster


def gradient(network, images, target=None, batch_size=16):
    """Return the gradient of the target's score with respect to the images.

    float32 in the images' shape, signed, in units of score per grey level (0-255). `target` is None
    (the predicted class), an int, or one int per image. Raises ValueError for images that do not
    fit the network and a target out of range. (Simonyan 2013)
    """
    return gradients.gradient(network, images, target, batch_size=batch_size)


def guided_gradient(network, images, target=None, batch_size=16):
    """Return the gradient in which each ReLU passes back only what is positive.

    Otherwise as `gradient`. Raises ValueError where the network has no ReLU. (Springenberg 2014)
    """
    return gradients.gradient(network, images, target, guided=True, batch_size=batch_size)


def smooth_gradient(network, images, target=None, samples=50, noise=0.15, seed=0):
    """Return the mean gradient over noisy copies of each image.

    `samples` copies get normal noise whose standard deviation is `noise` times the image's range
    (its highest less its lowest value); every image gets the same noise, so a batch of one equals a
    row of the batch. The target None is the class predicted without noise. float32 in the images'
    shape, signed. Raises ValueError as `gradient`, and for samples < 1, a noise or a seed below 0.
    (Smilkov 2017)
    """
    check_count("samples", samples, 1)
    check_count("seed", seed, 0)
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise is a share of the image's range, 0 or more, not {noise!r}.")
    batch, single = check_images(network, images)
    spreads = np.float32(noise * np.ptp(batch.reshape(len(batch), -1), axis=1))
    seeds = np.full(len(batch), seed, np.int64)
    numbers, given = np.arange(samples, dtype=np.int64), (spreads, seeds)
    means = _mean_gradients(network, batch, target, numbers, _with_noise, given, "SmoothGrad")
    return means[0] if single else means


def _with_noise(picture, numbers, spread, seed):
    """Return a noisy copy (n, H, W, C) for each number; numbers follow one another.

    Philox, the generator, counts, and makes four numbers of each count. So a copy's noise can be
    had without that of the copies before it, and does not hang on how many are asked for at once.
    """
    counts = -(-picture.shape.num_elements() // 4)
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=(seed, 0))
    counter += tf.cast((numbers[0] * counts, 0), tf.uint64)
    shape = tf.shape(numbers)[0], 4 * counts
    noise = tf.raw_ops.StatelessRandomNormalV2(shape=shape, key=key, counter=counter, alg=1)
    noise = tf.reshape(noise[:, : picture.shape.num_elements()], (-1, *picture.shape))
    return picture + spread * noise


def integrated_gradients(network, images, target=None, baseline=0.0, steps=50):
    """Return how much each pixel adds to the score on the way from a baseline to the image.

    float32 in the images' shape, signed, in units of score: the values of an image add up to its
    score less the baseline's (`metrics.completeness_gap` measures how nearly). `baseline` is a
    number (0 is black) or an array that broadcasts to the images. Raises ValueError as `gradient`,
    and for steps < 1 or a baseline that does not fit. (Sundararajan 2017, by the midpoint rule)
    """
    check_count("steps", steps, 1)
    batch, single = check_images(network, images)
    start = baseline_like(batch, baseline)
    shares = (np.arange(steps, dtype=np.float32) + 0.5) / steps
    label = "Integrated gradients"
    slopes = _mean_gradients(network, batch, target, shares, _on_the_way, (start,), label)
    attributions = (batch - start) * slopes
    return attributions[0] if single else attributions


def _on_the_way(picture, shares, start):
    """Return the points (n, H, W, C) that lie these shares of the way from start to picture."""
    shares = tf.reshape(shares, (-1, *[1] * picture.shape.rank))
    return start + shares * (picture - start)


def baseline_like(batch, baseline):
    """Return a baseline, a number or an array, in the shape of a batch; ValueError if it cannot."""
    start = np.asarray(baseline, np.float32)
    try:
        start = np.broadcast_to(start, batch.shape)
    except ValueError:
        raise ValueError(
            f"baseline must be a number or of the images' shape {batch.shape[1:]}, "
            f"not {start.shape}."
        ) from None
    if not np.isfinite(start).all():
        raise ValueError("The baseline holds NaN or infinity; it must be finite, 0 to 255.")
    return start


def _mean_gradients(network, batch, target, asked, points, given, label):
    """Return the gradient's mean over the points `asked` for each image, (N, H, W, C).

    `points(picture, some of asked, *given for the picture)` is traced and returns (n, H, W, C).
    """
    targets = gradients.check_target(network, batch, target)
    if target is None:  # once, at the image itself: a noisy copy might be another class's
        targets = gradients.scores(network, batch).argmax(axis=1).astype(np.int32)
    tensors = targets, batch, *given
    signature = ((None,), asked.dtype.name), *((t.shape[1:], t.dtype.name) for t in tensors)
    run = compiled(network, _summed_gradient, points, signature=signature)
    means = np.zeros_like(batch)
    most = max(1, min(PICTURES, PIXELS // batch[0, ..., 0].size))
    for n, some in portions(len(batch), len(asked), most, label):
        found = run(tf.constant(asked[some]), *(tf.constant(t[n]) for t in tensors))
        means[n] += found[0].numpy() / len(asked)
    return means


def _summed_gradient(network, asked, target, picture, *given_and_points):
    *given, points = given_and_points
    x = points(picture, asked, *given)
    score = gradients.score_of(network, x, tf.fill(tf.shape(x)[:1], target))
    return [tf.reduce_sum(gradients.gradient_of(score, x, "the images"), axis=0)]
