"""Embeddings: what a layer computes for images, as points, and flat maps of these points.

To a layer, an image is a row of numbers, its *features*: a point in a space of, say, 128
dimensions. Images that look alike to the network lie close together there. Two ways to see it:

- *PCA* projects the points onto the plane that shows as much of their spread as possible. Points
  that are close stay close, but points that are far apart can end up close as well.
- *t-SNE* draws a new map that keeps each point near its neighbours. Large distances, the sizes of
  groups and the empty space between them mean little.

A map can mislead, so `neighbourhood_accuracy` measures what it seems to show. `export_projector`
writes features for TensorBoard's projector, which draws such maps in a browser.
"""

import io
import logging
import os
import uuid
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import cdist
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from helpers.core.arguments import check_count
from helpers.core.heads import read
from helpers.core.progress import progress
from helpers.core.tracing import compiled, seen, watch
from helpers.networks import check_images, find_layer
from helpers.plotting import as_rgb

_log = logging.getLogger("helpers")
SPRITE = 8192  # pixels, the widest image that the projector takes
MISSING = "?"  # for an empty label, as the projector skips empty lines
_PRODUCTS = {"MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Conv2D", "Einsum"}
_HIDING = ("PartitionedCall", "If", "While")
_ROWS = 256  # points whose distances to all others are in memory at once


def features(network, images, layer=None, pool="mean", batch_size=8):
    """Return a layer's output for images, one row each: float32 (N, D), or (D,) for one.

    Arguments:
        layer: name of the layer; None is the penultimate one, the input of the last dense layer.
        pool: "mean" averages over axes such as height and width, so that D is the number of
            channels; "flatten" keeps all values.

    Raises ValueError for an unknown layer or pool, and where there is no penultimate layer.
    """
    if layer is not None:
        find_layer(network, layer)
    if pool not in ("mean", "flatten"):
        raise ValueError(f'pool must be "mean" or "flatten", not {pool!r}.')
    check_count("batch_size", batch_size, 1)
    batch, single = check_images(network, images, bytes_too=True)
    signature = (((None, *batch.shape[1:]), "float32"),)
    run = compiled(network, _features, layer, pool, signature=signature)
    starts = progress(range(0, len(batch), batch_size), label="features")
    slices = (tf.constant(batch[start : start + batch_size], tf.float32) for start in starts)
    rows = [run(some)[0].numpy() for some in slices]
    return rows[0][0] if single else np.concatenate(rows)


def _features(network, x, layer, pool):
    if layer is None:
        scores = read(network, x, network(x, training=False)).logits
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
    """Walk back from the scores to the last product with weights; return its other factor."""
    depends, found, met = _operations_after(x), {}, set()
    waiting = [scores.op]
    while waiting:
        op = waiting.pop()
        if op in met or op not in depends or op.type == "Shape":
            continue
        met.add(op)
        factors = [tensor for tensor in op.inputs if tensor.op in depends]
        if op.type in _PRODUCTS and len(factors) == 1:
            factor = _before_rows(op, factors[0])
            found[factor.ref()] = factor
        elif op.type.endswith(_HIDING):
            raise ValueError(f"The network {network.name!r} hides its last layers: give a layer.")
        else:
            waiting.extend(tensor.op for tensor in factors)
    if len(found) != 1:
        raise ValueError(
            f"The scores of {network.name!r} come from {len(found) or 'no'} products with weights, "
            "not from one, so there is no penultimate layer: give a layer."
        )
    return found.popitem()[1]


def _before_rows(product, factor):
    """Return a factor as it was before all its cells became rows of one matrix, if they did."""
    if product.type == "MatMul" and factor.op.type == "Reshape" and factor is product.inputs[0]:
        whole = factor.op.inputs[0]
        width = product.inputs[1].shape[int(product.get_attr("transpose_b"))]
        if whole.shape.rank > 2 and whole.shape[-1] == width:
            return whole
    return factor


def _operations_after(x):
    """Return the operations of a traced graph that depend on x, including its own."""
    after, waiting = {x.op}, [x.op]
    while waiting:
        for tensor in waiting.pop().outputs:
            new = set(tensor.consumers()) - after
            after |= new
            waiting.extend(new)
    return after


def pca(features, dimensions=2):
    """Return the points projected on the directions in which they vary most: (N, dimensions).

    float32, centred, in the units of `features` (N, D), the direction of largest variance first.
    The sign of a direction is arbitrary: here its largest component is positive. Raises ValueError
    for dimensions beyond N or D, and for NaN. (Pearson 1901)
    """
    points = check_points(features)
    if not 1 <= dimensions <= min(points.shape):
        raise ValueError(
            f"dimensions must be 1 to {min(points.shape)} for features {points.shape}, "
            f"not {dimensions!r}."
        )
    centred = points - points.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:dimensions]
    largest = np.abs(directions).round(6).argmax(axis=1)  # the first of equal ones
    signs = np.sign(directions[range(dimensions), largest])
    return np.float32(centred @ directions.T * signs)


def tsne(features, perplexity=15, seed=0):
    """Return a flat map in which each point keeps its neighbours: float32 (N, 2).

    Arguments:
        features: (N, D) with N >= 3; their scale does not matter.
        perplexity: about how many neighbours each point takes into account, >= 1 and < N; usually
            5-50.
        seed: of the noise (1 %) that is added to the start, which is `pca`.

    Another seed or machine changes details of the map: trust what several maps have in common.
    Raises ValueError for arguments out of range. (van der Maaten & Hinton 2008, Barnes-Hut)
    """
    points = check_points(features, least=3)
    if not 1 <= perplexity < len(points):
        raise ValueError(
            f"perplexity must be 1 or more and below {len(points)} points, not {perplexity!r}."
        )
    if len(points) >= 1000:
        _log.info("t-SNE of %d points takes a while.", len(points))
    points = points / (np.abs(points).max() or 1)
    noise = 0.01 * np.random.default_rng(seed).standard_normal((len(points), 2), np.float32)
    with threadpool_limits(limits=1):  # more threads mostly wait for each other
        start = pca(np.pad(points, ((0, 0), (0, 1))))  # a column of zeros, in case D is 1
        start = start / (start[:, 0].std() or 1) + noise
        return TSNE(perplexity=float(perplexity), init=1e-4 * start).fit_transform(points)


def neighbourhood_accuracy(points, labels, k=5):
    """Return the share of points with the same label as most of their k nearest neighbours: 0-1.

    `points` is (N, D), features or a map; `labels` is (N,), of any kind. A point is not its own
    neighbour. The nearest neighbour breaks ties between labels; of equally near points the earlier
    counts as nearer. Guessing gives the share of the largest class. Raises ValueError for labels
    that do not match, a k that is not 1 to N - 1, and NaN. (Cover & Hart 1967)
    """
    points, labels = check_points(points), np.asarray(labels)
    if labels.shape != (len(points),):
        raise ValueError(f"labels must be ({len(points)},), one per point, not {labels.shape}.")
    near = labels[neighbours(points, k)]
    votes = (near[:, :, None] == near[:, None, :]).sum(axis=2)
    said = near[range(len(near)), votes.argmax(axis=1)]
    return float((said == labels).mean())


def neighbours(points, k=5):
    """Return the indices of each point's k nearest neighbours, nearest first: int (N, k).

    Of equally near points (N, D) the earlier comes first. Raises ValueError unless 1 <= k < N.
    """
    points = check_points(points)
    if not 1 <= k < len(points):
        raise ValueError(f"k must be 1 to {len(points) - 1} for {len(points)} points, not {k!r}.")
    near = np.empty((len(points), k), np.int64)
    for start in progress(range(0, len(points), _ROWS), label="neighbours"):
        own = np.arange(start, min(start + _ROWS, len(points)))
        distances = cdist(points[own], points)
        distances[range(len(own)), own] = np.inf
        near[own] = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return near


def turned(points, reference):
    """Return a map rotated, and mirrored if needed, to match another as closely as possible.

    Both are (N, 2), of the same N points. Distances stay the same; the result is centred at zero,
    float32. Raises ValueError for maps of different length. (Procrustes, Schönemann 1966)
    """
    points, reference = check_points(points), check_points(reference)
    if len(points) != len(reference):
        raise ValueError(f"maps of {len(points)} and {len(reference)} points cannot be matched")
    points, reference = points - points.mean(axis=0), reference - reference.mean(axis=0)
    return np.float32(points @ orthogonal_procrustes(points, reference)[0])


def export_projector(
    folder, features, labels, images=None, class_names=None, columns=None, side=48
):
    """Write features for TensorBoard's projector into a folder, and return the folder's path.

    Arguments:
        features: (N, D) with D >= 2.
        labels: (N,), of any kind, or indices of `class_names`; `columns` has more, {name: (N,)}.
        images: (N, H, W, 3), shown as thumbnails of `side` pixels, smaller if there are thousands.

    Open it with `tensorboard --logdir FOLDER`, or load vectors.tsv and metadata.tsv at
    embedding.tensorflow.org (without thumbnails). Replaces files of these names. Raises ValueError
    where lengths do not match, for NaN, and for labels without a class name.
    """
    points, columns = check_points(features), dict(columns or {})
    if points.shape[1] < 2:
        raise ValueError("The projector needs features (N, D) with D >= 2.")
    if "label" in columns:
        raise ValueError('The column "label" is taken by the labels: use another name.')
    table = {"label": _named(labels, class_names), **columns}
    for name, column in table.items():
        if np.shape(column) != (len(points),):
            raise ValueError(f"{name!r} must have {len(points)} values, not {np.shape(column)}.")
    files = {"vectors.tsv": _vectors(points), "metadata.tsv": _metadata(table)}
    sprite = ""
    if images is not None:
        if len(images) != len(points):
            raise ValueError(f"There are {len(images)} images for {len(points)} points.")
        files["sprite.png"], side = _sprite(images, side)
        dimensions = f"single_image_dim: {side} single_image_dim: {side}"
        sprite = f'  sprite {{ image_path: "sprite.png" {dimensions} }}\n'
    files["projector_config.pbtxt"] = (
        'embeddings {\n  tensor_name: "features"\n'
        f"  tensor_shape: {points.shape[0]} tensor_shape: {points.shape[1]}\n"
        f'  tensor_path: "vectors.tsv"\n  metadata_path: "metadata.tsv"\n{sprite}}}\n'
    ).encode()
    return _write(Path(folder), files)


def check_points(features, least=1):
    """Return features as float64 (N, D); ValueError for other shapes, NaN and too few points."""
    points = np.asarray(features)
    if points.ndim != 2 or points.size == 0 or points.dtype.kind not in "uif":
        raise ValueError(f"features must be numbers (N, D), not {points.dtype} {points.shape}.")
    if len(points) < least:
        raise ValueError(f"There must be at least {least} points, not {len(points)}.")
    points = points.astype(np.float64)
    if not np.abs(points).max() <= np.finfo(np.float32).max:
        raise ValueError("features must be finite float32, with no NaN or infinity.")
    return points


def _named(labels, class_names):
    if class_names is None:
        return labels
    ids, most = np.asarray(labels), len(class_names) - 1
    if ids.dtype.kind not in "ui" or ids.size and not 0 <= ids.min() <= ids.max() <= most:
        raise ValueError(f"labels must index class_names: ints 0 to {most}.")
    return [class_names[i] for i in ids]


def _vectors(points):
    """Nine digits distinguish any two float32 values."""
    text = io.StringIO(newline="\n")
    np.savetxt(text, points.astype(np.float32), fmt="%.9g", delimiter="\t")
    return text.getvalue().encode()


def _metadata(table):
    lines = list(zip(*table.values(), strict=True))
    if len(table) > 1:
        lines.insert(0, tuple(table))
    cells = ([" ".join(str(cell).split()) or MISSING for cell in line] for line in lines)
    return "".join("\t".join(line) + "\n" for line in cells).encode(errors="replace")


def _sprite(images, side):
    """Return a square grid of square thumbnails as the bytes of a PNG, and a thumbnail's side."""
    grid = int(np.ceil(np.sqrt(len(images))))
    side = min(side, SPRITE // grid)
    if side < 1:
        raise ValueError(f"side must be 1 or more for {len(images)} thumbnails in {SPRITE} pixels.")
    sprite = Image.new("RGBA", (grid * side, grid * side))
    for number, image in enumerate(images):
        picture = Image.fromarray(as_rgb(image)).convert("RGBA")
        row, column = divmod(number, grid)
        thumbnail = ImageOps.pad(picture, (side, side), color=(0, 0, 0, 0))
        sprite.paste(thumbnail, (column * side, row * side))
    png = io.BytesIO()
    sprite.save(png, "png")
    return png.getvalue(), side


def _write(folder, files):
    """Write all files {name: bytes} under temporary names, then rename them, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = {name: folder / f".{name}.{uuid.uuid4().hex}" for name in files}
    try:
        for name, content in files.items():
            unfinished[name].write_bytes(content)
        for name, path in unfinished.items():
            os.replace(path, folder / name)
    finally:
        for path in unfinished.values():
            path.unlink(missing_ok=True)
    return folder
