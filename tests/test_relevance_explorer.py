"""Explorer of lesson 08: each control changes the picture, the label tells the truth."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from test_explorers import shown

from helpers import explorers, gradients, load_world, relevance

pytestmark = pytest.mark.slow  # three rules are compiled; lesson 08 shows it in `make test`


@pytest.fixture(scope="module")
def world():
    return load_world("drawn")


@pytest.fixture(scope="module")
def layers(world):
    return explorers.relevance_by_layer(world, world.test.images[:2])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image", 1),
        ("rule", "z+"),
        ("rule", "epsilon"),
        ("target", "dog"),
        ("explains", "margin"),
        ("layer", "block3_pool"),
        ("layer", "scores"),
    ],
)
def test_every_control_changes_the_picture(layers, name, value):
    layers.set(image=0, rule="composite", target="cat", explains="score", layer="pixels")
    before = shown(layers)
    layers.set(**{name: value})
    assert not np.array_equal(before, shown(layers))


@pytest.mark.parametrize(("rule", "name"), [("z+", "zplus"), ("epsilon", "epsilon")])
def test_the_label_says_what_the_layer_adds_up_to(world, layers, rule, name):
    label = layers.set(image=1, rule=rule, target="dog", explains="margin", layer="block4_pool")
    how = dict(target=1, rule=name, layers="block4_pool", against="rest")
    (share,) = (
        found
        for layer, found in relevance.lrp_by_layer(
            world.network, world.test.images[1], **how
        ).items()
        if layer != "pixels"
    )
    margin = gradients.quantity(world.network, world.test.images[1], 1, against="rest")
    assert f"LRP, {rule}, block4_pool (8 x 8 cells): adds up to {share.sum():+.1f};" in label
    assert label.endswith(f"margin {margin:+.1f}")


def test_layers_go_from_the_pixels_to_the_scores(layers):
    offered = layers.controls["layer"].options
    assert offered[0] == "pixels" and offered[-1] == "scores"
    label = layers.set(image=0, rule="z+", explains="score", target="cat", layer="scores")
    assert "scores (2 units)" in label
    assert_allclose(shown(layers).shape[2], 3)
