"""Explorers of lesson 04: each control changes the picture, the label tells the truth."""

import io

import numpy as np
import pytest
from PIL import Image

from helpers import explorers, gradients, load_world, networks, plotting, saliency
from helpers.explorers import explorer as pattern

pytestmark = pytest.mark.slow  # its maps are computed in advance; lesson 04 shows it in `make test`


@pytest.fixture(scope="module")
def world():
    return load_world("drawn")


@pytest.fixture(scope="module")
def maps(world):
    return explorers.pixel_maps(world, world.test.images[:2])


def shown(explorer):
    """What is shown, without the titles above."""
    return np.asarray(Image.open(io.BytesIO(explorer.image.value)))[pattern.TITLE :]


def right_half(explorer):
    picture = shown(explorer)
    return picture[:, (picture.shape[1] - 8) // 2 + 8 :]


@pytest.mark.parametrize(
    ("method", "knob", "value"),
    [
        ("gradient", "image", 1),
        ("gradient", "target", "dog"),
        ("gradient", "signed", False),
        ("gradient", "method", "guided gradient"),
        ("gradient", "method", "LIME"),
        ("SmoothGrad", "samples", 16),
        ("SmoothGrad", "noise", 30),
        ("integrated gradients", "steps", 1),
        ("occlusion", "window", 48),
    ],
)
def test_every_control_changes_the_map(maps, method, knob, value):
    maps.set(image=0, target="cat", signed=True, samples=4, noise=15, steps=4, window=32)
    maps.set(method=method)
    before = right_half(maps)
    maps.set(**{knob: value})
    assert not np.array_equal(before, right_half(maps))


def test_windows_are_as_large_a_share_of_a_larger_picture(world):
    large = np.kron(world.test.images[:1], np.ones((1, 2, 2, 1), np.uint8))[:, :192, :192]
    network = networks.build(2, size=192, widths=(4, 4, 4, 4, 4))
    maps = explorers.pixel_maps(world, large, network)
    assert maps.controls["window"].options == (36, 48, 72)


def test_a_knob_that_the_method_does_not_hear_is_disabled_and_changes_nothing(maps):
    maps.set(method="SmoothGrad")
    assert not maps.controls["samples"].disabled and maps.controls["steps"].disabled
    maps.set(method="integrated gradients", steps=4)
    assert maps.controls["samples"].disabled and not maps.controls["steps"].disabled
    before = shown(maps), maps.label.text
    maps.set(samples=1, window=24)
    assert np.array_equal(before[0], shown(maps)) and before[1] == maps.label.text


def test_the_map_is_the_helpers_own_and_the_label_names_it(world, maps):
    label = maps.set(image=1, method="SmoothGrad", target="dog", samples=4, noise=30, signed=False)
    chance = networks.predict(world.network, world.test.images[1])[0]
    assert label.startswith("SmoothGrad, 4 samples, noise 30 % for dog; the network says cat ")
    score = gradients.scores(world.network, world.test.images[1])[0, 1]
    assert label.endswith(f"dog {chance[1]:.0%}; how much dog: score {score:+.1f}")
    heat = saliency.smooth_gradient(world.network, world.test.images[1], 1, samples=4, noise=0.3)
    expected = pattern.enlarge(plotting.paint(heat)).astype(int)
    assert np.abs(expected - right_half(maps)).mean() < 1


def test_too_many_pictures_are_refused(world):
    with pytest.raises(ValueError, match="9 images; give at most 8"):
        explorers.pixel_maps(world, world.test.images[:9])
