"""Saliency maps: which pixels does the score of a class depend on?

The gradient says what a small change of each pixel would do to the score, at one point. Two methods
average it over many points. *SmoothGrad* uses copies of the image with added noise, because the
gradient at a single point is noisy. *Integrated gradients* uses points on the straight line from a
baseline b to the image x. With steps t = 1/2n, 3/2n, ... its values

    (x - b) * mean over t of  d s / d x  at  b + t (x - b)

add up, over all pixels, to s(x) - s(b): the whole difference in score is explained.
"""

import numpy as np
import tensorflow as tf

from helpers import gradients
from helpers.core.arguments import baseline_like, check_count
from helpers.core.progress import portions
from helpers.core.tracing import compiled
from helpers.networks import check_images

PICTURES, PIXELS = 16, 2**20  # at most, in memory at once; more would be no faster


def gradient(network, images, target=None, batch_size=16, *, against=None):
    """Return the gradient of the target's score with respect to the images.

    float32 in the images' shape, signed, in units of score per grey level (0-255).

    Arguments:
        target: None (the predicted class), an int, or one int per image.
        against: None for the score; "rest" for its log-odds, with two classes the margin; an int
            for the margin over that class (see `gradients.quantity`).

    Raises ValueError for images that do not fit the network and for a class out of range.
    (Simonyan 2013)
    """
    return gradients.gradient(network, images, target, batch_size=batch_size, against=against)


def guided_gradient(network, images, target=None, batch_size=16, *, against=None):
    """Return the gradient with every ReLU passing back only positive values.

    Otherwise like `gradient`. Raises ValueError where the network has no ReLU. (Springenberg 2014)
    """
    return gradients.gradient(network, images, target, True, batch_size, against=against)


def smooth_gradient(network, images, target=None, samples=50, noise=0.15, seed=0, *, against=None):
    """Return the mean gradient over noisy copies of each image: signed float32 in their shape.

    Arguments:
        target, against: as in `gradient`; None is the class predicted without noise.
        samples: how many copies, 1 or more.
        noise: standard deviation of the noise, as a share of the image's range (max - min).
        seed: 0 or more. All images get the same noise, so a batch of one equals a row of a batch.

    Raises ValueError as `gradient` does. (Smilkov 2017)
    """
    check_count("samples", samples, 1)
    check_count("seed", seed, 0)
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise must be a share of the image's range, 0 or more, not {noise!r}.")
    batch, single = check_images(network, images)
    spreads = np.float32(noise * np.ptp(batch.reshape(len(batch), -1), axis=1))
    seeds = np.full(len(batch), seed, np.int64)
    numbers, given = np.arange(samples, dtype=np.int64), (spreads, seeds)
    # Chosen once, for the image itself: a noisy copy might be classified differently.
    pairs = gradients.chosen_targets(network, batch, target, against)
    means = _mean_gradients(network, batch, pairs, numbers, _with_noise, given, "SmoothGrad")
    return means[0] if single else means


def _with_noise(picture, numbers, spread, seed):
    """Return a noisy copy for each of these consecutive numbers: (n, H, W, C).

    The generator (Philox) is counter-based and makes four values per count. So a copy's noise
    depends neither on the copies before it nor on how many are computed at once.
    """
    counts = -(-picture.shape.num_elements() // 4)
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=(seed, 0))
    counter += tf.cast((numbers[0] * counts, 0), tf.uint64)
    shape = tf.shape(numbers)[0], 4 * counts
    noise = tf.raw_ops.StatelessRandomNormalV2(shape=shape, key=key, counter=counter, alg=1)
    noise = tf.reshape(noise[:, : picture.shape.num_elements()], (-1, *picture.shape))
    return picture + spread * noise


def integrated_gradients(network, images, target=None, baseline=0.0, steps=50, *, against=None):
    """Return how much each pixel contributes to the score, from a baseline to the image.

    float32 in the images' shape, signed, in units of score: an image's values add up to its score
    minus the baseline's (`metrics.completeness_gap` measures how closely). `baseline` is a number
    (0 is black) or an array that broadcasts to the images; `steps` is 1 or more. `target`,
    `against` and errors are as in `gradient`. (Sundararajan 2017, with the midpoint rule)
    """
    check_count("steps", steps, 1)
    batch, single = check_images(network, images)
    start = baseline_like(batch, baseline)
    shares = (np.arange(steps, dtype=np.float32) + 0.5) / steps
    label, pairs = "Integrated gradients", gradients.chosen_targets(network, batch, target, against)
    slopes = _mean_gradients(network, batch, pairs, shares, _on_the_way, (start,), label)
    attributions = (batch - start) * slopes
    return attributions[0] if single else attributions


def _on_the_way(picture, shares, start):
    """Return the points (n, H, W, C) at these shares of the way from start to picture."""
    shares = tf.reshape(shares, (-1, *[1] * picture.shape.rank))
    return start + shares * (picture - start)


def _mean_gradients(network, batch, pairs, asked, points, given, label):
    """Return the gradient's mean over all points computed for each image: (N, H, W, C).

    `points(picture, some of asked, *given for the picture)` is traced and returns (n, H, W, C).
    """
    tensors = pairs, batch, *given
    signature = ((None,), asked.dtype.name), *((t.shape[1:], t.dtype.name) for t in tensors)
    run = compiled(network, _summed_gradient, points, signature=signature)
    means = np.zeros_like(batch)
    most = max(1, min(PICTURES, PIXELS // batch[0, ..., 0].size))
    for n, some in portions(len(batch), len(asked), most, label):
        found = run(tf.constant(asked[some]), *(tf.constant(t[n]) for t in tensors))
        means[n] += found[0].numpy() / len(asked)
    gradients.check_finite(network, batch, means)
    gradients.check_telling(network, batch, means, pairs)
    return means


def _summed_gradient(network, asked, pair, picture, *given_and_points):
    *given, points = given_and_points
    x = points(picture, asked, *given)
    score = gradients.score_of(network, x, tf.tile(pair[None], (tf.shape(x)[0], 1)))
    return [tf.reduce_sum(gradients.gradient_of(score, x, "the images"), axis=0)]
