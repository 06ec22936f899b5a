"""What a network's outputs mean: logits, or probabilities of one kind or another.

A *logit* is the value before a softmax or sigmoid. `read` looks for it in the graph of a traced
network. Where nothing in the graph tells, it asks the network itself: outputs are taken for
probabilities if for a handful of test images they all lie in 0-1 and every row adds up to one.
Where there are probabilities but no logits, as in an average of softmaxes, the log of the
probability takes the logit's place, and a warning says so.
"""

import warnings
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from helpers.core.graphs import in_float32
from helpers.core.probabilities import log_of, log_rest_of, number_of, rest_of, within
from helpers.core.tracing import once, unwatched

_PASSED_THROUGH = {"Identity", "Cast", "Reshape", "Squeeze"}
_HEADS = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Sigmoid": "sigmoid"}
_PRODUCTS = {"MatMul", "BatchMatMulV2", "Conv2D", "Einsum"}
_SUM_ERROR, _SUM_ERROR_16 = 1e-3, 2e-2  # of a row's sum, for outputs of 32 and of 16 bits
_GUARD = 1e-6  # a clip that stays this close to 0-1 only guards against log(0)
# Kinds of heads: without logits; of one probability alone; whose scores are log-odds, one by one.
WITHOUT_LOGITS = "probability", "shares", "one share"
OF_ONE = "one sigmoid", "one share"
OF_LOG_ODDS = "sigmoid", "shares", *OF_ONE


class Head(NamedTuple):
    """The end of a traced network.

    logits: float32 (N, classes); two columns for a single sigmoid. probabilities: float32
    (N, classes), None where one output may be anything. kind: "softmax", "log_softmax", "linear",
    "sigmoid" (of each output), "one sigmoid" (p, or p and 1 - p), "probability" (rows add up to
    one), "shares" (in 0-1 each, one by one) or "one share"; the last three have no logits, but the
    log of the probability or its log-odds. doubt: why the kind is not certain, or None.
    """

    logits: tf.Tensor
    probabilities: tf.Tensor
    kind: str
    doubt: str


def logits(network, x):
    """Call a network and return its logits (N, classes): float32.

    For use while tracing. A single sigmoid with logit z becomes two columns, -z and z. Computed in
    float32 also for a network of float16. Warns once where there are only probabilities.
    """
    found = read(network, x, network(x, training=False))
    once(network, "kind", lambda: found.kind)
    if found.kind in WITHOUT_LOGITS:
        what = "log" if found.kind == "probability" else "log-odds, log(p / (1 - p)),"
        say_once(
            network,
            f"The network {network.name!r} returns probabilities, but no logits can be found: "
            f"the {what} of the probability is explained instead.",
        )
    return found.logits


def kind_of(network):
    """Return the kind of a network's `Head`, if `logits` was called for it before."""
    return once(network, "kind", lambda: None)


def say_once(network, message):
    """Warn, once for each network and message."""
    once(network, ("said", message), lambda: warnings.warn(message, UserWarning, stacklevel=2))


def read(network, x, output):
    """Return the `Head` of a network that was traced on x and returned `output`.

    Raises ValueError if the network does not return one row of scores per image.
    """
    if not tf.is_tensor(output) or output.shape.rank != 2 or not output.shape[1]:
        shape = tuple(output.shape) if tf.is_tensor(output) else type(output).__name__
        raise ValueError(f"The network's output must be (images, classes), but it is {shape}.")
    given, wide = tf.cast(output, tf.float32), in_float32(output)
    end = _end(wide)
    if "PartitionedCall" in end.op.type:
        raise ValueError(
            "The network ends inside its own tf.function, which hides its logits: remove the "
            "@tf.function from its call method (Keras compiles it anyway)."
        )
    single, kind = output.shape[1] == 1, _HEADS.get(end.op.type)
    if kind == "softmax" and single:
        kind = None  # of one class: always 1
    if kind is not None:
        values = tf.cast(tf.reshape(end.op.inputs[0], (-1, output.shape[1])), tf.float32)
        if kind == "log_softmax":
            return Head(values, tf.exp(given), kind, None)
        if kind == "sigmoid" and single:
            return Head(_two(-values, values), _two(1 - given, given), "one sigmoid", None)
        return Head(values, given, kind, None)
    values = _of_one_sigmoid(end)
    if values is not None:
        return Head(values, given, "one sigmoid", None)
    wide = tf.cast(wide, tf.float32)
    if _plainly_linear(end):
        return _linear(given, wide)
    if within(wide, 0, 1) and single:
        log, rest = log_of(wide), log_rest_of(wide)
        return Head(_two(rest - log, log - rest), _two(1 - given, given), "one share", None)
    in_0_1, add_up = once(network, "probed", lambda: _probe(network, x))
    if (in_0_1 or within(wide, 0, 1)) and add_up and not single:
        return Head(log_of(wide), given, "probability", None)
    if within(wide, 0, 1):
        return Head(log_of(wide) - log_rest_of(wide), given, "shares", None)
    if in_0_1:
        doubt = (
            f"The outputs of {network.name!r} lie in 0-1 for test images, but nothing shows that "
            "they are probabilities: they are taken for scores."
        )
        return _linear(given, wide)._replace(doubt=doubt)
    return _linear(given, wide)


def _linear(given, wide):
    return Head(wide, tf.nn.softmax(given) if given.shape[1] > 1 else None, "linear", None)


def _two(first, second):
    return tf.concat([first, second], axis=1)


def _end(tensor):
    """Return the tensor that an output only repeats, in another shape, precision, or guarded."""
    while True:
        if tensor.op.type in _PASSED_THROUGH:
            tensor = tensor.op.inputs[0]
        elif (inner := _guarded(tensor)) is not None:
            tensor = inner
        else:
            return tensor


def _guarded(tensor):
    """Return a probability that is clipped only as a guard against log(0), else None."""
    op = tensor.op
    if op.type not in ("Maximum", "Minimum", "ClipByValue"):
        return None
    numbers = [number_of(other) for other in op.inputs]
    inner = [given for given, number in zip(op.inputs, numbers, strict=True) if number is None]
    known = [number for number in numbers if number is not None]
    harmless = len(inner) == 1 and all(min(abs(n), abs(n - 1)) <= _GUARD for n in known)
    return inner[0] if harmless and within(inner[0], 0, 1) else None


def _of_one_sigmoid(tensor):
    """Return the logits of [1 - p, p] or [p, 1 - p], where p is a sigmoid; else None."""
    op = tensor.op
    if op.type != "ConcatV2" or tensor.shape.rank != 2 or tensor.shape[1] != 2:
        return None
    ends = [_end(column) for column in op.inputs[:-1]]
    if len(ends) != 2 or tf.get_static_value(op.inputs[-1]) not in (1, -1):
        return None
    for p, rest, sign in (ends[1], ends[0], 1), (ends[0], ends[1], -1):
        taken = rest_of(rest)
        if p.op.type == "Sigmoid" and taken is not None and _same_sigmoid(_end(taken), p):
            z = tf.reshape(tf.cast(p.op.inputs[0], tf.float32), (-1, 1))
            return _two(-sign * z, sign * z)
    return None


def _same_sigmoid(one, other):
    """Return whether two tensors are one sigmoid, or computed twice from the same logit."""
    return one is other or (one.op.type == "Sigmoid" and one.op.inputs[0] is other.op.inputs[0])


def _plainly_linear(tensor):
    """Return whether outputs are sums with weights, of what is not probabilities itself."""
    op = tensor.op
    if op.type in ("AddV2", "BiasAdd"):
        product, bias = (_end(given).op for given in op.inputs)
        op = product if bias.type in ("Const", "Placeholder", "ReadVariableOp") else op
    return op.type in _PRODUCTS and not within(op.inputs[0], 0, 1)


def _probe(network, x):
    """Return whether a network's outputs for test images lie in 0-1, and whether rows add up to 1.

    Outputs that are not finite are left out. Outputs that are the same for all images tell nothing.
    """

    def call(tensor):
        return network(tensor, training=False)

    known = getattr(network, "input_shape", None)  # subclassed networks have none
    known = known[1:] if isinstance(known, tuple) else x.shape[1:]
    images = _test_images([a or b or 64 for a, b in zip(known, x.shape[1:], strict=True)])
    with tf.init_scope(), unwatched():
        outputs = tf.function(call, autograph=False)(tf.constant(images))
    error = _SUM_ERROR_16 if outputs.dtype.size == 2 else _SUM_ERROR
    rows = tf.cast(outputs, tf.float32).numpy()
    rows = rows[np.isfinite(rows).all(axis=1)]
    tell = len(rows) >= 3 and np.ptp(rows, axis=0).max() > 0
    in_0_1 = tell and rows.min() >= 0 and rows.max() <= 1
    return in_0_1, tell and np.abs(rows.sum(axis=1) - 1).max() <= error


def _test_images(shape):
    """Return noise, pale noise, plain images and gradients: float32 (N, *shape) in 0-255."""
    noise = np.random.default_rng(0).uniform(0, 255, (3, *shape))
    plain = [np.full(shape, grey) for grey in (0.0, 127.5, 255.0)]
    ramps = [np.linspace(0, 255, side) for side in shape]
    ramps = np.meshgrid(*ramps, indexing="ij")
    return np.float32([*noise, *(noise[:2] / 100), *plain, *ramps])
