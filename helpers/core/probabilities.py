"""Probabilities in a traced graph: between which numbers a tensor lies, and logs that stay exact.

A probability of 1 - 1e-9 is 1 in float32, and its log 0. But its log can be computed from what the
probability was made of, as z - logsumexp(z) from the input z of a softmax. `log_of` follows the
graph back to such an input, through averages, products, clips and the like.
"""

import math

import numpy as np
import tensorflow as tf

from helpers.core.graphs import again

_ANY = -math.inf, math.inf
_MOST = 100  # tensors to look at
LOGS = "logs_of_probabilities"  # the name scope of the operations that are added here
_RANGES = {
    "Softmax": (0.0, 1.0), "Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0), "Relu6": (0.0, 6.0),
    "Relu": (0.0, math.inf), "Exp": (0.0, math.inf), "Softplus": (0.0, math.inf),
    "Square": (0.0, math.inf), "Erf": (-1.0, 1.0), "Erfc": (0.0, 2.0),
}  # fmt: skip
_MOVES = {"ExpandDims", "GatherV2", "Identity", "Reshape", "Squeeze", "StridedSlice", "Transpose"}
_SAME_RANGE = _MOVES | {"AvgPool", "Cast", "ConcatV2", "Max", "MaxPool", "Mean", "Min", "Pack"}
_LOGS = {
    "Exp": tf.identity,
    "Sigmoid": lambda z: -tf.nn.softplus(-z),
    "Softmax": tf.nn.log_softmax,
}


def number_of(tensor):
    """Return the value of a constant that is one number, else None."""
    value = tf.get_static_value(tensor)
    numeric = value is not None and np.size(value) == 1 and np.asarray(value).dtype.kind in "fiu"
    return float(np.ravel(value)[0]) if numeric else None


def rest_of(tensor):
    """Return p of a tensor that is 1 - p, else None."""
    op = tensor.op
    if op.type == "Sub" and number_of(op.inputs[0]) == 1:
        return op.inputs[1]
    if op.type == "AddV2":
        for one, other in (op.inputs, op.inputs[::-1]):
            if number_of(one) == 1 and other.op.type == "Neg":
                return other.op.inputs[0]
    return None


def within(tensor, low, high):
    """Return whether all values of a tensor lie between two numbers, whatever the input is."""
    least, most = _range(tensor, {})
    return low <= least and most <= high


def _range(tensor, known):
    """Return numbers between which all values of a tensor lie, by construction."""
    if tensor.ref() not in known:
        if len(known) > _MOST:
            return _ANY
        known[tensor.ref()] = _ANY
        known[tensor.ref()] = _range_of(tensor.op, known)
    return known[tensor.ref()]


def _range_of(op, known):
    if op.type in _RANGES:
        return _RANGES[op.type]
    if op.type == "Const":
        value = np.asarray(tf.get_static_value(op.outputs[0]))
        numeric = value.dtype.kind in "fiu" and value.size
        return (float(value.min()), float(value.max())) if numeric else _ANY
    if op.type in _SAME_RANGE:
        many = {"ConcatV2": len(op.inputs) - 1, "Pack": len(op.inputs)}.get(op.type, 1)
        bounds = [_range(given, known) for given in op.inputs[:many]]
        return min(low for low, _ in bounds), max(high for _, high in bounds)
    if op.type == "Pad":
        low, high = _range(op.inputs[0], known)
        return min(low, 0.0), max(high, 0.0)
    if op.type not in (
        "AddV2",
        "ClipByValue",
        "Maximum",
        "Minimum",
        "Mul",
        "Neg",
        "RealDiv",
        "Sub",
    ):
        return _ANY
    (low, high), *others = (_range(given, known) for given in op.inputs)
    least, most = others[0] if others else _ANY
    if op.type == "Neg":
        return -high, -low
    if op.type == "AddV2":
        return low + least, high + most
    if op.type == "Sub":
        return low - most, high - least
    if op.type == "Maximum":
        return max(low, least), max(high, most)
    if op.type == "Minimum":
        return min(low, least), min(high, most)
    if op.type == "ClipByValue":
        return max(low, least), min(high, others[1][1])
    if op.type == "RealDiv":
        if least <= 0 <= most:
            return _ANY
        least, most = 1 / most, 1 / least
    ends = [a * b if a and b else 0.0 for a in (low, high) for b in (least, most)]
    return min(ends), max(ends)


def log_of(tensor):
    """Return the log of probabilities, exact also near 0 and 1 where the graph can be followed."""
    with tf.name_scope(LOGS):
        log = _followed(tensor)
        return _log(tensor) if log is None else log


def log_rest_of(tensor):
    """Return the log of 1 - p for probabilities p, exact where the graph can be followed."""
    with tf.name_scope(LOGS):
        log = _followed_rest(tensor)
        return _log(1 - tensor) if log is None else log


def _log(tensor):
    """Return the log of p >= 0; where it is -inf, its slope is 0, so that no NaN spreads."""
    positive = tensor > 0
    log = tf.math.log(tf.where(positive, tensor, tf.ones_like(tensor)))
    return tf.where(positive, log, tf.fill(tf.shape(tensor), tf.cast(-math.inf, tensor.dtype)))


def _followed_rest(tensor):
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    if tensor.op.type == "Sigmoid":
        return -tf.nn.softplus(tensor.op.inputs[0])
    rest = rest_of(tensor)
    return None if rest is None else _followed(rest)


def _followed(tensor):
    """Return the log of a tensor from the logs of what it was made of; None where that fails."""
    op, value = tensor.op, tf.get_static_value(tensor)
    if value is not None:
        return tf.math.log(tensor) if (np.asarray(value) >= 0).all() else None
    if op.type in _LOGS:
        return _LOGS[op.type](op.inputs[0])
    rest = rest_of(tensor)
    if rest is not None and within(rest, 0, 1):
        return log_rest_of(rest)
    if op.type in _MOVES:
        log = _followed(op.inputs[0])
        return None if log is None else again(op, [log, *op.inputs[1:]])[0]
    many = {"ConcatV2": len(op.inputs) - 1, "Mean": 1, "Sum": 1}.get(op.type, len(op.inputs))
    if op.type not in _COMPOSED:
        return None
    logs = [_followed(given) for given in op.inputs[:many]]
    return None if any(log is None for log in logs) else _COMPOSED[op.type](op, *logs)


def _log_of_sum(op, *logs):
    shape = tf.shape(op.outputs[0])
    return tf.reduce_logsumexp(tf.stack([tf.broadcast_to(log, shape) for log in logs]), axis=0)


def _log_of_sum_over_axes(op, log):
    summed = tf.reduce_logsumexp(log, op.inputs[1], keepdims=op.get_attr("keep_dims"))
    if op.type == "Sum":
        return summed
    return summed - tf.math.log(tf.cast(tf.size(log) / tf.size(summed), tf.float32))


_COMPOSED = {  # the log of what an operation returns, from the logs of its inputs
    "AddN": _log_of_sum,
    "AddV2": _log_of_sum,
    "ClipByValue": lambda op, log, low, high: tf.clip_by_value(log, low, high),
    "ConcatV2": lambda op, *logs: again(op, [*logs, op.inputs[-1]])[0],
    "Maximum": lambda op, one, other: tf.maximum(one, other),
    "Mean": _log_of_sum_over_axes,
    "Minimum": lambda op, one, other: tf.minimum(one, other),
    "Mul": lambda op, one, other: one + other,
    "Pack": lambda op, *logs: tf.stack(logs, axis=op.get_attr("axis")),
    "RealDiv": lambda op, one, other: one - other,
    "Sum": _log_of_sum_over_axes,
}
