"""Grad-CAM against CAM, a hand-made hot cell, the other library, and itself in every form."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from hand_made import Calls, built, forms, fresh_forms, images, of
from numpy.testing import assert_allclose, assert_array_equal

from helpers import cam, gradients, networks


def one_map(weight=1.0, cells=7, size=224):
    """Return a network whose only feature map is the picture's mean brightness in cells."""
    x = keras.Input((size, size, 3))
    y = keras.layers.AveragePooling2D(size // cells)(x)
    y = keras.layers.Conv2D(1, 1, use_bias=False, name="conv")(y)
    y = keras.layers.GlobalAveragePooling2D()(y)
    network = keras.Model(x, keras.layers.Dense(1, use_bias=False)(y))
    network.set_weights([np.full((1, 1, 3, 1), 1 / 3, "float32"), np.float32([[weight]])])
    return network


def one_hot_cell():
    picture = np.zeros((224, 224, 3), np.uint8)
    picture[32:64, 32:64] = 255
    return picture


def test_one_hot_cell_lands_where_it_is():
    heat = cam.grad_cam(one_map(), one_hot_cell())
    assert heat.shape == (224, 224)
    assert heat.dtype == np.float32
    pixels = np.arange(224)
    for axis in (0, 1):
        profile = heat.sum(axis=axis)
        assert_allclose((profile * pixels).sum() / profile.sum(), 47.5, atol=1e-4)
        assert_allclose(profile[32:64], profile[32:64][::-1], rtol=1e-4)
    rows, columns = np.nonzero(heat == heat.max())
    assert set(rows) == set(columns) == {47, 48}
    # Not normalized: weight 1/49 times 255, times 63/64 twice: pixel 47 is 1/64 off the centre.
    assert_allclose(heat.max(), 255 / 49 * (63 / 64) ** 2, rtol=1e-5)


def test_only_evidence_against_gives_zeros():
    heat = cam.grad_cam(one_map(weight=-1), one_hot_cell()[None])
    assert_array_equal(heat, np.zeros((1, 224, 224)))


def test_a_black_picture_gives_zeros():
    assert_array_equal(cam.grad_cam(one_map(), np.zeros((224, 224, 3), np.uint8)), 0)


@pytest.mark.parametrize("form", ["flat", "subclassed"])
def test_grad_cam_is_cam_before_global_pooling_and_one_dense_layer(form):
    network = forms("softmax")[form]
    maps = networks.record(network, images(), ["conv2"])["conv2"]
    weights = networks.find_layer(network, "scores").get_weights()[0]
    targets = [2, 0, 1]
    cams = np.einsum("nhwk,kn->nhw", maps, weights[:, targets]) / (8 * 8)
    wanted = tf.image.resize(np.maximum(cams, 0)[..., None], (16, 16))[..., 0]
    assert np.max(wanted) > 0
    assert_allclose(cam.grad_cam(network, images(), targets), wanted, atol=1e-6)


def test_every_form_gives_the_same_map_to_the_bit():
    found = {form: cam.grad_cam(network, images(), 1) for form, network in forms().items()}
    assert found["flat"].max() > 0
    for heat in found.values():
        assert_array_equal(heat, found["flat"])


def test_the_head_makes_no_difference():
    wanted = cam.grad_cam(forms()["flat"], images())
    assert_allclose(cam.grad_cam(forms("softmax")["nested"], images()), wanted, atol=1e-6)


def test_a_batch_of_one_is_a_row_of_the_batch():
    network, five = forms()["flat"], images(5)
    whole = cam.grad_cam(network, five, 1, "conv1")
    assert whole.shape == (5, 16, 16)
    assert_allclose(cam.grad_cam(network, five[3:4], 1, "conv1"), whole[3:4], atol=1e-6)
    assert_allclose(cam.grad_cam(network, five[3], 1, "conv1"), whole[3], atol=1e-6)
    assert_allclose(cam.grad_cam(network, five, 1, "conv1", batch_size=2), whole, atol=1e-6)


def test_pictures_may_be_oblong():
    x = keras.Input((None, None, 3))
    y = keras.layers.Conv2D(4, 3, padding="same", activation="relu", strides=2)(x)
    y = keras.layers.GlobalAveragePooling2D()(y)
    network = keras.Model(x, keras.layers.Dense(2)(y))
    for shape in ((20, 12, 3), (13, 30, 3)):
        picture = np.random.default_rng(0).uniform(0, 255, shape)
        assert cam.grad_cam(network, picture, 0).shape == shape[:2]


def test_half_precision_gives_nearly_the_same_map():
    x = keras.Input((16, 16, 3))
    y = keras.layers.Conv2D(4, 3, activation="relu", name="conv", dtype="mixed_float16")(x)
    y = keras.layers.GlobalAveragePooling2D(dtype="mixed_float16")(y)
    half = keras.Model(x, keras.layers.Dense(3, name="scores", dtype="mixed_float16")(y))
    x = keras.Input((16, 16, 3))
    y = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(x))
    full = keras.Model(x, keras.layers.Dense(3)(y))
    full.set_weights(half.get_weights())
    found, wanted = (cam.grad_cam(network, images(), 1) for network in (half, full))
    assert found.dtype == np.float32
    assert wanted.max() > 0
    assert_allclose(found, wanted, atol=0.01 * wanted.max())


def test_guided_grad_cam_is_the_product():
    network = forms()["nested"]
    found = cam.guided_grad_cam(network, images(), 2)
    guided = gradients.gradient(network, images(), 2, guided=True)
    assert found.shape == (3, 16, 16, 3)
    assert found.dtype == np.float32
    assert_allclose(found, guided * cam.grad_cam(network, images(), 2)[..., None], atol=1e-8)
    assert np.abs(found).max() > 0


def test_the_default_is_the_last_convolution_and_it_is_said(caplog):
    caplog.set_level(logging.INFO, logger="helpers")
    for network in fresh_forms().values():
        assert cam.default_layer(network) == "conv2"
        spatial = [n for n in cam.spatial_layers(network) if not n.startswith(("random", "base"))]
        assert spatial == ["rescale", "conv1", "pool1", "conv2"]
    assert_array_equal(
        cam.grad_cam(network, images()), cam.grad_cam(network, images(), layer="conv2")
    )
    cam.grad_cam(network, images())
    assert caplog.text.count("looks at conv2, the last convolution") == 1  # once is enough


def test_a_convolution_that_does_not_reach_the_score_is_not_the_default():
    used, spare = (keras.layers.Conv2D(2, 1, name=name) for name in ("used", "spare"))

    def forward(network, x):
        network.spare(x)
        return network.pool(network.used(x))

    pool = keras.layers.GlobalAveragePooling2D()
    network = built(Calls(forward, used=used, spare=spare, pool=pool), (4, 4, 3))
    assert networks.layer_names(network) == ["used", "spare"]
    assert cam.default_layer(network) == "used"
    with pytest.raises(ValueError, match="does not depend on layer 'spare'"):
        cam.grad_cam(network, images(1, 4), layer="spare")


def test_a_layer_that_cannot_be_looked_at_is_named():
    network = forms()["flat"]
    with pytest.raises(
        ValueError, match="'pool' has no spatial axes.*: rescale, conv1, pool1, conv2"
    ):
        cam.grad_cam(network, images(), layer="pool")
    with pytest.raises(ValueError, match="Did you mean 'conv2'"):
        cam.grad_cam(network, images(), layer="conv3")
    with pytest.raises(ValueError, match="no convolution .* spatial axes: none"):
        cam.grad_cam(of(lambda x: 5 * x), np.float32([[2]]))
    with pytest.raises(ValueError, match="target must be 0 to 2"):
        cam.grad_cam(network, images(), 3)


def test_layers_inside_a_function_of_the_networks_own_are_named():
    conv = keras.layers.Conv2D(2, 1, name="conv")
    network = Calls(lambda n, x: n.pool(n.hidden(x)), conv=conv, pool=keras.layers.ReLU())
    network.hidden = tf.function(lambda x: tf.reduce_mean(conv(x), axis=(1, 2)))
    built(network, (4, 4, 3))
    with pytest.raises(
        ValueError, match="'conv' does not return one tensor of the network's graph"
    ):
        cam.grad_cam(network, images(1, 4), layer="conv")
    with pytest.raises(ValueError, match="no convolution that affects its score"):
        cam.grad_cam(network, images(1, 4))


def test_the_network_is_the_same_afterwards():
    network = forms("softmax")["nested"]
    weights, before = network.get_weights(), network.predict(images(), verbose=0)
    cam.guided_grad_cam(network, images())
    with pytest.raises(ValueError, match="no spatial axes"):
        cam.guided_grad_cam(network, images(), layer="pool")
    assert_array_equal(network.predict(images(), verbose=0), before)
    for now, then in zip(network.get_weights(), weights, strict=True):
        assert_array_equal(now, then)


@pytest.mark.filterwarnings("ignore:.*The structure of `inputs`:UserWarning")
def test_agrees_with_tf_keras_vis():
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    flat, x = forms()["flat"], images().astype("float32")
    score = CategoricalScore([1, 1, 1])
    theirs = Gradcam(flat, clone=False)(
        score, x, penultimate_layer="conv2", expand_cam=False, normalize_cam=False
    )
    wanted = tf.image.resize(np.asarray(theirs)[..., None], (16, 16))[..., 0]
    assert_allclose(cam.grad_cam(flat, images(), 1, "conv2"), wanted, atol=1e-6)
    theirs = Saliency(flat, clone=False)(score, x, keepdims=True, normalize_map=False)
    assert_allclose(np.abs(gradients.gradient(flat, images(), 1)), theirs, atol=1e-6)
