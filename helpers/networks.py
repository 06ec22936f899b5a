"""Networks: build them, name their layers, call them on images; load and save are in `storage`.

A network here is any Keras model that takes images (N, H, W, 3) in 0-255 and holds its own
preprocessing. Shapes are judged by the network's own input and by nothing else.
"""

import difflib
import warnings

import keras
import numpy as np
import tensorflow as tf

from helpers.storage import load, save  # noqa: F401 - networks.load, networks.save
from helpers.tracing import compiled, head, in_batches, layers, seen, watch
from helpers.transfer import frozen, parameter_counts, penalized, vgg16  # noqa: F401 - likewise

_KINDS = {
    "conv": (
        keras.layers.Conv2D,
        keras.layers.Conv2DTranspose,
        keras.layers.DepthwiseConv2D,
        keras.layers.SeparableConv2D,
    ),
    "dense": (keras.layers.Dense,),
    "all": (keras.layers.Layer,),
}


def build(classes, size=128, widths=(16, 32, 64, 96, 96), dropout=0.0, name="network"):
    """Build a narrow VGG16: its 13 convolutions and their names, then one dense layer of logits.

    Takes images (N, size, size, 3) in 0-255, gives `classes` logits. `widths` are the channels of
    the five blocks. Seed the weights beforehand with `keras.utils.set_random_seed`.
    Raises ValueError for a size below 32 or anything but five widths. (Simonyan & Zisserman 2015)
    """
    if classes < 1 or size < 32 or len(widths) != 5 or min(widths) < 1 or not 0 <= dropout < 1:
        raise ValueError(
            "build wants classes >= 1, size >= 32, five widths >= 1 and dropout in [0, 1), "
            f"not classes={classes}, size={size}, widths={tuple(widths)}, dropout={dropout}."
        )
    image = keras.Input((size, size, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
    for block, width in enumerate(widths, start=1):
        for conv in range(1, 3 if block < 3 else 4):
            x = keras.layers.Conv2D(
                width,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"block{block}_conv{conv}",
            )(x)
        x = keras.layers.MaxPooling2D(name=f"block{block}_pool")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, keras.layers.Dense(classes, name="scores")(x), name=name)


def layer_names(network, kind="conv"):
    """Return the names of a network's layers in order: kind "conv", "dense" or "all"."""
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}, not {kind!r}.")
    return [name for name, layer in layers(network).items() if isinstance(layer, _KINDS[kind])]


def find_layer(network, name):
    """Return the layer of that name, as `layer_names` lists it; ValueError if there is none."""
    named = layers(network)
    if name not in named:
        near = difflib.get_close_matches(str(name), named, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"No layer {name!r} in {network.name}.{hint} It has: {', '.join(named)}.")
    return named[name]


def input_shape(network):
    """Return the shape of a network's input without the batch, None where any length will do.

    Raises ValueError for a network that is not built or takes more than one input.
    """
    if not isinstance(network, keras.Model):
        raise TypeError(f"A network is a keras.Model, not a {type(network).__name__}.")
    if not network.built:
        raise ValueError(
            f"The network {network.name!r} is not built yet: call it once on a batch of images."
        )
    try:
        shape = network.input_shape
    except AttributeError:  # a subclassed network knows only the shape that it was built with
        shape = network.get_build_config().get("input_shape")
        shape = tuple(shape) if isinstance(shape, list) else shape  # as it comes from a file
    if not isinstance(shape, tuple) or not all(n is None or isinstance(n, int) for n in shape):
        raise ValueError(f"The network {network.name!r} must take one input, not {shape}.")
    return shape[1:]


def check_images(network, images, bytes_too=False):
    """Return images as a float32 batch that fits the network, and whether there was but one.

    With `bytes_too`, uint8 stays uint8, in a quarter of the memory: for what takes it in slices.
    Accepts uint8 or float (N, H, W, C) or a single (H, W, C), as the network's own input says.
    Raises ValueError for another shape, NaN or infinity, TypeError for what is not numbers; warns
    of values that look like 0-1 where a network takes 0-255.
    """
    shape, images = input_shape(network), np.asarray(images)
    if images.dtype.kind not in "uif":
        raise TypeError(f"Images must be numbers (uint8 or float), not {images.dtype}.")
    single = images.ndim == len(shape)
    batch = images[np.newaxis] if single else images
    fits = batch.ndim == len(shape) + 1 and 0 not in batch.shape
    if not fits or any(n not in (None, m) for n, m in zip(shape, batch.shape[1:], strict=True)):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(
            f"The network {network.name!r} takes images (N, {wanted}) or one ({wanted}), "
            f"not {images.shape}."
        )
    if not (bytes_too and images.dtype == np.uint8):
        batch = np.ascontiguousarray(batch, np.float32)
    if images.dtype.kind == "f":
        low, high = batch.min(), batch.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ValueError("The images hold NaN or infinity; they must be finite, 0 to 255.")
        if len(shape) == 3 and shape[-1] == 3 and low >= 0 and 0 < high <= 1:
            warnings.warn(
                "These images look like 0-1, but networks here take 0-255: multiply them by 255.",
                UserWarning,
                stacklevel=3,
            )
    return batch, single


def record(network, images, layers, batch_size=16):
    """Return what layers give for images: `{name: float32 array (N, ...)}`, in one pass.

    `layers` is a name or a list of names, see `layer_names`. Raises ValueError for an unknown
    layer and for one that the network does not call.
    """
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    for name in names:
        find_layer(network, name)
    batch, _ = check_images(network, images, bytes_too=True)
    run = compiled(network, _outputs, names, signature=(((None, *batch.shape[1:]), "float32"),))
    return dict(zip(names, in_batches(run, batch, batch_size=batch_size), strict=True))


def _outputs(network, x, names):
    wanted = [find_layer(network, name) for name in names]
    with watch(wanted) as outputs:
        network(x, training=False)
    return [tf.cast(seen(outputs, layer, x), tf.float32) for layer in wanted]


def predict(network, images, batch_size=16):
    """Return class probabilities (N, classes), float32, also for a network that gives logits.

    A single sigmoid gives two columns, [1 - p, p]. Raises ValueError for a single linear output,
    which is a score and has no probability.
    """
    batch, _ = check_images(network, images, bytes_too=True)
    run = compiled(network, _probabilities, signature=(((None, *batch.shape[1:]), "float32"),))
    return in_batches(run, batch, batch_size=batch_size)[0]


def _probabilities(network, x):
    output = network(x, training=False)
    values, kind = head(output)
    if kind == "log_softmax":
        return [tf.exp(tf.cast(output, tf.float32))]
    if kind == "linear" and values.shape[1] == 1:
        raise ValueError("The network has one linear output: a score, which is no probability.")
    if kind == "linear":
        return [tf.nn.softmax(values)]
    output = tf.cast(output, tf.float32)
    single = kind == "sigmoid" and output.shape[1] == 1
    return [tf.concat([1 - output, output], axis=1) if single else output]
