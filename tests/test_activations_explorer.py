"""The channel explorer: every control changes the picture, and the label tells the truth."""

import io

import keras
import numpy as np
import pytest
from PIL import Image

from helpers import activations, explorers, load_world
from helpers.explorers import explorer as pattern

LAYERS = ("block1_conv1", "block3_conv1", "block4_conv3")


@pytest.fixture(scope="module")
def world():
    return load_world("drawn")


@pytest.fixture(scope="module")
def robust(world):
    return world.load_network("pets_robust")


@pytest.fixture(scope="module")
def explorer(world, robust):
    return explorers.channels(world, robust, LAYERS, count=20)


def halves(explorer):
    """Return the picture and the view beside it, without their titles."""
    shown = np.asarray(Image.open(io.BytesIO(explorer.image.value)))[pattern.TITLE :]
    half = (shown.shape[1] - 8) // 2
    return shown[:, :half], shown[:, half + 8 :]


def test_every_control_changes_the_picture(explorer):
    explorer.set(image=26, layer="block4_conv3", channel=10, view="mask")
    before = explorer.image.value
    for name, value in (
        ("image", 31),
        ("layer", "block3_conv1"),
        ("channel", 45),
        ("view", "plain"),
        ("view", "strongest pictures"),
        ("view", "synthesized"),
    ):
        explorer.set(**{name: value})
        assert explorer.image.value != before, (name, value)
        assert f", {explorer.controls['view'].value}: " in explorer.label.text
        before = explorer.image.value


def test_the_left_half_is_the_picture_whatever_the_view(explorer, world):
    explorer.set(image=5, layer="block1_conv1")
    for view in explorer.controls["view"].options:
        explorer.set(view=view)
        assert np.array_equal(halves(explorer)[0], pattern.enlarge(world.test.images[5])), view


def test_the_label_says_how_strong_the_channel_is(explorer, world, robust):
    label = explorer.set(image=26, layer="block4_conv3", channel=10, view="mask")
    answers = activations.strengths(robust, world.test.images[:20], "block4_conv3")[:, 10]
    here = activations.strengths(robust, world.test.images[26], "block4_conv3")[0, 10]
    assert label == (
        "block4_conv3, channel 10, mask: "
        f"strongest here {here:.2f}, in any picture {answers.max():.2f}"
    )


def test_the_strongest_pictures_are_those_that_activations_finds(explorer, world, robust):
    label = explorer.set(layer="block4_conv3", channel=87, view="strongest pictures")
    best = activations.strongest_images(robust, world.test.images[:20], "block4_conv3", 87)
    assert label.endswith("pictures " + ", ".join(str(number) for number in best))
    first = halves(explorer)[1][:120, :120].astype(float)
    wanted = np.asarray(Image.fromarray(world.test.images[best[0]]).resize((127, 127)), float)
    assert np.abs(first - wanted[:120, :120]).mean() < 12


def test_a_layer_offers_its_own_channels_the_strongest_first(explorer, world, robust):
    for name, count in zip(LAYERS, (12, 48, 96), strict=True):
        explorer.set(layer=name)
        offered = list(explorer.controls["channel"].options)
        assert sorted(offered) == list(range(count))
        strong = activations.strongest_channels(robust, world.test.images[:20], name, k=5)
        assert offered[:5] == strong.tolist()
        assert explorer.label.text.startswith(f"{name}, channel {offered[0]}, ")
    with pytest.raises(ValueError, match="channel cannot be 96"):
        explorer.set(channel=96)


@pytest.mark.slow
def test_a_silent_channel_leaves_the_mask_grey_and_the_map_black(explorer, world, robust):
    answers = activations.strengths(robust, world.test.images, "block4_conv3")
    image, channel = np.argwhere((answers[20:] == 0) & (answers[:20].max(axis=0) > 1))[0]
    explorer.set(image=int(image) + 20, layer="block4_conv3", channel=int(channel), view="mask")
    left, right = halves(explorer)
    kept = activations.FADED
    faded = kept * left.mean() + (1 - kept) * activations.GREY
    assert right.mean() == pytest.approx(faded, rel=0.01)
    explorer.set(view="plain")
    assert halves(explorer)[1].max() < 20


@pytest.mark.slow
def test_a_synthesized_picture_is_made_once_and_excites_its_channel(explorer, world, robust):
    explorer.set(layer="block4_conv3", channel=10, view="synthesized")
    made = Image.fromarray(halves(explorer)[1]).resize((128, 128))
    found = activations.strengths(robust, np.asarray(made), "block4_conv3")[0, 10]
    assert found > np.median(
        activations.strengths(robust, world.test.images, "block4_conv3")[:, 10]
    )
    picture = halves(explorer)[1]
    explorer.set(image=7)
    assert np.array_equal(halves(explorer)[1], picture)


def test_by_default_all_convolutions_of_the_worlds_network_are_offered(world):
    explorer = explorers.channels(world, count=2)
    assert len(explorer.controls["layer"].options) == 13
    assert explorer.label.text.startswith("block5_conv3, channel ")


@pytest.fixture(scope="module")
def several(world, robust):
    nets = {"robust": robust, "pets": world.network}
    return explorers.channels(
        world, nets, {"robust": LAYERS}, count=10, images=world.test.images[:12]
    )


def test_several_networks_have_a_list_of_their_own(several, world):
    several.set(network="robust", image=11, layer="block3_conv1", view="mask")
    before = several.image.value
    label = several.set(network="pets")
    assert label.startswith("pets, block5_conv3, channel ") and several.image.value != before
    assert len(several.controls["layer"].options) == 13 and several.controls["image"].max == 11
    strong = activations.strengths(world.network, world.test.images[:10], "block5_conv3")
    offered = list(several.controls["channel"].options)
    assert offered == np.argsort(-strong.mean(axis=0), kind="stable").tolist()
    assert several.set(network="robust").startswith("robust, block4_conv3, channel ")
    assert several.controls["layer"].options == LAYERS


def test_a_change_of_network_draws_once(several):
    several.set(network="robust")
    drawn, draw = [], several._draw
    several._draw = lambda **values: drawn.append(values) or draw(**values)
    try:
        several._kept.clear()
        several.set(network="pets")
    finally:
        several._draw = draw
    assert len(drawn) == 1


def test_no_network_and_a_network_without_convolutions_are_named(world):
    with pytest.raises(ValueError, match="give at least one network"):
        explorers.channels(world, {})
    flat = keras.Sequential([keras.Input((128, 128, 3)), keras.layers.Flatten()], name="flat")
    with pytest.raises(ValueError, match="no layer to look at: 'flat' has no convolution"):
        explorers.channels(world, {"pets": world.network, "flat": flat})
