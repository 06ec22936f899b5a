"""LRP against closed forms, the rules in NumPy, gradient times input, and itself in every form."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import slow_but
from hand_made import Calls, built, forms, images, of
from numpy.testing import assert_allclose, assert_array_equal

from helpers import gradients, networks, relevance, saliency
from helpers.relevance.propagation import RULES

L = keras.layers
every_rule = pytest.mark.parametrize("rule", RULES)


def chain(shape, *layers, seed=1, biases=0.0):
    """Return a network of layers in a row, with random weights, and biases of this size."""
    x = y = keras.Input(shape)
    for layer in layers:
        y = layer(y)
    return randomized(keras.Model(x, y), seed, biases)


def randomized(network, seed=1, biases=0.0):
    rng = np.random.default_rng(seed)
    for weight in network.weights:
        name, shape = weight.name, weight.shape
        if "variance" in name:
            value = rng.uniform(0.5, 2, shape)
        elif name == "gamma":
            value = rng.choice([-1, 1], shape) * rng.uniform(0.5, 2, shape)
        elif "bias" in name or name in ("beta", "moving_mean"):
            value = biases * rng.normal(size=shape)
        else:
            value = rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))
        weight.assign(np.float32(value))
    return network


def dense(weights, bias=None, activation=None):
    """Return a dense layer with these weights (inputs, outputs), for `fixed`."""
    weights = np.float32(weights)
    bias = np.zeros(weights.shape[1]) if bias is None else bias
    layer = L.Dense(weights.shape[1], activation=activation)
    layer.build((None, len(weights)))
    layer.set_weights([weights, np.float32(bias)])
    return layer


def fixed(*layers):
    """Return a network of dense layers with known weights."""
    x = y = keras.Input((layers[0].kernel.shape[0],))
    for layer in layers:
        y = layer(y)
    return keras.Model(x, y)


def total(maps):
    return maps.reshape(len(maps), -1).sum(axis=1)


# The rules, on numbers that can be checked in the head.


def test_epsilon_shares_the_score_in_proportion():
    network = fixed(dense([[2, 0], [1, -1], [-1, 1]], activation="relu"), dense([[3], [5]]))
    # hidden: 2*1 + 1*4 - 3 = 3 and -4 + 3 = -1, so the score is 3 * 3 = 9
    assert_allclose(relevance.lrp(network, [1.0, 4.0, 3.0], 0, "epsilon"), [6, 12, -9], rtol=1e-5)


def test_what_epsilon_gives_to_a_bias_is_missing():
    network = fixed(dense([[2], [1]], [1.0]))
    assert_allclose(relevance.lrp(network, [3.0, 3.0], 0, "epsilon"), [6, 3], rtol=1e-5)  # of 10


def test_a_large_epsilon_absorbs_relevance():
    network = fixed(dense([[2], [1]]))
    found = relevance.lrp(network, [3.0, 3.0], 0, "epsilon", epsilon=0.5)
    assert_allclose(found, np.float32([6, 3]) / 1.5, rtol=1e-5)


def test_zplus_shares_among_what_raises_a_positive_value():
    network = fixed(dense([[2], [1], [-1]], [7.0]))
    # of 2 + 4 - 3 + 7 = 10, whatever the bias
    assert_allclose(
        relevance.lrp(network, [1.0, 4.0, 3.0], 0, "zplus"), [10 / 3, 20 / 3, 0], rtol=1e-5
    )
    # A negative input with a negative weight raises the value, too: 2 + 3 against -4.
    assert_allclose(
        relevance.lrp(network, [1.0, -4.0, -3.0], 0, "zplus"), [16 / 5, 0, 24 / 5], rtol=1e-5
    )


def test_zplus_shares_among_what_lowers_a_negative_value():
    network = fixed(dense([[2], [1], [-1], [-1]]))
    found = relevance.lrp(network, [1.0, -4.0, 3.0, 2.0], 0, "zplus")  # 2 - 4 - 3 - 2 = -7
    assert_allclose(found, [0, -28 / 9, -21 / 9, -14 / 9], rtol=1e-5)


def test_what_a_bias_alone_brings_about_has_no_input_to_go_to():
    network = fixed(dense([[-1], [-2]], [10.0]))
    assert_array_equal(relevance.lrp(network, [1.0, 2.0], 0, "zplus"), [0, 0])


@pytest.mark.slow
def test_a_sum_is_shared_among_its_terms_and_a_winner_takes_all():
    x = keras.Input((2,))
    doubled = L.Dense(2, use_bias=False, name="doubled")(x)
    network = keras.Model(x, keras.ops.sum(x + doubled, axis=1, keepdims=True))
    network.set_weights([np.float32([[2, 0], [0, 2]])])
    found = relevance.lrp_by_layer(network, [[1.0, 4.0]], 0, "zplus", "doubled")
    assert_allclose(found["pixels"], [[3, 12]], rtol=1e-5)
    assert_allclose(found["doubled"], [[2, 8]], rtol=1e-5)
    pool = chain((2, 2, 1), L.MaxPooling2D(), L.Flatten(), dense([[3]]))
    for rule in ("epsilon", "zplus"):
        square = np.float32([[1, 5], [4, 2]]).reshape(1, 2, 2, 1)
        pool.layers[-1].set_weights([np.float32([[3]]), np.float32([0])])
        assert_allclose(relevance.lrp(pool, square, 0, rule).ravel(), [0, 15, 0, 0], rtol=1e-5)


# The rules in NumPy, on a small convolutional network.


def patches(x, size=3):
    """Return the windows of x (H, W, C) with zeros around: (H, W, size, size, C)."""
    padded = np.pad(x, ((size // 2, size // 2), (size // 2, size // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (0, 1))
    return windows.transpose(0, 1, 3, 4, 2)


def put_back(shares, shape):
    """Add up the shares (H, W, size, size, C) of windows at each place of (H, W, C)."""
    size = shares.shape[2]
    whole = np.zeros((shape[0] + size - 1, shape[1] + size - 1, shape[2]))
    for i, j in itertools.product(range(size), repeat=2):
        whole[i : i + shape[0], j : j + shape[1]] += shares[:, :, i, j]
    return whole[size // 2 : size // 2 + shape[0], size // 2 : size // 2 + shape[1]]


def by_rule(rule, contributions, bias, relevance):
    """Return the shares of contributions (..., inputs, units) in relevance (..., units)."""
    z = contributions.sum(axis=-2) + bias
    if rule == "epsilon":
        return (contributions * (relevance / z)[..., None, :]).sum(axis=-1)
    agree = contributions * z[..., None, :] > 0
    kept = (contributions * agree).sum(axis=-2)
    if rule == "zplus":
        ratio = np.divide(relevance, kept, out=np.zeros_like(kept), where=kept != 0)
        return (contributions * agree * ratio[..., None, :]).sum(axis=-1)
    whole = z + 0.25 * (kept + bias * (bias * z > 0))
    return (contributions * (1 + 0.25 * agree) * (relevance / whole)[..., None, :]).sum(axis=-1)


def conv_back(rule, x, kernel, bias, relevance, limits=None):
    windows = patches(x)[..., None]
    if limits is not None:
        black, white = (patches(np.full_like(x, end))[..., None] for end in limits)
        inside = patches(np.ones_like(x))[..., None]
        windows, rule = np.where(kernel > 0, windows - black, windows - white) * inside, "zplus"
        z = (patches(x)[..., None] * kernel).sum((2, 3, 4)) + bias
        assert (relevance[z < 0] == 0).all()  # so that the sign of z is plus
    many = windows.shape[:2]
    flat = (windows * kernel).reshape(*many, -1, kernel.shape[-1])
    shares = by_rule(rule, flat, 0 if limits else bias, relevance)
    return put_back(shares.reshape(*many, *kernel.shape[:3]), x.shape)


def in_numpy(network, image, target, rule):
    """Return LRP of rescaling, two convolutions with a pool between, average and dense layer."""
    (k1, b1), (k2, b2), (w, b) = (
        [array.astype(float) for array in layer.get_weights()]
        for layer in network.layers if layer.weights
    )  # fmt: skip
    x = image / 127.5 - 1
    z1 = np.einsum("hwijc,ijcd->hwd", patches(x), k1) + b1
    a1 = np.maximum(z1, 0)
    cells = a1.reshape(8, 2, 8, 2, -1).transpose(0, 2, 1, 3, 4).reshape(8, 8, 4, -1)
    p1 = cells.max(axis=2)
    a2 = np.maximum(np.einsum("hwijc,ijcd->hwd", patches(p1), k2) + b2, 0)
    pooled = a2.mean(axis=(0, 1))
    score = np.zeros(w.shape[1])
    score[target] = (pooled @ w + b)[target]
    inner = {"composite": "gamma"}.get(rule, rule)
    top = {"composite": "epsilon"}.get(rule, rule)
    r = by_rule(top, pooled[:, None] * w, b, score)
    r = a2 * np.divide(r / 64, pooled, out=np.zeros_like(pooled), where=pooled > 0)
    r = conv_back(inner, p1, k2, b2, r)
    winner = cells.argmax(axis=2)[:, :, None] == np.arange(4)[:, None]
    r = (winner * r[:, :, None]).reshape(8, 8, 2, 2, -1).transpose(0, 2, 1, 3, 4)
    r = r.reshape(16, 16, -1)
    r = conv_back(inner, x, k1, b1, r, (-1, 1) if rule == "composite" else None)
    return r * (image / 127.5) / x if rule == "epsilon" else r  # the shift of the pixels is a bias


@pytest.mark.parametrize("rule", slow_but(RULES, "zplus"))
def test_the_rules_in_numpy_give_the_same(rule):
    network = forms()["flat"]
    biased = keras.models.clone_model(network)
    biased.set_weights([w + 0.05 * (w.ndim == 1) for w in network.get_weights()])
    for one in (network, biased):
        wanted = [in_numpy(one, image.astype(float), 1, rule) for image in images(2)]
        found = relevance.lrp(one, images(2), 1, rule)
        assert_allclose(found, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


# What must hold on any network.


@functools.cache
def of_many_kinds(biases=0.0):
    """Return a network with everything but a gate: branches, pools, normalizations, paddings."""
    x = keras.Input((16, 16, 3))
    y = L.ZeroPadding2D(1)(x)
    y = L.Conv2D(6, 3, use_bias=False, name="stem")(y)
    y = first = L.ReLU(name="first")(L.BatchNormalization()(y))
    y = L.ReLU()(L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same")(y)))
    y = L.BatchNormalization(name="project")(L.Conv2D(6, 1)(y))
    y = L.Add(name="sum")([first, y])
    y = L.MaxPooling2D(name="pool")(L.ReLU()(L.BatchNormalization()(y)))
    parts = [L.SeparableConv2D(4, 3, padding="same")(y), L.Conv2D(4, 3, 1, "same")(y)]
    y = L.ReLU()(L.Concatenate(name="both")([*parts, L.AveragePooling2D(3, 1, "same")(y)]))
    y = L.UpSampling2D(2, interpolation="bilinear")(L.Cropping2D(1)(y))
    y = L.Conv2DTranspose(5, 3, strides=2, activation="relu")(y)
    y = L.Dense(7, activation="relu")(L.Flatten()(L.Permute((3, 1, 2))(y)))
    return randomized(keras.Model(x, L.Dense(3, name="scores")(L.Dropout(0.5)(y))), 1, biases)


@pytest.mark.slow
def test_epsilon_without_biases_is_gradient_times_input_and_conserves_the_score():
    network, x = of_many_kinds(), images(3)
    found = relevance.lrp(network, x, [0, 1, 2], "epsilon", epsilon=1e-9)
    product = x * saliency.gradient(network, x, [0, 1, 2])
    assert_allclose(found, product, atol=1e-4 * np.abs(product).max())
    scores = gradients.quantity(network, x, [0, 1, 2])
    assert_allclose(total(found), scores, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_without_biases_all_layers_that_all_paths_cross_hold_the_score(rule):
    network, x = of_many_kinds(), images(3)
    scores = gradients.quantity(network, x, 1)
    found = relevance.lrp_by_layer(network, x, 1, rule)
    names = list(found)
    assert names[0] == "pixels" and names[-1] == "scores"
    assert {"stem", "first", "sum", "pool", "both", "scores"} <= set(names)
    assert "project" not in names
    for maps in found.values():
        assert_allclose(total(maps), scores, rtol=1e-3)
    assert_array_equal(found["pixels"], relevance.lrp(network, x, 1, rule))


@pytest.mark.slow
def test_zplus_conserves_the_score_with_biases_too():
    network, x = of_many_kinds(biases=0.1), images(3)
    scores = gradients.quantity(network, x, 1)
    assert_allclose(total(relevance.lrp(network, x, 1, "zplus")), scores, rtol=1e-3)


@pytest.mark.slow
def test_gamma_leads_from_epsilon_to_zplus():
    network, x = forms()["flat"], images(2)
    shares = []
    for gamma in (0, 0.25, 1e6):
        maps = relevance.lrp(network, x, 0, gamma=gamma)
        assert_allclose(total(maps), gradients.quantity(network, x, 0), rtol=1e-3)
        shares.append(np.abs(maps).sum())
    assert shares[0] > shares[1] > shares[2]


def test_on_a_linear_network_epsilon_is_integrated_gradients():
    network = chain((4, 4, 3), L.Rescaling(1 / 255), L.Conv2D(2, 3), L.Flatten(), L.Dense(2))
    randomized(network, biases=0.3)
    x = images(2, 4)
    wanted = saliency.integrated_gradients(network, x, 1, steps=2)
    assert_allclose(relevance.lrp(network, x, 1, "epsilon"), wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["epsilon", "composite"])
def test_batch_normalization_is_the_layer_that_it_can_be_folded_into(rule):
    normalized = chain(
        (8, 8, 3), L.Conv2D(4, 3, name="conv"), L.BatchNormalization(name="norm"), L.ReLU(),
        L.Flatten(), L.Dense(2, name="scores"), biases=0.5,
    )  # fmt: skip
    folded = chain((8, 8, 3), L.Conv2D(4, 3), L.ReLU(), L.Flatten(), L.Dense(2))
    kernel, bias, gamma, beta, mean, variance, *top = normalized.get_weights()
    top = normalized.get_layer("scores").get_weights()
    slope = gamma / np.sqrt(variance + 1e-3)
    folded.set_weights([kernel * slope, (bias - mean) * slope + beta, *top])
    maps = [relevance.lrp(one, images(2, 8), 1, rule) for one in (folded, normalized)]
    assert_allclose(maps[1], maps[0], atol=1e-4 * np.abs(maps[0]).max())


ACTIVATIONS = {
    "elu": "elu", "GELU": "gelu", "hard swish": "hard_silu", "leaky": L.LeakyReLU, "PReLU": L.PReLU,
    "ReLU6": L.ReLU, "relu6": keras.ops.relu6, "SELU": "selu", "sigmoid": "sigmoid",
    "softplus": "softplus", "swish": "silu", "tanh": "tanh",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_passes_on_all_that_it_gets(name):
    kind = ACTIVATIONS[name]
    layer = (
        kind(6.0) if name == "ReLU6" else kind() if isinstance(kind, type) else L.Activation(kind)
    )
    network = chain((6,), L.Dense(8, use_bias=False, name="hidden"), layer, L.Dense(2, name="out"))
    x = np.random.default_rng(0).normal(0, 5, (4, 6))
    for maps in relevance.lrp_by_layer(network, x, 0, "epsilon", ["hidden", "out"]).values():
        assert_allclose(total(maps), gradients.quantity(network, x, 0), rtol=1e-3)


def test_a_gate_counts_as_a_constant():
    x = keras.Input((8, 8, 3))
    y = L.Conv2D(4, 3, activation="relu", use_bias=False, name="conv")(x)
    squeezed = L.Dense(4, activation="sigmoid", name="gate")(L.GlobalAveragePooling2D()(y))
    y = L.Multiply(name="gated")([y, L.Reshape((1, 1, 4))(squeezed)])
    network = keras.Model(x, L.Dense(2, use_bias=False)(L.Flatten()(y)))
    x = images(2, 8)
    found = relevance.lrp_by_layer(network, x, 1, layers=["conv", "gated"])
    for maps in found.values():
        assert_allclose(total(maps), gradients.quantity(network, x, 1), rtol=1e-3)
    assert_array_equal(found["conv"], found["gated"])
    with pytest.raises(ValueError, match="Layer 'gate' gets no relevance"):
        relevance.lrp_by_layer(network, x, 1, layers="gate")


@pytest.mark.slow
def test_every_form_gives_the_same():
    maps = {
        form: relevance.lrp(network, images(), [0, 1, 2])
        for form, network in forms("softmax").items()
    }
    assert np.abs(maps["flat"]).max() > 0
    for found in maps.values():
        assert_allclose(found, maps["flat"], atol=1e-6 * np.abs(maps["flat"]).max())


@pytest.mark.slow
def test_operators_of_ones_own_and_a_layer_called_twice():
    weights = tf.constant([[1.0, -1.0], [0.5, 2.0]])
    network = built(Calls(lambda n, x: tf.nn.relu(n.twice(n.twice(x)) @ weights + 0.0),
                          twice=L.Dense(2, use_bias=False, name="twice")), (2,))  # fmt: skip
    x = np.float32([[3, 1], [1, 4]])
    network.set_weights([np.float32([[1, 0.5], [0.25, 1]])])
    found = relevance.lrp(network, x, 0, "epsilon")
    assert_allclose(found, x * saliency.gradient(network, x, 0), rtol=1e-4)
    with pytest.raises(ValueError, match="2 times"):
        relevance.lrp_by_layer(network, x, 0, layers="twice")


def test_what_is_explained_is_a_score_or_a_difference():
    network, x, rule = forms()["nested"], images(2), "epsilon"
    one, other = (relevance.lrp(network, x, k, rule) for k in (0, 2))
    margin = relevance.lrp(network, x, 0, rule, against=2)
    assert_allclose(margin, one - other, atol=1e-4 * (np.abs(one) + np.abs(other)).max())
    scores = gradients.scores(network, x)
    top = relevance.lrp_by_layer(network, x, 0, rule, "scores", against="rest")["scores"]
    odds = np.exp(scores[:, 1:]) / np.exp(scores[:, 1:]).sum(axis=1, keepdims=True)
    assert_allclose(top[:, 0], scores[:, 0], rtol=1e-4)
    assert_allclose(top[:, 1:], -scores[:, 1:] * odds, rtol=1e-4, atol=1e-6)


def test_a_single_image_is_a_row_of_the_batch_and_the_network_stays_as_it_was():
    network, x = forms()["subclassed"], images(3)
    before, said = network.get_weights(), networks.predict(network, x)
    whole = relevance.lrp(network, x)
    single = relevance.lrp(network, x[1])
    assert single.shape == (16, 16, 3) and whole.dtype == np.float32
    assert_allclose(single, whole[1], atol=1e-6 * np.abs(whole).max())
    assert_array_equal(relevance.lrp(network, x, batch_size=2), whole)
    assert all(map(np.array_equal, before, network.get_weights()))
    assert_array_equal(networks.predict(network, x), said)


@pytest.mark.slow
def test_a_network_of_16_bits_is_read_in_32():
    def make(dtype):
        return chain((8, 8, 3), L.Conv2D(4, 3, activation="relu", dtype=dtype), L.Flatten(),
                     L.Dense(2, activation="softmax", dtype=dtype))  # fmt: skip

    maps = [relevance.lrp(make(dtype), images(2, 8), 0) for dtype in ("float32", "mixed_float16")]
    assert_allclose(maps[1], maps[0], atol=0.01 * np.abs(maps[0]).max())


@pytest.mark.parametrize("end", ["sigmoid", "softmax"])
def test_relevance_begins_at_the_logits(end):
    network = chain((8, 8, 3), L.Flatten(name="flat"), L.Dense(1 + (end == "softmax"),
                    activation=end, name="scores"))  # fmt: skip
    x = images(2, 8) // 8
    found = relevance.lrp_by_layer(network, x, 1, "epsilon")
    assert list(found) == ["pixels", "flat", "scores"]
    for maps in found.values():
        assert_allclose(total(maps), gradients.scores(network, x)[:, 1], rtol=1e-3)


# What has no rule says so.


def attention():
    x = keras.Input((8, 8, 3))
    y = L.Reshape((64, 3))(x)
    y = L.MultiHeadAttention(2, 3, name="attend")(y, y)
    return keras.Model(x, L.Dense(2)(L.Flatten()(y)))


def normalized():
    x = keras.Input((8, 8, 3))
    y = L.LayerNormalization(name="even_out")(L.Conv2D(3, 3)(x))
    return keras.Model(x, L.Dense(2)(L.Flatten()(y)))


def grouped():
    return chain((8, 8, 4), L.Conv2D(4, 3, groups=2, name="groups"), L.Flatten(), L.Dense(2))


def hidden():
    layer, flat = L.Dense(2), L.Flatten()
    inner = tf.function(lambda x: tf.nn.relu(x))
    return built(Calls(lambda n, x: layer(flat(inner(x))), layer=layer, flat=flat), (8, 8, 3))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (attention, r"no rule for \w+ in layer 'attend' \(MultiHeadAttention\)"),
        (normalized, r"no rule for Mul in layer 'even_out' \(LayerNormalization\)"),
        (grouped, r"no rule for \w+ in layer 'groups' \(Conv2D\) .* as grouped convolutions"),
        (hidden, r"no rule for \w*PartitionedCall in .* remove the @tf.function"),
    ],
    ids=["attention", "layer normalization", "groups", "a function of its own"],
)
def test_what_has_no_rule_is_named(make, says):
    network = make()
    x = np.ones((1, *networks.input_shape(network)), np.uint8)
    before, said = network.get_weights(), networks.predict(network, x)
    with pytest.raises(ValueError, match=says):
        relevance.lrp(network, x, 0)
    assert all(map(np.array_equal, before, network.get_weights()))
    assert_array_equal(networks.predict(network, x), said)


def test_what_is_asked_must_make_sense():
    network, x = forms()["flat"], images(1)
    with pytest.raises(ValueError, match="rule must be one of epsilon, zplus, composite"):
        relevance.lrp(network, x, 0, "z+")
    for how in ({"epsilon": -1}, {"gamma": np.nan}):
        with pytest.raises(ValueError, match="must be a number, 0 or more"):
            relevance.lrp(network, x, 0, **how)
    with pytest.raises(ValueError, match="No layer 'conv9'"):
        relevance.lrp_by_layer(network, x, 0, layers=["conv9"])


def test_a_score_without_the_image_has_no_relevance_for_it():
    network = of(lambda x: keras.ops.zeros_like(x) * 3.0, 2)
    with pytest.raises(ValueError, match="does not depend on the images"):
        relevance.lrp(network, [1.0, 2.0], 0)
