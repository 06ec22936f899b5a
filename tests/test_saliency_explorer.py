"""Explorers of lesson 04: each control changes the picture, the label tells the truth."""

import io

import numpy as np
import pytest
from PIL import Image

from helpers import drawn, explorers, gradients, load_world, networks, plotting, saliency
from helpers.explorers import explorer as pattern

pytestmark = pytest.mark.slow  # its maps are computed in advance; lesson 04 shows it in `make test`


@pytest.fixture(scope="module")
def world():
    return load_world("drawn")


@pytest.fixture(scope="module")
def maps(world):
    return explorers.pixel_maps(world, world.test.images[:2])


@pytest.fixture(scope="module")
def surgery(world):
    return explorers.part_surgery(
        {"pets": world.network, "robust": world.load_network("pets_robust")}
    )


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


@pytest.mark.parametrize("part", drawn.FACE)
def test_a_part_taken_away_is_drawn_away_and_its_maps_follow(surgery, part):
    surgery.set(seed=1, kind="cat", method="gradient", **dict.fromkeys(drawn.FACE, True))
    before, said = shown(surgery), surgery.label.text
    surgery.set(**{part: False})
    after = shown(surgery)
    for number in range(3):  # the picture and two maps
        columns = slice(264 * number, 264 * number + 256)
        assert not np.array_equal(before[:, columns], after[:, columns])
    bare = drawn.draw("cat", 1, (part,)).image
    assert np.array_equal(after[:, :256], pattern.enlarge(bare, 256))
    assert said.startswith("cat, whole. ")
    assert surgery.label.text.startswith(f"cat without {part}. ")


@pytest.mark.parametrize(("name", "value"), [("seed", 2), ("kind", "dog"), ("method", "Grad-CAM")])
def test_another_animal_or_method_is_another_picture(surgery, name, value):
    surgery.set(seed=1, kind="cat", method="gradient", **dict.fromkeys(drawn.FACE, True))
    before = shown(surgery)
    surgery.set(**{name: value})
    assert not np.array_equal(before, shown(surgery))


def test_the_surgeon_reports_what_each_network_says(world, surgery):
    label = surgery.set(seed=3, kind="dog", ears=True, eyes=False, muzzle=False, whiskers=True)
    picture = drawn.draw("dog", 3, ("eyes", "muzzle")).image
    assert label.startswith("dog without eyes, muzzle. pets: dog ")
    for name, network in (("pets", world.network), ("robust", world.load_network("pets_robust"))):
        chance = networks.predict(network, picture)[0, 1]
        score = gradients.scores(network, picture)[0, 1]
        assert f"{name}: dog {chance:.0%}, score {score:+.1f}" in label
