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
"""

import logging
import weakref

import keras
import tensorflow as tf

from helpers import gradients
from helpers.core.bottlenecks import SUMMARIES, bottlenecks, has_kernel
from helpers.core.graphs import channels_first, twin
from helpers.core.heads import logits
from helpers.core.tracing import layers, once, watch
from helpers.networks import check_images, find_layer, input_shape

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
        layer = _default_layer_told(network, images)
    find_layer(network, layer)
    how = dict(against=against, batch_size=batch_size)
    return gradients.explain(_grad_cam, network, images, target, layer, **how)[0]


def _default_layer_told(network, images):
    """Return the default layer for images; the first time, log which it is."""
    size = None
    if None in input_shape(network):
        batch, _ = check_images(network, images, bytes_too=True)
        size = batch.shape[1:3]
    layer, later = _place(network, size)
    told = _told.setdefault(network, set())
    if layer not in told:
        told.add(layer)
        unnamed = "; a later one has no layer of its own" if later else ""
        _log.info(
            "Grad-CAM looks at %s, the last place on every path to the score%s.", layer, unnamed
        )
    return layer


def _grad_cam(network, x, pairs, layer):
    score, activation = gradients.score_and_activation_of(network, x, pairs, layer)
    if activation.shape.rank != 4:
        raise ValueError(
            f"Layer {layer!r} has no spatial axes: it gives {tuple(activation.shape)}. "
            f"Grad-CAM can use: {', '.join(spatial_layers(network))}."
        )
    slope = gradients.gradient_of(score, activation, f"layer {layer!r}")
    weights = tf.reduce_mean(slope, axis=(1, 2), keepdims=True)
    evidence = tf.reduce_sum(weights * tf.cast(activation, tf.float32), axis=3, keepdims=True)
    return [tf.image.resize(tf.nn.relu(evidence), x.shape[1:3])[..., 0]]


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
