"""A new head on a network trained for something else: transfer learning in its plainest form.

The network stays as it is. Its features are what its last layer with weights is given (averaged
over the picture where they still form a map); on them a linear classifier is fitted, and comes
back as a Keras network that shares the old one's layers (Donahue et al., DeCAF, 2014).
"""

import keras
import numpy as np

from helpers import networks, runtime

FREE_SIZE = 224  # pixels: for a network that takes pictures of any size
RECIPE = 1  # raise it whenever the same pictures would give another head
BATCH = 32


def image_size(network, free=FREE_SIZE):
    """Return (height, width) of the pictures that a network takes; `free` where any length will do.

    Raises ValueError for a network that does not take RGB pictures (N, H, W, 3).
    """
    shape = networks.input_shape(network)
    if len(shape) != 3 or shape[-1] not in (3, None):
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(
            f"the network {network.name!r} takes inputs of shape ({wanted}); "
            "wanted one for RGB pictures: (height, width, 3)"
        )
    return tuple(length or free for length in shape[:2])


def class_count(network):
    """Return how many classes a network tells apart, 2 for one sigmoid; None where it has none.

    It has none with several outputs, a map for an output, or one linear value.
    """
    output = network(keras.Input((*image_size(network), 3)))
    if not isinstance(output, keras.KerasTensor) or len(output.shape) != 2:
        return None
    if output.shape[-1] > 1:
        return output.shape[-1]
    try:
        blank = np.zeros((1, *image_size(network), 3), np.uint8)
        return networks.predict(network, blank).shape[-1]
    except ValueError:  # one linear value: a score without a probability
        return None


def fit(network, images, labels):
    """Fit a linear head on a network's features: {"kernel": (D, classes), "bias": (classes,)}.

    images: (N, H, W, 3) in 0-255. labels: int (N,), 0 to classes - 1. Logistic regression on
    standardized features, classes weighted equally, the same every time; the standardization is
    folded into the weights, float32, as `attach` takes them. Shows a progress bar where the
    features take long. Raises ValueError for images the network does not take.
    """
    networks.check_images(network, images[:1])
    image, features = _features(network)
    extract = keras.Model(image, features).predict_on_batch
    starts = runtime.progress(range(0, len(images), BATCH), label="computing features")
    features = np.concatenate([extract(images[start : start + BATCH]) for start in starts])
    return fit_features(features, labels)


def fit_features(features, labels):
    """Fit a linear head on features (N, D) that are there already; return what `fit` returns."""
    from sklearn.linear_model import LogisticRegression  # here: not needed for a head kept earlier
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features.astype(np.float64))
    line = LogisticRegression(C=0.1, solver="newton-cg", class_weight="balanced")
    line.fit(scaler.transform(features), labels)
    slopes, offsets = line.coef_, line.intercept_
    if len(slopes) == 1:  # two classes have one slope: half for the one, half against the other
        slopes, offsets = np.vstack([-slopes, slopes]) / 2, np.hstack([-offsets, offsets]) / 2
    kernel = (slopes / scaler.scale_).T
    bias = offsets - scaler.mean_ @ kernel
    return {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}


def attach(network, kernel, bias):
    """Return the network up to its features, with a dense layer "scores" of logits on top.

    kernel, bias: from `fit`. The layers are the given network's own, not copies. Raises ValueError
    for a kernel that does not fit the features.
    """
    image, features = _features(network)
    if kernel.shape != (features.shape[-1], len(bias)):
        raise ValueError(
            f"the network {network.name!r} has {features.shape[-1]} features; "
            f"a kernel {kernel.shape} and a bias {bias.shape} do not fit them"
        )
    name = _free_name(network, "scores")
    dense = keras.layers.Dense(len(bias), dtype="float32", name=name)
    headed = keras.Model(image, dense(features), name=network.name)
    dense.set_weights([kernel, bias])
    return headed


def _features(network):
    """Return the symbolic image and features (N, D) of a network."""
    image, features = _image_and_map(network)
    if not isinstance(features, keras.KerasTensor) or not 2 <= len(features.shape) <= 4:
        raise ValueError(f"the network {network.name!r} has outputs that no head can be put on")
    if len(features.shape) > 2:
        pool = {3: keras.layers.GlobalAveragePooling1D, 4: keras.layers.GlobalAveragePooling2D}
        features = pool[len(features.shape)](name=_free_name(network, "pool"))(features)
    return image, features


def _image_and_map(network):
    """Return the symbolic image and what the last layer with weights is given, else the output."""
    if not getattr(network, "inputs", None):  # subclassed: its inside is its own affair
        image = keras.Input((*image_size(network), 3), name="image")
        return image, network(image)
    image, output = network.inputs[0], network.outputs[0]
    weighted = [layer for layer in network.layers if layer.weights]
    headless = len(output.shape) > 2  # it ends in a map: there is nothing to take off
    if headless or len(weighted) < 2 or isinstance(weighted[-1], keras.Model):
        return image, output
    return image, weighted[-1].input


def _free_name(network, name):
    taken = {layer.name for layer in network.layers}
    while name in taken:
        name = f"head_{name}"
    return name
