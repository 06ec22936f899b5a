"""Grad-CAM: where in the image did the network find evidence for a class?

Let A (h, w, c) be the output of a convolution: c feature maps, each bright where its pattern was
found. How much does pattern k speak for the class? Take the gradient of the class's score s with
respect to map k, on average over its h*w cells:

    weight_k = mean over (i, j) of  d s / d A[i, j, k]

Add up the maps with these weights, and keep what is positive:

    heat[i, j] = ReLU( sum over k of  weight_k * A[i, j, k] )

Where global average pooling and one dense layer follow the convolution, every gradient
d s / d A[i, j, k] is the dense weight of k divided by h*w, and Grad-CAM is CAM (Zhou 2016) divided
by h*w.

*HiResCAM* leaves out the average: each cell's own gradient is its weight. *Score-CAM* asks for no
gradient: a map's weight depends on the score of the image seen through that map.
"""

import logging
import weakref

import keras
import numpy as np
import tensorflow as tf
from scipy.special import softmax

from helpers import gradients
from helpers.core.arguments import baseline_like, check_count
from helpers.core.bottlenecks import SUMMARIES, bottlenecks, has_kernel
from helpers.core.graphs import channels_first, twin
from helpers.core.heads import logits
from helpers.core.progress import portions
from helpers.core.tracing import layers, once, unchanging, watch
from helpers.networks import check_images, check_network, find_layer, input_shape, record

PIXELS = 2**18  # Score-CAM: pixels in memory at once
_log = logging.getLogger("helpers")
_told = weakref.WeakKeyDictionary()  # the default layers that have been logged, by network


def grad_cam(network, images, target=None, layer=None, batch_size=16, *, against=None):
    """Return a heatmap of the evidence for a class: float32 (N, H, W), >= 0, not normalized.

    Arguments:
        images: (N, H, W, 3), or a single one (H, W, 3), which gives a single map.
        target: None (the predicted class), an int, or one int per image.
        against: None for the score; "rest" for its log-odds, with two classes the margin; an int
            for the margin over that class (see `gradients.quantity`).
        layer: name of any layer with spatial axes; None is `default_layer(network)`, and is logged.

    Without any evidence for the class the map is all zeros. Raises ValueError for a layer that is
    unknown, has no spatial axes or does not affect the score. (Selvaraju 2016)
    """
    if layer is None:
        layer = _default_layer_told("Grad-CAM", network, images)
    return _explained(_grad_cam, network, images, target, layer, batch_size, against)


def hires_cam(network, images, target=None, layer=None, batch_size=16, *, against=None):
    """Return a heatmap of the evidence for a class, cell by cell: float32 (N, H, W), >= 0.

    Like `grad_cam`, but with each cell's own gradient instead of the mean over all cells:
    ReLU(sum over k of d s / d A[i, j, k] * A[i, j, k]). So a cell that speaks against the class is
    not credited for what its pattern means elsewhere. Where global average pooling and one dense
    layer follow, all cells have the same gradient, and the two methods agree. (Draelos & Carin
    2020)
    """
    if layer is None:
        layer = _default_layer_told("HiResCAM", network, images)
    return _explained(_hires_cam, network, images, target, layer, batch_size, against)


def _explained(method, network, images, target, layer, batch_size, against):
    check_network(network)
    how = dict(against=against, batch_size=batch_size)
    with unchanging(network):
        once(network, ("found", repr(layer)), lambda: find_layer(network, layer) is not None)
        return gradients.explain(method, network, images, target, layer, **how)[0]


def _default_layer_told(method, network, images):
    """Return the default layer for images; the first time, log which it is that a method takes."""
    size = None
    if None in input_shape(network):
        batch, _ = check_images(network, images, bytes_too=True)
        size = batch.shape[1:3]
    layer, later = _place(network, size)
    told = _told.setdefault(network, set())
    if (method, layer) not in told:
        told.add((method, layer))
        unnamed = "; a later one has no layer of its own" if later else ""
        _log.info(
            "%s looks at %s, the last place on every path to the score%s.", method, layer, unnamed
        )
    return layer


def _grad_cam(network, x, pairs, layer):
    activation, slope = _activation_and_slope(network, x, pairs, layer)
    weights = tf.reduce_mean(slope, axis=(1, 2), keepdims=True)
    return [_heat(weights, activation, x.shape[1:3])]


def _hires_cam(network, x, pairs, layer):
    activation, slope = _activation_and_slope(network, x, pairs, layer)
    return [_heat(slope, activation, x.shape[1:3])]


def _activation_and_slope(network, x, pairs, layer):
    score, activation = gradients.score_and_activation_of(network, x, pairs, layer)
    _check_spatial(network, layer, activation.shape)
    return activation, gradients.gradient_of(score, activation, f"layer {layer!r}")


def _check_spatial(network, layer, shape):
    if len(shape) != 4:
        raise ValueError(
            f"Layer {layer!r} has no spatial axes: it gives {tuple(shape)}. "
            f"Layers that have: {', '.join(spatial_layers(network))}."
        )


def _heat(weights, activation, size):
    """Return the positive part of the weighted sum of maps (N, h, w, c), enlarged: (N, H, W)."""
    evidence = tf.reduce_sum(weights * tf.cast(activation, tf.float32), axis=3, keepdims=True)
    return tf.image.resize(tf.nn.relu(evidence), size)[..., 0]


def score_cam(
    network, images, target=None, layer=None, channels=None, baseline=0.0, *, against=None
):
    """Return a heatmap of maps, weighted by the score of what they show: float32 (N, H, W), >= 0.

    Each feature map of the layer, enlarged and scaled to 0-1, becomes a mask: where it is 1 the
    image is seen, where it is 0 the baseline. The weights of the maps are the softmax, over the
    channels, of the scores of the masked images. (The paper takes the scores' increase from that of
    the baseline, which is the same: a constant drops out of a softmax.) So no map counts against
    the class, and if one score is a few units higher than all others, that map counts alone.

    Arguments:
        images: (N, H, W, C), or a single one (H, W, C), which gives a single map.
        target, layer, against: as in `grad_cam`.
        channels: None (all), or how many: only those that vary most over the image are tried, and
            the others get no weight. Each takes a forward pass.
        baseline: a number (0 is black) or an array that broadcasts to the images.

    A map that is the same everywhere hides nothing, and gets no weight. Raises ValueError for a
    layer that is unknown or has no spatial axes. (Wang 2020)
    """
    if layer is None:
        layer = _default_layer_told("Score-CAM", network, images)
    batch, single = check_images(network, images)
    if channels is not None:
        check_count("channels", channels, 1)
    covers = baseline_like(batch, baseline)
    pairs = gradients.chosen_targets(network, batch, target, against)
    found = record(network, batch, layer)[layer]
    _check_spatial(network, layer, found.shape)
    tried = [_telling_channels(maps, channels) for maps in found]
    scores = [np.empty(len(some)) for some in tried]
    counts, most = [len(some) for some in tried], max(1, PIXELS // batch[0, ..., 0].size)
    for n, some in portions(len(batch), counts, most, "Score-CAM"):
        masks = _masks(found[n][..., tried[n][some]], batch.shape[1:3])
        through = gradients.quantity_through(network, batch[n], covers[n], masks, pairs[n])
        scores[n][some] = through
    gradients.check_finite(network, batch, np.array([values.sum() for values in scores]))
    weights = np.zeros((len(batch), found.shape[3]), np.float32)
    for n, some in enumerate(tried):
        weights[n, some] = softmax(scores[n]) if len(some) else 0
    heat = _heat(weights[:, None, None], found, batch.shape[1:3]).numpy()
    gradients.check_telling(network, batch, heat, pairs)
    return heat[0] if single else heat


def _telling_channels(maps, most):
    """Return the channels of maps (h, w, c) that vary, or only those `most` that vary most."""
    spread = maps.std(axis=(0, 1)) * (np.ptp(maps, axis=(0, 1)) > 0)
    varying = np.argsort(-spread, kind="stable")[: np.count_nonzero(spread)]
    return np.sort(varying[:most])


def _masks(maps, size):
    """Return maps (h, w, n) enlarged and then scaled to 0-1: float32 (n, H, W)."""
    large = tf.image.resize(np.moveaxis(maps, 2, 0)[..., None], size).numpy()[..., 0]
    low = large.min(axis=(1, 2), keepdims=True)
    return (large - low) / (large.max(axis=(1, 2), keepdims=True) - low)


def guided_grad_cam(network, images, target=None, layer=None, batch_size=16, *, against=None):
    """Return the guided gradient where Grad-CAM finds evidence: float32 (N, H, W, 3), signed.

    The product of `gradients.gradient(..., guided=True)`, which is sharp but hardly depends on the
    class, and `grad_cam`, which is the opposite. Arguments and errors are theirs. (Selvaraju 2016)
    """
    heat = grad_cam(network, images, target, layer, batch_size, against=against)
    guided = gradients.gradient(network, images, target, True, batch_size, against=against)
    return guided * heat[..., None]


def default_layer(network, size=None):
    """Return the name of the last place that all of the score comes from: Grad-CAM's default layer.

    It has more than 1x1 cells, and every path from the images to the score goes through it: it
    comes after the activation, the normalization, the sum or concatenation of branches. If only
    pooling, padding or cropping led to it, the place before counts, as its cells are finer. It may
    be what a functional network computes without a layer, such as a `+`, under Keras' name.

    size: (height, width) of the images, for a network that takes any; None stands for large ones.
    Raises ValueError where there is no such place, as in a network without convolutions.
    """
    return _place(network, size)[0]


def spatial_layers(network):
    """Return the names of the layers that Grad-CAM can use: their output is (N, h, w, c)."""
    return list(_survey(network, input_shape(network))[0])


def _place(network, size):
    """Return the default layer's name, and whether a later place is no layer's output."""
    free = input_shape(network)
    shape = free if size is None else (*size, *free[2:])
    spatial, first, name, later = _survey(network, shape)
    if name is None:
        unread = f" (and with channels first, which it cannot read: {', '.join(first)})"
        raise ValueError(
            f"Grad-CAM cannot choose a layer of {network.name!r}: none that comes after a kernel "
            "has more than 1x1 cells and lies on every path to the score. The map of another layer "
            "shows only its share of the score; name the one that you mean with `layer`. Layers "
            f"with spatial axes: {', '.join(spatial) or 'none'}{unread if first else ''}."
        )
    return name, later


def _survey(network, shape):
    """Trace the network once; return its spatial layers, those with channels first, and its place.

    Layers are given by name. The place is what `_place` returns, with None for a missing layer.
    """
    found = []

    def call(x):
        named = layers(network, operations=True)
        with watch(named.values()) as outputs:
            scores = logits(network, x)
        maps = {
            layer: seen
            for layer, seen in outputs.items()
            if tf.is_tensor(seen) and seen.graph is x.graph and seen.shape.rank == 4
        }
        spatial = {layer: twin(seen) for layer, seen in maps.items() if not channels_first(seen)}
        # Several may give the same tensor, as a Dropout does: take a layer, and the first of them.
        makers = sorted(spatial, key=lambda one: not isinstance(one, keras.layers.Layer))
        names = {layer: name for name, layer in named.items()}
        by_tensor = {spatial[one].name: names[one] for one in reversed(makers)}
        own = [name for name in layers(network) if named[name] in maps]
        first = tuple(name for name in own if named[name] not in spatial)
        own = tuple(name for name in own if named[name] in spatial)
        found.append((own, first, *_last_place(bottlenecks(x, scores), by_tensor)))

    def make():
        spec = tf.TensorSpec((None, *shape))
        tf.function(call, autograph=False).get_concrete_function(spec)
        return found[0]

    return once(network, ("survey", shape), make)


def _last_place(tensors, names):
    """Return the name of the last of `tensors` with cells, and whether a later one has no name."""
    place, later = None, False
    for tensor in reversed(tensors):
        cells = tensor.shape.rank == 4 and tensor.shape[1:3].num_elements() != 1
        if cells and tensor.name in names:
            place = tensor
        if tensor.op.type not in SUMMARIES:  # else what came before may be the finer place
            if place is not None:
                break
            later = later or cells
    return (names[place.name], later) if place is not None and has_kernel(place) else (None, False)
