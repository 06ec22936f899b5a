"""Transfer learning: choose examples, fit a new head, freeze blocks, fine-tune the rest.

A frozen layer returns the same features for a picture in every epoch. So a network is split where
its frozen layers end (`halves`): the lower half runs once per picture (`outputs`), and only the
upper half is trained on its outputs (`fine_tune`). The simplest form freezes the whole base and
fits a linear head on its features (`fit_head`; Donahue et al., DeCAF, 2014).
"""

import json
import math

import keras
import numpy as np
import tensorflow as tf

from helpers import networks
from helpers.core import cache, paths
from helpers.core.arguments import check_count
from helpers.core.progress import progress
from helpers.networks import frozen, vgg16
from helpers.training import train

FREE_SIZE = 224  # pixels, for networks that take pictures of any size
HEAD_RECIPE = 1  # increase it whenever the same pictures would give a different head
BATCH, RATE = 16, 3e-4  # of fine-tuning
ENOUGH = 0.02  # fine-tuning stops when an epoch's loss is below this
KEYS = ("how", "frozen", "count", "seed")  # that identify a measured run
LAYER, DENSE = "block5_pool", ("fc", "scores")  # of VGG16 for the photos world
EPOCHS, DENSE_RATE, TUNING_EPOCHS, TUNING_RATE = 8, 1e-4, 4, 1e-5
VGG16_RECIPE = 1  # increase it whenever the same pictures would give a different network


def choose(labels, count, seed=0):
    """Return the rows of `count` random examples of each class, an int array; classes alternate.

    With the same seed, a smaller count returns the first rows of a larger one.
    Raises ValueError if a class has fewer examples.
    """
    labels, rng = np.asarray(labels), np.random.default_rng(seed)
    drawn = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    fewest = min(map(len, drawn))
    if not 1 <= count <= fewest:
        raise ValueError(f"count must be 1 to {fewest}, the smallest class's size, not {count!r}")
    return np.stack([rows[:count] for rows in drawn], axis=1).ravel()


def image_size(network, free=FREE_SIZE):
    """Return (height, width) of the pictures that a network takes; `free` where any length fits.

    Raises ValueError for a network that does not take RGB pictures (N, H, W, 3).
    """
    shape = networks.input_shape(network)
    if len(shape) != 3 or shape[-1] not in (3, None):
        raise ValueError(
            f"the network {network.name!r} must take RGB pictures (height, width, 3), not {shape}"
        )
    return tuple(length or free for length in shape[:2])


def class_count(network):
    """Return the number of classes of a network, 2 for a single sigmoid; None if it has none.

    A network has none if it returns several outputs, a map, or a single linear value.
    """
    output = network(keras.Input((*image_size(network), 3)))
    if not isinstance(output, keras.KerasTensor) or len(output.shape) != 2:
        return None
    if output.shape[-1] > 1:
        return output.shape[-1]
    try:
        blank = np.zeros((1, *image_size(network), 3), np.uint8)
        return networks.predict(network, blank).shape[-1]
    except ValueError:  # a single linear value
        return None


def head_features(network, images):
    """Return the features, float32 (N, D), that a new head is put on.

    They are the input of the layer that `head_path` names, else the network's output, averaged
    over the picture if they are a map. Raises ValueError for images (N, H, W, 3) that do not fit.
    """
    networks.check_images(network, images[:1])
    return outputs(keras.Model(*_features(network)), images, batch_size=32, label="features")


def fit_head(features, labels):
    """Fit a linear head on features: {"kernel": (D, classes), "bias": (classes,)}, float32.

    Logistic regression on standardized features, with equally weighted classes. The standardization
    is folded into the weights. features: (N, D). labels: int (N,), 0 to classes - 1, each given.
    """
    if missing := sorted(set(range(np.max(labels) + 1)) - set(np.asarray(labels).tolist())):
        raise ValueError(f"the labels {missing} have no examples; a head needs some of each class")
    from sklearn.linear_model import LogisticRegression  # here: a cached head needs none
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features.astype(np.float64))
    line = LogisticRegression(C=0.1, solver="newton-cg", class_weight="balanced")
    line.fit(scaler.transform(features), labels)
    slopes, offsets = line.coef_, line.intercept_
    if len(slopes) == 1:  # two classes share one slope: half for one, half against the other
        slopes, offsets = np.vstack([-slopes, slopes]) / 2, np.hstack([-offsets, offsets]) / 2
    kernel = (slopes / scaler.scale_).T
    bias = offsets - scaler.mean_ @ kernel
    return {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}


def attach_head(network, kernel, bias):
    """Return the network up to its features, with a dense layer "scores" of logits on top.

    kernel, bias: from `fit_head`. The other layers are shared with the given network, not copied.
    Raises ValueError for a kernel that does not fit the features.
    """
    image, features = _features(network)
    if kernel.shape != (features.shape[-1], len(bias)):
        raise ValueError(
            f"the network {network.name!r} has {features.shape[-1]} features; "
            f"a kernel {kernel.shape} and a bias {bias.shape} do not fit"
        )
    dense = keras.layers.Dense(len(bias), dtype="float32", name=_free_name(network, "scores"))
    headed = keras.Model(image, dense(features), name=network.name)
    dense.set_weights([kernel, bias])
    return headed


def _features(network):
    """Return the symbolic image and features (N, D) of a network."""
    image, features = _image_and_map(network)
    if not isinstance(features, keras.KerasTensor) or not 2 <= len(features.shape) <= 4:
        raise ValueError(f"the outputs of the network {network.name!r} do not fit a head")
    if len(features.shape) > 2:
        pool = {3: keras.layers.GlobalAveragePooling1D, 4: keras.layers.GlobalAveragePooling2D}
        features = pool[len(features.shape)](name=_free_name(network, "pool"))(features)
    return image, features


def head_path(network, alone=True):
    """Return the networks that lead to the layer that a new head replaces, and that layer, a list.

    It is the last layer with weights, if that is a Dense or a convolution of 1x1. The list is empty
    if there is none, as in a network that ends in a map, has an only layer or is subclassed.
    """
    if not getattr(network, "inputs", None) or len(network.outputs[0].shape) > 2:
        return []
    weighted = [layer for layer in network.layers if layer.weights]
    last, alone = weighted[-1] if weighted else None, alone and len(weighted) < 2
    if isinstance(last, keras.Model):
        within = head_path(last, alone)
        return within and [last, *within]
    dense = isinstance(last, keras.layers.Dense) or set(getattr(last, "kernel_size", (0,))) == {1}
    return [last] if dense and not alone else []


def _image_and_map(network, path=None):
    """Return the symbolic image and the input of the head, else the output."""
    if not getattr(network, "inputs", None):  # subclassed: it cannot be split
        image = keras.Input((*image_size(network), 3), name="image")
        return image, network(image)
    inner, *path = (path or head_path(network)) or [None]
    if not path:
        return network.inputs[0], inner.input if inner else network.outputs[0]
    base, given = keras.Model(*_image_and_map(inner, path), name=inner.name), []

    def call(layer, *args, **options):
        given.extend(args[:1] if layer is inner else ())
        return layer(*args, **options)

    whole = keras.Model(network.inputs, network.outputs)  # of a Sequential, too, the graph
    twin = keras.models.clone_model(whole, clone_function=lambda own: own, call_function=call)
    return twin.inputs[0], base(given[-1])


def _free_name(network, name):
    taken = {layer.name for layer in network.layers}
    while name in taken:
        name = f"head_{name}"
    return name


def halves(network, layer):
    """Return the part of a network up to a layer, and the part after it; both share its weights.

    network: with all layers in one list, as `networks.build` makes it.
    Raises ValueError for an unknown layer.
    """
    between = networks.find_layer(network, layer).output
    return (
        keras.Model(network.inputs, between, name=f"{network.name}_lower"),
        keras.Model(between, network.outputs[0], name=f"{network.name}_upper"),
    )


def outputs(network, inputs, batch_size=8, label=None):
    """Return a network's outputs for inputs (N, ...), float32; `label` shows a progress bar."""
    check_count("batch_size", batch_size, 1)
    whole, starts = None, range(0, len(inputs), batch_size)
    for start in progress(starts, label=label) if label else starts:
        batch = network.predict_on_batch(inputs[start : start + batch_size])
        if whole is None:  # filled in place: concatenating would take twice the memory
            whole = np.empty((len(inputs), *batch.shape[1:]), batch.dtype)
        whole[start : start + len(batch)] = batch
    return whole


def headed(base, features, labels, upto=None):
    """Return a copy of a base with frozen blocks and a new linear head, fitted on its features.

    features: (N, D), from `embedding.features`. labels: int (N,). upto: see `networks.frozen`.
    """
    return frozen(attach_head(base, **fit_head(features, labels)), upto)


def fine_tune(network, inputs, labels, rate=RATE, steps=600, seed=0, enough=ENOUGH, shrink=False):
    """Train a network of logits in place and return the loss of each epoch, a list of floats.

    Arguments:
        network: such as the upper one of two `halves`; frozen layers do not change.
        inputs, labels: (N, ...) and int (N,).
        rate: the learning rate of Adam, in batches of 16.
        steps: the most batches to train on, rounded down to whole epochs, at least one.
        seed: for the order of the inputs, the same in each epoch.
        enough: training stops after an epoch with a mean loss below this.
        shrink: whether the learning rate falls to zero along a cosine.

    Raises ValueError for inputs and labels that do not fit.
    """
    keras.utils.set_random_seed(seed)
    order = tf.random.shuffle(tf.range(len(inputs)), seed=0).numpy()
    epochs = max(1, steps // math.ceil(len(inputs) / BATCH))
    return train(
        network, inputs, labels, epochs, rate, "cosine" if shrink else "constant", BATCH, seed,
        order, augmented=False, until=lambda losses: losses[-1] < enough,
    )  # fmt: skip


def accuracy(network, inputs, labels):
    """Return the share of inputs that are classified correctly, 0 to 1."""
    return float((outputs(network, inputs).argmax(axis=1) == np.asarray(labels)).mean())


def block_features(network, images):
    """Return the outputs of the five blocks, averaged over the picture: a list of five (N, C)."""
    average = keras.layers.GlobalAveragePooling2D()
    means = [average(networks.find_layer(network, f"block{n}_pool").output) for n in range(1, 6)]
    found = outputs(keras.Model(network.inputs, keras.layers.Concatenate()(means)), images)
    return np.split(found, np.cumsum([mean.shape[-1] for mean in means])[:-1], axis=1)


def head_accuracy(features, labels, other_features, other_labels):
    """Return the accuracy on other features of a head fitted on features and labels, 0 to 1."""
    head = fit_head(features, labels)
    scores = other_features @ head["kernel"] + head["bias"]
    return float((scores.argmax(axis=1) == other_labels).mean())


def head_curve(features, labels, other_features, other_labels, counts, seeds=(0, 1, 2)):
    """Return the accuracy of heads on their training examples and on others: (2, counts, seeds).

    counts: training examples per class, chosen from `features` by `choose` with each seed.
    """
    curve = np.empty((2, len(counts), len(seeds)))
    for place in np.ndindex(curve.shape[1:]):
        rows = choose(labels, counts[place[0]], seeds[place[1]])
        own = features[rows], labels[rows]
        curve[0][place] = head_accuracy(*own, *own)
        curve[1][place] = head_accuracy(*own, other_features, other_labels)
    return curve


def frozen_counts(network):
    """Return how many parameters are frozen with no block, block 1, blocks 1-2, ... blocks 1-5."""
    held = [0] * 6
    for layer in network.layers:
        block = layer.name.partition("_")[0]
        if block[:-1] == "block":
            held[int(block[-1])] += layer.count_params()
    return np.cumsum(held).tolist()


def measured(how, frozen, counts, seeds=(0, 1, 2)):
    """Return measured accuracies, on training and on test pictures: (2, counts, seeds).

    how: "from scratch", "fine-tuned" after block `frozen`, or "head on imagenet, photographs".
    counts: training examples per class. Raises ValueError for a run not in data/networks.
    """
    files = sorted(paths.NETWORKS.glob("*_curves.json"))
    runs = [run for file in files for run in json.loads(file.read_text("utf-8"))["runs"]]
    known = {tuple(run[key] for key in KEYS): (run["train"], run["test"]) for run in runs}
    keys = [[(how, frozen, count, seed) for seed in seeds] for count in counts]
    for key in sum(keys, []):
        if key not in known:
            raise ValueError(f"no run has been measured for {dict(zip(KEYS, key, strict=True))}")
    return np.moveaxis([[known[key] for key in row] for row in keys], 2, 0)


def kept_features(network, images, layer=LAYER, folder=None):
    """Return a layer's outputs for images, float32 (N, h, w, c), computed once and cached.

    images: (N, H, W, 3) in 0-255. folder: see `cache.folder`. Each set of images and of weights up
    to the layer has a file of its own. Values are rounded to half precision, unless too large.
    Raises ValueError for an unknown layer or images that do not fit.
    """
    networks.find_layer(network, layer)
    networks.check_images(network, images[:1])
    names = networks.layer_names(network, "all")
    names = names[: names.index(layer) + 1]
    weights = [w for name in names for w in networks.find_layer(network, name).get_weights()]
    key = cache.digest(np.asarray(images), layer, *weights)
    path = cache.folder(folder) / f"features-{key}.npz"

    def compute():
        starts = progress(range(0, len(images), BATCH // 2), label="computing features")
        return {"features": np.concatenate([_rounded(outputs_of(start)) for start in starts])}

    def outputs_of(start):  # eight pictures: VGG16's first block takes 26 MB for each
        return networks.record(network, images[start : start + BATCH // 2], layer)[layer]

    return cache.arrays(path, compute)["features"].astype(np.float32)


def dense_layers(shape, classes, dropout=0.5):
    """Build VGG16's dense layers alone, under VGG's names: features in, logits out.

    shape: of one picture's features. Weights and dropout are seeded.
    """
    layers = [keras.Input(shape), keras.layers.Flatten(name="flatten")]
    for number in (1, 2):
        start = keras.initializers.GlorotUniform(seed=number)
        layers += [
            keras.layers.Dense(512, "relu", kernel_initializer=start, name=f"fc{number}"),
            keras.layers.Dropout(dropout, seed=number, name=f"dropout{number}"),
        ]
    start = keras.initializers.GlorotUniform(seed=3)
    layers.append(keras.layers.Dense(classes, kernel_initializer=start, name="scores"))
    return keras.Sequential(layers, name="head")


def train_dense_layers(features, labels, classes, epochs=EPOCHS, batch=32, seed=0):
    """Train dense layers on features (N, h, w, c); return them and their losses.

    labels: int (N,), 0 to classes - 1. Training divides the features by their root mean square, so
    that one learning rate suits all; the returned layers take features as they are.
    Raises ValueError unless there is one label per picture.
    """
    network = dense_layers(features.shape[1:], classes)
    size = np.sqrt(np.vdot(features, features) / features.size) or 1.0
    losses = train(
        network, features / size, labels, epochs, DENSE_RATE, "cosine", batch, seed,
        augmented=False, label="training the dense layers",
    )  # fmt: skip
    first = network.get_layer("fc1")
    first.kernel.assign(first.kernel / size)
    return network, losses


def tune_block5(network, images, labels, epochs=TUNING_EPOCHS):
    """Return a copy of VGG16 with block 5 and its dense layers trained further, the rest frozen.

    images: (N, H, W, 3) in 0-255, augmented. labels: int (N,). Meant for a GPU: CPUs are too slow.
    """
    tuned = frozen(network, "block4")
    train(tuned, images, labels, epochs, TUNING_RATE, label="fine-tuning block 5")
    return tuned


def classifier(weights, world, size, key, folder=None):
    """Return VGG16 for a world's classes, trained on first use and cached.

    Arguments:
        weights: the file of ImageNet weights.
        world: only its `train` and `class_names` are used.
        size: of the pictures, in pixels.
        key: a hash of the pictures and the weights.
        folder: see `cache.folder`.

    The dense layers are trained on features; with a GPU, block 5 is then fine-tuned as well.
    """
    network = vgg16(len(world.class_names), weights, size)
    folder, key = cache.folder(folder), cache.digest(key, size, VGG16_RECIPE)

    def dense():
        found = kept_features(network, world.train.images, folder=folder)
        learned, _ = train_dense_layers(found, world.train.labels, len(world.class_names))
        return _weights(learned, DENSE)

    def block5_and_dense():
        tuned = tune_block5(network, world.train.images, world.train.labels, TUNING_EPOCHS)
        return _weights(tuned, (*DENSE, "block5_"))

    _assign(network, cache.arrays(folder / f"vgg16-head-{key}.npz", dense))
    if has_gpu():
        _assign(network, cache.arrays(folder / f"vgg16-tuned-{key}.npz", block5_and_dense))
    return network


def has_gpu():
    """Return whether TensorFlow can use a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def _rounded(values):
    """Return values in half precision, or unchanged if they exceed its range."""
    return values.astype(np.float16) if np.abs(values).max() < np.finfo(np.float16).max else values


def _weights(network, blocks):
    """Return {"fc1 kernel": array, ...} of the layers whose names begin with one of `blocks`."""
    return {
        f"{layer.name} {weight.name}": weight.numpy()
        for layer in network.layers
        if layer.name.startswith(blocks)
        for weight in layer.weights
    }


def _assign(network, weights):
    for name, values in weights.items():
        layer, _, weight = name.partition(" ")
        getattr(network.get_layer(layer), weight).assign(values)
