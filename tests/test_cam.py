"""Grad-CAM against CAM, a hand-made hot cell, the other library, and itself in every form."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from hand_made import Calls, built, forms, fresh_forms, images, of
from numpy.testing import assert_allclose, assert_array_equal

from helpers import cam, gradients, networks

L = keras.layers


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


def test_every_form_has_the_same_default_layer_and_it_is_said(caplog):
    caplog.set_level(logging.INFO, logger="helpers")
    for network in fresh_forms().values():
        assert cam.default_layer(network) == "conv2"
        spatial = [n for n in cam.spatial_layers(network) if not n.startswith(("random", "base"))]
        assert spatial == ["rescale", "conv1", "pool1", "conv2"]
    assert_array_equal(
        cam.grad_cam(network, images()), cam.grad_cam(network, images(), layer="conv2")
    )
    cam.grad_cam(network, images())
    assert caplog.text.count("looks at conv2, the last place") == 1  # once is enough


def ending(*stages, size=16):
    """Return a network of two classes that ends in these stages: layers, or functions of one."""
    x = keras.Input((size, size, 3))
    y = conv(3, strides=2, name="conv")(x)
    for stage in stages:
        y = stage(y)
    return keras.Model(x, y)


def conv(kernel=1, **options):
    return L.Conv2D(4, kernel, padding="same", **options)


def branches(join):
    return lambda y: join([y, conv(3, activation="relu", name="branch")(y)])


def squeeze_and_excite(y):
    share = L.GlobalAveragePooling2D(keepdims=True)(y)
    return L.Multiply(name="scaled")([y, L.Conv2D(4, 1, activation="sigmoid")(share)])


def pooled_at_two_depths(y):
    later = L.GlobalAveragePooling2D()(conv(3, strides=2)(y))
    return L.Concatenate()([L.GlobalAveragePooling2D()(y), later])


def swish_by_hand(y):
    return L.Multiply(name="swish")([y, L.Activation("sigmoid")(y)])


def dense():
    return L.Dense(2, activation="softmax")


def relu():
    return L.ReLU(name="place")


POOL = L.GlobalAveragePooling2D
ENDINGS = {  # by what leads to the score; "place" is what all of it comes from
    "activation": lambda: [L.BatchNormalization(), relu(), POOL()],
    "normalization": lambda: [L.ReLU(), L.BatchNormalization(name="place"), POOL()],
    "sum": lambda: [branches(L.Add(name="place")), POOL()],
    "concatenation": lambda: [branches(L.Concatenate(name="place")), L.GlobalMaxPooling2D()],
    "scaling": lambda: [squeeze_and_excite, L.Activation("relu", name="place"), POOL()],
    "no pooling": lambda: [conv(3, name="place"), L.Flatten()],
    "pooling": lambda: [relu(), L.MaxPooling2D(), L.Dropout(0.5), L.Flatten()],
    "padding": lambda: [relu(), L.ZeroPadding2D(1), L.AveragePooling2D(2), POOL()],
    "cropping": lambda: [relu(), L.Cropping2D(1), L.Reshape((36, 4)), L.Flatten()],
    "1x1 cells": lambda: [relu(), POOL(keepdims=True), conv(activation="relu"), L.Flatten()],
    "scores in cells": lambda: [conv(1), L.Conv2D(2, 1, name="place"), POOL()],
    "shrunk to one cell": lambda: [relu(), L.AveragePooling2D(8), L.Flatten()],
    "convolved to one cell": lambda: [relu(), L.Conv2D(4, 8), L.ReLU(), conv(), POOL()],
}  # fmt: skip


@pytest.mark.parametrize("ending_in", ENDINGS)
def test_the_default_is_all_that_the_score_comes_from(ending_in):
    assert cam.default_layer(ending(*ENDINGS[ending_in](), dense())) == "place"


@pytest.mark.parametrize(
    ("stages", "place"),
    [
        (lambda: [squeeze_and_excite, POOL(), dense()], "scaled"),
        (lambda: [swish_by_hand, POOL(), dense()], "swish"),
        (lambda: [pooled_at_two_depths, dense()], "conv"),
        (lambda: [branches(lambda pair: POOL()(pair[0]) + POOL()(pair[1])), dense()], "conv"),
        (lambda: [lambda y: conv(3, name="after")(y) * 0 + y, POOL(), dense()], "add"),
    ],
    ids=["squeeze and excite", "swish", "two depths", "branches to the end", "operators"],
)
def test_a_branch_is_never_the_default(stages, place):
    network = ending(*stages())
    assert cam.default_layer(network).rstrip("_0123456789") == place
    nested = keras.Sequential([keras.Input((16, 16, 3)), network])
    assert cam.default_layer(nested) == cam.default_layer(network)


@pytest.mark.slow
def test_grad_cam_of_a_sum_written_as_an_operator_is_that_of_a_layer():
    maps = []
    for add in (L.Add(), lambda pair: pair[0] + pair[1]):
        keras.utils.set_random_seed(0)
        maps.append(cam.grad_cam(ending(branches(add), POOL(), dense()), images(2), 0))
    assert maps[0].max() > 0
    assert_array_equal(*maps)


def test_a_sum_that_no_layer_gives_is_left_out_and_it_is_said(caplog):
    caplog.set_level(logging.INFO, logger="helpers")

    def forward(network, x):
        y = network.first(x)
        return network.scores(network.pool(y + network.second(y)))

    one, two = conv(3, name="first"), conv(3, name="second")
    network = Calls(forward, first=one, second=two, pool=POOL(), scores=dense())
    cam.grad_cam(built(network, (16, 16, 3)), images())
    assert "looks at first, " in caplog.text
    assert "; a later one has no layer of its own" in caplog.text


def test_a_spot_that_a_relu_alone_lets_through_is_found():
    x = keras.Input((16, 16, 3))
    y = L.ReLU(name="relu")(L.BatchNormalization(name="norm")(L.Conv2D(1, 1, name="red")(x)))
    network = keras.Model(x, L.Dense(1, kernel_initializer="ones")(POOL()(y)))
    network.get_layer("red").set_weights([np.float32([-1, 0, 0]).reshape(1, 1, 3, 1), np.zeros(1)])
    network.get_layer("norm").set_weights(list(np.float32([[1], [1], [-100], [1]])))
    picture = np.full((16, 16, 3), 200, np.uint8)
    picture[4:8, 4:8] = 10
    wanted = np.zeros((16, 16))
    wanted[4:8, 4:8] = (90 / np.sqrt(1.001) + 1) / 16**2  # 0.355, at a weight of 1 per 16*16 cells
    assert cam.default_layer(network) == "relu"
    assert_allclose(cam.grad_cam(network, picture), wanted, rtol=1e-4)


def test_without_a_place_for_all_of_the_score_the_error_says_so():
    x = keras.Input((8, 8, 3))
    scaled = L.BatchNormalization(name="norm")(L.Rescaling(1 / 255, name="rescale")(x))
    flat = keras.Model(x, dense()(L.Flatten()(scaled)))
    with pytest.raises(ValueError, match="cannot choose a layer.*spatial axes: rescale, norm"):
        cam.grad_cam(flat, images(1, 8))
    both = L.Concatenate()([POOL()(x), POOL()(conv(3, name="conv")(x))])  # colours go past
    past = keras.Model(x, dense()(both))
    with pytest.raises(ValueError, match="only its share of the score.*spatial axes: conv"):
        cam.default_layer(past)
    assert cam.grad_cam(past, images(1, 8), 0, "conv").shape == (1, 8, 8)


def test_layers_with_channels_first_are_named_where_there_is_no_other():
    x = keras.Input((8, 8, 3))
    y = L.Conv2D(4, 3, data_format="channels_first", name="first")(L.Permute((3, 1, 2))(x))
    pooled = POOL(data_format="channels_first", keepdims=True)(y)
    network = keras.Model(x, dense()(L.Flatten()(pooled)))
    with pytest.raises(
        ValueError, match="cannot choose.*channels first, which.*: permute.*, first"
    ):
        cam.default_layer(network)


def test_a_place_of_a_layer_that_is_called_twice_has_no_name(caplog):
    caplog.set_level(logging.INFO, logger="helpers")
    shared = L.ReLU(name="shared")
    network = ending(shared, conv(3, name="end"), shared, POOL(), dense())
    cam.grad_cam(network, images())
    assert "looks at end, " in caplog.text
    assert "; a later one has no layer of its own" in caplog.text


def test_the_default_depends_on_the_size_where_any_fits():
    network = ending(
        L.ReLU(name="coarse"), conv(3, strides=4, name="end"), POOL(), dense(), size=None
    )
    assert cam.default_layer(network) == "end"
    assert cam.default_layer(network, (16, 16)) == "end"
    assert cam.default_layer(network, (8, 8)) == "coarse"  # the end has one cell only
    small = images(1, 8)
    assert_array_equal(cam.grad_cam(network, small), cam.grad_cam(network, small, layer="coarse"))


@pytest.mark.slow
def test_the_default_is_no_place_of_one_cell_in_mobilenet():  # all families: tests/whole
    make = keras.applications.MobileNetV3Small
    network = make(alpha=0.75, weights=None, classes=2, input_shape=(64, 64, 3))
    names = networks.layer_names(network, "all")
    pool = next(name for name in names if name.startswith("global_average_pooling"))
    assert cam.default_layer(network) == names[names.index(pool) - 1]


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
    with pytest.raises(ValueError, match="cannot choose a layer .* spatial axes: none"):
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
    with pytest.raises(ValueError, match="cannot choose a layer"):
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
