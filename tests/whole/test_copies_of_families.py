"""Copies of the families of `keras.applications`: equal outputs, other weights."""

import gc

import keras
import numpy as np
import pytest

from helpers import networks

FAMILIES = (
    "ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "InceptionResNetV2",
    "InceptionV3", "MobileNet", "MobileNetV2", "MobileNetV3Large", "NASNetMobile", "ResNet50",
    "ResNet50V2", "VGG16", "Xception",
)  # fmt: skip


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_copied_flat_and_nested(family, nested):
    random, shape = np.random.default_rng(0), (80, 80, 3)
    options = dict(weights=None, classes=3, input_shape=shape, classifier_activation=None)
    network = getattr(keras.applications, family)(**options)
    if nested:
        network = keras.Sequential([keras.Input(shape), network, keras.layers.Dense(2)])
    for weight in network.trainable_weights:
        weight.assign(weight + random.normal(0, 0.01, weight.shape))
    x = random.uniform(0, 255, (1, *shape)).astype("float32")
    before = np.asarray(network(x, training=False))
    assert np.ptp(before) > 0
    copy = networks.penalized(network, l2=1e-4)
    np.testing.assert_array_equal(copy(x, training=False), before)
    assert copy.losses and not network.losses
    assert not {id(v) for v in copy.variables} & {id(v) for v in network.variables}
    del network, copy
    keras.backend.clear_session()
    gc.collect()
