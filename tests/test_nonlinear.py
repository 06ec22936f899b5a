"""Activations are counted as what they are, and only a ReLU is guided."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hand_made import HIDDEN, OUT, of
from keras import layers, ops
from numpy.testing import assert_allclose

from helpers import gradients
from helpers.core import nonlinear
from helpers.core.heads import logits


def counted(function, inputs=2):
    """Return the names of the activations of a function of numbers."""
    network, found = of(function, inputs), []

    def trace(x):
        found.extend(nonlinear.activations(x, logits(network, x)).values())

    tf.function(trace, autograph=False).get_concrete_function(tf.TensorSpec((None, inputs)))
    return found


def leaky(**options):
    return lambda x: layers.ReLU(**options)(x)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (ops.relu, "ReLU"),
        (ops.relu6, "ReLU"),
        (leaky(max_value=3.0), "ReLU"),
        (leaky(negative_slope=0.1), "leaky ReLU"),
        (leaky(negative_slope=0.1, max_value=4.0), "PReLU"),
        (leaky(negative_slope=0.1, max_value=6.0), "PReLU"),
        (leaky(threshold=1.0), "thresholded ReLU"),
        (leaky(negative_slope=0.1, threshold=1.0), "thresholded ReLU"),
        (lambda x: ops.where(x > 1.0, x, 0.0), "thresholded ReLU"),
        (lambda x: ops.where(x > 1.0, x, 0.5), "where"),
        (lambda x: ops.where(x > 1.0, 2 * x, 0.0), "where"),
        (lambda x: layers.LeakyReLU()(x), "leaky ReLU"),
        (lambda x: layers.PReLU()(x), "PReLU"),
        (lambda x: layers.PReLU(keras.initializers.Constant(0.25))(x), "PReLU"),
        (lambda x: ops.relu(x) - 0.3 * ops.relu(-x), "PReLU"),
        (lambda x: layers.ELU()(x), "ELU"),
        (lambda x: layers.ELU(0.5)(x), "ELU"),
        (ops.selu, "SELU"),
        (ops.silu, "swish"),
        (lambda x: x * ops.sigmoid(x), "swish"),
        (lambda x: ops.gelu(x, approximate=True), "GELU"),
        (lambda x: ops.gelu(x, approximate=False), "GELU"),
        (lambda x: layers.Activation("mish")(x), "mish"),
        (lambda x: layers.Activation("hard_swish")(x), "hard swish"),
        (lambda x: x * layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0), "hard swish"),
        (ops.hard_sigmoid, "hard sigmoid"),
        (lambda x: layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0), "hard sigmoid"),
        (ops.tanh, "tanh"),
        (ops.softplus, "softplus"),
        (lambda x: ops.concatenate([x, 2 * ops.sigmoid(x)]), "sigmoid"),
        (lambda x: ops.maximum(x, 0.0), "maximum"),
    ],
)
def test_an_activation_is_counted_once_and_by_its_name(function, name):
    keras.utils.set_random_seed(0)
    dense = layers.Dense(2)
    assert counted(lambda x: dense(function(x))) == [name]


def test_concatenated_relus_of_both_signs_are_two_relus():
    dense = layers.Dense(1)
    assert counted(lambda x: dense(ops.concatenate([ops.relu(x), ops.relu(-x)]))) == ["ReLU"] * 2


def test_heads_pooling_and_normalization_are_no_activations():
    dense = layers.Dense(2, activation="softmax")
    assert counted(lambda x: dense(layers.LayerNormalization()(ops.relu(x)))) == ["ReLU"]


@pytest.mark.filterwarnings("ignore:The network .* returns probabilities")
def test_a_head_without_logits_adds_no_activations_of_its_own():
    dense = [layers.Dense(2, activation="softmax") for _ in range(2)]
    assert counted(lambda x: layers.Average()([one(ops.relu(x)) for one in dense])) == ["ReLU"] * 2
    p = layers.Dense(1, activation="hard_sigmoid")
    assert counted(lambda x: p(ops.relu(x))) == ["ReLU", "hard sigmoid"]


@pytest.mark.parametrize("form", ["prelu", "leaky", "hard_swish"])
def test_where_nothing_is_a_relu_there_is_no_guided_gradient(form):
    named = {"prelu": layers.PReLU, "leaky": layers.LeakyReLU}
    act = named.get(form, lambda: layers.Activation(form))()
    network = of(lambda x: layers.Dense(1)(act(x)), 2)
    with pytest.raises(ValueError, match="has no ReLU.*1 "):
        gradients.gradient(network, np.ones((1, 2)), guided=True)


def test_a_prelu_beside_relus_keeps_its_plain_gradient_and_the_relus_are_guided():
    hidden, out = (
        layers.Dense(2, activation="relu", use_bias=False),
        layers.Dense(1, use_bias=False),
    )
    prelu = layers.PReLU(keras.initializers.Constant(0.25))
    network = of(lambda x: out(hidden(prelu(x))), 2)
    hidden.set_weights([HIDDEN])  # -a - b and a + b
    out.set_weights([OUT * [[3], [5]]])
    x = np.float32([[-4, 3], [-4, -8]])
    # The PReLU gives (-1, 3), where 5 relu(a + b) counts, and (-1, -2), where -3 relu(-a - b) does.
    assert_allclose(gradients.gradient(network, x), [[5 * 0.25, 5], [3 * 0.25, 3 * 0.25]])
    with pytest.warns(UserWarning, match="guides 1 of 2 activations.*Not guided: 1 PReLU"):
        found = gradients.gradient(network, x, guided=True)
    assert_allclose(found, [[5 * 0.25, 5], [0, 0]])
    assert_allclose(gradients.gradient(network, x, guided=True), found)  # it is said once


@pytest.mark.slow
def test_one_relu_among_many_swishes_is_counted():
    def function(x):
        for _ in range(34):
            x = layers.Dense(2, activation="swish")(x)
        return layers.Dense(2)(layers.Dense(2, activation="relu")(x))

    keras.utils.set_random_seed(0)
    network = of(function, 2)
    with pytest.warns(UserWarning, match="guides 1 of 35 activations.*Not guided: 34 swish"):
        gradients.gradient(network, np.ones((1, 2)), guided=True)
