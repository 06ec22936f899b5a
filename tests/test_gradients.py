"""Gradients against closed forms, guided gradients against the 2-2-1 network, in every spelling."""

import functools
import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import slow_but
from hand_made import SPELLINGS, Calls, built, forms, images, of, two_two_one
from numpy.testing import assert_allclose, assert_array_equal

from helpers import activations, cam, embedding, gradients, networks, relevance, transfer


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda x: 5 * x, lambda x: 5 + 0 * x),
        (keras.ops.square, lambda y: 2 * y),
        (keras.ops.sin, np.cos),
    ],
    ids=["5x", "y^2", "sin z"],
)
def test_gradient_is_the_closed_form(function, slope):
    x = np.float32([[-2.0], [0.5], [3.0]])
    for target in (None, 0):
        assert_allclose(gradients.gradient(of(function), x, target), slope(x), rtol=1e-6)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_guided_gradient_of_the_two_two_one_network(spelling):
    network = two_two_one(spelling)
    x = np.float32([[1, 0], [-1, 0]])
    assert_array_equal(gradients.gradient(network, x), [[1, 1], [1, 1]])
    assert_array_equal(gradients.gradient(network, x, guided=True), [[1, 1], [0, 0]])
    assert_array_equal(gradients.gradient(network, x), [[1, 1], [1, 1]])  # and plain once more


def test_a_network_without_relu_has_no_guided_gradient():
    network = of(keras.layers.Dense(1, activation="tanh"), 2)
    with pytest.raises(ValueError, match="no ReLU"):
        gradients.gradient(network, np.ones((1, 2)), guided=True)


def test_a_relu_hidden_in_a_function_is_named_and_never_passed_over():
    hidden = tf.function(tf.nn.relu)
    network = built(Calls(lambda n, x: tf.nn.relu(x) + hidden(x)), (1,))
    assert_array_equal(gradients.gradient(network, np.float32([[2]])), [[2]])
    with pytest.raises(ValueError, match="hides a ReLU"):
        gradients.gradient(network, np.float32([[2]]), guided=True)


def test_logits_hidden_in_a_function_are_named():
    network = built(Calls(tf.function(lambda n, x: tf.nn.softmax(x))), (2,))
    with pytest.raises(ValueError, match="hides its logits"):
        gradients.scores(network, np.ones((1, 2)))


@pytest.mark.parametrize("activation", [None, "softmax", "log_softmax"])
def test_scores_are_the_logits_in_every_form(activation):
    wanted = keras.ops.convert_to_numpy(forms()["flat"](images()))
    for network in forms(activation).values():
        assert_allclose(gradients.scores(network, images()), wanted, atol=1e-5)
        assert_allclose(gradients.scores(network, images()[1]), wanted[1:2], atol=1e-5)


def test_logits_are_found_in_a_mixed_precision_network_and_behind_a_reshape():
    x = keras.Input((2,))
    z = keras.layers.Dense(3, use_bias=False, dtype="mixed_float16")(x)
    p = keras.layers.Softmax(dtype="mixed_float16")(keras.layers.Reshape((1, 1, 3))(z))
    network = keras.Model(x, keras.layers.Flatten()(p))
    network.set_weights([np.float32([[1, 2, 4], [0, 0, 8]])])
    found = gradients.scores(network, np.float32([[1, 1]]))
    assert found.dtype == np.float32
    assert_array_equal(found, [[1, 2, 12]])
    slope = gradients.gradient(network, np.float32([[1, 1]]))
    assert slope.dtype == np.float32
    assert_array_equal(slope, [[4, 8]])


def test_single_sigmoid_is_two_classes():
    network = of(keras.layers.Dense(1, activation="sigmoid", use_bias=False), 1)
    network.set_weights([np.float32([[3]])])
    x = np.float32([[2], [-2]])
    assert_array_equal(gradients.scores(network, x), [[-6, 6], [6, -6]])
    assert_array_equal(gradients.gradient(network, x, 1), [[3], [3]])
    assert_array_equal(gradients.gradient(network, x, 0), [[-3], [-3]])
    assert_array_equal(gradients.gradient(network, x, None), [[3], [-3]])
    assert_array_equal(gradients.gradient(network, x, [0, 1]), [[-3], [3]])


@pytest.mark.parametrize("guided", slow_but([False, True], True))
def test_every_form_gives_the_same_gradient_to_the_bit(guided):
    found = {
        form: gradients.gradient(network, images(), [0, 1, 2], guided)
        for form, network in forms().items()
    }
    assert np.abs(found["flat"]).max() > 0
    for gradient in found.values():
        assert_array_equal(gradient, found["flat"])


def test_gradient_agrees_with_a_tape():
    for activation in (None, "softmax"):
        flat, bare = forms(activation)["flat"], forms()["flat"]
        x = tf.constant(images(), tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = tf.gather(bare(x), [2, 0, 1], batch_dims=1)
        wanted = tape.gradient(score, x)
        assert_allclose(gradients.gradient(flat, images(), [2, 0, 1]), wanted, atol=1e-6)


def test_the_predicted_class_is_the_default_target():
    network = forms()["nested"]
    predicted = networks.predict(network, images()).argmax(axis=1)
    assert_array_equal(
        gradients.gradient(network, images()), gradients.gradient(network, images(), predicted)
    )


def test_batch_size_and_single_images_change_nothing():
    network, five = forms()["flat"], images(5)
    whole = gradients.gradient(network, five, 1)
    assert_allclose(gradients.gradient(network, five, 1, batch_size=2), whole, atol=1e-6)
    single = gradients.gradient(network, five[3], 1)
    assert single.shape == whole[3].shape
    assert_allclose(single, whole[3], atol=1e-6)


BATCHED = {
    "scores": gradients.scores,
    "quantity": gradients.quantity,
    "gradient": gradients.gradient,
    "activation_gradient": functools.partial(gradients.activation_gradient, layer="conv1"),
    "grad_cam": functools.partial(cam.grad_cam, layer="conv1"),
    "lrp": relevance.lrp,
    "predict": networks.predict,
    "record": functools.partial(networks.record, layers="conv1"),
    "strengths": functools.partial(activations.strengths, layer="conv1"),
    "features": embedding.features,
    "outputs": transfer.outputs,
}


@pytest.mark.parametrize("method", BATCHED.values(), ids=BATCHED)
def test_batches_of_no_images_are_refused(method):
    for size in (0, -1, 2.5):
        with pytest.raises(ValueError, match="batch_size must be a whole number, 1 or more"):
            method(forms()["flat"], images(), batch_size=size)


@pytest.mark.slow
def test_activation_gradient_agrees_with_a_tape_through_a_sub_model():
    flat = forms()["flat"]
    conv = flat.get_layer("conv2")
    lower = keras.Model(flat.input, conv.output)
    upper = keras.Model(conv.output, flat.output)
    maps = lower(images())
    with tf.GradientTape() as tape:
        tape.watch(maps)
        score = upper(maps)[:, 1]
    wanted = tape.gradient(score, maps)
    for network in forms().values():
        activation, slope = gradients.activation_gradient(network, images(), 1, "conv2")
        assert_allclose(activation, maps, atol=1e-6)
        assert_allclose(slope, wanted, atol=1e-6)


def test_the_gradient_at_the_scores_themselves_is_one_for_the_target():
    scores, slope = gradients.activation_gradient(forms()["nested"], images(), [2, 0, 1], "scores")
    assert_allclose(scores, gradients.scores(forms()["flat"], images()), atol=1e-5)
    assert_array_equal(slope, np.eye(3)[[2, 0, 1]])


@pytest.mark.slow
def test_agrees_with_a_tape_on_a_network_of_your_own():
    if "COURSE_NETWORK" not in os.environ:
        pytest.skip("COURSE_NETWORK names no network to try")
    network = networks.load(os.environ["COURSE_NETWORK"])
    shape = [side or 64 for side in networks.input_shape(network)]
    x = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)
    values, batch = gradients.scores(network, x), tf.constant(x, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(batch)
        output = network(batch)
        score = output[:, 0]
    if output.shape != values.shape or not np.allclose(output, values, rtol=1e-3, atol=1e-3):
        pytest.skip("COURSE_NETWORK gives probabilities, whose gradient is another")
    wanted = tape.gradient(score, batch).numpy()
    assert np.abs(wanted).max() > 0
    assert_allclose(gradients.gradient(network, x, 0), wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (3, "0 to 2"),
        (-1, "0 to 2"),
        ([0, 1, 5], "0 to 2"),
        ([0, 1], "one int for each of the 3"),
        (1.0, "not 1.0"),
        ("cat", "not 'cat'"),
        (True, "not True"),
    ],
)
def test_a_wrong_target_is_named(target, said):
    with pytest.raises(ValueError, match=said):
        gradients.gradient(forms()["flat"], images(), target)


def test_a_score_that_does_not_depend_on_the_images_is_named():
    network = of(lambda x: keras.ops.cast(keras.ops.cast(x, "int32"), "float32"))
    with pytest.raises(ValueError, match="does not depend on the images"):
        gradients.gradient(network, np.ones((1, 1)))


def test_layers_that_are_not_on_the_way_are_named():
    layers = {name: keras.layers.Conv2D(2, 1, name=name) for name in ("main", "side", "spare")}

    layers["spare"].build((None, 4, 4, 3))

    def forward(network, x):
        network.side(x)
        return network.pool(network.main(x))

    network = Calls(forward, **layers, pool=keras.layers.GlobalAveragePooling2D())
    x = np.full((1, 4, 4, 3), 9.0)
    network(x)
    with pytest.raises(ValueError, match="does not depend on layer 'side'"):
        gradients.activation_gradient(network, x, 0, "side")
    with pytest.raises(ValueError, match="does not call its layer 'spare'"):
        gradients.activation_gradient(network, x, 0, "spare")


def test_a_layer_after_the_logits_is_named_with_the_reason():
    x = keras.Input((4, 4, 3))
    y = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    network = keras.Model(x, keras.layers.Softmax(name="shares")(y))
    said = "does not depend on layer 'shares'.*the value before a softmax or sigmoid"
    with pytest.raises(ValueError, match=said):
        gradients.activation_gradient(network, np.full((1, 4, 4, 3), 9.0), 0, "shares")


@pytest.mark.slow
def test_the_network_is_the_same_afterwards_also_after_an_error():
    networks_of_all_forms = forms("softmax")
    for network in (networks_of_all_forms["nested"], networks_of_all_forms["subclassed"]):
        hook = keras.layers.Layer.__call__
        weights = [w.copy() for w in network.get_weights()]
        before = network.predict(images(), verbose=0)
        gradients.gradient(network, images(), guided=True)
        gradients.activation_gradient(network, images(), None, "conv2")
        with pytest.raises(ValueError, match="0 to 2"):
            gradients.gradient(network, images(), 7)
        with pytest.raises(ValueError, match="No layer 'conv9'"):
            gradients.activation_gradient(network, images(), None, "conv9")
        assert_array_equal(network.predict(images(), verbose=0), before)
        for now, then in zip(network.get_weights(), weights, strict=True):
            assert_array_equal(now, then)
        assert keras.layers.Layer.__call__ is hook


def test_a_network_that_raises_leaves_no_hook_behind():
    hook = keras.layers.Layer.__call__

    def fail(network, x):
        raise RuntimeError("broken network")

    network = Calls(fail, conv=keras.layers.Conv2D(1, 1, name="conv"))
    network.conv.build((None, 4, 4, 3))
    network.built = True
    network.get_build_config = lambda: {"input_shape": (None, 4, 4, 3)}
    with pytest.raises(RuntimeError, match="broken network"):
        gradients.activation_gradient(network, np.full((1, 4, 4, 3), 9), None, "conv")
    assert keras.layers.Layer.__call__ is hook


def dense_after(function, weights=(1.0, -1.0), size=4):
    """Return a network of pictures: `function` of the mean of each, times the weights."""
    x = keras.Input((size, size, 3))
    y = function(keras.layers.GlobalAveragePooling2D()(x))
    dense = keras.layers.Dense(len(weights), use_bias=False)
    network = keras.Model(x, dense(y))
    dense.set_weights([np.tile(np.float32(weights), (3, 1))])
    return network


GREY = np.full((2, 4, 4, 3), 100, np.uint8)


def test_a_network_with_nan_in_its_weights_is_named_as_such():
    network = dense_after(lambda y: y, (1.0, np.nan))
    for look in (gradients.scores, gradients.gradient):
        with pytest.raises(ValueError, match=r"2 of 2 images.*weight 'dense.*kernel'.*diverged"):
            look(network, GREY)


def test_an_infinite_slope_is_an_error_with_its_reason():
    network, pictures = dense_after(keras.ops.sqrt), GREY * np.uint8([[[[1]]], [[[0]]]])
    with pytest.raises(ValueError, match="1 of 2 images.*infinite slope.*Add a small number"):
        gradients.gradient(network, pictures, 0)
    found = gradients.gradient(network, pictures[0], 0)
    assert_allclose(found, np.full((4, 4, 3), 0.5 / 10 / 16), rtol=1e-5)


def test_a_network_that_divides_by_0_is_an_error_with_its_reason():
    network = dense_after(lambda y: y / (y - 100))
    with pytest.raises(ValueError, match="2 of 2 images.*scores are not finite either"):
        gradients.gradient(network, GREY, 0)


def test_a_map_that_dead_relus_make_0_is_a_warning_with_its_reason():
    network = dense_after(lambda y: keras.ops.relu(y - 200))
    with pytest.warns(UserWarning, match="2 of 2 images is 0 everywhere.*ReLUs.*dead"):
        assert not gradients.gradient(network, GREY, 0).any()


def test_a_guided_map_that_is_0_by_definition_is_no_fault():
    network = dense_after(keras.ops.relu)
    plain = gradients.gradient(network, GREY, 1)
    assert_allclose(plain, np.full((2, 4, 4, 3), -1 / 16))
    assert not gradients.gradient(network, GREY, 1, guided=True).any()


@pytest.mark.parametrize("against", [None, "rest", 1])
def test_the_gradient_of_a_linear_network_is_constant_and_no_fault(against):
    found = gradients.gradient(dense_after(lambda y: y), GREY, 0, against=against)
    assert_allclose(found, np.full((2, 4, 4, 3), (1 if against is None else 2) / 16))


def test_a_probability_that_is_1_in_float32_is_said_where_no_logit_is_left():
    def pair(y):
        p = keras.ops.clip(keras.ops.mean(y, axis=1, keepdims=True) / 100 - 1, 0, 1)
        return keras.ops.concatenate([1 - p, p], axis=1)

    x = keras.Input((4, 4, 3))
    network = keras.Model(x, pair(keras.layers.GlobalAveragePooling2D()(x)))
    certain, open_ = np.full((1, 4, 4, 3), 230, np.uint8), np.full((1, 4, 4, 3), 150, np.uint8)
    assert_allclose(networks.predict(network, certain), [[0, 1]])
    with pytest.warns(UserWarning) as said:
        found = gradients.gradient(network, certain, 1)
    assert not found.any()
    text = " ".join(str(one.message) for one in said)
    assert "log of the probability is explained" in text and "exactly 0 or 1 in float32" in text
    for target, against in ((0, None), (1, 0)):
        with pytest.warns(UserWarning, match="exactly 0 or 1 in float32"):
            assert not gradients.gradient(network, certain, target, against=against).any()
    slope = gradients.gradient(network, open_, 1)  # d log p = 1 / p / 100 / 48, and p = 0.5
    assert_allclose(slope, np.full((1, 4, 4, 3), 2 / 100 / 48), rtol=1e-5)
