"""Explorers: a control moved is another picture; wrong values are named; memory is bounded."""

import base64
import io
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from helpers import explorers, load_world, networks
from helpers.explorers import explorer as pattern


@pytest.fixture(scope="module")
def world():
    return load_world("drawn")


def shown(explorer):
    return np.asarray(Image.open(io.BytesIO(explorer.image.value)))


def panels(explorer):
    """What is shown, without the titles above."""
    return shown(explorer)[pattern.TITLE :]


def test_every_control_changes_the_picture(world):
    explorer = explorers.grad_cam(world)
    before = shown(explorer)
    assert before.ndim == 3 and before.shape[0] >= 256
    for name, value in (
        ("image", 5),
        ("layer", "block3_conv3"),
        ("target", "dog"),
        ("strength", 20),
    ):
        explorer.set(**{name: value})
        after = shown(explorer)
        assert not np.array_equal(before, after), name
        before = after


def test_the_label_says_what_is_seen(world):
    explorer = explorers.grad_cam(world)
    label = explorer.set(image=7, layer="block5_conv3", target="dog")
    chance = networks.predict(world.network, world.test.images[7])[0]
    assert label.startswith("block5_conv3 for dog; the network says ")
    assert f"cat {chance[0]:.0%}" in label and f"dog {chance[1]:.0%}" in label


def test_the_label_is_text_whatever_it_says():
    words = '<b> & "quotes" it\'s'
    black = np.zeros((9, 9, 3), np.uint8)
    explorer = explorers.Explorer(
        "sign", lambda n: (black, words), {"n": pattern.slider("n", most=9)}
    )
    assert explorer.label.text == explorer.set(n=3) == words
    assert explorer.label.value.startswith("&lt;b&gt; &amp; ")


def test_at_strength_zero_both_halves_are_the_picture(world):
    explorer = explorers.grad_cam(world, images=world.test.images[3])
    explorer.set(strength=0)
    picture = panels(explorer)
    half = (picture.shape[1] - 8) // 2
    assert np.array_equal(picture[:, :half], picture[:, half + 8 :])
    enlarged = pattern.enlarge(world.test.images[3])
    assert np.array_equal(picture[:, :half], enlarged) and enlarged.shape == (384, 384, 3)


def test_values_that_cannot_be_are_named(world):
    explorer = explorers.grad_cam(world)
    with pytest.raises(ValueError, match="unknown control 'colour'; choose from image, layer"):
        explorer.set(colour=3)
    with pytest.raises(ValueError, match="image cannot be 4000; the limit is 399"):
        explorer.set(image=4000)
    for name, value in (("target", "owl"), ("layer", "block9")):
        with pytest.raises(ValueError, match=f"{name} cannot be '{value}'"):
            explorer.set(**{name: value})


def test_a_picture_seen_before_is_not_drawn_again_and_memory_is_bounded(monkeypatch):
    drawn = []

    def draw(number):
        drawn.append(number)
        return np.full((4, 4, 3), number, np.uint8), str(number)

    monkeypatch.setattr(pattern, "KEPT", 3)
    explorer = explorers.Explorer("counter", draw, {"number": pattern.slider("number", most=9)})
    for number in (1, 2, 1, 3, 1, 0):
        assert explorer.set(number=number) == str(number)
    assert drawn == [0, 1, 2, 3, 0]
    assert len(explorer._kept) == 3


def test_what_is_shown_has_a_picture_where_no_widget_can_be(world):
    bundle, metadata = explorers.grad_cam(world)._repr_mimebundle_()
    assert bundle["text/plain"] == "Grad-CAM explorer: image, layer, target, strength"
    (kind,) = set(bundle) & {"image/png", "image/jpeg"}
    assert Image.open(io.BytesIO(base64.b64decode(bundle[kind]))).size[0] > 500
    assert "the network says" in metadata[kind]["alt"]
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"]


def test_controls_say_what_they_are_when_pointed_at(world):
    explorer = explorers.own_photo(world, world.test.images[0])
    tips = [control.tooltip for control in explorer.controls.values()]
    assert tips == ["your photo", "class", "overlay %"]


def upload(content, version=8):
    now = datetime.now(UTC)
    entry = {"name": "mine.jpg", "type": "image/jpeg", "size": len(content), "last_modified": now}
    entry["content"] = memoryview(content)
    return (entry,) if version == 8 else {"mine.jpg": entry}


@pytest.mark.parametrize("version", [7, 8])
def test_an_upload_is_read_in_either_version_of_the_widgets(version):
    photo = explorers.png(np.zeros((3, 3, 3), np.uint8))
    assert pattern.uploaded(upload(photo, version)) == ("mine.jpg", photo)
    assert pattern.uploaded({} if version == 7 else ()) == ("", None)


def test_your_own_photo_stays_when_the_next_file_is_no_photo(world):
    first, mine, other = world.test.images[:3]
    explorer = explorers.own_photo(world, first)
    explorer.set(strength=0)
    button = explorer.controls["upload"]

    def left():
        return panels(explorer)[:, :384]

    def said():
        return explorer.notice.text, explorer.notice.layout.display

    assert np.array_equal(left(), pattern.enlarge(first)) and said() == ("", "none")
    for photo in (mine, other):
        button.value = upload(explorers.png(photo))
        assert np.array_equal(left(), pattern.enlarge(photo)) and said() == ("", "none")
        button.value = upload(b"no picture at all")
        assert np.array_equal(left(), pattern.enlarge(photo))
        words, display = said()
        assert words.startswith("mine.jpg is not shown: ") and display == ""
        assert words.endswith(". The photo before it stays.") and ".." not in words
        explorer.set(target="dog")
        explorer.set(target="cat")
        assert np.array_equal(left(), pattern.enlarge(photo)) and said()[0] == words
    assert explorer.box.children[1].children.index(explorer.notice) == 1  # above the picture
    assert explorer.label.text.startswith("cat? The network says ")


def test_each_panel_stands_under_its_title():
    grey = np.full((96, 96, 3), 90, np.uint8)
    sheet = pattern.side_by_side({"left": grey, "": grey, "a third" * 90: grey})
    assert sheet.shape == (pattern.TITLE + 384, 3 * 384 + 2 * pattern.GAP, 3)
    titles = sheet[: pattern.TITLE]
    wide = 384 + pattern.GAP
    inked = [(titles[:, n * wide : n * wide + 384] < 128).any() for n in range(3)]
    assert inked == [True, False, True]
    assert (sheet[pattern.TITLE :, 384 : 384 + pattern.GAP] == 255).all()
    assert (sheet[pattern.TITLE :, :384] == 90).all()
