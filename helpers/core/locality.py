"""The scores of a picture with one square covered, for many squares, without redundant work.

Convolutions are local: covering a small square changes only a small part of each early layer. So
the picture itself is computed once, and for each square only the *patch* of each layer that
changes. A convolution widens a patch by a cell on each side, pooling halves it. Once a patch covers
nearly its whole layer, or an operation is not local, whole layers are computed from there on.

Which operations are local is read from the graph of a traced network. The operations are run again
one by one. The numbers equal those of a full pass, up to rounding. (Nakandala 2019)
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from helpers.core.graphs import again, leading_to
from helpers.core.heads import logits

MOST = 0.9  # of a layer: for a larger patch, the whole layer is computed
_POINTWISE = {
    "AddV2", "BiasAdd", "Cast", "Elu", "Erf", "Erfc", "Identity", "LeakyRelu", "Maximum", "Minimum",
    "Mul", "Neg", "RealDiv", "Relu", "Relu6", "Selu", "Sigmoid", "Softplus", "Sub", "Tanh",
}  # fmt: skip
_CONVOLUTIONS, _POOLINGS = {"Conv2D", "DepthwiseConv2dNative"}, {"MaxPool", "AvgPool"}


class Area(NamedTuple):
    """A rectangle of a layer's cells that begins at `corner // scale + start`: (rows, columns).

    `corner` is the first pixel of the square in the picture, `scale` the pixels per cell.
    """

    scale: np.ndarray
    start: np.ndarray
    size: np.ndarray


class Patch(NamedTuple):
    """A layer's output for B squares: `values` (B, h, w, C) in their areas, `whole` elsewhere.

    Values beyond the edge of the layer are undefined.
    """

    whole: tf.Tensor  # (1, H, W, C), the layer's output for the uncovered picture
    values: tf.Tensor
    corners: tf.Tensor  # (B, 2)
    area: Area


def covered_scores(network, x, cover, corners, side, stride):
    """Return the logits of one picture, with squares covered (B, classes) and without (1, classes).

    For use while tracing. Squares that extend beyond the edge are cropped.

    Arguments:
        x, cover: the picture, and the pixels to show in the squares: (None, H, W, C), N = 1.
        corners: int32 (B, 2), first row and column of each square, multiples of `stride`.
        side, stride: int, in pixels.
    """
    score = logits(network, x)
    (height, width, channels), reach = x.shape[1:], tf.range(side)
    rows = tf.minimum(corners[:, :1] + reach, height - 1)
    columns = tf.minimum(corners[:, 1:] + reach, width - 1)
    cells = rows[:, :, None] * width + columns[:, None, :]
    square = tf.gather(tf.reshape(cover, (-1, channels)), cells)
    area = Area(np.array([1, 1]), np.array([0, 0]), np.array([side, side]))
    found = {x.ref(): Patch(x, square, corners, area)}
    for op in leading_to(score):
        changed = [found.get(tensor.ref()) for tensor in op.inputs]  # None: not changed
        if all(value is None for value in changed):
            continue
        patch = _on_patches(op, changed, stride)
        if patch is not None:
            found[op.outputs[0].ref()] = patch
            continue
        inputs = [
            tensor if value is None else _set_in(value)
            for tensor, value in zip(op.inputs, changed, strict=True)
        ]
        for tensor, value in zip(op.outputs, again(op, inputs), strict=True):
            found[tensor.ref()] = value
    return [_set_in(found.get(score.ref(), score)), score]


def _on_patches(op, changed, stride):
    """Return the Patch that a local operation makes of patches; None if it is not local."""
    shape, patches = op.outputs[0].shape, [value for value in changed if value is not None]
    whole = not all(isinstance(value, Patch) for value in patches)  # some input is a whole layer
    if whole or shape.rank != 4 or not shape[1:].is_fully_defined():
        return None
    if changed[0] is not None and len(patches) == 1:
        if op.type in _CONVOLUTIONS | _POOLINGS:
            return _windowed(op, patches[0], stride)
        if op.type == "Pad":
            return _padded(op, patches[0])
    same = [tensor for tensor, value in zip(op.inputs, changed, strict=True) if value is None]
    if not _stays_in_its_cell(op) or not all(map(_is_uniform, same)):
        return None
    if any(patch.whole.shape[1:3] != shape[1:3] for patch in patches):
        return None
    start = np.min([patch.area.start for patch in patches], axis=0)
    end = np.max([patch.area.start + patch.area.size for patch in patches], axis=0)
    area = Area(patches[0].area.scale, start, end - start)
    inputs = [
        tensor if value is None
        else value.values if np.array_equal(value.area, area)
        else _cut(value, _first(area, value.corners), area.size)
        for tensor, value in zip(op.inputs, changed, strict=True)
    ]  # fmt: skip
    return Patch(op.outputs[0], again(op, inputs)[0], patches[0].corners, area)


def _stays_in_its_cell(op):
    """Return whether each cell of an operation's output depends on that cell alone."""
    if op.type == "ConcatV2":
        return tf.get_static_value(op.inputs[-1]) in (-1, 3)
    if op.type == "StridedSlice":  # as in x[..., ::-1], which turns RGB into BGR
        masks = ("ellipsis_mask", 1), ("new_axis_mask", 0), ("shrink_axis_mask", 0)
        return op.inputs[1].shape == [2] and all(op.get_attr(name) == n for name, n in masks)
    return op.type in _POINTWISE


def _is_uniform(tensor):
    """Return whether a tensor has the same values for all rows and columns of a layer."""
    return tensor.shape.rank is not None and all(n == 1 for n in tensor.shape[:-1])


def _padded(op, patch):
    """Return the Patch that zero padding makes of a patch; None if it pads more than the edges."""
    paddings = tf.get_static_value(op.inputs[1])
    if paddings is None or paddings[[0, 3]].any():
        return None
    values = _cut(patch, _first(patch.area, patch.corners), patch.area.size)
    area = patch.area._replace(start=patch.area.start + paddings[1:3, 0])
    return Patch(op.outputs[0], values, patch.corners, area)


def _windowed(op, patch, stride):
    """Return the Patch that a convolution or pooling makes of a patch; None if it is too large.

    The windows' whole input is cut out, padding included, so the operation itself pads nothing.
    """
    if op.get_attr("data_format") != b"NHWC" or op.get_attr("padding") == b"EXPLICIT":
        return None
    inner, outer = (np.array(layer.shape[1:3]) for layer in (patch.whole, op.outputs[0]))
    size, step = _window(op), np.array(op.get_attr("strides")[1:3])
    padded = np.maximum((outer - 1) * step + size - inner, 0)
    if op.type == "AvgPool" and padded.any():
        return None  # it averages over fewer cells at the edge
    scale, start, _ = patch.area
    slack = np.where(stride % (scale * step) == 0, 0, step - 1)  # corners between two windows
    first = (start + padded // 2 - size + step) // step  # of the windows that see a changed cell
    last = (start + patch.area.size - 1 + padded // 2 + slack) // step
    area = Area(scale * step, first, last - first + 1)
    if area.size.prod() > MOST * outer.prod():
        return None
    edge = patch.values.dtype.min if op.type == "MaxPool" else 0
    seen = _first(area, patch.corners) * step - padded // 2
    inputs = [_cut(patch, seen, (area.size - 1) * step + size, edge), *op.inputs[1:]]
    valid = tf.compat.v1.AttrValue(s=b"VALID")
    return Patch(op.outputs[0], again(op, inputs, padding=valid)[0], patch.corners, area)


def _window(op):
    """Return the height and width of an operation's window."""
    if op.type in _POOLINGS:
        return np.array(op.get_attr("ksize")[1:3])
    return (np.array(op.inputs[1].shape[:2]) - 1) * op.get_attr("dilations")[1:3] + 1


def _first(area, corners):
    """Return the first row and column of an area for each corner: (B, 2)."""
    return corners // area.scale + area.start


def _set_in(value):
    """Return whole layers (B, H, W, C) with the patches pasted in."""
    if not isinstance(value, Patch):
        return value
    return _cut(value, tf.zeros_like(value.corners), value.whole.shape[1:3])


def _cut(patch, first, size, edge=0):
    """Return part of a layer for each of B squares, (B, *size, C), with `edge` beyond the layer.

    A single lookup in one table of the layer's cells, the patches' cells, and `edge`.
    """
    height, width, channels = patch.whole.shape[1:]
    (h, w), many = patch.area.size, tf.shape(patch.corners)[0]
    y, x = (first[:, axis, None] + tf.range(int(size[axis])) for axis in (0, 1))
    own = _first(patch.area, patch.corners)
    r, c = y - own[:, :1], x - own[:, 1:]  # relative to the patch's first cell
    square = tf.range(many)[:, None, None]
    in_layer = y[:, :, None] * width + x[:, None, :]
    in_patch = height * width + (square * h + r[:, :, None]) * w + c[:, None, :]
    index = tf.where(_both((r >= 0) & (r < h), (c >= 0) & (c < w)), in_patch, in_layer)
    on_layer = _both((y >= 0) & (y < height), (x >= 0) & (x < width))
    index = tf.where(on_layer, index, height * width + many * h * w)
    tables = patch.whole, patch.values, tf.fill((1, channels), tf.cast(edge, patch.values.dtype))
    return tf.gather(tf.concat([tf.reshape(cells, (-1, channels)) for cells in tables], 0), index)


def _both(rows, columns):
    return rows[:, :, None] & columns[:, None, :]
