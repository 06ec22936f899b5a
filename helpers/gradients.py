"""Scores and their gradients, plain or guided.

A *score* is a logit: the value before the softmax. Its gradient with respect to the image, or to
the output of a layer, says which small change would raise it. Functions whose names end in `_of`
work while tracing (tensors in, tensors out); `explain` compiles and runs what is built from them.
"""

import contextlib

import numpy as np
import tensorflow as tf

from helpers.core.tracing import compiled, in_batches, logits, once, seen, watch
from helpers.networks import check_images, find_layer

PREDICTED = -1  # in an array of targets: the class that the network predicts


def scores(network, images, batch_size=16):
    """Return the network's logits for images: float32 (N, classes).

    Logits are the values before a softmax or sigmoid; a single sigmoid z gives two, -z and z.
    """
    batch, _ = check_images(network, images, bytes_too=True)
    return in_batches(_compiled_scores(network, batch.shape), batch, batch_size=batch_size)[0]


def _compiled_scores(network, shape):
    return compiled(network, _scores, signature=(((None, *shape[1:]), "float32"),))


def _scores(network, x):
    return [logits(network(x, training=False))]


def gradient(network, images, target=None, guided=False, batch_size=16):
    """Return the gradient of the target's score with respect to the images, float32 in their shape.

    `target` is None (the predicted class), an int, or one int per image. With `guided`, each ReLU
    passes back only positive gradients (Springenberg 2014). Raises ValueError for a target out of
    range, and for a guided gradient of a network without a ReLU. (Simonyan 2013)
    """
    return explain(_gradient, network, images, target, bool(guided), batch_size=batch_size)[0]


def _gradient(network, x, target, guided):
    with guided_relus(network, x.graph) if guided else contextlib.nullcontext():
        score = score_of(network, x, target)
    return [gradient_of(score, x, "the images")]


def activation_gradient(network, images, target=None, layer=None, batch_size=16):
    """Return what a layer gives for images, and the gradient of the target's score at that layer.

    Two float32 arrays of the layer's shape (N, ...). The gradient is computed only back to the
    layer, so it costs little more than a prediction. Raises ValueError for an unknown layer, and
    for one that the network does not call or that does not affect the score.
    """
    find_layer(network, layer)
    run = _activation_gradient
    return tuple(explain(run, network, images, target, layer, batch_size=batch_size))


def _activation_gradient(network, x, target, layer):
    score, activation = score_and_activation_of(network, x, target, layer)
    return [tf.cast(activation, tf.float32), gradient_of(score, activation, f"layer {layer!r}")]


def explain(function, network, images, target, *options, batch_size=16):
    """Compile `function(network, x, target, *options) -> [tensors (N, ...)]` and run it on images.

    It is traced once for each network, image size and options. Returns float32 arrays, without the
    first axis for a single image. `batch_size` is the number of images in memory at a time.
    """
    batch, single = check_images(network, images, bytes_too=True)
    targets = check_target(network, batch, target)
    signature = (((None, *batch.shape[1:]), "float32"), ((None,), "int32"))
    run = compiled(network, function, *options, signature=signature)
    results = in_batches(run, batch, targets, batch_size=batch_size)
    return [result[0] if single else result for result in results]


def check_target(network, batch, target):
    """Return targets as int32 (N,), `PREDICTED` for None; ValueError for targets out of range."""
    if target is None:
        return np.full(len(batch), PREDICTED, np.int32)
    targets = np.asarray(target)
    if targets.dtype.kind not in "ui" or targets.shape not in ((), (len(batch),)):
        raise ValueError(
            f"target must be None, an int or one int for each of the {len(batch)} images, "
            f"not {target!r}."
        )
    classes = once(network, ("classes", batch.shape[1:]), lambda: _classes(network, batch.shape))
    if targets.min() < 0 or targets.max() >= classes:
        raise ValueError(f"target must be 0 to {classes - 1} ({classes} classes), not {target!r}.")
    return np.broadcast_to(targets, len(batch)).astype(np.int32)


def chosen_targets(network, batch, target):
    """Return targets as int32 (N,), each image's predicted class for None."""
    targets = check_target(network, batch, target)
    return chosen(targets, scores(network, batch)) if target is None else targets


def chosen(targets, logits):
    """Return targets as int32, with `PREDICTED` replaced by the class of the highest logit."""
    return np.where(targets == PREDICTED, logits.argmax(axis=-1), targets).astype(np.int32)


def _classes(network, shape):
    return _compiled_scores(network, shape).output_shapes[0][1]


def score_of(network, x, target):
    """Return the target's logit (N,) for a traced batch; a target of -1 is the predicted class."""
    values = logits(network(x, training=False))
    predicted = tf.argmax(values, axis=1, output_type=tf.int32)
    chosen = tf.where(target == PREDICTED, predicted, target)
    return tf.gather(values, chosen, batch_dims=1)


def score_and_activation_of(network, x, target, layer):
    """Return the target's logit (N,) and the layer's output (N, ...), from a single call."""
    watched = find_layer(network, layer)
    with watch([watched]) as outputs:
        score = score_of(network, x, target)
    return score, seen(outputs, watched, x)


def gradient_of(score, tensor, name):
    """Return d score / d tensor in the graph; ValueError where the score does not depend on it.

    Each image's score depends on that image only, so the gradient of their sum holds all of them.
    """
    (slope,) = tf.gradients(score, tensor)
    if slope is None:
        raise ValueError(f"The score does not depend on {name}: no gradient flows back to it.")
    return tf.cast(tf.convert_to_tensor(slope), tf.float32)


@contextlib.contextmanager
def guided_relus(network, graph):
    """Use the guided gradient for every ReLU that is traced within this block.

    This affects only the graph being traced, never a layer's activation. A ReLU is what TensorFlow
    calls Relu or Relu6, however Keras writes it; your own maximum(x, 0) does not count. Raises
    ValueError where there is no ReLU, or where the network hides one inside its own `tf.function`:
    a plain gradient must not be mistaken for a guided one.
    """
    with graph.gradient_override_map({"Relu": "CourseGuidedRelu", "Relu6": "CourseGuidedRelu6"}):
        yield
    if not any(op.type in ("Relu", "Relu6") for op in graph.get_operations()):
        raise ValueError(f"The network {network.name!r} has no ReLU, so it has no guided gradient.")
    functions = graph.as_graph_def().library.function
    if any(node.op in ("Relu", "Relu6") for function in functions for node in function.node_def):
        raise ValueError(
            f"The network {network.name!r} hides a ReLU inside its own tf.function: remove "
            "the @tf.function (Keras compiles the network anyway)."
        )


def _guided(plain):
    def guided(op, slope):
        return plain(gradients=tf.nn.relu(slope), features=op.outputs[0])

    return guided


for _name, _plain in ("Relu", tf.raw_ops.ReluGrad), ("Relu6", tf.raw_ops.Relu6Grad):
    with contextlib.suppress(KeyError):  # already registered when the module is reloaded
        tf.RegisterGradient(f"CourseGuided{_name}")(_guided(_plain))
