"""HiResCAM and Score-CAM against answers known in advance."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hand_made import forms, images
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax

from helpers import cam, gradients, networks

METHODS = {"HiResCAM": cam.hires_cam, "Score-CAM": cam.score_cam}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def cell_by_cell():
    """Return a network of four cells, in which the score weighs each cell by itself."""
    x = keras.Input((2, 2, 3))
    y = keras.layers.Conv2D(1, 1, use_bias=False, name="conv")(x)
    network = keras.Model(x, keras.layers.Dense(1, use_bias=False)(keras.layers.Flatten()(y)))
    red, weights = np.float32([1, 0, 0]).reshape(1, 1, 3, 1), np.float32([[1], [-1], [2], [0]])
    network.set_weights([red, weights])
    return network


def test_hires_cam_weighs_each_cell_and_grad_cam_their_mean():
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[..., 0] = [[10, 20], [30, 40]]
    assert_allclose(cam.hires_cam(cell_by_cell(), picture), [[10, 0], [60, 0]])
    assert_allclose(cam.grad_cam(cell_by_cell(), picture), [[5, 10], [15, 20]])


@pytest.mark.parametrize("against", [None, "rest", 1])
def test_hires_cam_is_grad_cam_before_global_pooling_and_one_dense_layer(against):
    network = forms("softmax")["flat"]
    wanted = cam.grad_cam(network, images(), [0, 2, 0], against=against)
    assert wanted.max() > 0
    found = cam.hires_cam(network, images(), [0, 2, 0], against=against)
    assert_allclose(found, wanted, atol=1e-5 * wanted.max())


def test_hires_cam_of_an_inner_layer_is_another_map():
    network = forms()["flat"]
    fine, mean = (method(network, images(), 1, "conv1") for method in (cam.hires_cam, cam.grad_cam))
    activation, slope = gradients.activation_gradient(network, images(), 1, "conv1")
    assert_allclose(fine, np.maximum((activation * slope).sum(axis=3), 0), atol=1e-6)
    assert np.abs(fine - mean).max() > 0.01 * mean.max()


def one_map(weights):
    """Return a network with one feature map, the picture's red, and scores by these weights."""
    x = keras.Input((12, 12, 3))
    y = keras.layers.AveragePooling2D(3)(x)
    y = keras.layers.Conv2D(1, 1, use_bias=False, name="conv")(y)
    y = keras.layers.GlobalAveragePooling2D()(y)
    network = keras.Model(x, keras.layers.Dense(len(weights), use_bias=False)(y))
    network.set_weights([np.float32([1, 0, 0]).reshape(1, 1, 3, 1), np.float32([weights])])
    return network


@pytest.mark.parametrize("target", [0, 1])
def test_score_cam_of_a_single_map_is_that_map_whatever_the_class(target):
    picture = images(1, 12)[0]
    red = picture[..., :1].reshape(4, 3, 4, 3, 1).mean(axis=(1, 3))
    wanted = tf.image.resize(np.float32(red), (12, 12))[..., 0]
    assert_allclose(cam.score_cam(one_map([2, -3]), picture, target), wanted, rtol=1e-5)


def by_hand(network, image, target, layer, baseline=0.0, channels=None, against=None):
    """Return Score-CAM of one image, channel by channel, from the paper's formulas."""
    maps = networks.record(network, image[None], layer)[layer][0]
    order = np.argsort(-maps.std(axis=(0, 1)), kind="stable")[:channels]
    used = [channel for channel in sorted(order) if np.ptp(maps[..., channel]) > 0]
    masks = tf.image.resize(maps[..., used], image.shape[:2]).numpy()
    masks -= masks.min(axis=(0, 1))
    masks = np.moveaxis(masks / masks.max(axis=(0, 1)), 2, 0)[..., None]
    shown = np.float32(np.concatenate([[0 * image], masks * (image - baseline)]) + baseline)
    of_baseline, *scores = gradients.quantity(network, shown, target, against=against)
    heat = np.maximum(maps[..., used] @ softmax(np.float64(scores) - of_baseline), 0)
    return tf.image.resize(np.float32(heat)[..., None], image.shape[:2]).numpy()[..., 0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"against": "rest"},
        {"against": 0, "baseline": 127.0},
        {"channels": 2},
        {"channels": 100},
    ],
)
@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_score_cam_is_its_definition(layer, options):
    network, three = forms("softmax")["flat"], images()
    found = cam.score_cam(network, three, [1, 2, 2], layer, **options)
    assert found.shape == (3, 16, 16) and found.dtype == np.float32 and found.max() > 0
    for n, target in enumerate([1, 2, 2]):
        wanted = by_hand(network, np.float32(three[n]), target, layer, **options)
        assert_allclose(found[n], wanted, atol=1e-4 * wanted.max())


def test_score_cam_of_masks_that_change_nothing_is_the_mean_of_the_maps_that_vary():
    network, image = forms()["flat"], images(1)[0]
    found = cam.score_cam(network, image, 0, "conv2", baseline=image)
    maps = networks.record(network, image[None], "conv2")["conv2"][0]
    varying = maps[..., np.ptp(maps, axis=(0, 1)) > 0]
    wanted = tf.image.resize(np.maximum(varying.mean(axis=2), 0)[..., None], (16, 16))[..., 0]
    assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_score_cam_without_a_map_that_varies_is_zero():
    found = cam.score_cam(one_map([1, 2]), np.full((12, 12, 3), 200, np.uint8), 0)
    assert_array_equal(found, np.zeros((12, 12)))


@every_method
def test_every_form_gives_the_same_map(method):
    found = {form: method(network, images(), 1) for form, network in forms().items()}
    assert found["flat"].max() > 0
    for heat in found.values():
        assert_allclose(heat, found["flat"], atol=1e-5 * found["flat"].max())


@every_method
def test_a_batch_of_one_is_a_row_of_the_batch_and_portions_do_not_matter(method, monkeypatch):
    network, five = forms()["flat"], images(5)
    whole = method(network, five)
    predicted = gradients.scores(network, five).argmax(axis=1)
    close = {"atol": 1e-5 * whole.max()}
    assert_allclose(method(network, five[3:4], predicted[3]), whole[3:4], **close)
    assert_allclose(method(network, five[3]), whole[3], **close)
    monkeypatch.setattr(cam, "PIXELS", 16 * 16)  # one masked image at a time
    assert_allclose(method(network, five), whole, **close)


@every_method
def test_the_default_layer_is_grad_cams_and_each_method_says_so(method, caplog):
    caplog.set_level("INFO", logger="helpers")
    network = keras.models.clone_model(forms()["flat"])
    found = method(network, images(), 0)
    name = next(title for title, each in METHODS.items() if each is method)
    assert caplog.text.count(f"{name} looks at conv2, the last place on every path") == 1
    assert_array_equal(found, method(network, images(), 0, "conv2"))


@every_method
def test_layers_that_do_not_do_are_named_and_the_network_stays_as_it_is(method):
    network = forms("softmax")["nested"]
    weights, before = network.get_weights(), network.predict(images(), verbose=0)
    method(network, images())
    with pytest.raises(ValueError, match="'pool' has no spatial axes.*: .*conv1, pool1, conv2"):
        method(network, images(), layer="pool")
    with pytest.raises(ValueError, match="Did you mean 'conv2'"):
        method(network, images(), layer="conv3")
    with pytest.raises(ValueError, match="target must be 0 to 2"):
        method(network, images(), 3)
    assert_array_equal(network.predict(images(), verbose=0), before)
    for now, then in zip(network.get_weights(), weights, strict=True):
        assert_array_equal(now, then)


@pytest.mark.parametrize("channels", [0, 1.5, True, "all"])
def test_channels_are_a_number(channels):
    with pytest.raises(ValueError, match="channels must be a whole number, 1 or more, not"):
        cam.score_cam(forms()["flat"], images(), channels=channels)
