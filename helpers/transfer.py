"""What transfer learning needs: the photo course's VGG16, freezing, penalties, counting.

A network that is given is never changed. `frozen` and `penalized` return a copy with the same
weights and other rules for training; `networks` offers all of these under its own name.
"""

import contextlib
import difflib
import math
import random
import warnings
from pathlib import Path
from typing import NamedTuple

import keras

from helpers import imagenet
from helpers.tracing import layers as layers_of

IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)
# What Keras calls a layer's kernels, and the penalties on them.
_KERNELS = (
    ("kernel_regularizer", "kernel"),
    ("depthwise_regularizer", "kernel"),
    ("depthwise_regularizer", "depthwise_kernel"),
    ("pointwise_regularizer", "pointwise_kernel"),
)


class ParameterCounts(NamedTuple):
    """How many numbers a network holds, and how many of them training changes or leaves alone."""

    total: int
    trainable: int
    frozen: int


def vgg16(classes=2, weights=None, size=224, dropout=0.5, name="vgg16"):
    """Build the photo course's VGG16: 13 convolutions, two dense layers of 512, one of logits.

    Takes RGB images (N, size, size, 3) in 0-255 and does VGG's preprocessing itself: the order of
    the colours turned round, ImageNet's mean colour taken off. Gives `classes` logits. All layers
    are in one list, under VGG's names. weights: None (random: seed them beforehand with
    `keras.utils.set_random_seed`), "imagenet" (see `imagenet.weights`), or a file of weights for
    the convolutions, as `keras.applications.VGG16(include_top=False)` takes it; the dense layers
    begin at random. With two classes at 224 pixels it has 27,823,938 parameters.
    Raises ValueError for impossible sizes, FileNotFoundError for a file that is not there, and
    DownloadError where ImageNet's weights cannot be had.
    (Simonyan & Zisserman 2015)
    """
    if classes < 1 or size < 32 or not 0 <= dropout < 1:
        raise ValueError(
            "vgg16 wants classes >= 1, size >= 32 and dropout in [0, 1), "
            f"not classes={classes}, size={size}, dropout={dropout}."
        )
    if weights == "imagenet":
        weights = imagenet.weights("vgg16")
    if weights is not None:
        weights = Path(weights).expanduser()
        if not weights.is_file():
            raise FileNotFoundError(
                f'There is no weights file {weights}: give a file, "imagenet" or None.'
            )
        weights = str(weights)
    dense = [keras.layers.Dense(512, activation="relu", name=f"fc{number}") for number in (1, 2)]
    dense[0].build((None, 512 * (size // 32) ** 2))  # to draw its weights takes most memory: first
    image = keras.Input((size, size, 3), name="image")
    minus_mean = [-value for value in IMAGENET_MEAN_BGR]
    x = keras.layers.Rescaling(1.0, offset=minus_mean, name="minus_mean")(image[..., ::-1])
    convolutions = keras.applications.VGG16(
        include_top=False, weights=weights, input_tensor=x, input_shape=(size, size, 3)
    )
    x = keras.layers.Flatten(name="flatten")(convolutions.output)
    for number, layer in enumerate(dense, start=1):
        x = keras.layers.Dropout(dropout, name=f"dropout{number}")(layer(x))
    return keras.Model(image, keras.layers.Dense(classes, name="scores")(x), name=name)


def parameter_counts(network):
    """Return how many parameters a network has: `(total, trainable, frozen)`.

    A weight that several layers share counts once; statistics of batch normalization, which no
    gradient changes, count as frozen. Raises ValueError for a network that is not built.
    """
    _check_built(network)
    total = sum(math.prod(weight.shape) for weight in network.weights)
    trainable = sum(math.prod(weight.shape) for weight in network.trainable_weights)
    return ParameterCounts(total, trainable, total - trainable)


def frozen(network, upto=None):
    """Return a copy of a network whose first layers do not learn: all up to and including `upto`.

    upto: the name of a layer, as `layer_names(network, "all")` lists it; or a block, "block3" or 3
    for short, which ends with the last layer whose name begins with "block3_"; or None or 0, which
    freezes nothing. Every layer after it learns, whatever it did before. The copy has the same
    weights, and is compiled anew before it is trained. Raises ValueError for a block or layer that
    is not there.
    """
    copy = _copied(network)
    for layer in (*_networks(copy), *layers_of(copy).values()):
        layer.trainable = True  # each by itself: a network that is so already tells no layer of it
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
    """Return a copy of a network whose loss in training also counts the size of its weights.

    To the loss is added, for each kernel w of the named layers, l1 * sum |w| + l2 * sum w^2: a
    lasso penalty, a ridge penalty, or both, the elastic net. `layers` is a name or a list of
    names; None takes every convolution and dense layer. What these layers were penalized by before
    is replaced, so that zeros take penalties off. Biases are left alone, and so are frozen layers,
    as Keras penalizes only what learns. The copy has the same weights, and is compiled anew before
    it is trained. Raises ValueError for a negative penalty and for a layer that is not there or
    has no kernel. (Tibshirani 1996, Zou & Hastie 2005)
    """
    if not (0 <= l1 < math.inf and 0 <= l2 < math.inf):
        raise ValueError(f"Penalties are 0 or more, not l1={l1}, l2={l2}.")
    copy = _copied(network)
    kernels = {name: list(_kernels(layer)) for name, layer in layers_of(copy).items()}
    kernels = {name: found for name, found in kernels.items() if found}
    names = kernels if layers is None else (layers,) if isinstance(layers, str) else layers
    penalty = keras.regularizers.L1L2(l1, l2) if l1 or l2 else None
    for name in names:
        if name not in kernels:
            raise _no_such(network, name, kernels, " with a kernel")
        for layer, attribute, kernel in kernels[name]:
            setattr(layer, attribute, penalty)  # this is saved with the network,
            kernel.regularizer = penalty  # and this counts in its loss
    return copy


def _networks(network):
    """Yield a network and those within it, the outer before the inner."""
    yield network
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _networks(layer)


def _kernels(layer):
    for penalty, kernel in _KERNELS:
        if hasattr(layer, penalty) and isinstance(getattr(layer, kernel, None), keras.Variable):
            yield layer, penalty, getattr(layer, kernel)


def _no_such(network, name, named, what=""):
    near = difflib.get_close_matches(str(name), named, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(
        f"No layer {name!r}{what} in {network.name}.{hint} It has: {', '.join(named)}."
    )


def _copied(network):
    """Return a copy of a network, not compiled: same weights, random seeds, penalties, freezing."""
    _check_built(network)
    classes = {type(part).__name__: type(part) for part in (network, *layers_of(network).values())}
    try:
        with _random_numbers_kept(), warnings.catch_warnings():
            # In a file a lambda is not safe; here it goes nowhere.
            warnings.filterwarnings("ignore", "The object being serialized includes a `lambda`")
            config = keras.saving.serialize_keras_object(network)
            config.pop("compile_config", None)
            copy = keras.saving.deserialize_keras_object(config, classes, safe_mode=False)
            for own, twin in zip(network.variables, copy.variables, strict=True):
                twin.assign(own)
                twin.regularizer = own.regularizer
            _follow(network, copy)
    except (NotImplementedError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"The network {network.name!r} cannot be copied. A class of your own can be where its "
            f"get_config() returns everything that its __init__ takes. Keras says: {reason}"
        ) from error
    return copy


def _follow(network, copy):
    """Give a copy the rules for training that a class's own `get_config` does not tell of."""
    pairs = zip(layers_of(network).values(), layers_of(copy).values(), strict=True)
    for layer, twin in reversed(list(pairs)):  # a block before the layers that it holds
        twin.trainable = layer.trainable
        for _, penalty, _ in _kernels(layer):
            setattr(twin, penalty, getattr(layer, penalty))


def _check_built(network):
    if not isinstance(network, keras.Model):
        raise TypeError(f"A network is a keras.Model, not a {type(network).__name__}.")
    if not network.built:
        raise ValueError(
            f"The network {network.name!r} is not built yet: call it once on a batch of images."
        )


@contextlib.contextmanager
def _random_numbers_kept():
    """Leave Python's random numbers, from which Keras seeds new layers, as they were."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)
