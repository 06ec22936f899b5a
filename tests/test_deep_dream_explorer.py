"""The deep dream explorer: it dreams in the background, stops when told, and leaves no thread."""

import io
import threading
from importlib import import_module

import keras
import numpy as np
import pytest
from PIL import Image
from test_explorers import shown, upload

from helpers import drawn, dreaming, explorers, networks
from helpers.explorers import background
from helpers.explorers.explorer import enlarge, png

module = import_module("helpers.explorers.deep_dream")  # the name is also the explorer's

LONG = 60  # seconds in which any of these dreams is over


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(4)
    return networks.build(3, size=32, widths=(4, 4, 8, 8, 8))


@pytest.fixture
def photo():
    return drawn.draw("dog", 2).image[20:84, 10:106]


@pytest.fixture
def explorer(network, photo):
    made = explorers.deep_dream(network, photo, "block2_conv1")
    made.set(octaves=2, steps=4)
    yield made
    made.stop()
    made.wait(LONG)
    assert not [t for t in threading.enumerate() if t.name == "dream"]


@pytest.fixture
def slow(monkeypatch):
    """Dreams that make each frame only when `go` is released, and note in `asked` what for."""
    go, asked = threading.Semaphore(0), []

    def frames(network, image, objective, octaves, steps, every, **_choices):
        for number in range(octaves * -(-steps // every)):
            assert go.acquire(timeout=LONG)
            asked.append(objective.terms[0].place)
            yield np.full(image.shape, number + 1, np.float32)

    monkeypatch.setattr(dreaming, "ascend_octaves", frames)
    return go, asked


def dreamt(explorer):
    explorer.dream()
    return explorer.wait(LONG)


@pytest.mark.slow
def test_before_a_dream_the_photo_is_shown_and_afterwards_the_dream(explorer, photo):
    assert np.array_equal(shown(explorer), enlarge(photo))
    assert explorer.label.text == "block2_conv1, all channels: press dream"
    assert dreamt(explorer) == "block2_conv1, all channels: dreamt, 2 of 2 frames"
    assert not np.array_equal(shown(explorer), enlarge(photo))
    assert (explorer.bar.value, explorer.bar.max) == (2, 2)


def test_the_dream_is_the_helpers(explorer, network, photo):
    explorer.set(channel=3, strength=4)
    dreamt(explorer)
    right = dreaming.deep_dream(
        network, photo, dreaming.channel("block2_conv1", 3), octaves=2, steps=4,
        rate=4 * module.STRENGTH, parameterization=dreaming.Spectrum(1.0), rule=dreaming.adam,
        transform=dreaming.shaken,
    )  # fmt: skip
    assert np.array_equal(shown(explorer), enlarge(np.round(right).astype(np.uint8)))


@pytest.mark.slow
def test_every_control_changes_the_dream(explorer, network):
    seen = {dreamt(explorer): shown(explorer)}
    before = shown(explorer)
    for name, value in (
        ("layer", "block3_conv1"),
        ("channel", 1),
        ("octaves", 3),
        ("steps", 8),
        ("strength", 10),
    ):
        assert explorer.set(**{name: value}).endswith(": press dream")
        label = dreamt(explorer)
        assert label.startswith(explorer.controls["layer"].value) and ": dreamt, " in label
        assert not np.array_equal(before, shown(explorer)), name
        seen[label], before = shown(explorer), shown(explorer)
    label = explorer.set(moment=50)
    assert label.endswith(", seen at frame 3") and "6 of 6 frames" in label
    assert not np.array_equal(before, shown(explorer))


@pytest.mark.slow
def test_a_dream_is_remembered_and_their_number_is_bounded(explorer, monkeypatch):
    monkeypatch.setattr(background, "KEPT_WORKS", 2)
    pictures = []
    for strength in (2, 5, 9):
        explorer.set(strength=strength)
        dreamt(explorer)
        pictures.append(shown(explorer))
    assert explorer.set(strength=5).endswith("dreamt, 2 of 2 frames")
    assert np.array_equal(shown(explorer), pictures[1])
    assert explorer.set(strength=2).endswith("press dream") and len(explorer._works) == 2


def test_stop_ends_the_dream_and_no_further_frame_is_shown(explorer, slow):
    go, asked = slow
    explorer.set(steps=40)
    explorer.dream()
    thread = explorer._latest.thread
    assert thread.is_alive() and "dreaming, 0 of 20 frames" in explorer.label.text
    go.release()
    while not explorer.bar.value:
        assert thread.is_alive()
        thread.join(0.01)
    explorer.buttons["stop"].click()  # returns at once, while a frame is being made
    assert explorer.label.text.endswith("stopped, 1 of 20 frames") and thread.is_alive()
    picture = shown(explorer)
    go.release()
    thread.join(LONG)
    assert not thread.is_alive() and len(asked) == 2
    assert np.array_equal(shown(explorer), picture) and explorer.bar.value == 1
    assert explorer.label.text.endswith("stopped, 1 of 20 frames")


def test_a_new_dream_begins_when_the_one_before_has_ended_and_shows_only_its_own(explorer, slow):
    go, asked = slow
    threads = []
    for layer in ("block1_conv1", "block1_conv2", "block2_conv2"):
        explorer.set(layer=layer)
        explorer.buttons["dream"].click()
        threads.append(explorer._latest.thread)
    assert all(thread.is_alive() for thread in threads) and not asked
    for _ in range(3):
        go.release()
    assert explorer.wait(LONG) == "block2_conv2, all channels: dreamt, 2 of 2 frames"
    for thread in threads:
        thread.join(LONG)
        assert not thread.is_alive()
    assert asked == ["block1_conv1", "block2_conv2", "block2_conv2"]
    assert explorer.set(layer="block1_conv1").endswith("stopped, 0 of 2 frames")


def states(explorer):
    """Which of the buttons, and the slider for the moment, can be used."""
    controls = {**explorer.buttons, "moment": explorer.controls["moment"]}
    return {name for name, control in controls.items() if not control.disabled}


def frame_is_made(explorer, go, number):
    go.release()
    while explorer.bar.value < number:
        assert explorer._latest.thread.is_alive()
        explorer._latest.thread.join(0.01)


def test_only_what_can_do_something_can_be_pressed(explorer, slow):
    go, _ = slow
    explorer.set(steps=12)
    assert states(explorer) == {"dream"}
    explorer.buttons["dream"].click()
    assert states(explorer) == {"stop"}  # nothing to look back at yet, nothing to save
    frame_is_made(explorer, go, 1)
    assert states(explorer) == {"stop", "moment"}
    explorer.buttons["stop"].click()
    assert states(explorer) == {"dream", "save film", "moment"}
    go.release()
    explorer.wait(LONG)
    explorer.buttons["dream"].click()
    for _ in range(6):
        go.release()
    assert explorer.wait(LONG).endswith("dreamt, 6 of 6 frames")
    assert states(explorer) == {"save film", "moment"}  # the same dream again would be the same
    explorer.set(strength=9)
    assert states(explorer) == {"dream"}
    explorer.set(strength=5)
    assert states(explorer) == {"save film", "moment"}


def test_after_a_problem_it_can_be_tried_again(explorer):
    explorer.set(channel=200)
    dreamt(explorer)
    assert states(explorer) == {"dream"}


def test_a_dream_is_seen_wherever_the_slider_for_the_moment_was_left(explorer, slow, photo):
    go, _ = slow
    explorer.set(moment=0)
    explorer.dream()
    frame_is_made(explorer, go, 1)
    assert explorer.controls["moment"].value == 100
    assert (shown(explorer) == 1).all()  # the first frame, and not the photo
    explorer.set(moment=0)  # looking back while it goes on
    assert np.array_equal(shown(explorer), enlarge(photo))
    go.release()
    assert explorer.wait(LONG).endswith("dreamt, 2 of 2 frames, seen at frame 0")


def test_a_slider_moved_while_it_dreams_says_what_goes_on_unseen(explorer, slow, photo):
    go, _ = slow
    explorer.dream()
    frame_is_made(explorer, go, 1)
    label = explorer.set(layer="block3_conv1")
    assert label == (
        "block3_conv1, all channels: press dream. Still dreaming: block2_conv1, all channels, "
        "1 of 2 frames; stop ends it, dream replaces it"
    )
    assert np.array_equal(shown(explorer), enlarge(photo))
    assert states(explorer) == {"dream", "stop"}
    assert (explorer.bar.value, explorer.bar.max) == (1, 2)  # of the one that goes on
    go.release()
    assert explorer.wait(LONG) == "block3_conv1, all channels: press dream"
    assert states(explorer) == {"dream"} and explorer.bar.value == 0
    assert explorer.set(layer="block2_conv1").endswith("dreamt, 2 of 2 frames")
    assert (shown(explorer) == 2).all()


def test_a_finished_film_is_not_replaced(explorer, slow, tmp_path):
    go, _ = slow
    explorer._film = tmp_path / "dream.gif"
    go.release()
    go.release()
    dreamt(explorer)
    explorer.buttons["save film"].click()
    explorer.set(steps=40)
    explorer.dream()
    explorer.save_film()
    assert explorer.label.text == "There is no film to save yet: press dream first."
    frame_is_made(explorer, go, 1)
    explorer.save_film()
    assert explorer.label.text.startswith("The film is not saved: the dream goes on.")
    assert [path.name for path in tmp_path.iterdir()] == ["dream.gif"]
    explorer.stop()
    explorer.buttons["save film"].click()
    says = f"Saved 2 frames in {tmp_path / 'dream_2.gif'} (stopped: 21 were wanted)"
    assert explorer.label.text == says
    for name, frames in (("dream.gif", 3), ("dream_2.gif", 2)):
        with Image.open(tmp_path / name) as film:
            assert film.n_frames == frames
    go.release()


def test_what_goes_wrong_is_said_and_the_next_dream_is_dreamt(explorer):
    explorer.set(channel=200)
    assert "no dream, for there is no channel 200 in 'block2_conv1'" in dreamt(explorer)
    explorer.set(channel=-1)
    assert dreamt(explorer).endswith("dreamt, 2 of 2 frames")


def test_a_film_is_saved_on_demand(explorer, tmp_path):
    explorer.save_film(tmp_path / "none.gif")
    assert "no film to save yet" in explorer.label.text and not list(tmp_path.iterdir())
    dreamt(explorer)
    explorer._film = tmp_path / "dream.gif"
    explorer.buttons["save film"].click()
    with Image.open(tmp_path / "dream.gif") as film:
        assert film.n_frames == 3 and film.size == (96, 64)
    assert explorer.label.text == f"Saved 3 frames in {tmp_path / 'dream.gif'}"
    explorer.save_film(tmp_path / "nowhere" / "dream.gif")
    assert explorer.label.text.startswith("The film is not saved. There is no folder")


@pytest.fixture(scope="module")
def residual():
    keras.utils.set_random_seed(5)
    image = keras.Input((None, None, 3))
    stem = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(image)
    left = keras.layers.Conv2D(4, 3, padding="same", name="left")(stem)
    both = keras.layers.Add(name="both")([stem, left])
    pooled = keras.layers.GlobalAveragePooling2D()(both)
    return keras.Model(image, keras.layers.Dense(2)(pooled))


@pytest.mark.slow
def test_of_several_networks_one_is_chosen_and_the_layers_follow_it(network, residual, photo):
    explorer = explorers.deep_dream({"small": network, "residual": residual}, photo, "block1_conv2")
    assert next(iter(explorer.controls)) == "network"
    explorer.set(octaves=1, steps=4)
    assert dreamt(explorer) == "small, block1_conv2, all channels: dreamt, 1 of 1 frames"
    first = shown(explorer)
    assert explorer.set(network="residual") == "residual, left, all channels: press dream"
    assert explorer.controls["layer"].options == ("stem", "left", "both")  # sums, too
    explorer.set(layer="both")
    assert dreamt(explorer) == "residual, both, all channels: dreamt, 1 of 1 frames"
    right = dreaming.deep_dream(
        residual, photo, dreaming.energy("both"), octaves=1, steps=4, rate=5 * module.STRENGTH,
        parameterization=dreaming.Spectrum(1.0), rule=dreaming.adam, transform=dreaming.shaken,
    )  # fmt: skip
    assert np.array_equal(shown(explorer), enlarge(np.round(right).astype(np.uint8)))
    assert explorer.set(network="small").startswith("small, block4_conv2, all channels: press")
    assert explorer.set(layer="block1_conv2").endswith("dreamt, 1 of 1 frames")
    assert np.array_equal(shown(explorer), first)


def test_a_layer_that_both_networks_have_stays_and_a_dream_goes_on_unseen(network, photo, slow):
    go, asked = slow
    explorer = explorers.deep_dream({"one": network, "other": network}, photo, "block2_conv1")
    explorer.set(octaves=2, steps=4)
    explorer.dream()
    label = explorer.set(network="other")
    assert label.startswith("other, block2_conv1, all channels: press dream. Still dreaming: one, ")
    go.release()
    go.release()
    assert explorer.wait(LONG) == "other, block2_conv1, all channels: press dream"
    assert asked == ["block2_conv1"] * 2


def test_a_single_network_needs_no_list(network, photo):
    for given in (network, {"mine": network}):
        explorer = explorers.deep_dream(given, photo)
        assert "network" not in explorer.controls
        assert explorer.label.text == "block4_conv2, all channels: press dream"


def test_your_own_photo_is_cropped_and_dreamt_and_what_is_no_photo_is_named(explorer, photo):
    mine = drawn.draw("cat", 4).image
    explorer.controls["upload"].value = upload(png(mine))
    before = shown(explorer)
    assert before.shape == enlarge(photo).shape and not np.array_equal(before, enlarge(photo))
    assert dreamt(explorer).endswith("dreamt, 2 of 2 frames")
    dream = shown(explorer)
    assert not np.array_equal(dream, before)
    explorer.controls["upload"].value = upload(b"no picture at all")
    said = explorer.notice.text
    assert " is not shown: " in said and said.endswith(". The photo before it stays.")
    assert np.array_equal(shown(explorer), dream)
    explorer.set(strength=9)
    assert np.array_equal(shown(explorer), before) and explorer.notice.text == said
    explorer.controls["upload"].value = upload(png(mine))
    assert not explorer.notice.text


def test_where_no_widget_can_be_the_dream_is_a_picture(explorer):
    dreamt(explorer)
    bundle, metadata = explorer._repr_mimebundle_()
    (kind,) = set(bundle) & {"image/png", "image/jpeg"}
    assert metadata[kind]["alt"].startswith("Deep dream explorer: block2_conv1")
    assert bundle["text/plain"].startswith("Deep dream explorer: upload, layer, channel, octaves")
    assert Image.open(io.BytesIO(explorer.image.value)).size == (576, 384)


def test_what_cannot_dream_is_said_at_once(network, photo):
    flat = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="has no convolution to dream with"):
        explorers.deep_dream(flat, photo)
    with pytest.raises(ValueError, match="has no convolution to dream with"):
        explorers.deep_dream({"good": network, "flat": flat}, photo)
    with pytest.raises(ValueError, match="give at least one"):
        explorers.deep_dream({}, photo)
    with pytest.raises(ValueError, match="must be uint8"):
        explorers.deep_dream(network, photo / 255)
