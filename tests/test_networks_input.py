"""What is no network, no pictures or no layer is named in one sentence, whatever was asked."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hand_made import forms, images
from PIL import Image
from test_every_method import LOOKS, METHODS

from helpers import activations, cam, networks, perturbation, saliency

ASKED = METHODS | LOOKS | {
    "occlusion": lambda *a: perturbation.occlusion(*a, window=8, stride=8),
    "predict": lambda network, x, *_: networks.predict(network, x),
    "strengths": lambda network, x, *_: activations.strengths(network, x, "conv2"),
}  # fmt: skip
every_question = pytest.mark.parametrize("name", ASKED)


@every_question
def test_what_is_no_network_is_named_before_anything_else(name):
    for wrong, said in (
        ("my.keras", r"not a str\. Load it first: networks\.load\('my\.keras'\)"),
        (Path("my.keras"), r"not a \w+Path\. Load it first: networks\.load\('my\.keras'\)"),
        (None, "not a NoneType"),
        (keras.layers.Dense(2), r"not a Dense\. Put the layer into one"),
        (keras.Sequential, r"not a class Sequential\. Make one of it first"),
        ([forms()["flat"]], "not a list"),
    ):
        with pytest.raises(TypeError, match=f"A network must be a keras.Model, {said}"):
            ASKED[name](wrong, images())


@pytest.mark.parametrize("name", [name for name in ASKED if name != "dream"])  # starts elsewhere
def test_what_are_no_pictures_of_one_size_is_named(name):
    network, two = forms()["nested"], [images(1, 16)[0], images(1, 20)[0]]
    both = np.empty(2, object)
    both[:] = two
    for wrong, error, said in (
        (two, ValueError, r"of one size, not \(16, 16, 3\) and \(20, 20, 3\): resize them"),
        (both, ValueError, r"of one size, not \(16, 16, 3\) and \(20, 20, 3\): resize them"),
        ([Image.fromarray(one) for one in two], ValueError, r"of one size, not \(16, 16, 3\) and"),
        ([[[1, 2], [3]]], TypeError, "array of numbers .uint8 or float., not list"),
        ([], ValueError, r"takes images .N, 16, 16, 3. or one .*, not .0,.: that is none"),
        (images()[:0], ValueError, r"takes images .*, not .0, 16, 16, 3.: that is none"),
        ("cat.jpg", TypeError, "not text: read a file with photos.read"),
        (Path("cat.jpg"), TypeError, "not text: read a file with photos.read"),
        (np.full((16, 16, 3), "cat"), TypeError, "not text"),
        (images() > 9, TypeError, r"not True and False \(bool\)"),
        (np.full((16, 16, 3), None), TypeError, "uint8 or float., not object"),
        (None, TypeError, "uint8 or float., not NoneType"),
        (images() + 1j, TypeError, "not complex"),
    ):
        with pytest.raises(error, match=said):
            ASKED[name](network, wrong)


def test_a_picture_of_pillow_is_a_picture():
    network, x = forms()["flat"], images(1)
    found = saliency.gradient(network, Image.fromarray(x[0]), 0)
    np.testing.assert_array_equal(found, saliency.gradient(network, x[0], 0))


@pytest.mark.parametrize("wrong", [3, ["conv1"], b"conv2", 1.5])
def test_what_is_no_layers_name_is_named_with_those_there_are(wrong):
    network = forms()["nested"]
    for ask in (
        lambda: networks.find_layer(network, wrong),
        lambda: cam.grad_cam(network, images(), 0, layer=wrong),
        lambda: networks.record(network, images(), [wrong]),
        lambda: networks.penalized(network, l2=1, layers=[wrong]),
    ):
        with pytest.raises(ValueError, match=r"No layer .* It has: .*conv2"):
            ask()


def test_a_layer_in_place_of_its_name_is_understood():
    network = forms()["flat"]
    with pytest.raises(ValueError, match="Did you mean 'conv2'"):
        networks.find_layer(network, network.get_layer("conv2"))


def test_one_name_or_several_may_be_asked_for_and_nothing_else():
    network = forms()["nested"]
    assert list(networks.record(network, images(), "conv2")) == ["conv2"]
    assert list(networks.record(network, images(), iter(["conv2", "conv1"]))) == ["conv2", "conv1"]
    for wrong in (None, 3):
        with pytest.raises(ValueError, match=f"No layer {wrong}"):
            networks.record(network, images(), wrong)
