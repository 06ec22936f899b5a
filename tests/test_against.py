"""What `against` asks of every method: the score, the log-odds, or the margin over one class."""

import keras
import numpy as np
import pytest
from hand_made import forms, images
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, logsumexp, softmax

from helpers import cam, drawn, gradients, metrics, perturbation, relevance, saliency

SHAPE, CLASSES = (8, 8, 3), 3
WEIGHTS = np.random.default_rng(0).normal(0, 0.01, (192, CLASSES)).astype(np.float32)
QUANTITIES = [None, "rest", 1]


def linear():
    """Return a network of three scores that are linear in the picture."""
    x = keras.Input(SHAPE)
    dense = keras.layers.Dense(CLASSES, name="scores")
    network = keras.Model(x, dense(keras.layers.Flatten()(x)))
    dense.set_weights([WEIGHTS, np.float32([0.1, -0.2, 0.3])])
    return network


def pooled():
    """Return convolution, global average, dense: two classes, one convolution of three maps."""
    network = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(3, 3, padding="same", activation="relu", name="conv"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, name="scores"),
        ]
    )
    keras.utils.set_random_seed(3)
    for weight in network.weights:
        weight.assign(keras.random.normal(weight.shape, seed=weight.shape[-1]))
    return network


def by_hand(scores, target, against):
    """Return the quantity, from its definition."""
    rows = np.arange(len(scores))
    score = scores[rows, target]
    if against is None:
        return score
    if against == "rest":
        return score - logsumexp(np.delete(scores, target, axis=1), axis=1)
    return score - scores[:, against]


def slopes(scores, target, against):
    """Return the gradient of the quantity with respect to the scores, from its definition."""
    slope = np.zeros_like(scores)
    if against == "rest":
        others = [k for k in range(scores.shape[1]) if k != target]
        slope[:, others] = -softmax(scores[:, others], axis=1)
    elif against is not None:
        slope[:, against] = -1
    slope[:, target] = 1
    return slope


@pytest.mark.parametrize("against", QUANTITIES)
def test_the_quantity_is_its_definition(against):
    network, x = linear(), images(4, 8)
    wanted = by_hand(gradients.scores(network, x), 2, against)
    assert_allclose(gradients.quantity(network, x, 2, against=against), wanted, rtol=1e-5)
    single = gradients.quantity(network, x[1], 2, against=against)
    assert_allclose(single, wanted[1], rtol=1e-5)
    assert np.ndim(single) == 0


def test_the_log_odds_are_those_of_the_probability():
    network, x = linear(), images(4, 8)
    log_p = log_softmax(gradients.scores(network, x).astype(np.float64), axis=1)[:, 0]
    found = gradients.quantity(network, x, 0, against="rest")
    assert_allclose(found, log_p - np.log(-np.expm1(log_p)), rtol=1e-4)


@pytest.mark.parametrize("against", QUANTITIES)
def test_gradients_and_all_that_averages_them_on_a_linear_network(against):
    network, x = linear(), images(3, 8)
    scores = gradients.scores(network, x)
    wanted = (slopes(scores, 2, against) @ WEIGHTS.T).reshape(x.shape)
    assert_allclose(saliency.gradient(network, x, 2, against=against), wanted, atol=1e-6)
    if against != "rest":  # constant, so every average of gradients is the gradient
        smooth = saliency.smooth_gradient(network, x, 2, samples=3, against=against)
        assert_allclose(smooth, wanted, atol=1e-6)
    found = saliency.integrated_gradients(network, x, 2, against=against)
    gained = by_hand(scores, 2, against) - by_hand(
        gradients.scores(network, np.zeros_like(x)), 2, against
    )
    assert_allclose(found.sum(axis=(1, 2, 3)), gained, rtol=2e-3)
    assert_allclose(metrics.completeness_gap(network, x, found, 2, against=against), 0, atol=2e-3)


@pytest.mark.parametrize("against", QUANTITIES)
def test_covering_pictures_loses_the_quantity(against):
    network, x = linear(), images(2, 8)
    before = by_hand(gradients.scores(network, x), 2, against)
    found = perturbation.occlusion(network, x, 2, window=4, stride=4, against=against)
    covered = np.array(x)
    covered[:, :4, :4] = 0
    lost = before - by_hand(gradients.scores(network, covered), 2, against)
    assert_allclose(found[:, 0, 0], lost, atol=1e-4)
    if against != "rest":  # linear in its superpixels
        squares = np.kron(np.arange(4).reshape(2, 2), np.ones((4, 4), int))
        found = perturbation.lime(network, x, 2, squares, 60, against=against)
        assert_allclose(found[:, 0, 0], lost, atol=2e-2 * np.abs(lost).max())
        found = relevance.kernel_shap(network, x, 2, squares, 8, against=against)
        assert_allclose(found[:, 0, 0] * 16, lost, atol=1e-3 * np.abs(lost).max())


def test_rise_of_a_margin_is_the_difference_of_two_scores_maps():
    network, x = linear(), images(2, 8)
    score, other, margin = (
        perturbation.rise(network, x, target, 30, cells=3, against=against)
        for target, against in ((2, None), (1, None), (2, 1))
    )
    assert np.abs(margin - score).max() > 0.1
    assert_allclose(margin, score - other, atol=1e-4)


def test_the_margin_of_two_classes_turns_its_sign_with_the_target():
    network, x = pooled(), images(3, 8)
    for method in saliency.gradient, saliency.integrated_gradients:
        cat, dog = (method(network, x, target, against="rest") for target in (0, 1))
        assert_allclose(cat, -dog, rtol=1e-5, atol=1e-6)
        assert_allclose(cat, method(network, x, 0, against=1), rtol=1e-5, atol=1e-6)
        assert_allclose(cat, method(network, x, 0) - method(network, x, 1), atol=1e-5)


def test_grad_cam_of_a_margin_is_cam_with_the_difference_of_the_weights():
    network, x = pooled(), images(3, 8)
    weights = network.get_layer("scores").kernel.numpy()
    maps = keras.Model(network.inputs, network.get_layer("conv").output).predict(x, verbose=0)
    wanted = np.maximum(maps @ (weights[:, 1] - weights[:, 0]) / 64, 0)
    assert_allclose(cam.grad_cam(network, x, 1, against="rest"), wanted, rtol=1e-4, atol=1e-3)
    product = saliency.guided_gradient(network, x, 1, against=0) * wanted[..., None]
    found = cam.guided_grad_cam(network, x, 1, against=0)
    assert_allclose(found, product, rtol=1e-3, atol=1e-3)


def test_the_activation_gradient_is_of_the_margin():
    network, x = pooled(), images(2, 8)
    _, score = gradients.activation_gradient(network, x, 1, "scores")
    _, margin = gradients.activation_gradient(network, x, 1, "scores", against=0)
    assert_array_equal(score, [[0, 1]] * 2)
    assert_array_equal(margin, [[-1, 1]] * 2)


def test_parts_lose_the_margin():
    network = forms()["flat"]
    drawings = [drawn.draw("cat", seed) for seed in range(2)]
    images_of = np.stack([drawing.image for drawing in drawings])
    world_network = keras.Sequential([keras.Input((128, 128, 3)), keras.layers.Resizing(16, 16)])
    world_network.add(network)
    bare = np.stack([drawn.draw("cat", seed, ("ears",)).image for seed in range(2)])
    for against in ("rest", 2):
        found = perturbation.part_effects(world_network, drawings, 0, ("ears",), against=against)
        lost = by_hand(gradients.scores(world_network, images_of), 0, against) - by_hand(
            gradients.scores(world_network, bare), 0, against
        )
        assert_allclose(found["ears"], lost, rtol=1e-4)


def test_one_target_and_one_rival_per_image():
    network, x = linear(), images(3, 8)
    found = saliency.gradient(network, x, [0, 1, 2], against=[1, 2, 0])
    for n, (target, against) in enumerate([(0, 1), (1, 2), (2, 0)]):
        assert_allclose(found[n], saliency.gradient(network, x[n], target, against=against))


def test_the_predicted_class_against_the_rest_is_positive_where_it_is_likelier_than_not():
    network, x = linear(), images(6, 8)
    scores = gradients.scores(network, x)
    found = gradients.quantity(network, x, against="rest")
    assert_array_equal(found > 0, softmax(scores, axis=1).max(axis=1) > 0.5)
    assert_allclose(found, gradients.quantity(network, x, scores.argmax(1), against="rest"))


@pytest.mark.parametrize("target", [1, None])
def test_a_class_against_itself_is_an_error(target):
    network, x = linear(), images(3, 8)
    rival = 1 if target == 1 else int(gradients.scores(network, x).argmax(axis=1)[0])
    with pytest.raises(ValueError, match=f"is the target itself .class {rival}. for . of 3"):
        saliency.gradient(network, x, target, against=rival)


@pytest.mark.parametrize("against", ["all", 3, -1, 0.5, [0, 1], True, ["rest"]])
def test_a_rival_that_is_no_class_is_an_error(against):
    network, x = linear(), images(3, 8)
    with pytest.raises(ValueError, match="against must be"):
        saliency.gradient(network, x, 2, against=against)


def ending_in(function, classes):
    """Return a network of two numbers that ends in a function of its weighted sums."""
    x = keras.Input((2,))
    weights = np.float32([[3, -1, 2], [1, 2, 0]])[:, :classes]
    dense = keras.layers.Dense(classes, use_bias=False)
    network = keras.Model(x, function(dense(x)))
    dense.set_weights([weights])
    return network


ONE = {
    "p": keras.ops.sigmoid,
    "[1 - p, p]": lambda z: keras.ops.concatenate(
        [1 - keras.ops.sigmoid(z), keras.ops.sigmoid(z)], 1
    ),
    "softmax": lambda z: keras.ops.softmax(keras.ops.concatenate([0 * z, z], 1)),
}


@pytest.mark.parametrize("end", ONE)
@pytest.mark.parametrize("rival", ["rest", 0])
def test_log_odds_of_one_probability_are_its_logit_however_it_is_written(end, rival):
    network, x = ending_in(ONE[end], 1), np.float32([[0.3, -0.2], [1.0, 2.0]])
    found = gradients.quantity(network, x, 1, against=rival)
    assert_allclose(found, x @ [3, 1], rtol=1e-5)
    assert_allclose(saliency.gradient(network, x, 1, against=rival), [[3, 1]] * 2, rtol=1e-5)
    other = saliency.gradient(network, x, 0, against=1 if rival == 0 else "rest")
    assert_allclose(other, [[-3, -1]] * 2, rtol=1e-5)


def test_log_odds_of_labels_that_do_not_compete_are_their_scores():
    network, x = ending_in(keras.ops.sigmoid, 3), np.float32([[0.3, -0.2], [1.0, 2.0]])
    z = gradients.scores(network, x)
    p = 1 / (1 + np.exp(-z))
    found = gradients.quantity(network, x, 2, against="rest")
    assert_allclose(found, np.log(p / (1 - p))[:, 2], rtol=1e-4)
    assert_allclose(gradients.quantity(network, x, 2, against=0), z[:, 2] - z[:, 0], rtol=1e-5)


def test_a_single_score_has_no_rest():
    network = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="has no other class"):
        saliency.gradient(network, images(1, 8), 0, against="rest")
    assert saliency.gradient(network, images(1, 8), 0).any()
