"""Grad-CAM's default layer in every family of `keras.applications`: what its head sees, no branch.

Weights are random, so nothing is downloaded. Layers whose names are counted up from session to
session are checked by what they hold: pooled, they are all that the dense layers get.
"""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from helpers import cam, networks

SIZE = 96
FAMILIES = {  # by hand: the layer, where its name is fixed, and its 3x3 or other cells
    "VGG16": ("block5_conv3", 6),
    "VGG19": ("block5_conv4", 6),
    "ResNet50": ("conv5_block3_out", 3),
    "ResNet50V2": ("post_relu", 3),
    "InceptionV3": ("mixed10", 3),
    "InceptionResNetV2": ("conv_7b_ac", 3),
    "Xception": ("block14_sepconv2_act", 3),
    "DenseNet121": ("relu", 3),
    "MobileNet": ("conv_pw_13_relu", 3),
    "MobileNetV2": ("out_relu", 3),
    "MobileNetV3Small": (None, 3),
    "MobileNetV3Large": (None, 3),
    "EfficientNetB0": ("top_activation", 3),
    "EfficientNetV2B0": ("top_activation", 3),
    "ConvNeXtTiny": (None, 3),
    "NASNetMobile": (None, 3),
}
SIZES = {"InceptionV3": 139, "InceptionResNetV2": 139}  # at 96 pixels they end in one cell


def picture(size):
    """Return a picture with something in every part: stripes, a colour ramp, two squares."""
    y, x = np.mgrid[:size, :size] / size
    image = np.stack([np.sin(40 * x * (y < 0.5)), np.cos(30 * y * (x > 0.3)), 2 * x - 1], axis=-1)
    image = np.uint8(127.5 + 127 * image)
    image[size // 5 : size // 2, size // 2 : size // 4 * 3] = 255, 0, 0
    image[size // 3 * 2 :, : size // 4] = 0, 0, 255
    return image


def build(family, size):
    keras.utils.set_random_seed(1)
    make = getattr(keras.applications, family)
    return make(weights=None, classes=2, input_shape=(size, size, 3))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_default_layer_is_all_that_the_head_sees(family):
    name, cells = FAMILIES[family]
    size = SIZES.get(family, SIZE)
    network, image = build(family, size), picture(size)
    layer = cam.default_layer(network)
    assert name in (None, layer)
    pools = [
        one.name
        for one in network.layers
        if isinstance(one, keras.layers.GlobalAveragePooling2D) or one.name == "block5_pool"
    ]
    head = pools[-1]  # others weight the channels within a block
    found = networks.record(network, image, [layer, head])
    assert found[layer].shape[1:3] == (cells, cells)
    pooled = found[layer].mean(axis=(1, 2))
    if head == "block5_pool":
        pooled = found[layer].reshape(1, 3, 2, 3, 2, -1).max(axis=(2, 4))
    assert_allclose(found[head].reshape(pooled.shape), pooled, rtol=1e-3, atol=1e-6)

    heat = [cam.grad_cam(network, image, target, against="rest") for target in (0, 1)]
    assert max(one.max() for one in heat) > 0  # what speaks against one class speaks for the other
    for one in heat:  # zeros where there is no evidence, but never one value everywhere
        assert not one.any() or one.std() > 0.05 * one.mean()

    nested = keras.Sequential([keras.Input((size, size, 3)), network])
    assert cam.default_layer(nested) == layer


@pytest.mark.parametrize(
    ("family", "layer"),
    [
        ("VGG16", "block5_conv3"),
        ("ResNet50", "conv4_block6_out"),
        ("MobileNet", "conv_pw_11_relu"),
        ("DenseNet121", "pool4_conv"),
    ],
)
def test_at_32_pixels_the_default_layer_lies_before_the_first_place_of_one_cell(family, layer):
    network = build(family, 32)
    assert cam.default_layer(network) == layer
    assert networks.record(network, picture(32), layer)[layer].shape[1:3] == (2, 2)


@pytest.mark.parametrize("family", ["ResNet50", "MobileNetV2", "EfficientNetB0"])
def test_a_base_without_its_head_gives_the_same_place_flat_and_nested(family):
    make = getattr(keras.applications, family)
    base = make(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    nested = keras.Sequential([keras.Input((SIZE, SIZE, 3)), base, *head])
    flat = keras.Model(base.input, head[1](head[0](base.output)))
    assert cam.default_layer(nested) == cam.default_layer(flat) == FAMILIES[family][0]
    maps = [cam.grad_cam(one, picture(SIZE), 1) for one in (flat, nested)]
    assert_allclose(*maps, rtol=1e-3, atol=1e-4 * maps[0].max())
