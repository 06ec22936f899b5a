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

import tensorflow as tf

from helpers import gradients
from helpers.core.tracing import layers, once, watch
from helpers.networks import find_layer, input_shape, layer_names

_log = logging.getLogger("helpers")
_told = weakref.WeakSet()  # networks whose default layer has been logged


def grad_cam(network, images, target=None, layer=None, batch_size=16):
    """Return a heatmap of the evidence for a class: float32 (N, H, W), >= 0, not normalized.

    Arguments:
        images: (N, H, W, 3), or a single one (H, W, 3), which gives a single map.
        target: None (the predicted class), an int, or one int per image.
        layer: name of any layer with spatial axes; None is `default_layer(network)`, and is logged.

    Without any evidence for the class the map is all zeros. Raises ValueError for a layer that is
    unknown, has no spatial axes or does not affect the score. (Selvaraju 2016)
    """
    if layer is None:
        layer = default_layer(network)
        if network not in _told:
            _told.add(network)
            _log.info("Grad-CAM looks at %s, the last convolution.", layer)
    find_layer(network, layer)
    return gradients.explain(_grad_cam, network, images, target, layer, batch_size=batch_size)[0]


def _grad_cam(network, x, target, layer):
    score, activation = gradients.score_and_activation_of(network, x, target, layer)
    if activation.shape.rank != 4:
        raise ValueError(
            f"Layer {layer!r} has no spatial axes: it gives {tuple(activation.shape)}. "
            f"Grad-CAM can use: {', '.join(spatial_layers(network))}."
        )
    slope = gradients.gradient_of(score, activation, f"layer {layer!r}")
    weights = tf.reduce_mean(slope, axis=(1, 2), keepdims=True)
    evidence = tf.reduce_sum(weights * tf.cast(activation, tf.float32), axis=3, keepdims=True)
    return [tf.image.resize(tf.nn.relu(evidence), x.shape[1:3])[..., 0]]


def guided_grad_cam(network, images, target=None, layer=None, batch_size=16):
    """Return the guided gradient where Grad-CAM finds evidence: float32 (N, H, W, 3), signed.

    The product of `gradients.gradient(..., guided=True)`, which is sharp but hardly depends on the
    class, and `grad_cam`, which is the opposite. Arguments and errors are theirs. (Selvaraju 2016)
    """
    heat = grad_cam(network, images, target, layer, batch_size)
    return gradients.gradient(network, images, target, True, batch_size) * heat[..., None]


def default_layer(network):
    """Return the name of the last convolution that affects the score; ValueError if none does."""
    spatial, last = _survey(network)
    if last is None:
        raise ValueError(
            f"The network {network.name!r} has no convolution that affects its score. Layers with "
            f"spatial axes: {', '.join(spatial) or 'none'}."
        )
    return last


def spatial_layers(network):
    """Return the names of the layers that Grad-CAM can use: their output is (N, h, w, c)."""
    return list(_survey(network)[0])


def _survey(network):
    """Trace the network once; return its spatial layers and its last convolution, by name."""
    spatial, reaching = {}, []

    def call(x):
        with watch(layers(network).values()) as outputs:
            score = gradients.score_of(network, x, gradients.PREDICTED)
        for name, layer in layers(network).items():
            output = outputs.get(layer)
            if tf.is_tensor(output) and output.graph is x.graph and output.shape.rank == 4:
                spatial[name] = output
        for name in reversed(layer_names(network, "conv")):
            if name in spatial and tf.gradients(score, spatial[name])[0] is not None:
                return reaching.append(name)

    def make():
        spec = tf.TensorSpec((None, *input_shape(network)))
        tf.function(call, autograph=False).get_concrete_function(spec)
        return tuple(spatial), reaching[0] if reaching else None

    return once(network, "survey", make)
