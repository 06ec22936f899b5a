"""VGG16 for your own classes: what its convolutions say of each picture, learned from and kept.

The convolutions stay as ImageNet made them, so each picture passes them once; what comes out, the
*bottleneck features*, is kept, and the dense layers learn from that in seconds a pass. Where there
is a GPU, the last block of convolutions is then fine-tuned, slowly, together with them.
(Yosinski et al., How transferable are features, NeurIPS 2014)
"""

import keras
import numpy as np
import tensorflow as tf

from helpers import cache, networks, runtime, training, transfer

LAYER, DENSE = "block5_pool", ("fc", "scores")
BATCH = 8  # pictures at once: VGG16's first block takes 26 MB for each
EPOCHS, RATE, TUNING_EPOCHS, TUNING_RATE = 8, 1e-4, 4, 1e-5
RECIPE = 1  # raise it whenever the same pictures would give another network


def features(network, images, layer=LAYER, folder=None):
    """Return what a layer says of images, float32 (N, h, w, c), computed once and kept in a file.

    images: (N, H, W, 3) in 0-255. folder: the cache folder, as `cache.folder` takes it. They are
    rounded to half precision, where that holds them, which takes half the room on disk. Other
    images, or other weights up to that layer, are another file. Shows a progress bar. Raises
    ValueError for an unknown layer or images that do not fit.
    """
    networks.find_layer(network, layer)
    networks.check_images(network, images[:1])
    names = networks.layer_names(network, "all")
    names = names[: names.index(layer) + 1]
    weights = [w for name in names for w in networks.find_layer(network, name).get_weights()]
    key = cache.digest(np.asarray(images), layer, *weights)
    path = cache.folder(folder) / f"features-{key}.npz"

    def compute():
        starts = runtime.progress(range(0, len(images), BATCH), label="computing features")
        return {"features": np.concatenate([_rounded(said_of(start)) for start in starts])}

    def said_of(start):
        return networks.record(network, images[start : start + BATCH], layer)[layer]

    return cache.arrays(path, compute)["features"].astype(np.float32)


def head(shape, classes, dropout=0.5):
    """Build VGG16's dense layers by themselves: features in, logits out, under VGG's names.

    shape: of the features of one picture. Random weights and dropout begin alike each time.
    """
    layers = [keras.Input(shape), keras.layers.Flatten(name="flatten")]
    for number in (1, 2):
        start = keras.initializers.GlorotUniform(seed=number)
        layers += [
            keras.layers.Dense(512, "relu", kernel_initializer=start, name=f"fc{number}"),
            keras.layers.Dropout(dropout, seed=number, name=f"dropout{number}"),
        ]
    start = keras.initializers.GlorotUniform(seed=3)
    return keras.Sequential(
        [*layers, keras.layers.Dense(classes, kernel_initializer=start, name="scores")], name="head"
    )


def train_head(features, labels, classes, epochs=EPOCHS, batch=32, seed=0):
    """Return a head that has learned classes from features (N, h, w, c), and its loss each epoch.

    labels: int (N,), 0 to classes - 1. Adam, its rate falling along a cosine. It learns from
    features divided by their size (root mean square), so that the same rate suits all, and takes
    them undivided in the end. The seed draws the order: the same features give the same head.
    Shows a progress bar. Raises ValueError for labels that are not one class for each picture.
    """
    labels = np.asarray(labels)
    if labels.shape != features.shape[:1] or not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"give one label, 0 to {classes - 1}, for each of {len(features)} pictures"
        )
    network, starts = head(features.shape[1:], classes), range(0, len(labels), batch)
    falling = keras.optimizers.schedules.CosineDecay(RATE, epochs * len(starts))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(falling), loss)
    rng, size = (
        np.random.default_rng(seed),
        np.sqrt(np.vdot(features, features) / features.size) or 1.0,
    )
    losses, steps = [], ((epoch, start) for epoch in range(epochs) for start in starts)
    for epoch, start in runtime.progress(steps, epochs * len(starts), "training the head"):
        if start == 0:
            order = rng.permutation(len(labels))
            losses.append(0.0)
        rows = order[start : start + batch]
        told = network.train_on_batch(features[rows] / size, labels[rows])
        losses[epoch] += float(told) * len(rows) / len(labels)
        network.reset_metrics()
    first = network.get_layer("fc1")
    first.kernel.assign(first.kernel / size)
    return network, losses


def fine_tune(network, images, labels, epochs=TUNING_EPOCHS):
    """Return a copy of VGG16 with block 5 and its dense layers trained further, the rest frozen.

    images: (N, H, W, 3) in 0-255, changed a little at random each time. labels: int (N,). Meant for
    a GPU: on a CPU one pass over a thousand pictures takes many minutes. Shows progress bars.
    """
    tuned = transfer.frozen(network, "block4")
    labels = np.asarray(labels, np.int64)
    training.train(tuned, images, labels, epochs, TUNING_RATE, label="fine-tuning block 5")
    return tuned


def classifier(weights, world, size, key, folder=None):
    """Return VGG16 that tells a world's classes apart: learned at first, then kept.

    weights: the file of ImageNet weights. world: its `train` split and `class_names`. size: pixels.
    key: stands for the pictures and the weights. folder: the cache folder. The dense layers learn
    from features; where there is a GPU, block 5 then learns as well. Shows progress bars.
    """
    network = transfer.vgg16(len(world.class_names), weights, size)
    folder, key = cache.folder(folder), cache.digest(key, size, RECIPE)

    def dense():
        found = features(network, world.train.images, folder=folder)
        learned, _ = train_head(found, world.train.labels, len(world.class_names))
        return _weights(learned, DENSE)

    def block5_and_dense():
        tuned = fine_tune(network, world.train.images, world.train.labels, TUNING_EPOCHS)
        return _weights(tuned, (*DENSE, "block5_"))

    _assign(network, cache.arrays(folder / f"vgg16-head-{key}.npz", dense))
    if has_gpu():
        _assign(network, cache.arrays(folder / f"vgg16-tuned-{key}.npz", block5_and_dense))
    return network


def has_gpu():
    """Return whether TensorFlow has a GPU to compute on."""
    return bool(tf.config.list_physical_devices("GPU"))


def _rounded(values):
    """Return values in half precision, or as they are where that does not reach so far."""
    return values.astype(np.float16) if np.abs(values).max() < np.finfo(np.float16).max else values


def _weights(network, blocks):
    """Return {"fc1 kernel": array, ...} of the layers whose names begin so."""
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
