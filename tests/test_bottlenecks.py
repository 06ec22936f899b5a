"""Bottlenecks against trying it out: without a tensor, is there still a path to the score?"""

import numpy as np
import pytest
import tensorflow as tf

from helpers.core.bottlenecks import bottlenecks, has_kernel


def traced(function, shape=(None, 4)):
    """Return the bottlenecks of a function of x as the types of their operations."""
    found = []
    spec = tf.TensorSpec(shape, tf.float32)
    tf.function(lambda x: found.extend(bottlenecks(x, function(x)))).get_concrete_function(spec)
    return [tensor.op.type for tensor in found]


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (lambda x: tf.exp(tf.tanh(x)), ["Tanh", "Exp"]),
        (lambda x: tf.exp(x + tf.tanh(x)), ["AddV2", "Exp"]),
        (lambda x: tf.exp(x * x), ["Mul", "Exp"]),
        (lambda x: tf.tanh(x) + tf.exp(x), ["AddV2"]),
        (lambda x: tf.concat(tf.split(tf.exp(x), 2, axis=1), 1), ["Exp", "ConcatV2"]),
        (lambda x: tf.tanh(x) / tf.cast(tf.size(x), tf.float32), ["Tanh", "RealDiv"]),
        (lambda x: tf.tanh(tf.zeros_like(x) + tf.exp(x)), ["Exp", "AddV2", "Tanh"]),
        (lambda x: tf.where(x > 0, tf.exp(x), 0.0), ["Exp", "SelectV2"]),
        (lambda x: x, []),
    ],
)  # fmt: skip
def test_bottlenecks_of_what_can_be_seen_by_eye(function, wanted):
    assert traced(function) == ["Placeholder", *wanted]


@pytest.mark.parametrize(
    "function", [lambda x: tf.constant([1.0]), lambda x: tf.cast(tf.argmax(x, axis=1), tf.float32)]
)
def test_without_a_path_there_is_no_bottleneck(function):
    assert traced(function) == []


@pytest.mark.parametrize("seed", range(10))
def test_bottlenecks_are_all_tensors_that_no_path_avoids(seed):
    rng = np.random.default_rng(seed)
    parents = {node: set(rng.choice(node, min(node, rng.integers(1, 3)), False).tolist())
               for node in range(1, 12)}  # fmt: skip

    def reaches(avoided):
        """Whether node 0 leads to node 11 without a node on the way."""
        met = {0} - {avoided}
        for node in range(1, 12):
            if node != avoided and parents[node] & met:
                met.add(node)
        return 11 in met

    found = []

    def call(x):
        nodes = [x]
        for node in range(1, 12):
            nodes.append(tf.tanh(tf.add_n([nodes[parent] for parent in parents[node]])))
        names = [tensor.name for tensor in nodes]
        narrow = {tensor.name for tensor in bottlenecks(x, nodes[-1])}
        found.extend(node for node in range(12) if names[node] in narrow)

    tf.function(call, autograph=False).get_concrete_function(tf.TensorSpec((3,)))
    assert found == [node for node in range(12) if not reaches(node)]
    assert found[0] == 0 and found[-1] == 11


def test_a_kernel_has_two_axes_or_more():
    kernel, scale = tf.Variable(tf.ones((4, 4))), tf.Variable(tf.ones(4))
    found = []

    def call(x):
        scaled = tf.tanh(scale * x)
        inner = tf.function(lambda y: y @ kernel)(scaled)
        found.extend(has_kernel(t) for t in (x, scaled, tf.exp(scaled @ kernel), inner + 1))

    tf.function(call, autograph=False).get_concrete_function(tf.TensorSpec((2, 4)))
    assert found == [False, False, True, True]
