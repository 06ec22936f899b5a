"""Pictures as points: what a layer says of each, and flat maps of which pictures lie together.

To a layer, a picture is a row of numbers, its *features*: a point in a space of, say, 128
dimensions. Pictures that the network finds alike lie close together there. Two ways to see it:

- *PCA* turns the cloud of points until two directions show as much of its spread as a plane can.
  Distances shrink, but what lies together stays together, and so do some that lie far apart.
- *t-SNE* draws a new map in which each point keeps its neighbours. Far distances, the sizes of
  groups and the empty space between them mean little.

A map persuades easily, so `neighbourhood_accuracy` counts what it shows.
"""

import logging

import numpy as np
import tensorflow as tf
from scipy.spatial.distance import cdist
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from helpers.networks import check_images, find_layer
from helpers.projector import check_points, export_projector  # noqa: F401 - embedding.export_...
from helpers.runtime import progress
from helpers.tracing import compiled, head, seen, watch

_log = logging.getLogger("helpers")
_PRODUCTS = {"MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Conv2D", "Einsum"}
_HIDING = ("PartitionedCall", "If", "While")
_ROWS = 256  # of how many points the distances to all others are in memory at once


def features(network, images, layer=None, pool="mean", batch_size=8):
    """Return what a layer says of each image, one row of numbers for each: float32 (N, D).

    `layer` is a layer's name and stands for its output; None is the penultimate layer: what the
    scores are computed from by one product with weights, as a dense layer does it. Where there are
    axes between the images and the channels, such as height and width, `pool` says what becomes of
    them: "mean" averages over them, so that D is the number of channels, "flatten" puts all their
    values in one row. A single image gives (D,). Raises ValueError for an unknown layer or pool,
    and where None does not lead to one product with weights.
    """
    if layer is not None:
        find_layer(network, layer)
    if pool not in ("mean", "flatten"):
        raise ValueError(f'pool must be "mean" or "flatten", not {pool!r}.')
    if batch_size < 1:
        raise ValueError(f"batch_size must be 1 or more, not {batch_size!r}.")
    batch, single = check_images(network, images, bytes_too=True)
    signature = (((None, *batch.shape[1:]), "float32"),)
    run = compiled(network, _features, layer, pool, signature=signature)
    starts = progress(range(0, len(batch), batch_size), label="features")
    slices = (tf.constant(batch[start : start + batch_size], tf.float32) for start in starts)
    rows = [run(some)[0].numpy() for some in slices]
    return rows[0][0] if single else np.concatenate(rows)


def _features(network, x, layer, pool):
    if layer is None:
        scores, _ = head(network(x, training=False))
        values = _before_the_last_product(network, scores, x)
    else:
        watched = find_layer(network, layer)
        with watch([watched]) as outputs:
            network(x, training=False)
        values = seen(outputs, watched, x)
    values = tf.cast(values, tf.float32)
    if pool == "mean" and values.shape.rank > 2:
        values = tf.reduce_mean(values, axis=list(range(1, values.shape.rank - 1)))
    return [tf.reshape(values, (tf.shape(x)[0], -1))]


def _before_the_last_product(network, scores, x):
    """Walk back from the scores to the last product with weights; return what is multiplied."""
    depends, found, met = _operations_after(x), {}, set()
    waiting = [scores.op]
    while waiting:
        op = waiting.pop()
        if op in met or op not in depends or op.type == "Shape":
            continue
        met.add(op)
        factors = [tensor for tensor in op.inputs if tensor.op in depends]
        if op.type in _PRODUCTS and len(factors) == 1:
            found[factors[0].ref()] = factors[0]
        elif op.type.endswith(_HIDING):
            raise ValueError(f"The network {network.name!r} hides its last layers: name a layer.")
        else:
            waiting.extend(tensor.op for tensor in factors)
    if len(found) != 1:
        raise ValueError(
            f"The scores of {network.name!r} come from {len(found) or 'no'} products with weights, "
            "not from one, so it has no penultimate layer: name a layer."
        )
    return found.popitem()[1]


def _operations_after(x):
    """Return the operations of a traced graph that depend on x, its own among them."""
    after, waiting = {x.op}, [x.op]
    while waiting:
        for tensor in waiting.pop().outputs:
            new = set(tensor.consumers()) - after
            after |= new
            waiting.extend(new)
    return after


def pca(features, dimensions=2):
    """Return the points seen along the directions in which they vary most: (N, dimensions).

    float32, centred, in the units of `features` (N, D), the widest direction first. A direction may
    as well be turned round: here its largest component is positive. Raises ValueError for
    dimensions beyond N or D, and features with NaN. (Pearson 1901)
    """
    points = check_points(features)
    if not 1 <= dimensions <= min(points.shape):
        raise ValueError(
            f"dimensions must be 1 to {min(points.shape)} for features {points.shape}, "
            f"not {dimensions!r}."
        )
    centred = points - points.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:dimensions]
    largest = np.abs(directions).round(6).argmax(axis=1)  # of equal ones, the first
    signs = np.sign(directions[range(dimensions), largest])
    return np.float32(centred @ directions.T * signs)


def tsne(features, perplexity=15, seed=0):
    """Return a flat map of the points in which each keeps its neighbours: float32 (N, 2).

    `perplexity` is how many neighbours a point minds, about: 5 to 50 is usual, less than N it must
    be. The map sets out from `pca`, moved by a hundredth at random; another `seed`, or features
    whose last digits differ, as another machine's do, give a map that differs in detail: believe
    what several have in common. It depends neither on the features' scale nor on the number of
    cores (one draws it). Raises ValueError for fewer than 3 points, NaN, and a perplexity that is
    not 1 or more and below N. (van der Maaten & Hinton 2008; scikit-learn's, Barnes-Hut)
    """
    points = check_points(features, least=3)
    if not 1 <= perplexity < len(points):
        raise ValueError(
            f"perplexity must be 1 or more and less than the number of points, {len(points)}, "
            f"not {perplexity!r}."
        )
    if len(points) >= 1000:
        _log.info("t-SNE of %d points takes a while.", len(points))
    points = points / (np.abs(points).max() or 1)
    noise = 0.01 * np.random.default_rng(seed).standard_normal((len(points), 2), np.float32)
    with threadpool_limits(limits=1):  # several threads mostly wait for each other
        start = pca(np.pad(points, ((0, 0), (0, 1))))  # one column more, so that one will do
        start = start / (start[:, 0].std() or 1) + noise
        return TSNE(perplexity=float(perplexity), init=1e-4 * start).fit_transform(points)


def neighbourhood_accuracy(points, labels, k=5):
    """Return the share of points whose k nearest neighbours, by majority, have its own label.

    `points` is (N, D), features or a map of them; `labels` has one label for each, of any kind. A
    point is not its own neighbour. Where labels get equally many votes, the one with the nearest
    neighbour wins; of neighbours equally far away the earlier in the list counts as nearer. Returns
    a float in 0-1: guessing gives the share of the largest class. Raises ValueError for labels that
    do not match, a k that is not 1 to N - 1, and NaN. (Cover & Hart 1967)
    """
    points, labels = check_points(points), np.asarray(labels)
    if labels.shape != (len(points),):
        raise ValueError(
            f"labels must be one for each of {len(points)} points, not {labels.shape}."
        )
    if not 1 <= k < len(points):
        raise ValueError(f"k must be 1 to {len(points) - 1} for {len(points)} points, not {k!r}.")
    right = 0
    for start in progress(range(0, len(points), _ROWS), label="neighbours"):
        own = np.arange(start, min(start + _ROWS, len(points)))
        distances = cdist(points[own], points)
        distances[range(len(own)), own] = np.inf
        near = labels[np.argsort(distances, axis=1, kind="stable")[:, :k]]
        votes = (near[:, :, None] == near[:, None, :]).sum(axis=2)
        right += np.sum(near[range(len(own)), votes.argmax(axis=1)] == labels[own])
    return float(right / len(points))
