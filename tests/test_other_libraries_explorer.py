"""Explorer of lesson 11: each control changes the picture, the label tells the truth."""

import numpy as np
import pytest
from test_explorers import shown

from helpers import explorers, load_world
from helpers.metrics import libraries


@pytest.fixture(scope="module")
def world():
    return load_world("drawn")


@pytest.fixture(scope="module")
def explorer(world):
    return explorers.other_libraries(world, world.test.images[:2])


@pytest.mark.parametrize(
    ("name", "value"),
    [("image", 1), ("method", "gradient"), ("library", "xplique"), ("target", "dog")],
)
def test_every_control_changes_the_picture(explorer, name, value):
    explorer.set(image=0, method="Grad-CAM", library="tf-keras-vis", target="cat")
    before = shown(explorer)
    explorer.set(**{name: value})
    assert not np.array_equal(before, shown(explorer))


def test_the_label_says_how_far_apart_and_why(world, explorer):
    label = explorer.set(image=0, method="Grad-CAM", library="xplique", target="cat")
    maps = [
        way(world.network, world.test.images[0], 0)
        for way in (libraries.THEIRS["xplique"]["Grad-CAM"][1], libraries.OURS["Grad-CAM"])
    ]
    off = libraries.apart(*(heat / np.abs(heat).max() for heat in maps))
    assert label == f"xplique, Grad-CAM: enlarged by cubic curves; apart by {off:.0%}"


def test_the_same_is_apart_by_nothing(explorer):
    label = explorer.set(image=0, method="Grad-CAM", library="pytorch-grad-cam", target="cat")
    assert label == "pytorch-grad-cam, Grad-CAM: the same; apart by 0%"


def test_what_a_library_lacks_is_said(explorer):
    label = explorer.set(image=0, method="gradient", library="pytorch-grad-cam", target="cat")
    assert label == "pytorch-grad-cam has no gradient."
