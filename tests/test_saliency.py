"""Saliency against closed forms, the definitions in NumPy, and itself in every form."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import slow_but
from hand_made import SPELLINGS, Calls, built, forms, images, of, two_two_one
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from helpers import gradients, networks, saliency

METHODS = {
    "gradient": saliency.gradient,
    "guided": saliency.guided_gradient,
    "smooth": lambda *a, **o: saliency.smooth_gradient(*a, samples=5, **o),
    "integrated": lambda *a, **o: saliency.integrated_gradients(*a, steps=5, tolerance=None, **o),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@functools.cache
def oblong():
    """Return a network that takes pictures of any size."""
    keras.utils.set_random_seed(5)
    x = keras.Input((None, None, 3))
    y = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    return keras.Model(x, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(y)))


def test_the_gradient_of_known_functions():
    ops = keras.ops
    cases = [(lambda x: 5 * x, 5), (lambda x: x**2, 6), (ops.sin, np.cos(3))]
    for function, wanted in cases:
        assert_allclose(saliency.gradient(of(function), [3.0], 0), [wanted], rtol=1e-6)


@pytest.mark.parametrize("spelling", slow_but(SPELLINGS, "activation", "nested"))
def test_the_guided_gradient_of_the_two_two_one_network(spelling):
    network = two_two_one(spelling)
    points = np.float32([[1, 0], [-1, 0]])
    assert_array_equal(saliency.gradient(network, points, 0), [[1, 1], [1, 1]])
    assert_array_equal(saliency.guided_gradient(network, points, 0), [[1, 1], [0, 0]])


def test_without_a_relu_there_is_no_guided_gradient():
    with pytest.raises(ValueError, match="has no ReLU"):
        saliency.guided_gradient(of(keras.ops.sin), [1.0], 0)


def test_integrated_gradients_of_known_functions():
    cubed = saliency.integrated_gradients(of(lambda x: x**3), [2.0], 0, steps=50)
    assert_allclose(cubed, [8], rtol=1e-3)
    network = of(lambda x: keras.ops.sum(x**2, axis=1, keepdims=True), 3)
    found = saliency.integrated_gradients(network, [1.0, -2.0, 3.0], 0, baseline=[1.0, 1.0, 1.0])
    assert_allclose(found, [0, 3, 8], atol=1e-5)  # x^2 - b^2: the midpoint rule is exact here


@settings(max_examples=25, deadline=None)
@given(
    hnp.arrays(np.float32, (2, 4), elements=st.floats(-250, 250, width=32)),
    st.floats(-100, 100, width=32),
    st.integers(1, 60),
)
def test_integrated_gradients_are_exact_on_linear_networks(points, baseline, steps):
    network, weights = linear()
    found = saliency.integrated_gradients(network, points, 1, baseline, steps)
    assert_allclose(found, (points - np.float32(baseline)) * weights[:, 1], rtol=1e-4, atol=1e-3)


@functools.cache
def linear():
    x = keras.Input((4,))
    network = keras.Model(x, keras.layers.Dense(2)(x))
    return network, network.get_weights()[0]


@pytest.mark.slow
@pytest.mark.parametrize("activation", [None, "softmax"])
def test_integrated_gradients_are_complete_and_do_not_depend_on_the_form(activation):
    found = {}
    for form, network in forms(activation).items():
        found[form] = saliency.integrated_gradients(network, images(), [0, 1, 2])
        scores = gradients.scores(network, images())[[0, 1, 2], [0, 1, 2]]
        black = gradients.scores(network, np.zeros((1, 16, 16, 3)))[0]
        assert_allclose(found[form].sum((1, 2, 3)), scores - black, rtol=0.01)
    for maps in found.values():
        assert_array_equal(maps, found["flat"])


def steep(x):
    """A score that rises by 2 at 0.31 of the way to 1, and by 1 at 0.7, slowly elsewhere."""
    return keras.ops.tanh(60 * (x - 0.31)) + 0.5 * keras.ops.tanh(80 * (x - 0.7)) + 0.1 * x


def test_integrated_gradients_put_points_where_the_score_jumps():
    network = of(steep)
    whole = float(network(np.float32([[1.0]]))[0, 0] - network(np.float32([[0.0]]))[0, 0])
    plain = saliency.integrated_gradients(network, [1.0], 0, steps=8, tolerance=None)
    assert abs(plain[0] / whole - 1) > 0.2
    for steps, tolerance in ((8, 0.01), (20, 0.001)):
        found = saliency.integrated_gradients(network, [1.0], 0, steps=steps, tolerance=tolerance)
        assert abs(found[0] / whole - 1) < tolerance
    few = saliency.integrated_gradients(
        network, [1.0], 0, steps=steps, tolerance=tolerance, batch_size=2
    )
    assert_allclose(few, found, rtol=1e-5)


def test_points_on_the_way_give_each_number_its_own_share():
    """Two numbers jump at other places of the way: each gets what its own jump is worth."""
    network = of(lambda x: keras.ops.sum(steep(x), axis=1, keepdims=True), 2)
    ends = np.float32([1.0, 0.5])
    wanted = [
        float(of(steep)(np.float32([[e]]))[0, 0] - of(steep)(np.float32([[0.0]]))[0, 0])
        for e in ends
    ]
    found = saliency.integrated_gradients(network, ends, 0, steps=20, tolerance=0.002)
    assert_allclose(found, wanted, rtol=0.02)


def test_images_that_add_up_keep_their_equal_steps_also_beside_one_that_does_not():
    network = of(steep)
    batch = np.float32([[0.1], [1.0], [0.2]])
    plain = saliency.integrated_gradients(network, batch, 0, steps=8, tolerance=None)
    found = saliency.integrated_gradients(network, batch, 0, steps=8)
    assert_array_equal(found[[0, 2]], plain[[0, 2]])
    assert_array_equal(found[1], saliency.integrated_gradients(network, batch[1], 0, steps=8))
    assert abs(found[1, 0] - plain[1, 0]) > 0.1


def test_equal_steps_are_the_midpoint_rule():
    network, points = of(steep), (np.arange(6) + 0.5) / 6
    slopes = gradients.gradient(network, np.float32(points[:, None] * 0.9), 0)
    found = saliency.integrated_gradients(network, [0.9], 0, steps=6, tolerance=None)
    assert_allclose(found, 0.9 * slopes.mean(axis=0), rtol=1e-4)


def test_a_jump_that_is_not_found_is_said_with_its_size():
    network = of(lambda x: keras.ops.tanh(1e7 * (x - 0.3123)) + x)
    with pytest.warns(
        UserWarning, match=r"of 1 of 1 images .* within 6\d\.\d%, after 40 .*steps=16"
    ):
        saliency.integrated_gradients(network, [1.0], 0, steps=4)


@pytest.mark.slow
def test_a_noiseless_smooth_gradient_is_the_gradient():
    network = forms()["nested"]
    plain = saliency.gradient(network, images())
    found = saliency.smooth_gradient(network, images(), samples=3, noise=0)
    assert_allclose(found, plain, atol=1e-6)


def test_the_smooth_gradient_is_the_mean_over_noisy_copies():
    network, (picture,) = forms()["flat"], images(1)
    noise = tf.random.stateless_normal((7, 16, 16, 3), (3, 0)).numpy()
    noisy = picture + 0.2 * np.ptp(picture) * noise
    wanted = saliency.gradient(network, noisy, 2).mean(axis=0)
    found = saliency.smooth_gradient(network, picture, 2, samples=7, noise=0.2, seed=3)
    assert_allclose(found, wanted, atol=1e-6)
    other = saliency.smooth_gradient(network, picture, 2, samples=7, noise=0.2, seed=4)
    assert np.abs(other - found).max() > 1e-5


def test_a_copys_noise_does_not_hang_on_the_copies_beside_it(monkeypatch):
    network = of(lambda x: keras.ops.sum(x**3, axis=1, keepdims=True), 3)  # 3: no whole count
    whole = saliency.smooth_gradient(network, [0.0, 5.0, 10.0], 0, samples=7)
    monkeypatch.setattr(saliency, "PIXELS", 2)
    some = saliency.smooth_gradient(network, [0.0, 5.0, 10.0], 0, samples=7)
    assert_allclose(some, whole, rtol=1e-5)
    assert np.abs(whole - [0, 75, 300]).max() > 1


@pytest.mark.slow
def test_noise_smooths_a_known_slope():
    # E[d/dx (x + s z)^3] = 3 (x^2 + s^2); the range of (0, 10) is 10, so that s = 2.
    network = of(lambda x: keras.ops.sum(x**3, axis=1, keepdims=True), 2)
    found = saliency.smooth_gradient(network, [0.0, 10.0], 0, samples=20_000, noise=0.2)
    assert_allclose(found, [12, 312], rtol=0.03)


def test_the_target_is_chosen_before_the_noise():
    # Just above zero class 1 wins; noise makes every other copy fall on class 0's side.
    network = of(lambda x: keras.ops.concatenate([-x[:, :1], x[:, :1]], axis=1), 2)
    found = saliency.smooth_gradient(network, [0.1, 100.0], noise=0.5)
    assert_allclose(found, [1, 0], atol=1e-6)
    found = saliency.integrated_gradients(network, [0.1, 1.0], baseline=-50.0)
    assert_allclose(found, [50.1, 0], rtol=1e-4)


@every_method
def test_a_batch_of_one_is_a_row_of_the_batch_whatever_is_in_memory_at_once(method, monkeypatch):
    network, four = forms()["sequential"], images(4)
    whole = method(network, four, [0, 1, 2, 0])
    assert whole.shape == four.shape and whole.dtype == np.float32
    assert_allclose(method(network, four[2:3], 2), whole[2:3], atol=1e-6)
    assert_allclose(method(network, four[2], 2), whole[2], atol=1e-6)
    assert_allclose(method(network, four, [0, 1, 2, 0], batch_size=3), whole, atol=1e-6)
    monkeypatch.setattr(saliency, "PIXELS", 16 * 16 * 2)
    assert_allclose(method(network, four, [0, 1, 2, 0]), whole, atol=1e-6)


@pytest.mark.slow
@every_method
def test_every_form_and_head_gives_the_same(method):
    wanted = method(forms()["flat"], images(), 1)
    assert np.abs(wanted).max() > 0
    for network in forms().values():
        assert_array_equal(method(network, images(), 1), wanted)
    assert_allclose(method(forms("softmax")["nested"], images(), 1), wanted, atol=1e-6)


@every_method
def test_a_single_sigmoid_is_two_classes(method):
    x = keras.Input((16, 16, 3))
    y = keras.layers.Conv2D(4, 3, activation="relu")(x)
    y = keras.layers.GlobalAveragePooling2D()(y)
    network = keras.Model(x, keras.layers.Dense(1, activation="sigmoid")(y))
    first, second = (method(network, images(), target) for target in (0, 1))
    if method is saliency.guided_gradient:  # what is positive for one class is not for the other
        assert np.abs(first).max() > 0 and np.abs(second).max() > 0
    else:
        assert_allclose(first, -second, atol=1e-6)
        assert np.abs(first).max() > 0


@every_method
@pytest.mark.parametrize("dtype", slow_but([np.uint8, np.int64, np.float64], np.uint8))
def test_pictures_may_be_oblong_and_of_any_type_of_number(method, dtype):
    network = oblong()
    for shape in ((20, 12, 3), (13, 30, 3)):
        picture = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
        found = method(network, picture, 0)
        assert found.shape == shape and np.isfinite(found).all()
        assert_allclose(found, method(network, picture.astype(np.float32), 0), atol=1e-7)


@every_method
def test_the_network_stays_as_it_was_also_when_the_call_fails(method):
    network = forms("softmax")["nested"]
    weights, before = network.get_weights(), network.predict(images(), verbose=0)
    method(network, images())
    for bad, target, says in (
        (images().astype(float) * np.nan, 0, "NaN or infinity"),
        (images(size=8), 0, r"takes images \(N, 16, 16, 3\)"),
        (images(), 3, "target must be 0 to 2"),
        (images(), [0, 1], "one int for each of the 3 images"),
    ):
        with pytest.raises(ValueError, match=says):
            method(network, bad, target)
    with pytest.warns(UserWarning, match="look like 0-1"):
        method(network, images() / 255)
    for one, same in zip(weights, network.get_weights(), strict=True):
        assert_array_equal(one, same)
    assert_array_equal(before, network.predict(images(), verbose=0))


def test_options_that_make_no_sense_are_named():
    network = forms()["flat"]
    for options, says in (
        ({"samples": 0}, "samples must be a whole number, 1 or more, not 0"),
        ({"noise": -1}, "noise must be a share"),
        ({"seed": -1}, "seed must be a whole number, 0 or more, not -1"),
        ({"seed": 0.5}, "seed must be"),
        ({"batch_size": 0}, "batch_size must be a whole number, 1 or more, not 0"),
    ):
        with pytest.raises(ValueError, match=says):
            saliency.smooth_gradient(network, images(), **options)
    for options, says in (
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"baseline": np.zeros((5, 5))}, r"of the images' shape \(16, 16, 3\), not \(5, 5\)"),
        ({"baseline": np.nan}, "baseline must be finite"),
        ({"tolerance": 0}, "tolerance must be a share above 0, or None, not 0"),
        ({"batch_size": -1}, "batch_size must be a whole number, 1 or more, not -1"),
    ):
        with pytest.raises(ValueError, match=says):
            saliency.integrated_gradients(network, images(), **options)


def test_a_new_call_needs_no_new_trace():
    network = built(Calls(lambda n, x: keras.ops.mean(x, axis=(1, 2))), (16, 16, 3))
    networks.predict(network, images())
    saliency.smooth_gradient(network, images(), samples=4)
    saliency.integrated_gradients(network, images(), steps=4)
    traced = network.traced
    saliency.smooth_gradient(network, images(), samples=9, noise=0.3)
    saliency.integrated_gradients(network, images(), steps=30)
    assert network.traced == traced
