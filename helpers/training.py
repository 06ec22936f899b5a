"""Train a network, optionally against an adversary, and resume after an interruption.

The adversary changes each training picture, within a ball of L2 radius `epsilon`, so that the loss
rises; the network then learns from the changed picture (Madry et al. 2018, Engstrom et al. 2019).
"""

import math
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from helpers.core import paths
from helpers.core.progress import progress
from helpers.core.tracing import compiled, once
from helpers.networks import check_images


def train(
    network, inputs, labels, epochs, rate=1e-3, schedule="warm", batch=32, seed=0, order=None,
    augmented=True, change=None, epsilon=0.0, ramp=0, attack_steps=2, until=None, checkpoint=None,
    label=None,
):  # fmt: skip
    """Train a network of logits in place and return its mean loss in each epoch, a list of floats.

    Adam minimizes the cross-entropy plus the network's own penalties. Only trainable variables
    change. The same arguments give the same network.

    Arguments:
        network: a built network that returns logits (N, classes).
        inputs: (N, ...), such as images (N, H, W, 3) in 0-255, or features.
        labels: int (N,), 0 to classes - 1; or probabilities (N, classes), a distribution for each.
        epochs: passes over the inputs, 1 or more.
        rate: the learning rate. schedule: "constant"; "cosine", from `rate` to zero; or "warm",
            a cosine after half an epoch of warm-up.
        batch: inputs per step.
        seed: for the order of the inputs and all random changes.
        order: a fixed order of the inputs for every epoch, int (N,); None shuffles them.
        augmented: change the images at random before each step, see `augment`.
        change: a function of inputs, probabilities (batch, classes) and a key of two ints, in
            TensorFlow, that returns other inputs and probabilities; applied before each step.
        epsilon: the adversary's L2 radius, for pixels in 0-1, reached after `ramp` epochs; 0 for
            ordinary training. The adversary takes `attack_steps` steps.
        until: a function of the losses so far; training stops after an epoch for which it is true.
        checkpoint: an .npz file, written after each epoch; if it exists, training resumes from it.
        label: of the progress bar; None shows none.

    Raises ValueError for inputs and labels that do not fit the network, and an unknown schedule.
    """
    check_images(network, inputs[:1])
    labels = _checked(labels, len(inputs), network.output_shape[-1], change is not None)
    if schedule not in ("constant", "cosine", "warm"):
        raise ValueError(f'schedule must be "constant", "cosine" or "warm", not {schedule!r}')
    steps = math.ceil(len(inputs) / batch)
    optimizer = _adam(network, schedule, rate, epochs * steps)
    given, told = (None, *inputs.shape[1:]), (None, *labels.shape[1:])
    kind = labels.dtype.name
    signature = (given, "float32"), (told, kind), ((2,), "int32"), ((), "float32")
    attacks = attack_steps if epsilon else 0
    step = compiled(network, _step, optimizer, augmented, change, attacks, signature=signature)
    losses = _resume(checkpoint, network, optimizer)
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        shuffled = rng.permutation(len(inputs)) if order is None else order
        if epoch < len(losses):
            continue
        total, numbers = 0.0, range(steps)
        named = label and progress(numbers, label=f"{label} {epoch + 1}/{epochs}")
        for number in named or numbers:
            rows = shuffled[number * batch : (number + 1) * batch]
            done = epoch + number / steps
            if schedule == "warm":
                falling = 0.5 + 0.5 * math.cos(math.pi * done / epochs)
                optimizer.learning_rate = rate * min((done + 0.02) * 2, falling)
            radius = 255 * epsilon * min(1.0, done / ramp if ramp else 1.0)
            key = np.array([seed, epoch * steps + number], np.int32)
            chosen = tf.constant(inputs[rows], tf.float32), tf.constant(labels[rows])
            (loss,) = step(*chosen, tf.constant(key), tf.constant(radius, tf.float32))
            total += float(loss) * len(rows)
        losses.append(total / len(inputs))
        _save(checkpoint, network, optimizer, losses)
        if until and until(losses):
            break
    return losses


def _checked(labels, count, classes, soft):
    """Return labels as int64 (N,), or as float32 (N, classes) if they are given so or `soft`."""
    labels = np.asarray(labels)
    if labels.ndim == 2:
        sums = labels.shape == (count, classes) and labels.min() >= 0 and labels.sum(axis=1)
        if not np.allclose(sums, 1, atol=1e-4):
            raise ValueError(
                f"probabilities must be ({count}, {classes}), each row with the sum 1, "
                f"not {labels.shape}"
            )
        return labels.astype(np.float32)
    labels = labels.astype(np.int64)
    if not (len(labels) == count > 0 and 0 <= labels.min() <= labels.max() < classes):
        raise ValueError(
            f"give one label, 0 to {classes - 1}, for each of {count} inputs, "
            f"not {len(labels)} labels"
        )
    return np.eye(classes, dtype=np.float32)[labels] if soft else labels


def _adam(network, schedule, rate, steps):
    """Return an Adam in its initial state for a network's trainable variables.

    TensorFlow never frees what it traces for an optimizer, ten megabytes. So each network keeps one
    optimizer, except for the cosine schedule, which is part of the trace.
    """
    weights = network.trainable_variables
    if schedule == "cosine":
        adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))
    else:
        adam = once(network, ("adam", *map(id, weights)), keras.optimizers.Adam)
    if not adam.built:
        adam.build(weights)
    for variable in adam.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))
    if schedule != "cosine":
        adam.learning_rate = rate
    return adam


def augment(images, key):
    """Return images randomly moved, mirrored, tinted, blurred and made noisy; key: two ints.

    Large shifts, which crop parts of the animal, make a network keep its evidence in place:
    evidence stored beside the animal may be lost at the edge.
    """
    count, keys = tf.shape(images)[0], tf.random.split(key, 7)

    def uniform(number, low, high):
        return tf.random.stateless_uniform((count, 1, 1, 1), keys[number], low, high)

    images = moved(images, keys[0])
    images = tf.where(uniform(1, 0, 1) < 0.5, images[:, :, ::-1], images)
    tint = tf.random.stateless_normal((count, 1, 1, 3), keys[2], 0.0, 12.0)
    images = (images - 127.5) * uniform(3, 0.8, 1.2) + 127.5 + tint
    images = tf.where(uniform(4, 0, 1) < 0.15, tf.nn.avg_pool2d(images, 3, 1, "SAME"), images)
    noise = tf.random.stateless_normal(tf.shape(images), keys[5])
    return tf.clip_by_value(images + noise * uniform(6, 0.0, 8.0), 0.0, 255.0)


def moved(images, key, shift=0.28, zoom=0.25):
    """Return images zoomed by up to 1 +- `zoom` and moved by up to `shift` of their side."""
    side = tf.cast(tf.shape(images)[1], tf.float32)
    random = tf.random.stateless_uniform((tf.shape(images)[0], 3), key, -1.0, 1.0)
    scale, zero = 1 + zoom * random[:, 0], tf.zeros_like(random[:, 0])
    offset = side * (shift * random[:, 1:] + (1 - scale[:, None]) / 2)
    rows = (scale, zero, offset[:, 0], zero, scale, offset[:, 1], zero, zero)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images, transforms=tf.stack(rows, axis=1), output_shape=tf.shape(images)[1:3],
        fill_value=0.0, interpolation="BILINEAR", fill_mode="NEAREST",
    )  # fmt: skip


def attack(network, images, labels, key, radius, steps):
    """Return images changed within an L2 ball of `radius` (pixels in 0-255) so that the loss rises.

    Projected gradient ascent: `steps` steps, each followed by a projection into the ball.
    """
    change = _to_length(tf.random.stateless_normal(tf.shape(images), key), radius * 0.5)
    for _ in range(steps):
        loss = _loss(network(images + change, training=False), labels)
        change += _to_length(tf.gradients(loss, change)[0], radius * 2.0 / steps)
        length = tf.norm(tf.reshape(change, (tf.shape(change)[0], -1)), axis=1)
        shrink = tf.minimum(1.0, radius / tf.maximum(length, 1e-6))
        change = tf.stop_gradient(change * shrink[:, None, None, None])
        change = tf.clip_by_value(images + change, 0.0, 255.0) - images
    return images + change


def _to_length(change, length):
    norm = tf.norm(tf.reshape(change, (tf.shape(change)[0], -1)), axis=1)
    return change * (length / tf.maximum(norm, 1e-12))[:, None, None, None]


def _loss(logits, labels):
    if labels.dtype.is_floating:
        return tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(labels, logits))
    return tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def _step(network, inputs, labels, key, radius, optimizer, augmented, change, attack_steps):
    """Take one step of Adam; return the loss before it."""
    if augmented:
        inputs = augment(inputs, key)
    if change:
        inputs, labels = change(inputs, labels, key)
    if attack_steps:
        inputs = tf.cond(
            radius > 0.0,
            lambda: attack(network, inputs, labels, key, radius, attack_steps),
            lambda: inputs,
        )
    variables = network.trainable_variables
    with tf.GradientTape() as tape:
        loss = _loss(network(inputs, training=True), labels)
        loss /= tf.cast(tf.shape(inputs)[0], tf.float32)
        loss += sum(network.losses)
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    return [loss]


def _save(path, network, optimizer, losses):
    if path is None:
        return
    state = {str(i): v.numpy() for i, v in enumerate(network.variables + optimizer.variables)}
    with paths.whole(path) as unfinished, open(unfinished, "wb") as file:
        np.savez(file, losses=np.array(losses), **state)


def _resume(path, network, optimizer):
    if path is None or not Path(path).is_file():
        return []
    with np.load(path) as state:
        for i, variable in enumerate(network.variables + optimizer.variables):
            variable.assign(state[str(i)])
        return state["losses"].tolist()
