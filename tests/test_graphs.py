"""Graphs of traced networks: float16 gives float32's maps; channels first and repeats are named."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hand_made import Calls, built, images
from keras import layers
from numpy.testing import assert_allclose

from helpers import cam, gradients, networks, perturbation, saliency


def deep(policy, block, size=32, head="softmax"):
    """Return a network of one kind of block, in a dtype policy, always with the same weights."""
    keras.utils.set_random_seed(4)
    x = keras.Input((size, size, 3))
    y = layers.Rescaling(1 / 127.5, offset=-1, dtype=policy)(x)
    for width in (8, 16):
        y = block(y, width, policy)
    y = layers.GlobalAveragePooling2D(dtype=policy)(y)
    y = layers.Dense(3, dtype=policy)(y)
    y = layers.Activation(head, dtype="float32" if "mixed" in policy else policy)(y)
    return keras.Model(x, y)


def vgg(y, width, policy):
    y = layers.Conv2D(width, 3, padding="same", activation="relu", dtype=policy)(y)
    return layers.MaxPooling2D(dtype=policy)(y)


def mobile(y, width, policy):
    y = layers.Conv2D(width, 1, use_bias=False, dtype=policy)(y)
    y = layers.BatchNormalization(dtype=policy)(y)
    y = layers.ReLU(6.0, dtype=policy)(y)
    y = layers.DepthwiseConv2D(3, 2, padding="same", dtype=policy)(y)
    gate = layers.GlobalAveragePooling2D(keepdims=True, dtype=policy)(y)
    gate = layers.Conv2D(width, 1, activation="sigmoid", dtype=policy)(gate)
    return layers.Multiply(dtype=policy)([layers.Activation("silu", dtype=policy)(y), gate])


METHODS = {
    "gradient": saliency.gradient,
    "guided": saliency.guided_gradient,
    "smooth": lambda *a: saliency.smooth_gradient(*a, samples=4),
    "integrated": lambda *a: saliency.integrated_gradients(*a, steps=4, tolerance=None),
    "Grad-CAM": cam.grad_cam,
    "occlusion": lambda *a: perturbation.occlusion(*a, window=8, stride=8),
}


@pytest.mark.slow
@pytest.mark.parametrize("block", [vgg, mobile])
@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16"])
@pytest.mark.filterwarnings("ignore:The guided gradient")
def test_a_network_of_16_bits_gives_the_map_of_float32(policy, block):
    narrow, wide = deep(policy, block), deep("float32", block)
    wide.set_weights([np.float32(weight) for weight in narrow.get_weights()])
    weights = narrow.get_weights()
    pictures = images(2, 32)
    everything = (policy, block) == ("mixed_float16", vgg)
    methods = METHODS if everything else {"gradient": saliency.gradient}
    for name, method in methods.items():
        wanted, found = method(wide, pictures, 1), method(narrow, pictures, 1)
        assert found.dtype == np.float32
        assert np.corrcoef(wanted.ravel(), found.ravel())[0, 1] > 0.999, name
        assert_allclose(found, wanted, atol=0.02 * np.abs(wanted).max(), err_msg=name)
    assert all(map(np.array_equal, weights, narrow.get_weights()))


def test_a_gradient_too_small_for_float16_is_not_lost():
    x = keras.Input((8, 8, 3))
    y = layers.Rescaling(1e-6, dtype="float16")(x)
    y = layers.Dense(1, use_bias=False, kernel_initializer="ones", dtype="float16")(
        layers.GlobalAveragePooling2D(dtype="float16")(y)
    )
    found = gradients.gradient(keras.Model(x, y), images(1, 8), 0)
    assert_allclose(found, np.full((1, 8, 8, 3), 1e-6 / 64), rtol=0.05)  # of the rounded 1e-6


@tf.custom_gradient
def steeper(x):
    return tf.identity(x), lambda slope: 3 * slope


class Steeper(layers.Layer):
    def call(self, x):
        return steeper(x)


def test_a_gradient_of_ones_own_is_kept_in_float32_and_refused_in_16_bits():
    def network(dtype, last):
        x = keras.Input((8, 8, 3))
        y = last(layers.GlobalAveragePooling2D(dtype=dtype)(x))
        return keras.Model(x, layers.Dense(2, dtype=dtype, kernel_initializer="ones")(y))

    found = gradients.gradient(network("float32", Steeper(dtype="float32")), images(1, 8), 0)
    assert_allclose(found, np.full((1, 8, 8, 3), 3 / 64), rtol=1e-5)
    half = network("float16", Steeper(dtype="float16"))
    for look in (gradients.gradient, saliency.integrated_gradients):
        with pytest.raises(ValueError, match="a gradient of its own.*in 16 bits.*float32 instead"):
            look(half, images(1, 8), 0)
    assert gradients.scores(half, images(1, 8)).shape == (1, 2)  # which needs no gradient
    silu = network("float16", layers.Activation("silu", dtype="float16"))
    assert gradients.gradient(silu, images(1, 8), 0).any()  # TensorFlow's own


def test_predictions_of_a_network_of_16_bits_are_its_own():
    network = deep("mixed_float16", vgg)
    assert_allclose(networks.predict(network, images(2, 32)), network(images(2, 32)), atol=1e-3)


def first(layer):
    """Return a network with a layer that has channels first, between two that have them last."""
    x = keras.Input((12, 16, 3))
    y = layers.Conv2D(4, 3, padding="same", name="last", activation="relu")(x)
    y = layer(layers.Permute((3, 1, 2), name="to_first")(y))
    y = layers.ReLU(name="also_first")(y)
    y = layers.Permute((2, 3, 1), name="to_last")(y)
    return keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(y)))


FIRST = {
    "conv": lambda **o: layers.Conv2D(5, 3, **o),
    "depthwise": lambda **o: layers.DepthwiseConv2D(3, **o),
    "pool": lambda **o: layers.MaxPooling2D(**o),
    "average": lambda **o: layers.AveragePooling2D(2, **o),
    "up": lambda **o: layers.UpSampling2D(**o),
    "transposed": lambda **o: layers.Conv2DTranspose(5, 3, **o),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FIRST)
def test_a_layer_with_channels_first_is_named_and_those_beside_it_are_right(kind):
    network = first(FIRST[kind](data_format="channels_first", name=kind))
    picture = np.random.default_rng(1).integers(0, 256, (1, 12, 16, 3), dtype=np.uint8)
    for layer in (kind, "to_first", "also_first"):
        for look in (
            lambda layer: networks.record(network, picture, layer),
            lambda layer: gradients.activation_gradient(network, picture, 0, layer),
            lambda layer: cam.grad_cam(network, picture, 0, layer),
        ):
            with pytest.raises(ValueError, match=f"Layer '{layer}' puts channels first"):
                look(layer)
    for layer in ("last", "to_last"):
        assert cam.grad_cam(network, picture, 0, layer).shape == (1, 12, 16)


@pytest.mark.slow
def test_maps_of_the_whole_network_do_not_ask_where_channels_are():
    keras.utils.set_random_seed(3)
    network = first(layers.Conv2D(5, 3, data_format="channels_first"))
    keras.utils.set_random_seed(3)
    x = keras.Input((12, 16, 3))
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    y = layers.ReLU()(layers.Conv2D(5, 3)(y))
    plain = keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(y)))
    plain.set_weights(network.get_weights())
    picture = np.random.default_rng(1).integers(0, 256, (1, 12, 16, 3), dtype=np.uint8)
    for method in (
        saliency.gradient,
        saliency.guided_gradient,
        lambda *a: perturbation.occlusion(*a, window=4, stride=4),
    ):
        wanted = method(plain, picture, 1)
        assert_allclose(method(network, picture, 1), wanted, atol=1e-4 * np.abs(wanted).max())


def test_pictures_with_channels_first_are_refused_where_places_matter():
    x = keras.Input((3, 12, 16))
    y = layers.Conv2D(4, 3, data_format="channels_first", name="conv")(x)
    pooled = layers.GlobalAveragePooling2D(data_format="channels_first")(y)
    network = keras.Model(x, layers.Dense(2)(pooled))
    picture = np.random.default_rng(1).integers(0, 256, (2, 3, 12, 16), dtype=np.uint8)
    assert saliency.gradient(network, picture, 0).shape == picture.shape
    with pytest.raises(ValueError, match="channels first"):
        perturbation.occlusion(network, picture, 0, window=2, stride=2)
    for layer in (None, "conv"):
        with pytest.raises(ValueError, match="channels first|no convolution|cannot choose"):
            cam.grad_cam(network, picture, 0, layer)


def twice():
    """Return a network that compares the left half of a picture with the right, by one layer."""
    conv = layers.Conv2D(3, 1, name="shared", activation="relu")
    x = keras.Input((4, 8, 3))
    sides = [layers.GlobalAveragePooling2D()(conv(part)) for part in (x[:, :, :4], x[:, :, 4:])]
    return keras.Model(x, layers.Dense(2, name="scores")(layers.Subtract()(sides)))


def test_a_layer_that_is_called_twice_is_named_and_the_network_is_still_explained():
    network, picture = twice(), np.random.default_rng(2).uniform(0, 255, (1, 4, 8, 3))
    for look in (
        lambda: networks.record(network, picture, "shared"),
        lambda: gradients.activation_gradient(network, picture, 0, "shared"),
        lambda: cam.grad_cam(network, picture, 0, "shared"),
    ):
        with pytest.raises(ValueError, match="calls its layer 'shared' 2 times"):
            look()
    swapped = np.concatenate([picture[:, :, 4:], picture[:, :, :4]], axis=2)
    found, other = saliency.gradient(network, picture, 0), saliency.gradient(network, swapped, 0)
    assert_allclose(found[:, :, :4], -other[:, :, 4:], atol=1e-7)
    assert np.abs(found).max() > 0


def test_the_same_network_nested_twice_is_two_calls_of_its_layers():
    x = keras.Input((4, 4, 3))
    inner = keras.Sequential([x, layers.Conv2D(3, 1, name="inner")])
    network = keras.Model(x, layers.Dense(1)(layers.GlobalAveragePooling2D()(inner(inner(x)))))
    with pytest.raises(ValueError, match="calls its layer 'inner' 2 times"):
        networks.record(network, images(1, 4), "inner")


def test_a_loop_of_ones_own_counts_its_calls():
    def call(network, x):
        for _ in range(3):
            x = network.conv(x)
        return tf.reduce_mean(x, (1, 2))

    network = built(Calls(call, conv=layers.Conv2D(3, 1, name="again")), (4, 4, 3))
    with pytest.raises(ValueError, match="'again' 3 times"):
        networks.record(network, images(1, 4), "again")
