"""Saliency maps: which pixels does the score of a class depend on?

The gradient says what a small change of each pixel would do to the score, at one point. Two methods
average it over many points. *SmoothGrad* uses copies of the image with added noise, because the
gradient at a single point is noisy. *Integrated gradients* uses points on the straight line from a
baseline b to the image x. With steps t = 1/2n, 3/2n, ... its values

    (x - b) * mean over t of  d s / d x  at  b + t (x - b)

add up, over all pixels, to s(x) - s(b): the whole difference in score is explained.
"""

import warnings

import numpy as np
import tensorflow as tf

from helpers import gradients
from helpers.core.arguments import baseline_like, check_count
from helpers.core.progress import portions, progress
from helpers.core.tracing import compiled
from helpers.networks import check_images

PICTURES, PIXELS = 17, 5 * 2**17  # at once: 50 of 128 px in three passes, of 224 px in four
AT_ONCE = 5  # pieces of the way that are cut before looking again
MORE = 10  # times as many gradients as asked for, at most, until integrated gradients add up


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


def smooth_gradient(
    network, images, target=None, samples=50, noise=0.15, seed=0, *, against=None, batch_size=None
):
    """Return the mean gradient over noisy copies of each image: signed float32 in their shape.

    Arguments:
        target, against: as in `gradient`; None is the class predicted without noise.
        samples: how many copies, 1 or more.
        noise: standard deviation of the noise, as a share of the image's range (max - min).
        seed: 0 or more. All images get the same noise, so a batch of one equals a row of a batch.
        batch_size: how many copies are in memory at a time; None is 17, or fewer of large images.

    Raises ValueError as `gradient` does. (Smilkov 2017)
    """
    check_count("samples", samples, 1)
    check_count("seed", seed, 0)
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise must be a share of the image's range, 0 or more, not {noise!r}.")
    batch, single = check_images(network, images)
    most = _at_once(batch[0], batch_size)
    spreads = np.float32(noise * np.ptp(batch.reshape(len(batch), -1), axis=1))
    seeds = np.full(len(batch), seed, np.int64)
    numbers, given = np.arange(samples, dtype=np.int64), (spreads, seeds)
    # Chosen once, for the image itself: a noisy copy might be classified differently.
    pairs = gradients.chosen_targets(network, batch, target, against)
    means = _mean_gradients(network, batch, pairs, numbers, _with_noise, given, most, "SmoothGrad")
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


def integrated_gradients(
    network,
    images,
    target=None,
    baseline=0.0,
    steps=50,
    *,
    against=None,
    tolerance=0.01,
    batch_size=None,
):
    """Return how much each pixel contributes to the score, from a baseline to the image.

    float32 in the images' shape, signed, in units of score: an image's values add up to its score
    minus the baseline's (`metrics.completeness_gap` measures how closely).

    Arguments:
        target, against: as in `gradient`.
        baseline: a number (0 is black) or an array that broadcasts to the images.
        steps: the number of gradients, at points equally far apart on the way; 1 or more.
        tolerance: the largest gap, as a share of the difference between the two scores. Where equal
            steps miss it, as on real networks whose score jumps somewhere on the way, more points
            are put where it jumps, up to ten times `steps`. None leaves the equal steps alone.
        batch_size: how many points are in memory at a time; None is 17, or fewer of large images.

    Warns where the gap remains larger. Raises ValueError as `gradient` does. (Sundararajan 2017,
    with the midpoint rule)
    """
    check_count("steps", steps, 1)
    if not (tolerance is None or 0 < tolerance < np.inf):
        raise ValueError(f"tolerance must be a share above 0, or None, not {tolerance!r}.")
    batch, single = check_images(network, images)
    most = _at_once(batch[0], batch_size)
    start = baseline_like(batch, baseline)
    shares = (np.arange(steps, dtype=np.float32) + 0.5) / steps
    pairs = gradients.chosen_targets(network, batch, target, against)
    label = "Integrated gradients"
    slopes = _mean_gradients(network, batch, pairs, shares, _on_the_way, (start,), most, label)
    attributions = (batch - start) * slopes
    if tolerance is not None:
        _complete(network, batch, start, pairs, attributions, steps, tolerance, most)
    return attributions[0] if single else attributions


def _complete(network, batch, start, pairs, attributions, steps, tolerance, most):
    """Replace the attributions of images whose equal steps miss the tolerance; warn if all do."""
    both = gradients.scores(network, np.concatenate([batch, start]))
    whole, empty = gradients.difference(both, np.tile(pairs, (2, 1))).reshape(2, -1)
    sums = attributions.reshape(len(batch), -1).sum(axis=1, dtype=np.float64)
    missed = np.flatnonzero(np.abs(sums - (whole - empty)) > tolerance * _extent(empty, whole))
    left = []
    for n in progress(missed, label="Integrated gradients, more points") if len(missed) else ():
        way = _Way(network, batch[n], start[n], pairs[n], most)
        attributions[n], gap = _adaptive(way, max(1, steps // 3), MORE * steps, tolerance)
        left += [gap] if gap > tolerance else []
    if left:
        warnings.warn(
            f"Integrated gradients of {len(left)} of {len(batch)} images add up to the difference "
            f"of scores only within {max(left):.1%}, after {MORE * steps} gradients each. Ask for "
            f"more, such as steps={4 * steps}.",
            stacklevel=3,
        )


def _adaptive(way, pieces, most, tolerance):
    """Return attributions with points where the score jumps, and the gap that is left.

    On each piece of the way, the slope in its middle predicts how the score changes, and the scores
    at its ends tell how it does. The pieces where the two differ most are cut in three, so that
    their middles remain, until the whole way adds up.
    """
    ends = np.linspace(0, 1, pieces + 1)
    lengths, scores = np.diff(ends), way.scores(ends)
    total, slopes = way.gradients(ends[:-1] + lengths / 2, lengths)
    taken = pieces
    while True:
        missed = lengths * slopes - np.diff(scores)
        gap = abs(missed.sum()) / _extent(scores[0], scores[-1])
        if gap <= tolerance or taken >= most:
            return way.length * total, gap
        worst = np.sort(np.argsort(-np.abs(missed), kind="stable")[:AT_ONCE])
        first, third = ends[worst, None], lengths[worst, None] / 3
        weights = third * [1, -2, 1]  # a middle counts for a third now, and no longer for three
        change, found = way.gradients(first + third * [0.5, 1.5, 2.5], weights)
        total, taken = total + change, taken + found.size
        places, cuts = np.repeat(worst + 1, 2), first + third * [1, 2]
        scores = np.insert(scores, places, way.scores(cuts).ravel())
        ends = np.insert(ends, places, cuts.ravel())
        around = np.stack([worst, worst + 1], axis=1).ravel()
        slopes = np.insert(slopes, around, found[:, [0, 2]].ravel())
        lengths = np.diff(ends)


def _extent(first, last):
    """Return what a gap is a share of: the difference of two scores, unless that is nearly 0."""
    return np.maximum(np.abs(last - first), 1e-3 * np.maximum(np.abs(first), np.abs(last)) + 1e-9)


class _Way:
    """The straight way from a baseline to a picture: scores and gradients at shares of it."""

    def __init__(self, network, picture, start, pair, most):
        self.network, self.length, self.most = network, picture - start, most
        self.given = tuple(map(tf.constant, (pair, picture, start)))

    def scores(self, shares):
        """Return the score at shares (in any shape) of the way, float64 in their shape."""
        return np.concatenate([found for (found,) in self._run(_scores_there, shares)]).reshape(
            np.shape(shares)
        )

    def gradients(self, shares, weights):
        """Return the weighted sum of gradients (H, W, C), and the slopes in the shares' shape."""
        found = list(self._run(_gradients_there, shares, weights))
        slopes = np.concatenate([slopes for _, slopes in found]).reshape(np.shape(shares))
        return sum(gradient for gradient, _ in found), slopes

    def _run(self, function, *numbers):
        flat = [np.ravel(one).astype(np.float32) for one in numbers]
        lists = (((None,), "float32"),) * len(flat)
        signature = *lists, *((tuple(t.shape), t.dtype.name) for t in self.given)
        run = compiled(self.network, function, signature=signature)
        for first in range(0, len(flat[0]), self.most):
            some = (tf.constant(one[first : first + self.most]) for one in flat)
            yield [found.numpy().astype(np.float64) for found in run(*some, *self.given)]


def _scores_there(network, shares, pair, picture, start):
    x = _on_the_way(picture, shares, start)
    return [gradients.score_of(network, x, tf.tile(pair[None], (tf.shape(x)[0], 1)))]


def _gradients_there(network, shares, weights, pair, picture, start):
    x = _on_the_way(picture, shares, start)
    score = gradients.score_of(network, x, tf.tile(pair[None], (tf.shape(x)[0], 1)))
    slopes = gradients.gradient_of(score, x, "the images")
    axes = list(range(1, slopes.shape.rank))
    along = tf.reduce_sum(slopes * (picture - start), axes)
    return [tf.tensordot(weights, slopes, 1), along]


def _on_the_way(picture, shares, start):
    """Return the points (n, H, W, C) at these shares of the way from start to picture."""
    shares = tf.reshape(shares, (-1, *[1] * picture.shape.rank))
    return start + shares * (picture - start)


def _at_once(picture, batch_size):
    if batch_size is None:
        return max(1, min(PICTURES, PIXELS // picture[..., 0].size))
    check_count("batch_size", batch_size, 1)
    return batch_size


def _mean_gradients(network, batch, pairs, asked, points, given, most, label):
    """Return the gradient's mean over all points computed for each image: (N, H, W, C).

    `points(picture, some of asked, *given for the picture)` is traced and returns (n, H, W, C).
    """
    tensors = pairs, batch, *given
    signature = ((None,), asked.dtype.name), *((t.shape[1:], t.dtype.name) for t in tensors)
    run = compiled(network, _summed_gradient, points, signature=signature)
    means = np.zeros_like(batch)
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
