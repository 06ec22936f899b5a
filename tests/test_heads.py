"""What outputs mean: probabilities are found whatever made them, and scores are no probability."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import slow_but
from hand_made import Calls, built, of
from keras import layers, ops
from numpy.testing import assert_allclose, assert_array_equal

from helpers import gradients, networks

WEIGHTS = np.float32([[1, -2, 3], [0, 2, -1]])
X = np.float32([[0.5, 1.0], [-1.0, 0.25]])
Z = X @ WEIGHTS


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def ending(function, weights=WEIGHTS):
    """Return a network of two numbers, `function` of its logits x @ weights."""
    dense = layers.Dense(
        weights.shape[1], use_bias=False, kernel_initializer=lambda *a, **k: weights
    )
    return of(lambda x: function(dense(x)), 2)


def single(function):
    return ending(function, np.float32([[3], [1]]))


def said(network, x=X, what="probabilities"):
    with pytest.warns(UserWarning, match=f"{network.name}.*{what}"):
        return gradients.scores(network, x)


P = softmax(Z)
SOFT = {
    "softmax": ops.softmax,
    "softmax, clipped against log(0)": lambda z: ops.clip(ops.softmax(z), 1e-7, 1 - 1e-7),
    "softmax, reshaped": lambda z: ops.reshape(ops.softmax(ops.reshape(z, (-1, 1, 3))), (-1, 3)),
    "log_softmax": ops.log_softmax,
    "none": lambda z: z,
}


@pytest.mark.parametrize("end", SOFT)
def test_logits_behind_a_softmax_are_found(end):
    network = ending(SOFT[end])
    assert_allclose(gradients.scores(network, X), Z, rtol=1e-6)
    assert_allclose(networks.predict(network, X), P, atol=2e-7)
    assert_allclose(gradients.gradient(network, X, 2), [WEIGHTS[:, 2]] * 2)


MADE = {
    "average": (
        lambda z: layers.Average()([ops.softmax(z), ops.softmax(2 * z)]),
        (P + softmax(2 * Z)) / 2,
    ),
    "weighted": (
        lambda z: 0.75 * ops.softmax(z) + 0.25 * ops.softmax(-z),
        0.75 * P + 0.25 * softmax(-Z),
    ),
    "stacked": (
        lambda z: ops.mean(ops.stack([ops.softmax(z), ops.softmax(-z)], axis=1), axis=1),
        (P + softmax(-Z)) / 2,
    ),
    "smoothed": (lambda z: ops.softmax(z) * 0.9 + 0.1 / 3, P * 0.9 + 0.1 / 3),
    "normalized product": (
        lambda z: (lambda p: p / ops.sum(p, axis=1, keepdims=True))(
            ops.softmax(z) * ops.softmax(z / 2)
        ),
        softmax(1.5 * Z),
    ),
    "by hand": (lambda z: ops.exp(z) / ops.sum(ops.exp(z), axis=1, keepdims=True), P),
    "squares": (
        lambda z: ops.square(z) / ops.sum(ops.square(z), 1, keepdims=True),
        Z**2 / (Z**2).sum(1, keepdims=True),
    ),
}


def numeric(function, x, step=1e-3):
    """Return the slopes of a function of rows by finite differences."""
    steps = np.eye(x.shape[1]) * step
    return np.stack([(function(x + s) - function(x - s)) / (2 * step) for s in steps], axis=1)


@pytest.mark.parametrize("made", slow_but(MADE, "average", "by hand", "smoothed"))
def test_where_there_are_no_logits_the_log_probability_is_explained_and_said(made):
    function, wanted = MADE[made]
    network = ending(function)
    assert_allclose(said(network), np.log(wanted), atol=1e-5)
    assert_allclose(networks.predict(network, X), wanted, atol=1e-6)
    found = gradients.gradient(network, X, 1)  # and it is not said a second time
    reference = numeric(lambda x: np.log(np.array(network(np.float32(x))))[:, 1].astype(float), X)
    assert_allclose(found, reference, atol=0.02)


def test_the_log_probability_of_two_experts_is_exact_where_a_probability_is_1_in_float32():
    network = ending(lambda z: layers.Average()([ops.softmax(z), ops.softmax(z)]))
    x = np.float32([[40, 0], [60, 0]])  # 1 - p is e^-80 and e^-120
    assert_allclose(networks.predict(network, x), [[0, 0, 1]] * 2, atol=1e-30)
    assert_allclose(said(network, x)[:, :2], [[-80, -200], [-120, -300]], rtol=1e-6)
    assert_allclose(gradients.gradient(network, x, 0)[:, 0], [-2, -2], rtol=1e-5)


PAIRS = {
    "[1 - p, p]": lambda p: layers.Concatenate()([1 - p, p]),
    "[p, 1 - p]": lambda p: layers.Concatenate()([p, 1 - p]),
    "-p + 1": lambda p: ops.concatenate([-p + 1, p], axis=-1),
    "clipped": lambda p: ops.concatenate([1 - ops.clip(p, 1e-7, 1 - 1e-7), p], axis=1),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_one_sigmoid_made_into_two_columns_is_a_sigmoid(pair):
    network = single(lambda z: PAIRS[pair](ops.sigmoid(z)))
    x = np.float32([[0.2, -0.1], [90, 0], [-90, 0]])  # probabilities of 0.62, 1 and 0
    z, p = x @ [3, 1], np.float32([0.62246, 1, 0])
    order = [1, 0] if pair == "[p, 1 - p]" else [0, 1]
    assert_allclose(networks.predict(network, x), np.stack([1 - p, p], 1)[:, order], atol=1e-5)
    assert_allclose(gradients.scores(network, x), np.stack([-z, z], 1)[:, order], rtol=1e-5)
    assert_allclose(gradients.gradient(network, x, order[1]), [[3, 1]] * 3)
    assert_allclose(gradients.gradient(network, x, order[0]), [[-3, -1]] * 3)


def test_two_columns_of_two_sigmoids_are_two_labels():
    network = ending(ops.sigmoid)
    assert_allclose(gradients.scores(network, X), Z, rtol=1e-6)
    assert_allclose(networks.predict(network, X), 1 / (1 + np.exp(-Z)), rtol=1e-5)
    halves = ending(
        lambda z: ops.concatenate([ops.sigmoid(z[:, :1]), 1 - ops.sigmoid(z[:, 1:2])], axis=1)
    )
    p = 1 / (1 + np.exp(-Z[:, :2] * [1, -1]))
    assert_allclose(networks.predict(halves, X), p, rtol=1e-5)
    assert_allclose(said(halves, what="log-odds"), Z[:, :2] * [1, -1], rtol=1e-5)


def test_a_probability_that_is_no_sigmoid_has_log_odds():
    network = single(lambda z: layers.Activation("hard_sigmoid")(z))
    p = np.clip(X @ [[3], [1]] / 6 + 0.5, 0, 1)
    assert_allclose(networks.predict(network, X), np.hstack([1 - p, p]), rtol=1e-5)
    odds = np.log(p / (1 - p))
    assert_allclose(said(network, what="log-odds"), np.hstack([-odds, odds]), rtol=1e-4)
    reversed_sigmoid = single(lambda z: 1 - ops.sigmoid(z))
    z = np.float32([[90.0, 0.0]])
    assert_allclose(said(reversed_sigmoid, z), [[270, -270]])
    assert_allclose(gradients.gradient(reversed_sigmoid, z, 1), [[-3, -1]])


def test_labels_that_are_averaged_have_log_odds():
    network = ending(lambda z: layers.Average()([ops.sigmoid(z), ops.sigmoid(-2 * z)]))
    p = (1 / (1 + np.exp(-Z)) + 1 / (1 + np.exp(2 * Z))) / 2
    assert_allclose(networks.predict(network, X), p, rtol=1e-5)
    assert_allclose(said(network, what="log-odds"), np.log(p / (1 - p)), atol=1e-5)


LINEAR = {
    "logits": lambda z: z,
    "warm logits": lambda z: z / 2.5,
    "after a softmax": lambda z: layers.Dense(3, kernel_initializer="random_normal")(
        ops.softmax(z)
    ),
    "after a sigmoid": lambda z: layers.Dense(
        2, bias_initializer=keras.initializers.Constant(0.5), kernel_initializer="zeros"
    )(ops.sigmoid(z)),
    "untrained": lambda z: layers.Dense(
        2, bias_initializer=keras.initializers.Constant(0.5), kernel_initializer="zeros"
    )(z),
    "rectified": ops.relu,
    "tanh": ops.tanh,
}


@pytest.mark.parametrize("end", LINEAR)
def test_scores_are_not_taken_for_probabilities(end):
    keras.utils.set_random_seed(1)
    network = ending(LINEAR[end])
    wanted = np.array(network(X))
    assert_allclose(gradients.scores(network, X), wanted, rtol=1e-6)
    assert_allclose(networks.predict(network, X), softmax(wanted), rtol=1e-5)


def test_what_may_be_probabilities_or_scores_is_doubted_aloud():
    x = keras.Input((4, 4, 3))
    network = keras.Model(x, layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(x)))
    pictures = np.full((1, 4, 4, 3), 51, np.uint8)
    with pytest.warns(UserWarning, match="taken for scores"):
        assert_allclose(networks.predict(network, pictures), [[1 / 3] * 3], rtol=1e-5)
    assert_allclose(gradients.scores(network, pictures), [[0.2] * 3], rtol=1e-5)


def test_one_output_is_no_probability_unless_it_lies_in_0_to_1():
    for end in (lambda z: z, ops.relu, lambda z: z / 1000):
        with pytest.raises(ValueError, match="one linear output"):
            networks.predict(single(end), X)


def test_it_is_said_once_for_each_network():
    first, second = (ending(MADE["average"][0]) for _ in range(2))
    for network in (first, second):
        said(network)
        gradients.gradient(network, X)
        gradients.scores(network, X[:1])


def test_a_network_of_any_size_is_asked_at_one_that_works():
    x = keras.Input((None, None, 3))
    cells = layers.Conv2D(2, 3, activation="softmax")(layers.Rescaling(1 / 255)(x))
    network = keras.Model(x, layers.GlobalAveragePooling2D()(cells))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 12, 20, 3), dtype=np.uint8)
    assert_allclose(said(network, pictures), np.log(np.array(network(pictures))), rtol=1e-5)


def test_asking_the_network_is_no_second_call_of_its_layers():
    x = keras.Input((4, 4, 3))
    cells = layers.Conv2D(2, 1, activation="softmax")(layers.Rescaling(1 / 255, name="scaled")(x))
    network = keras.Model(x, layers.GlobalAveragePooling2D()(cells))
    pictures = np.full((1, 4, 4, 3), 100, np.uint8)
    with pytest.warns(UserWarning, match="probabilities"):
        maps, slope = gradients.activation_gradient(network, pictures, 0, "scaled")
    assert_allclose(slope / 255, gradients.gradient(network, pictures, 0), rtol=1e-5)
    assert_allclose(maps, pictures / 255, rtol=1e-6)


def test_the_penultimate_layer_is_found_through_a_pair_of_columns():
    from helpers import embedding

    network = single(lambda z: PAIRS["[1 - p, p]"](ops.sigmoid(z)))
    assert_array_equal(embedding.features(network, X), X)


def test_a_custom_network_that_returns_anything_else_is_named():
    network = built(Calls(lambda n, x: tf.expand_dims(x, 1)), (2,))
    with pytest.raises(ValueError, match="must be"):
        gradients.scores(network, X)
