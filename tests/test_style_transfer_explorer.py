"""The style explorer: it paints in the background, and each control changes the painting."""

import threading
from importlib import import_module

import keras
import numpy as np
import pytest
from test_explorers import shown, upload

from helpers import drawn, dreaming, explorers, networks
from helpers.explorers.explorer import enlarge, png

LONG = 60  # seconds in which any of these paintings is done


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(4)
    return networks.build(3, size=32, widths=(4, 4, 8, 8, 8))


@pytest.fixture
def photo():
    return drawn.draw("dog", 2).image[20:68, 10:74]


@pytest.fixture
def explorer(network, photo, monkeypatch):
    module = import_module("helpers.explorers.style_transfer")  # the name is also the explorer's
    monkeypatch.setattr(module, "STEPS", 6)
    monkeypatch.setattr(module, "EVERY", 2)
    styles = {name: dreaming.pattern(name, (40, 48)) for name in ("waves", "mosaic")}
    made = explorers.style_transfer(network, photo, styles)
    yield made
    made.stop()
    made.wait(LONG)
    assert not [t for t in threading.enumerate() if t.name == "picture"]


def painted(explorer):
    explorer.start()
    return explorer.wait(LONG)


def test_before_a_painting_the_photo_is_shown(explorer, photo):
    assert explorer.label.text == "waves, style weight 30: press paint"
    assert np.array_equal(shown(explorer), enlarge(photo))
    assert painted(explorer) == "waves, style weight 30: painted, 3 of 3 frames"
    assert not np.array_equal(shown(explorer), enlarge(photo))


def test_the_painting_is_the_helpers(explorer, network, photo):
    painted(explorer)
    layer, layers = dreaming.default_layers(network)
    objective = dreaming.content_of(network, photo, layer)
    style = dreaming.pattern("waves", (40, 48))
    objective += 30 * dreaming.style_of(network, style, layers)
    how = dict(dreaming.WAVES, steps=6, rate=0.05)
    wanted = dreaming.maximize(network, objective, photo, **how)
    found = explorer._latest.frames[-1][0]
    assert np.abs(found - wanted).max() <= 1


@pytest.mark.slow
def test_every_control_changes_the_painting(explorer):
    seen = [painted(explorer)]
    pictures = [shown(explorer)]
    for change in ({"style": "mosaic"}, {"weight": 1}, {"colours": True}):
        assert explorer.set(**change).endswith("press paint")
        seen.append(painted(explorer))
        assert not any(np.array_equal(shown(explorer), before) for before in pictures), change
        pictures.append(shown(explorer))
    assert seen[-1] == "mosaic, style weight 1, in the photo's colours: painted, 3 of 3 frames"
    assert explorer.set(moment=0).endswith("seen at frame 0")


def test_a_style_of_your_own_is_chosen_at_once_and_what_is_no_picture_is_named(explorer):
    assert explorer.set(style="your style") == "your style, style weight 30: press paint"
    assert "there is no picture to paint like: upload one" in painted(explorer)
    explorer.set(style="waves")
    explorer.controls["upload_style"].value = upload(png(dreaming.pattern("mosaic", (40, 48))))
    assert painted(explorer) == "your style, style weight 30: painted, 3 of 3 frames"
    own = shown(explorer)
    explorer.set(style="mosaic")
    painted(explorer)
    assert np.abs(np.subtract(own, shown(explorer), dtype=float)).mean() < 10
    explorer.controls["upload_style"].value = upload(b"no picture at all")
    assert " is not shown: " in explorer.notice.text
    assert explorer.notice.text.endswith(". The choice before it stays.")
    explorer.set(style="your style")
    assert np.array_equal(shown(explorer), own)


def test_one_of_several_networks_paints(network, photo):
    keras.utils.set_random_seed(5)
    other = networks.build(3, size=32, widths=(4, 4, 8, 8, 8))
    styles = {"waves": dreaming.pattern("waves", (40, 48))}
    both = explorers.style_transfer({"one": network, "other": other}, photo, styles)
    assert both.label.text == "one: waves, style weight 30: press paint"
    assert both.set(network="other") == "other: waves, style weight 30: press paint"


def test_what_cannot_be_painted_is_named(network, photo):
    with pytest.raises(ValueError, match="one style or more"):
        explorers.style_transfer(network, photo, {})
    bare = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    with pytest.raises(ValueError, match="no convolutions"):
        explorers.style_transfer(bare, photo, {"same": photo})
