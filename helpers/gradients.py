"""Scores, margins and their gradients, plain or guided.

A *score* s_t is the logit of class t: the value before the softmax. It says how much of class t the
network sees. Why it decided for t is a question about a difference, and `against` asks it:

    None     the score itself                           s_t
    "rest"   the log-odds of t, log(p_t / (1 - p_t))    s_t - log(sum of exp(s_k) over all k != t)
    k        the margin over class k                    s_t - s_k

With two classes, the log-odds are the margin over the other class. Where a network ends in
sigmoids, each score is already the log-odds of its own class, and that is what "rest" explains; of
a single sigmoid z, the margin is z as well. The gradient of such a quantity
with respect to the image, or to the output of a layer, says which small change would raise it.
Functions whose names end in `_of` work while tracing (tensors in, tensors out); `explain` compiles
and runs what is built from them.
"""

import contextlib
import warnings

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp

from helpers.core.graphs import check_own_gradients
from helpers.core.heads import OF_LOG_ODDS, OF_ONE, WITHOUT_LOGITS, kind_of, logits, say_once
from helpers.core.nonlinear import activations, listed, parts_of_others
from helpers.core.tracing import compiled, in_batches, once, seen, unchanging, watch
from helpers.networks import check_images, find_layer, predict

PREDICTED = -1  # as a target: the class that the network predicts
REST, NOTHING = -1, -2  # as a rival: all other classes, or none
_PLAIN = "plain ReLUs"  # of a graph: the names of operations that are never guided


def scores(network, images, batch_size=16):
    """Return the network's logits for images: float32 (N, classes).

    Logits are the values before a softmax or sigmoid; a single sigmoid z gives two, -z and z. Where
    a network returns probabilities in another way, the scores are their logs, and a warning says
    so. Raises ValueError for a network that gives NaN.
    """
    batch, _ = check_images(network, images, bytes_too=True)
    run = _compiled_scores(network, batch.shape)
    found = in_batches(run, batch, batch_size=batch_size)[0]
    if np.isnan(found).any():
        check_finite(network, batch, found)
    return found


def _compiled_scores(network, shape):
    return compiled(network, _scores, signature=(((None, *shape[1:]), "float32"),))


def _scores(network, x):
    return [logits(network, x)]


def quantity(network, images, target=None, *, against=None, batch_size=16):
    """Return what all methods explain, the target's score or its margin: float32 (N,).

    Arguments:
        target: None (the predicted class), an int, or one int per image.
        against: None for the score; "rest" for the log-odds, the score less the log of the summed
            exponentials of all other scores; an int, or one per image, for the score less that
            class's.

    Raises ValueError for a class out of range, a target against itself, and "rest" where there is
    no other class. A single image gives a single number.
    """
    batch, single = check_images(network, images, bytes_too=True)
    pairs, values = (
        check_target(network, batch, target, against),
        scores(network, batch, batch_size),
    )
    found = difference(values, chosen(pairs, values))
    return found[0] if single else found


def quantity_through(network, picture, cover, masks, pair):
    """Return the quantity of a pair of classes in a picture seen through masks: float32 (n,).

    Where one of the masks (n, H, W) is 1, the picture (H, W, C) shows, where it is 0, the cover.
    """
    shapes = picture.shape, picture.shape, (None, *picture.shape[:2])
    run = compiled(network, _through, signature=tuple((shape, "float32") for shape in shapes))
    found = run(*map(tf.constant, (picture, cover, masks)))[0].numpy()
    return difference(found, pair)


def _through(network, picture, cover, masks):
    return [logits(network, cover + masks[..., None] * (picture - cover))]


def gradient(network, images, target=None, guided=False, batch_size=16, *, against=None):
    """Return the gradient of the target's score with respect to the images, float32 in their shape.

    Arguments:
        target, against: what is explained, as in `quantity`.
        guided: let each ReLU pass back only positive gradients (Springenberg 2014).

    Raises ValueError as `quantity` does, and for a guided gradient of a network without a ReLU.
    (Simonyan 2013)
    """
    run, guided = _gradient, bool(guided)
    return explain(run, network, images, target, guided, against=against, batch_size=batch_size)[0]


def _gradient(network, x, pairs, guided):
    with guided_relus(network, x.graph) if guided else contextlib.nullcontext():
        values = logits(network, x)
    if guided:
        check_guided(network, x, values)
    score = difference_of(values, pairs)
    return [gradient_of(score, x, "the images")]


def activation_gradient(network, images, target=None, layer=None, batch_size=16, *, against=None):
    """Return what a layer gives for images, and the gradient of the target's score at that layer.

    Two float32 arrays of the layer's shape (N, ...). The gradient is computed only back to the
    layer, so it costs little more than a prediction. `target` and `against` are as in `quantity`.
    Raises ValueError as it does, for an unknown layer, and for one that the network does not call
    or that does not affect the score.
    """
    find_layer(network, layer)
    run = _activation_gradient
    found = explain(run, network, images, target, layer, against=against, batch_size=batch_size)
    return tuple(found)


def _activation_gradient(network, x, pairs, layer):
    score, activation = score_and_activation_of(network, x, pairs, layer)
    return [tf.cast(activation, tf.float32), gradient_of(score, activation, f"layer {layer!r}")]


def explain(function, network, images, target, *options, against=None, batch_size=16):
    """Compile `function(network, x, pairs, *options) -> [tensors (N, ...)]` and run it on images.

    `pairs` are what `check_target` makes of target and against. The function is traced once for
    each network, image size and options. Returns float32 arrays, without the first axis for a
    single image. `batch_size` is the number of images in memory at a time.
    """
    batch, single = check_images(network, images, bytes_too=True)
    signature = (((None, *batch.shape[1:]), "float32"), ((None, 2), "int32"))
    with unchanging(network):
        pairs = check_target(network, batch, target, against)
        run = compiled(network, function, *options, signature=signature)
    results = in_batches(run, batch, pairs, batch_size=batch_size)
    for result in results:
        check_finite(network, batch, result)
    check_telling(network, batch, results[-1], pairs)
    return [result[0] if single else result for result in results]


def check_target(network, batch, target, against=None):
    """Return what is explained as pairs of classes (target, rival): int32 (N, 2).

    A target is `PREDICTED` for None. A rival is `NOTHING` for None and `REST` for "rest". Raises
    ValueError for classes out of range, and for a target that is its own rival.
    """
    pairs = np.full((len(batch), 2), (PREDICTED, NOTHING), np.int32)
    if target is None and against is None:
        return pairs
    classes, kind = _classes_and_kind(network, batch.shape)
    if target is not None:
        pairs[:, 0] = _classes_asked("target", "None", classes, batch, target)
    if isinstance(against, str) and against == "rest":
        pairs[:, 1] = REST
        if classes < 2:
            raise ValueError(f'against="rest": the network {network.name!r} has no other class.')
    elif against is not None:
        pairs[:, 1] = _classes_asked("against", 'None, "rest"', classes, batch, against)
        pairs = chosen(pairs, scores(network, batch)) if target is None else pairs
        same = np.flatnonzero(pairs[:, 0] == pairs[:, 1])
        if len(same):
            raise ValueError(
                f"against={against!r} is the target itself (class {pairs[same[0], 0]}) for "
                f"{len(same)} of {len(batch)} images: their difference is always 0."
            )
    if kind in OF_LOG_ODDS:
        pairs[(pairs[:, 1] == REST) | (kind in OF_ONE), 1] = NOTHING  # its score is the log-odds
    return pairs


def _classes_asked(name, others, classes, batch, asked):
    """Return classes as ints that broadcast to (N,); ValueError for what is not a class."""
    found = np.asarray(asked)
    if found.dtype.kind not in "ui" or found.shape not in ((), (len(batch),)):
        raise ValueError(
            f"{name} must be {others}, an int or one int for each of the {len(batch)} images, "
            f"not {asked!r}."
        )
    if found.min() < 0 or found.max() >= classes:
        raise ValueError(f"{name} must be 0 to {classes - 1} ({classes} classes), not {asked!r}.")
    return found


def chosen_targets(network, batch, target, against=None):
    """Return pairs as `check_target` does, with the predicted class of each image for None."""
    pairs = check_target(network, batch, target, against)
    known = (pairs[:, 0] != PREDICTED).all()  # as with a target, or an int to compare it with
    return pairs if known else chosen(pairs, scores(network, batch))


def chosen(pairs, logits):
    """Return pairs int32 (..., 2) with `PREDICTED` replaced by the class of the highest logit."""
    pairs = np.array(pairs, np.int32)
    pairs[..., 0] = np.where(pairs[..., 0] == PREDICTED, logits.argmax(-1), pairs[..., 0])
    return pairs


def difference(logits, pairs):
    """Return the quantity of `pairs` (N, 2) or (2,) in logits (N, classes): float32 (N,).

    No target may be `PREDICTED`: see `chosen`.
    """
    target, rival = np.broadcast_to(pairs, (len(logits), 2)).T
    rows, others = np.arange(len(logits)), np.array(logits, np.float32)
    score = others[rows, target]
    others[rows, target] = -np.inf
    against = np.where(rival >= 0, others[rows, np.maximum(rival, 0)], 0)
    if (rival == REST).any():
        against = np.where(rival == REST, logsumexp(others, axis=1), against)
    return np.float32(score - against)


def _classes_and_kind(network, shape):
    """Return how many classes a network has, and of which kind its scores are."""

    def find():
        return _compiled_scores(network, shape).output_shapes[0][1], kind_of(network)

    return once(network, ("classes and kind", shape[1:]), find)


def score_of(network, x, pairs):
    """Return the quantity of `pairs` (N, 2) for a traced batch: float32 (N,)."""
    return difference_of(logits(network, x), pairs)


def difference_of(values, pairs):
    """Return the quantity of `pairs` (N, 2) in traced logits (N, classes): float32 (N,)."""
    target, rival = tf.unstack(pairs, axis=1)
    target = tf.where(target == PREDICTED, tf.argmax(values, axis=1, output_type=tf.int32), target)
    classes = tf.range(values.shape[1])
    of_target, of_rival = (column[:, None] == classes for column in (target, rival))
    signed = tf.where(of_target, values, tf.where(of_rival, -values, 0.0))  # 0 for REST, NOTHING
    found = tf.reduce_sum(signed, axis=1)
    if values.shape[1] == 1:
        return found
    rest = tf.reduce_logsumexp(tf.where(of_target, -np.inf, values), axis=1)
    return found - tf.where(rival == REST, rest, 0.0)


def score_and_activation_of(network, x, pairs, layer):
    """Return the quantity of `pairs` (N,) and the layer's output (N, ...), from a single call."""
    watched = find_layer(network, layer)
    with watch([watched]) as outputs:
        score = score_of(network, x, pairs)
    return score, seen(outputs, watched, x)


def gradient_of(score, tensor, name):
    """Return d score / d tensor in the graph; ValueError where the score does not depend on it.

    Each image's score depends on that image only, so the gradient of their sum holds all of them.
    """
    check_own_gradients(tensor.graph)
    (slope,) = tf.gradients(score, tensor)
    if slope is None:
        raise ValueError(
            f"The score does not depend on {name}: no gradient flows back to it. The score is the "
            "value before a softmax or sigmoid, and what comes after that has no part in it."
        )
    return tf.cast(tf.convert_to_tensor(slope), tf.float32)


@contextlib.contextmanager
def guided_relus(network, graph):
    """Let every ReLU that is traced within this block have a guided gradient.

    Only the graph being traced changes, never a layer's activation. Call `check_guided` afterwards.
    Raises ValueError where the network hides a ReLU inside its own `tf.function`.
    """
    with graph.gradient_override_map({"Relu": "CourseGuidedRelu", "Relu6": "CourseGuidedRelu6"}):
        yield
    functions = graph.as_graph_def().library.function
    if any(node.op in ("Relu", "Relu6") for function in functions for node in function.node_def):
        raise ValueError(
            f"The network {network.name!r} hides a ReLU inside its own tf.function: remove "
            "the @tf.function (Keras compiles the network anyway)."
        )


def check_guided(network, x, values):
    """Guide only the ReLUs between x and the logits, and say how many activations are none.

    A ReLU is what TensorFlow calls Relu or Relu6, unless it is part of another activation, such as
    PReLU or hard swish; your own maximum(x, 0) does not count. Warns once where the network has
    other activations as well, whose gradient stays plain. Raises ValueError where it has no ReLU: a
    plain gradient must not be mistaken for a guided one.
    """
    names = list(activations(x, values).values())
    others = [name for name in names if name != "ReLU"]
    if len(others) == len(names):
        kinds = f" Its activations: {listed(others)}." if others else ""
        raise ValueError(
            f"The network {network.name!r} has no ReLU, so it has no guided gradient.{kinds}"
        )
    if others:
        say_once(
            network,
            f"The guided gradient of {network.name!r} guides {len(names) - len(others)} of "
            f"{len(names)} activations, the ReLUs. Not guided: {listed(others)}.",
        )
    x.graph.get_collection_ref(_PLAIN)[:] = [op.name for op in parts_of_others(x, values)]


def _guided(plain):
    def guided(op, slope):
        if op.name not in op.graph.get_collection(_PLAIN):
            slope = tf.nn.relu(slope)
        return plain(gradients=slope, features=op.outputs[0])

    return guided


for _name, _plain in ("Relu", tf.raw_ops.ReluGrad), ("Relu6", tf.raw_ops.Relu6Grad):
    with contextlib.suppress(KeyError):  # already registered when the module is reloaded
        tf.RegisterGradient(f"CourseGuided{_name}")(_guided(_plain))


def check_finite(network, batch, found):
    """Raise ValueError, with the likely reason and a mend, if anything found is NaN or infinite.

    found: (N, ...), one entry for each image of the batch.
    """
    finite = np.isfinite(found)
    if finite.all():
        return
    bad = ~finite.reshape(len(found), -1).all(axis=1)
    weights = {w.path: np.asarray(w, np.float32) for w in network.weights}
    broken = [path for path, values in weights.items() if not np.isfinite(values).all()]
    run = _compiled_scores(network, batch.shape)
    values = in_batches(run, batch[bad], batch_size=16)[0]
    if broken:
        reason = (
            f"so has its weight {broken[0]!r}, as after training that diverged. Load it again, or "
            "train with a lower learning rate."
        )
    elif np.isfinite(values).all():
        reason = (
            "an operation in it has an infinite slope there, as a square root has at 0. Add a "
            "small number before that operation."
        )
    elif kind_of(network) in WITHOUT_LOGITS:
        reason = (
            "a probability is exactly 0 or 1 in float32, and no log-odds are left. Let the network "
            "end in its softmax or sigmoid, or in the logits before it."
        )
    else:
        reason = "its scores are not finite either. Look for a division by 0 or a log of 0 in it."
    raise ValueError(
        f"{network.name!r} gives NaN or infinity for {bad.sum()} of {len(bad)} images: {reason}"
    )


def check_telling(network, batch, maps, pairs):
    """Warn of maps (N, ...) of images that tell nothing, with the likely reason and a mend.

    That is a heatmap (N, H, W) of one value, and a map that is 0 everywhere because no small change
    of the image changes the score. Grad-CAM without evidence is 0 as well, and needs no warning.
    """
    flat = maps.reshape(len(maps), -1)
    same = (flat == flat[:, :1]).all(axis=1)
    if batch.ndim != 4 or not same.any():
        return
    zero = same & (flat[:, 0] == 0)
    same &= ~zero
    if maps.ndim == 3 and same.any():
        _warn_of(
            network,
            same,
            "the same everywhere: the layer has a single place, or all its places are alike. "
            "Choose a layer with more of them.",
        )
    if not zero.any():
        return
    signature = (((None, *batch.shape[1:]), "float32"), ((None, 2), "int32"))
    run = compiled(network, _gradient, False, signature=signature)
    slopes = in_batches(run, batch[zero], pairs[zero], batch_size=16)[0]
    zero[zero] = ~slopes.reshape(len(slopes), -1).any(axis=1)
    if not zero.any():
        return
    probabilities = predict(network, batch[zero]) if kind_of(network) in WITHOUT_LOGITS else 0.5
    if np.isin(probabilities, (0, 1)).any():
        reason = (
            "a probability is exactly 0 or 1 in float32. Let the network end in its softmax or "
            "sigmoid, or in the logits before it."
        )
    else:
        reason = (
            "no small change of a pixel changes the score. The ReLUs on the way are dead, or other "
            "activations saturated. Are the images in the range that the network was trained on? "
            "Occlusion tries larger changes."
        )
    _warn_of(network, zero, f"0 everywhere: {reason}")


def _warn_of(network, which, what):
    message = f"The map of {network.name!r} for {which.sum()} of {len(which)} images is {what}"
    warnings.warn(message, UserWarning, stacklevel=4)
