"""LRP in the families of `keras.applications`: the score is conserved, or the layer is named.

Weights are random, so nothing is downloaded, and biases are 0; so are the means of batch
normalizations. What epsilon would lose to biases is then nothing.
"""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from helpers import gradients, relevance

SIZES = {"InceptionV3": 139}  # at 96 pixels it ends in one cell
FAMILIES = (
    "VGG16", "ResNet50", "MobileNetV2", "MobileNetV3Small", "DenseNet121", "EfficientNetB0",
    "InceptionV3", "Xception",
)  # fmt: skip
WITHOUT_RULE = {"ConvNeXtTiny": r"no rule for Mul in layer '\w*layernorm' \(LayerNormalization\)"}


def build(family):
    keras.utils.set_random_seed(1)
    size = SIZES.get(family, 96)
    make = getattr(keras.applications, family)
    network = make(weights=None, classes=3, input_shape=(size, size, 3))
    return network, np.random.default_rng(0).integers(1, 256, (2, size, size, 3), np.uint8)


@pytest.mark.parametrize("family", FAMILIES)
def test_relevance_adds_up_to_the_score(family):
    network, x = build(family)
    scores = gradients.quantity(network, x, 1)
    found = relevance.lrp(network, x, 1, "zplus").sum(axis=(1, 2, 3))
    assert_allclose(found, scores, rtol=5e-3)


@pytest.mark.parametrize("family", WITHOUT_RULE)
def test_a_layer_without_a_rule_is_named(family):
    network, x = build(family)
    with pytest.raises(ValueError, match=WITHOUT_RULE[family]):
        relevance.lrp(network, x, 1)
