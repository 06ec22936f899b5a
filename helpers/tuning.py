"""Learn a new task from few examples: a head on a frozen base, fine-tuned blocks, or from scratch.

What is frozen gives the same features for a picture in every epoch. So a network is cut in two
where its frozen layers end (`halves`): the lower half is asked once for each picture
(`outputs`), and only the upper half is trained, on what was kept (`fit`).
"""

import json
import math

import keras
import numpy as np

from helpers import heads, networks, worlds
from helpers.tracing import once

BATCH = 16
RATE = 3e-4
ENOUGH = 0.02  # the loss at which an epoch was the last one
KEYS = ("how", "frozen", "count", "seed")  # of a measured run


def choose(labels, count, seed=0):
    """Return the rows of `count` examples of each class, drawn with the seed: int array.

    The classes take turns. With the same seed a smaller count gives the first of a larger one's.
    Raises ValueError where a class has fewer examples.
    """
    labels, rng = np.asarray(labels), np.random.default_rng(seed)
    drawn = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    fewest = min(map(len, drawn))
    if not 1 <= count <= fewest:
        raise ValueError(f"count must be 1 to {fewest}, as many as each class has, not {count!r}")
    return np.stack([rows[:count] for rows in drawn], axis=1).ravel()


def halves(network, layer):
    """Return a network's part up to a layer, and the part after it; both share its weights.

    network: built in one list of layers, as the course's are (`networks.build`). Raises ValueError
    for a layer that is not there.
    """
    between = networks.find_layer(network, layer).output
    return (
        keras.Model(network.inputs, between, name=f"{network.name}_lower"),
        keras.Model(between, network.outputs[0], name=f"{network.name}_upper"),
    )


def outputs(network, inputs, batch_size=8):
    """Return what a network gives for many inputs, float32 (N, ...); no progress bar."""
    whole = None
    for start in range(0, len(inputs), batch_size):
        batch = network.predict_on_batch(inputs[start : start + batch_size])
        if whole is None:  # filled, not joined at the end: that would take twice the memory
            whole = np.empty((len(inputs), *batch.shape[1:]), batch.dtype)
        whole[start : start + len(batch)] = batch
    return whole


def headed(base, features, labels, upto=None):
    """Return a copy of a base with a new head, fitted on the base's features, its blocks frozen.

    features: what `embedding.features` gives for the examples, (N, D); labels: int (N,). upto: as
    `networks.frozen` takes it. The head is linear (`heads.fit_features`), so that the copy begins
    where a frozen base ends.
    """
    return networks.frozen(heads.attach(base, **heads.fit_features(features, labels)), upto)


def fit(network, inputs, labels, rate=RATE, steps=600, seed=0, enough=ENOUGH, shrink=False):
    """Train a network of logits in place and return the loss of each epoch, a list of floats.

    Adam, in batches of 16, in whole epochs: until one has a mean loss below `enough`, or the next
    would go beyond `steps` batches; one epoch at least. shrink: let the rate fall to zero along a
    cosine, within `steps`. The order of the inputs depends on the seed alone. Raises ValueError
    where inputs and labels differ in number.
    """
    if len(inputs) != len(labels) or not len(labels):
        raise ValueError(f"{len(inputs)} inputs and {len(labels)} labels: give one label each")
    epochs = max(1, steps // math.ceil(len(inputs) / BATCH))
    keras.utils.set_random_seed(seed)
    _compile(network, keras.optimizers.schedules.CosineDecay(rate, steps) if shrink else rate)
    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda _, logs: setattr(network, "stop_training", logs["loss"] < enough)
    )
    inputs = np.asarray(inputs, np.float32)
    history = network.fit(
        inputs, labels, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[stop]
    )
    return history.history["loss"]


def _compile(network, rate):
    """Give a network an Adam that begins anew, and a loss; at a constant rate, the Adam it had.

    TensorFlow keeps for good what it traces for each new optimizer: ten megabytes.
    """
    key = "adam", *(id(weight) for weight in network.trainable_variables)
    constant = isinstance(rate, float)
    adam = once(network, key, keras.optimizers.Adam) if constant else keras.optimizers.Adam(rate)
    if getattr(network, "optimizer", None) is not adam:
        network.compile(adam, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for variable in adam.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))
    adam.learning_rate = rate


def accuracy(network, inputs, labels):
    """Return the share of inputs for which the class with the highest score is the label."""
    return float((outputs(network, inputs).argmax(axis=1) == np.asarray(labels)).mean())


def block_features(network, images):
    """Return for each block what its channels find, averaged over the picture: five (N, C)."""
    average = keras.layers.GlobalAveragePooling2D()
    blocks = [f"block{number}_pool" for number in range(1, 6)]
    means = [average(networks.find_layer(network, name).output) for name in blocks]
    together = keras.layers.Concatenate()(means)
    found = outputs(keras.Model(network.inputs, together), images)
    return np.split(found, np.cumsum([mean.shape[-1] for mean in means])[:-1], axis=1)


def head_accuracy(features, labels, other_features, other_labels):
    """Return how often a head fitted on features and labels is right on others, 0 to 1."""
    head = heads.fit_features(features, labels)
    scores = other_features @ head["kernel"] + head["bias"]
    return float((scores.argmax(axis=1) == other_labels).mean())


def head_curve(features, labels, other_features, other_labels, counts, seeds=(0, 1, 2)):
    """Return how right heads from few examples are, on these and on others: (2, counts, seeds).

    counts: examples of each class, taken from the first features by `choose` with each seed.
    """
    curve = np.empty((2, len(counts), len(seeds)))
    for place in np.ndindex(curve.shape[1:]):
        rows = choose(labels, counts[place[0]], seeds[place[1]])
        own = features[rows], labels[rows]
        curve[0][place] = head_accuracy(*own, *own)
        curve[1][place] = head_accuracy(*own, other_features, other_labels)
    return curve


def frozen_counts(network):
    """Return how many parameters are fixed: nothing frozen, block 1, blocks 1 and 2, to 5."""
    blocks = [layer.name.partition("_")[0] for layer in network.layers]
    held = [0] * 6
    for block, layer in zip(blocks, network.layers, strict=True):
        if block[:-1] == "block":
            held[int(block[-1])] += layer.count_params()
    return np.cumsum(held).tolist()


def measured(how, frozen, counts, seeds=(0, 1, 2)):
    """Return measured accuracies, on training and on test pictures: (2, counts, seeds).

    They are read from data/networks/transfer_curves.json, which the program beside it has written.
    how: "from scratch", or "fine-tuned" with blocks 1 to `frozen` frozen. counts: examples of each
    class. Raises ValueError for a run that has not been measured.
    """
    runs = json.loads((worlds.NETWORKS / "transfer_curves.json").read_text("utf-8"))["runs"]
    known = {tuple(run[key] for key in KEYS): (run["train"], run["test"]) for run in runs}
    keys = [[(how, frozen, count, seed) for seed in seeds] for count in counts]
    for key in sum(keys, []):
        if key not in known:
            raise ValueError(f"no run has been measured for {dict(zip(KEYS, key, strict=True))}")
    return np.moveaxis([[known[key] for key in row] for row in keys], 2, 0)
