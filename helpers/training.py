"""Train a network, plainly or against an adversary, and pick up where an interruption left off.

The adversary changes each training picture, within a ball of L2 radius `epsilon`, so that the loss
rises; the network then learns from the changed picture (Madry et al., 2018; Engstrom et al., 2019).
With `epsilon=0` there is no adversary and this is ordinary training.
"""

import math
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from helpers.networks import check_images
from helpers.runtime import progress


def train(
    network,
    images,
    labels,
    epochs,
    rate=1e-3,
    epsilon=0.0,
    ramp=0,
    attack_steps=2,
    batch=32,
    seed=0,
    checkpoint=None,
    label="train",
):
    """Train a network of logits in place on images (N, H, W, 3) in 0-255 and return its losses.

    epochs: whole passes over the images, in a new order each time; the learning rate rises for half
    an epoch to `rate` and falls to zero along a cosine. epsilon: the adversary's L2 radius, pixels
    counted in 0-1, reached after `ramp` epochs. checkpoint: a file (.npz) that is written after
    each epoch; when it is there already, training goes on from it. Only trainable variables move.
    Raises ValueError for images that do not fit the network or labels that do not fit its classes.
    """
    check_images(network, images[:1])
    classes = network.output_shape[-1]
    if len(labels) != len(images) or not 0 <= np.min(labels) <= np.max(labels) < classes:
        raise ValueError(f"give one label, 0 to {classes - 1}, for each of {len(images)} images")
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(network.trainable_variables)
    step = _step_function(network, optimizer, attack_steps, tuple(images.shape[1:]))
    losses = _resume(checkpoint, network, optimizer)
    order, steps = np.random.default_rng(seed), math.ceil(len(images) / batch)
    for epoch in range(epochs):
        shuffled = order.permutation(len(images))
        if epoch < len(losses):
            continue
        total = 0.0
        for number in progress(range(steps), label=f"{label} {epoch + 1}/{epochs}"):
            rows = shuffled[number * batch : (number + 1) * batch]
            done = epoch + number / steps
            optimizer.learning_rate = rate * min(
                (done + 0.02) * 2, 0.5 + 0.5 * math.cos(math.pi * done / epochs)
            )
            radius = 255 * epsilon * min(1.0, done / ramp if ramp else 1.0)
            key = np.array([seed, epoch * steps + number], np.int32)
            batch_images = tf.constant(images[rows], tf.float32)
            total += float(step(batch_images, tf.constant(labels[rows]), key, radius)) * len(rows)
        losses.append(total / len(images))
        _save(checkpoint, network, optimizer, losses)
    return losses


def augment(images, key):
    """Return images moved, mirrored, tinted, blurred and made noisy at random; key: two ints.

    Moving them far, so that parts leave the picture, makes a network keep its evidence in place:
    what it notes beside the animal may fall off the edge.
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
        images=images,
        transforms=tf.stack(rows, axis=1),
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def attack(network, images, labels, key, radius, steps):
    """Return images changed within an L2 ball of `radius` (pixels in 0-255) so that the loss rises.

    Projected gradient ascent: `steps` steps, each followed by a return into the ball.
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
    return tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def _step_function(network, optimizer, attack_steps, shape):
    variables = network.trainable_variables

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, *shape), tf.float32),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((2,), tf.int32),
            tf.TensorSpec((), tf.float32),
        ],
        autograph=False,
    )
    def step(images, labels, key, radius):
        images = augment(images, key)
        if attack_steps:
            images = tf.cond(
                radius > 0.0,
                lambda: attack(network, images, labels, key, radius, attack_steps),
                lambda: images,
            )
        with tf.GradientTape() as tape:
            loss = _loss(network(images, training=True), labels)
            loss /= tf.cast(tf.shape(images)[0], tf.float32)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    return step


def _save(path, network, optimizer, losses):
    if path is None:
        return
    path = Path(path)
    state = {str(i): v.numpy() for i, v in enumerate(network.variables + optimizer.variables)}
    partial = path.with_name(f".{path.name}")
    with open(partial, "wb") as file:
        np.savez(file, losses=np.array(losses), **state)
    partial.replace(path)


def _resume(path, network, optimizer):
    if path is None or not Path(path).is_file():
        return []
    with np.load(path) as state:
        for i, variable in enumerate(network.variables + optimizer.variables):
            variable.assign(state[str(i)])
        return state["losses"].tolist()
