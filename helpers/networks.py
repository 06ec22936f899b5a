"""Networks: build them, load and save them, list their layers, run them, copy them.

A network is any Keras model that takes images (N, H, W, 3) in 0-255 and does its own preprocessing.
Its own input decides which shapes fit. It is never changed: `frozen` and `penalized` copy it.
"""

import difflib
import math
import os
import warnings
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from helpers.core import files, paths
from helpers.core.copies import copied, kernels
from helpers.core.heads import read, say_once
from helpers.core.tracing import compiled, in_batches, seen, watch
from helpers.core.tracing import layers as layers_of
from helpers.photos import imagenet

_CONVOLUTIONS = "Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"
_KINDS = {
    "conv": tuple(getattr(keras.layers, name) for name in _CONVOLUTIONS),
    "dense": (keras.layers.Dense,),
    "all": (keras.layers.Layer,),
}
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)


class ParameterCounts(NamedTuple):
    """The number of parameters of a network: in total, trainable and frozen."""

    total: int
    trainable: int
    frozen: int


def build(classes, size=128, widths=(16, 32, 64, 96, 96), dropout=0.0, name="network"):
    """Build a narrow VGG16: its 13 convolutions and their names, then one dense layer of logits.

    Takes images (N, size, size, 3) in 0-255, returns `classes` logits. `widths` are the channels of
    the five blocks. Weights are random: call `keras.utils.set_random_seed` first.
    Raises ValueError for a size below 32 or anything but five widths. (Simonyan & Zisserman 2015)
    """
    if classes < 1 or size < 32 or len(widths) != 5 or min(widths) < 1 or not 0 <= dropout < 1:
        raise ValueError(
            "build needs classes >= 1, size >= 32, five widths >= 1 and dropout in [0, 1), "
            f"not classes={classes}, size={size}, widths={tuple(widths)}, dropout={dropout}."
        )
    image = keras.Input((size, size, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
    for block, width in enumerate(widths, start=1):
        for conv in range(1, 3 if block < 3 else 4):
            look = dict(padding="same", activation="relu", kernel_initializer="he_normal")
            x = keras.layers.Conv2D(width, 3, name=f"block{block}_conv{conv}", **look)(x)
        x = keras.layers.MaxPooling2D(name=f"block{block}_pool")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, keras.layers.Dense(classes, name="scores")(x), name=name)


def vgg16(classes=2, weights=None, size=224, dropout=0.5, name="vgg16"):
    """Build the photo course's VGG16: 13 convolutions, two dense layers of 512, one of logits.

    Takes RGB images (N, size, size, 3) in 0-255, converts them to BGR and subtracts ImageNet's mean
    colour. All layers are in one list, under VGG's names; 27,823,938 parameters by default.

    weights: of the convolutions: None for random ones (call `keras.utils.set_random_seed` first),
    "imagenet", or a file for `keras.applications.VGG16(include_top=False)`.
    Raises ValueError for impossible sizes, FileNotFoundError for a missing file, and DownloadError
    if the download fails. (Simonyan & Zisserman 2015)
    """
    if classes < 1 or size < 32 or not 0 <= dropout < 1:
        raise ValueError(
            "vgg16 needs classes >= 1, size >= 32 and dropout in [0, 1), "
            f"not classes={classes}, size={size}, dropout={dropout}."
        )
    if weights == "imagenet":
        weights = imagenet.weights("vgg16")
    weights = Path(weights).expanduser() if weights is not None else None
    if weights and not weights.is_file():
        raise FileNotFoundError(f'No weights file {weights}: give a file, "imagenet" or None.')
    dense = [keras.layers.Dense(512, activation="relu", name=f"fc{number}") for number in (1, 2)]
    dense[0].build((None, 512 * (size // 32) ** 2))  # drawing its weights takes most memory: first
    image = keras.Input((size, size, 3), name="image")
    minus_mean = [-value for value in IMAGENET_MEAN_BGR]
    x = keras.layers.Rescaling(1.0, offset=minus_mean, name="minus_mean")(image[..., ::-1])
    convolutions = keras.applications.VGG16(False, weights and str(weights), input_tensor=x)
    x = keras.layers.Flatten(name="flatten")(convolutions.output)
    for number, layer in enumerate(dense, start=1):
        x = keras.layers.Dropout(dropout, name=f"dropout{number}")(layer(x))
    return keras.Model(image, keras.layers.Dense(classes, name="scores")(x), name=name)


def load(path):
    """Load a network from a `.keras` or whole `.h5` file, in safe mode: the file cannot run code.

    What it is, is judged by what is in it and not by its name. Raises FileNotFoundError, or
    ValueError that says why a file cannot be loaded, and what to do.
    """
    return files.load(path)


def save(network, path):
    """Save a network as a `.keras` file, completely or not at all.

    Raises ValueError for another suffix, FileNotFoundError for a missing folder.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(f"Save a network as a .keras file, not as {path.name}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to save {path.name} in.")
    with paths.whole(path) as unfinished:
        network.save(unfinished)


def layer_names(network, kind="conv"):
    """Return the names of a network's layers in order: kind "conv", "dense" or "all"."""
    check_network(network)
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}, not {kind!r}.")
    return [name for name, layer in layers_of(network).items() if isinstance(layer, _KINDS[kind])]


def find_layer(network, name):
    """Return a layer by its name, as listed by `layer_names`; ValueError if there is none.

    What a functional network computes without a layer, such as a `+`, is found by Keras' name.
    """
    check_network(network)
    named, found = layers_of(network), None
    if isinstance(name, str):
        found = named.get(name) or layers_of(network, operations=True).get(name)
    if found is None:
        raise _no_such(network, name, named)
    return found


def _names(layers):
    """Return a name, or several, as a tuple."""
    several = hasattr(layers, "__iter__") and not isinstance(layers, str | bytes)
    return tuple(layers) if several else (layers,)


def _no_such(network, name, named, what=""):
    wanted = name.name if isinstance(name, keras.Layer) else str(name)
    near = difflib.get_close_matches(wanted, named, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    found = f"No layer {name!r}{what} in {network.name}."
    return ValueError(f"{found}{hint} It has: {', '.join(named)}.")


def check_network(network):
    """Raise TypeError, with the mend, for anything but a `keras.Model`."""
    if isinstance(network, keras.Model):
        return
    given, mend = type(network).__name__, ""
    if isinstance(network, (str, os.PathLike)):
        mend = f" Load it first: networks.load({str(network)!r})."
    elif isinstance(network, type):
        given, mend = f"class {network.__name__}", " Make one of it first."
    elif isinstance(network, keras.Layer):
        mend = " Put the layer into one: keras.Sequential([keras.Input(shape), layer])."
    raise TypeError(f"A network must be a keras.Model, not a {given}.{mend}")


def check_built(network):
    """Raise TypeError unless a network is a `keras.Model`, ValueError unless it is built."""
    check_network(network)
    if not network.built:
        raise ValueError(f"The network {network.name!r} is not built yet: call it on some images.")


def input_shape(network):
    """Return the shape of a network's input without the batch, None where any length fits.

    Raises ValueError for a network that is not built or has several inputs.
    """
    check_built(network)
    try:
        shape = network.input_shape
    except AttributeError:  # a subclassed network knows only the shape it was built with
        shape = network.get_build_config().get("input_shape")
        shape = tuple(shape) if isinstance(shape, list) else shape  # when loaded from a file
    if not isinstance(shape, tuple) or not all(n is None or isinstance(n, int) for n in shape):
        raise ValueError(f"The network {network.name!r} must take one input, not {shape}.")
    return shape[1:]


def check_images(network, images, bytes_too=False):
    """Return images as a float32 batch that fits the network, and whether there was only one.

    images: uint8 or float, (N, H, W, C) or a single (H, W, C), as the network's input requires.
    bytes_too: keep uint8 as it is, in a quarter of the memory. Raises ValueError for another shape,
    NaN or infinity, TypeError for anything but numbers; warns if the values look like 0-1.
    """
    shape, images = input_shape(network), _as_numbers(images)
    single = images.ndim == len(shape)
    batch = images[np.newaxis] if single else images
    fits = batch.ndim == len(shape) + 1 and 0 not in batch.shape
    if not fits or any(n not in (None, m) for n, m in zip(shape, batch.shape[1:], strict=True)):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(
            f"The network {network.name!r} takes images (N, {wanted}) or one ({wanted}), "
            f"not {images.shape}{': that is none' if 0 in batch.shape else ''}."
        )
    if not (bytes_too and images.dtype == np.uint8):
        batch = np.ascontiguousarray(batch, np.float32)
    if images.dtype.kind == "f":
        low, high = batch.min(), batch.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ValueError("The images hold NaN or infinity; they must be finite, 0 to 255.")
        if len(shape) == 3 and shape[-1] == 3 and low >= 0 and 0 < high <= 1:
            message = "These images look like 0-1, but networks take 0-255: multiply them by 255."
            warnings.warn(message, UserWarning, stacklevel=3)
    return batch, single


def _as_numbers(images):
    """Return images as an array of numbers; say what they are if that cannot be."""
    array = _as_array(images)
    if array is not None and array.dtype.kind in "uif":
        return array
    given = type(images).__name__ if array is None or not array.ndim else array.dtype
    if isinstance(images, os.PathLike) or (array is not None and array.dtype.kind in "US"):
        raise TypeError("Images must be numbers, not text: read a file with photos.read first.")
    if array is not None and array.dtype == bool:
        raise TypeError("Images must be numbers in 0-255, not True and False (bool).")
    if array is None or array.ndim:  # several, which do not make one array
        each = [_as_array(one) for one in images]
        shapes = sorted({one.shape for one in each if one is not None})
        if len(shapes) > 1:
            sizes = " and ".join(map(str, shapes[:3]))
            raise ValueError(f"Images of one batch must be of one size, not {sizes}: resize them.")
    raise TypeError(f"Images must be an array of numbers (uint8 or float), not {given}.")


def _as_array(images):
    """Return images as an array, or None for lists whose rows differ in length."""
    try:
        return np.asarray(images)
    except ValueError:
        return None


def record(network, images, layers, batch_size=16):
    """Return the outputs of layers for images, `{name: float32 array (N, ...)}`, in one pass.

    layers: a name or a list of names, see `layer_names`. Raises ValueError for a layer that is
    unknown or that the network does not call.
    """
    names = _names(layers)
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
    """Return class probabilities (N, classes), float32, also for a network of logits.

    A single sigmoid gives two columns, [1 - p, p]. Raises ValueError for a single linear output.
    """
    batch, _ = check_images(network, images, bytes_too=True)
    run = compiled(network, _probabilities, signature=(((None, *batch.shape[1:]), "float32"),))
    return in_batches(run, batch, batch_size=batch_size)[0]


def _probabilities(network, x):
    head = read(network, x, network(x, training=False))
    if head.probabilities is None:
        raise ValueError("The network has one linear output: a score, not a probability.")
    if head.doubt:
        say_once(network, head.doubt)
    return [head.probabilities]


def parameter_counts(network):
    """Return how many parameters a network has: `(total, trainable, frozen)`.

    Shared weights count once. Batch-normalization statistics, which no gradient changes, count as
    frozen. Raises ValueError for a network that is not built.
    """
    check_built(network)
    total = sum(math.prod(weight.shape) for weight in network.weights)
    trainable = sum(math.prod(weight.shape) for weight in network.trainable_weights)
    return ParameterCounts(total, trainable, total - trainable)


def frozen(network, upto=None):
    """Return a copy of a network with its first layers frozen, up to and including `upto`.

    upto: a layer's name, as `layer_names(network, "all")` lists it; or a block, "block3" or just 3,
    which ends with the last layer whose name begins with "block3_"; None or 0 freezes nothing.
    All later layers are trainable. The copy has the same weights; compile it before training.
    Raises ValueError for an unknown block or layer.
    """
    check_built(network)
    copy = copied(network)
    for layer in (*_networks(copy), *layers_of(copy).values()):
        layer.trainable = True  # one by one: a network passes it on only if it changes
    if upto:
        named = layers_of(copy)
        name = f"block{upto}" if str(upto).isdigit() else str(upto)
        block = [other for other in named if other.rpartition("/")[2].startswith(f"{name}_")]
        if name not in named and not block:
            raise _no_such(network, name, named)
        last = name if name in named else block[-1]
        for layer in list(named.values())[: list(named).index(last) + 1]:
            layer.trainable = False
    return copy


def penalized(network, l1=0.0, l2=0.0, layers=None):
    """Return a copy of a network with penalties on its weights, added to the training loss.

    Arguments:
        l1, l2: 0 or more; l1 * sum |w| + l2 * sum w^2 is added for each kernel w (lasso, ridge, or
            both, the elastic net). They replace earlier penalties, so zeros remove them.
        layers: a name or a list of names; None for every layer with a kernel.

    Biases and frozen layers are not penalized. The copy has the same weights; compile it before
    training. Raises ValueError for a negative penalty and for a layer that is unknown or has no
    kernel. (Tibshirani 1996, Zou & Hastie 2005)
    """
    if not (0 <= l1 < math.inf and 0 <= l2 < math.inf):
        raise ValueError(f"Penalties must be 0 or more, not l1={l1}, l2={l2}.")
    check_built(network)
    copy = copied(network)
    penalties = {name: list(kernels(layer)) for name, layer in layers_of(copy).items()}
    penalties = {name: found for name, found in penalties.items() if found}
    names = penalties if layers is None else _names(layers)
    penalty = keras.regularizers.L1L2(l1, l2) if l1 or l2 else None
    for name in names:
        if not isinstance(name, str) or name not in penalties:
            raise _no_such(network, name, penalties, " with a kernel")
        for layer, attribute, kernel in penalties[name]:
            setattr(layer, attribute, penalty)  # this is saved with the network,
            kernel.regularizer = penalty  # and this counts in its loss
    return copy


def _networks(network):
    """Return a network and those nested in it, the outer before the inner."""
    inner = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    return [network, *(deeper for layer in inner for deeper in _networks(layer))]
