"""Activations: how strongly the channels of a layer respond to images, and what they detect.

A layer gives a stack of maps (h, w, channels), one for each of its patterns, bright where the
pattern was found. `record` returns these maps unchanged. The other functions tell what a channel is
for: which images activate it most, where in an image it fires, and how well these places match a
part of the animal, such as an ear or a whisker.
"""

import functools
import math

import numpy as np
import tensorflow as tf

from helpers import networks
from helpers.core.arguments import check_count
from helpers.core.progress import progress
from helpers.core.tracing import compiled, seen, watch
from helpers.networks import check_images, find_layer, layer_names
from helpers.plotting import as_rgb, resize_maps

FADED, GREY = 0.35, 165  # of a masked image where the channel does not fire: contrast, and level
DETECTOR = 0.04  # IoU from which Bau 2017 call a channel a detector of a part
record = networks.record  # the outputs of layers for images, unchanged
_AT_ONCE = 4_000_000  # values of maps in memory at a time
_KEPT = 8_000_000  # values of maps that are kept rather than computed twice


def strengths(network, images, layer, over="max", batch_size=16):
    """Return how strongly each channel of a layer responds to each image: float32 (N, channels).

    Arguments:
        layer: a name. A list of names gives `{name: float32 (N, channels)}`, all in one pass.
        over: "max", the response at the most active place, or "mean", the average over all places.

    A layer without places, such as a dense one, gives its output for both. Maps are not kept, so
    thousands of images need little memory. Raises ValueError for an unknown layer.
    """
    if over not in ("max", "mean"):
        raise ValueError(f'over must be "max" or "mean", not {over!r}.')
    check_count("batch_size", batch_size, 1)
    names = (layer,) if isinstance(layer, str) else tuple(layer)
    batch, _ = check_images(network, images, bytes_too=True)
    run = _compiled(network, batch, _strengths, names, over)
    starts = progress(range(0, len(batch), batch_size), label="strengths")
    parts = [run(tf.constant(batch[at : at + batch_size], tf.float32)) for at in starts]
    found = dict(zip(names, map(np.concatenate, zip(*parts, strict=True)), strict=True))
    return found[layer] if isinstance(layer, str) else found


def _strengths(network, x, names, over):
    layers = [find_layer(network, name) for name in names]
    with watch(layers) as outputs:
        network(x, training=False)
    reduce = tf.reduce_max if over == "max" else tf.reduce_mean
    found = (tf.cast(seen(outputs, layer, x), tf.float32) for layer in layers)
    return [reduce(maps, list(range(1, maps.shape.rank - 1))) for maps in found]


def strongest_images(network, images, layer, channel, k=9, over="max"):
    """Return the indices of the images that activate a channel most: int (k,), strongest first.

    Strength is what `strengths` returns, by default the maximum over the image. Of equal images the
    earlier comes first. Raises ValueError for an unknown layer or channel and for k > N.
    (Zeiler 2013)
    """
    batch, _ = check_images(network, images, bytes_too=True)
    if not 1 <= k <= len(batch):
        raise ValueError(f"k must be 1 to {len(batch)}, the number of images, not {k!r}.")
    found = strengths(network, batch, layer, over)
    if not 0 <= channel < found.shape[1]:
        last = found.shape[1] - 1
        raise ValueError(f"channel must be 0 to {last} in {layer!r}, not {channel!r}.")
    return np.argsort(-found[:, channel], kind="stable")[:k]


def strongest_channels(network, images, layer, k=64, over="max"):
    """Return the channels of a layer that respond most to images: int (k,), strongest first.

    Channels are ranked by the mean of `strengths` over the images; all are returned if there are
    fewer than k. Raises ValueError for an unknown layer and k below 1.
    """
    if k < 1:
        raise ValueError(f"k must be 1 or more, not {k!r}.")
    found = strengths(network, images, layer, over)
    return np.argsort(-found.mean(axis=0, dtype=np.float64), kind="stable")[:k]


def mask_image(image, activation, full=None):
    """Return an image in full colour where a channel fires and in pale grey elsewhere: (H, W, 3).

    `image` is (H, W, 3) in 0-255, `activation` one channel's map (h, w); the result is uint8. The
    colours return with the activation, from a faded grey at 0 and below to the image itself at
    `full`: None is the map's maximum, a number keeps several maps comparable. Maps (N, h, w), over
    one image or N, give (N, H, W, 3). Raises ValueError for shapes that do not fit, NaN or
    infinity, and `full` not above 0.
    """
    image, maps = np.asarray(image), np.asarray(activation)
    single = image.ndim < 4 and maps.ndim == 2
    pictures = np.stack([as_rgb(one) for one in (image if image.ndim == 4 else [image])])
    maps = maps[np.newaxis] if maps.ndim == 2 else maps
    if maps.ndim != 3 or len(pictures) not in (1, len(maps)):
        raise ValueError(
            f"image {image.shape} and activation {np.shape(activation)} do not fit: give (H, W, 3) "
            "and (h, w), N of each, or one image and N maps (N, h, w)."
        )
    if not np.isfinite(maps).all() or not (full is None or full > 0):
        raise ValueError(f"activation must be finite, and full None or above 0, not {full!r}.")
    fires = np.maximum(resize_maps(maps, *pictures.shape[1:3]), 0)
    most = fires.max(axis=(1, 2), keepdims=True) if full is None else full
    light = np.minimum(fires / np.where(most > 0, most, 1), 1)[..., np.newaxis]
    faded = FADED * pictures.mean(axis=3, keepdims=True) + (1 - FADED) * GREY
    masked = np.round(light * pictures + (1 - light) * faded).astype(np.uint8)
    return masked[0] if single else masked


def crops(images, maps, k=4, side=48, each=1):
    """Return the patches of images in which a channel is most active: uint8 (k, side, side, 3).

    Arguments:
        images: (N, H, W, 3) in 0-255.
        maps: (N, h, w), one channel's map for each image.
        k: number of patches, the strongest first.
        side: of a patch, in pixels.
        each: number of patches from one image, at most. A peak within half a patch of a stronger
            one in the same image does not count.

    A patch is centred at the strongest cell of its map, or moved inwards until it lies within the
    image. Of equal images, and of equal cells, the first counts. Raises ValueError for maps that do
    not fit, NaN or infinity, k beyond `each` times N, fewer than k peaks, and a side beyond the
    image. (Zeiler 2013)
    """
    maps, count = np.asarray(maps), len(images)
    if maps.ndim != 3 or len(maps) != count or not np.isfinite(maps).all():
        raise ValueError(f"maps must be finite, (N, h, w), for {count} images, not {maps.shape}.")
    pictures = np.asarray(images)
    if not 1 <= k <= count * each:
        most = f"{count}, the number of images" if each == 1 else f"{each} for each of {count}"
        raise ValueError(f"k must be 1 to {most}, not {k!r}.")
    size = pictures.shape[1:3]
    if not 1 <= side <= min(size):
        raise ValueError(f"side must be 1 to {min(size)} pixels, not {side!r}.")
    peaks = [peak for n in range(count) for peak in _peaks(maps[n], n, size, side, each)]
    if len(peaks) < k:
        raise ValueError(f"k={k!r}, but patches of {side} pixels leave {len(peaks)} peaks.")
    found = []
    for _, number, cell in sorted(peaks, key=lambda peak: -peak[0])[:k]:
        top, left = (
            _begin(c, cells, side, s)
            for c, cells, s in zip(cell, maps.shape[1:], size, strict=True)
        )
        found.append(as_rgb(pictures[number])[top : top + side, left : left + side])
    return np.stack(found)


def _peaks(values, number, size, side, each):
    """Return up to `each` peaks of a map, strongest first: (value, number, (row, column))."""
    values, found = np.array(values, np.float64), []
    reach = [side / 2 * cells / pixels for cells, pixels in zip(values.shape, size, strict=True)]
    rows, columns = np.indices(values.shape)
    while len(found) < each and np.isfinite(values.max()):
        row, column = np.unravel_index(values.argmax(), values.shape)
        found.append((values[row, column], number, (row, column)))
        values[(abs(rows - row) <= reach[0]) & (abs(columns - column) <= reach[1])] = -np.inf
    return found


def _begin(cell, cells, side, size):
    """Return where a patch around a cell's centre begins, in pixels, so that it lies inside."""
    centre = (cell + 0.5) * size / cells
    return int(np.clip(np.round(centre - side / 2), 0, size - side))


def dissect(network, images, parts, part_names, layer, quantile=0.995, batch_size=16):
    """Return how well each channel of a layer detects each part: `{part: IoU (channels,)}`.

    A channel *fires* at a pixel where its map, resized to the image (bilinear), reaches the
    `quantile` of its responses at all places in all images, or exceeds it if that is its lowest
    response. IoU (intersection over union) is the number of pixels where the channel fires on the
    part, divided by the number where it fires or the part is, over all images: 1 is a perfect
    detector, `DETECTOR` (0.04) is enough to be called one, NaN is a part in no image. See also
    `iou_range`.

    Arguments:
        parts: int (N, H, W), the index of each pixel's part in `part_names`.
        quantile: between 0 and 1, exact as in `np.quantile`.

    Raises ValueError for a layer without spatial axes and for parts that do not fit. (Bau 2017)
    """
    check_count("batch_size", batch_size, 1)
    batch, _ = check_images(network, images, bytes_too=True)
    parts = np.asarray(parts)
    area = _areas(parts, part_names, quantile)
    parts = parts[np.newaxis] if parts.ndim == 2 else parts
    if parts.shape != batch.shape[:3]:
        raise ValueError(f"parts {parts.shape} do not fit the images {batch.shape}.")
    run = _compiled(network, batch, _maps, layer)
    if len(run.output_shapes) != 4:
        raise ValueError(
            f"Layer {layer!r} has no spatial axes: it gives {tuple(run.output_shapes)}. "
            f"Convolutions have: {', '.join(layer_names(network))}."
        )
    slices = functools.partial(_slices, run, batch, batch_size, layer)
    if len(batch) * math.prod(n or 0 for n in run.output_shapes[1:]) <= _KEPT:
        slices = functools.partial(iter, list(slices()))  # the network runs once
    threshold, lowest = _thresholds(slices(), len(batch), quantile)
    both = 0
    for part, maps in slices():
        both += _fired(maps, threshold, lowest, parts[part], len(part_names))
    iou = both / (both.sum(axis=1, keepdims=True) + area - both)
    return {name: iou[:, number].astype(np.float32) for number, name in enumerate(part_names)}


def iou_range(parts, part_names, quantile=0.995, others=None, grid=None):
    """Return the IoU that takes no skill, and the best within reach: `{part: (low, high)}`.

    Read the results of `dissect` on this scale. The mask covers a share of 1 - quantile of all
    pixels, so it can match no part that is much larger or smaller; absent parts have NaN.

    Arguments:
        others: int (M, H, W), the parts of other images. The low value is then that of one fixed
            mask, the pixels where the part most often lies in the others, which never looks at an
            image; by default that of a random mask.
        grid: (h, w), the cells of a map. The high value is then at most that of the map whose cells
            hold their true share of the part, enlarged and cut at its best level.

    Errors are as in `dissect`.
    """
    parts = np.asarray(parts)
    areas, mask = _areas(parts, part_names, quantile) / parts.size, 1 - quantile
    low = mask * areas / (mask + areas - mask * areas)
    high = np.minimum(mask, areas) / np.maximum(mask, areas)
    if others is not None:
        _areas(np.asarray(others), part_names, quantile)
        low = [_iou(_usual(others, n, mask), parts == n) for n in range(len(part_names))]
    if grid is not None:
        reached = [_reached(parts == number, grid) for number in range(len(part_names))]
        high = np.minimum(high, reached)
    low, high = (np.where(areas > 0, bound, np.nan).tolist() for bound in (low, high))
    return dict(zip(part_names, zip(low, high, strict=True), strict=True))


def _usual(parts, number, share):
    """Return the share of pixels where a part lies most often, bool (H, W); the first of equals."""
    often = (np.asarray(parts) == number).mean(axis=0)
    usual = np.zeros(often.size, bool)
    usual[np.argsort(-often, axis=None, kind="stable")[: round(share * often.size)]] = True
    return usual.reshape(often.shape)


def _iou(mask, truth):
    either = (mask | truth).sum()
    return (mask & truth).sum() / either if either else 0.0


def _reached(truth, grid):
    """Return the best IoU of a map with so few cells, each of which knows its share of the part."""
    truth = truth if truth.ndim == 3 else truth[np.newaxis]
    cells = tf.image.resize(np.float32(truth)[..., np.newaxis], grid, "area").numpy()[..., 0]
    large = resize_maps(cells, *truth.shape[1:])
    levels = np.linspace(0.02, 0.98, 49)
    some = np.flatnonzero(large >= levels[0])
    passed = np.searchsorted(levels, large.ravel()[some], side="right") - 1  # the highest level
    either, both = (
        np.bincount(which, minlength=len(levels))[::-1].cumsum()
        for which in (passed, passed[truth.ravel()[some]])
    )
    either = either + truth.sum() - both
    return np.max(both / np.maximum(either, 1))


def _areas(parts, part_names, quantile):
    """Return how many pixels each part has, NaN where it has none; ValueError for wrong input."""
    if parts.ndim not in (2, 3) or parts.size == 0 or parts.dtype.kind not in "ui":
        raise ValueError(f"parts must be ints (N, H, W), not {parts.dtype} {parts.shape}.")
    if parts.min() < 0 or parts.max() >= len(part_names):
        known = f"indices of part_names, 0 to {len(part_names) - 1}"
        raise ValueError(f"parts must be {known}, not {parts.min()} to {parts.max()}.")
    if not 0 < quantile < 1:
        raise ValueError(f"quantile must be between 0 and 1, not {quantile!r}.")
    count = np.bincount(parts.ravel(), minlength=len(part_names))
    return np.where(count > 0, count, np.nan)


def _thresholds(slices, count, quantile):
    """Return each channel's quantile and lowest response; keep only values near it and above."""
    top, lowest = None, np.inf
    for _, maps in slices:
        answers = maps.reshape(-1, maps.shape[-1]).T
        total = count * maps[0, ..., 0].size
        place = quantile * (total - 1)  # of the quantile among the sorted responses
        keep = total - math.floor(place)
        lowest = np.minimum(lowest, answers.min(axis=1))
        top = answers if top is None else np.concatenate([top, answers], axis=1)
        top = np.partition(top, -keep, axis=1)[:, -keep:] if top.shape[1] > keep else top
    top = np.partition(top, min(1, keep - 1), axis=1).astype(np.float64)
    step = top[:, min(1, keep - 1)] - top[:, 0]
    return (top[:, 0] + (place - math.floor(place)) * step).astype(np.float32), lowest


def _fired(maps, threshold, lowest, parts, count):
    """Return at how many pixels of each part each channel fires: int (channels, count)."""
    peak = maps.max(axis=(1, 2))
    image, channel = np.nonzero((peak >= threshold) & (peak > lowest))  # the others never fire
    together, counts = max(1, _AT_ONCE // parts[0].size), np.zeros(len(threshold) * count, np.int64)
    for start in range(0, len(image), together):
        i, c = image[start : start + together], channel[start : start + together]
        stack = np.moveaxis(maps[i, :, :, c], 0, -1)  # one image (h, w), a channel for each pair
        large = tf.image.resize(stack, parts.shape[1:]).numpy()
        fires = np.flatnonzero((large >= threshold[c]) & (large > lowest[c]))
        row, column, pair = np.unravel_index(fires, large.shape)
        met = c[pair] * count + parts[i[pair], row, column]
        counts += np.bincount(met, minlength=len(counts))
    return counts.reshape(-1, count)


def _maps(network, x, layer):
    watched = find_layer(network, layer)
    with watch([watched]) as outputs:
        network(x, training=False)
    return tf.cast(seen(outputs, watched, x), tf.float32)


def _compiled(network, batch, function, *options):
    return compiled(network, function, *options, signature=(((None, *batch.shape[1:]), "float32"),))


def _slices(run, batch, size, label):
    """Yield (slice, output of a compiled function for it), up to `size` images at a time."""
    size = max(1, min(size, _AT_ONCE // math.prod(n or 1 for n in run.output_shapes[1:])))
    for start in progress(range(0, len(batch), size), label=label):
        part = slice(start, start + size)
        yield part, run(tf.constant(batch[part], tf.float32)).numpy()
