"""Explorers: a control moved is another picture; wrong values are named; memory is bounded."""

import base64
import html
import io
import json
import warnings
from datetime import UTC, datetime
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

from helpers import cam, explorers, gradients, load_world, networks, photos, plotting
from helpers.core import front_end, page
from helpers.explorers import explorer as pattern
from helpers.explorers import saliency


@pytest.fixture(scope="module")
def world():
    return load_world("drawn")


def shown(explorer):
    return np.asarray(Image.open(io.BytesIO(explorer.image.value)))


def assert_moves_change_the_picture(explorer, moves):
    """Make one move after another, each of which shows; then going back shows the first picture."""
    first, before = shown(explorer), shown(explorer)
    start = explorer.values()
    for name, value in moves.items():
        explorer.set(**{name: value})
        after = shown(explorer)
        assert after.shape == before.shape and not np.array_equal(before, after), name
        before = after
    explorer._kept.clear()
    explorer.set(**start)
    assert np.array_equal(shown(explorer), first)


def panels(explorer):
    """What is shown, without the titles above."""
    return shown(explorer)[pattern.TITLE :]


@pytest.mark.slow
def test_every_control_changes_the_picture(world):
    explorer = explorers.grad_cam(world)
    before = shown(explorer)
    assert before.ndim == 3 and before.shape[0] >= 256
    for name, value in (
        ("image", 5),
        ("layer", "block3_conv3"),
        ("target", "dog"),
        ("explains", "margin"),
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
    cat, dog = gradients.scores(world.network, world.test.images[7])[0]
    assert label.endswith(f"; how much dog: score {dog:+.1f}")
    label = explorer.set(explains="margin")
    assert label.endswith(f"; why dog and not cat: margin {dog - cat:+.1f}")


def test_what_is_explained_names_the_class_and_stays_chosen(world):
    explorer = explorers.grad_cam(world, world.test.images[:2])
    explains = explorer.controls["explains"]
    assert [words for words, _ in explains.options] == ["how much cat", "why cat and not dog"]
    explorer.set(image=1, explains="margin")
    label = explorer.set(target="dog")
    assert [words for words, _ in explains.options] == ["how much dog", "why dog and not cat"]
    assert explains.value == "margin" and "why dog and not cat: margin " in label
    heat = cam.grad_cam(world.network, world.test.images[1], 1, "block5_conv3", against="rest")
    laid = plotting.overlay(
        world.test.images[1], plotting.rescale(heat), plotting.colors(), strength=0.8
    )
    assert np.array_equal(panels(explorer)[:, -384:], pattern.enlarge(laid))


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
    assert bundle["text/plain"] == "Grad-CAM explorer: image, layer, target, explains, strength"
    (kind,) = set(bundle) & {"image/png", "image/jpeg"}
    assert Image.open(io.BytesIO(base64.b64decode(bundle[kind]))).size[0] > 500
    assert "the network says" in metadata[kind]["alt"]
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"]


def test_controls_say_what_they_are_when_pointed_at(world):
    explorer = explorers.own_photo(world, world.test.images[0])
    tips = [control.tooltip for control in explorer.controls.values()]
    assert tips == ["your photo", "class", "explains", "overlay %"]


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


def little(*layers, size=32):
    """A network of these layers, weights by a seed."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((size, size, 3)), *layers], name="little")
    network.predict(np.zeros((1, size, size, 3)), verbose=0)
    return network


def conv(activation="relu", name="conv"):
    return keras.layers.Conv2D(3, 3, activation=activation, name=name)


def world_of(names, count=3, size=32):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, size, size, 3), np.uint8)
    split = SimpleNamespace(images=images, labels=np.zeros(count, int), parts=None)
    return SimpleNamespace(test=split, class_names=names, network=None)


POOL = keras.layers.GlobalAveragePooling2D
HEADS = {
    "logits": (("a", "b", "c"), lambda: [conv(), POOL(), keras.layers.Dense(3)]),
    "softmax": (("a", "b"), lambda: [conv(), POOL(), keras.layers.Dense(2, "softmax")]),
    "sigmoid": (("a", "b"), lambda: [conv(), POOL(), keras.layers.Dense(1, "sigmoid")]),
    "swish": (("a", "b"), lambda: [conv("swish"), POOL(), keras.layers.Dense(2)]),
    "nested": (
        ("a", "b"),
        lambda: [keras.Sequential([conv(), keras.layers.ReLU()]), POOL(), keras.layers.Dense(2)],
    ),
    "thousand": (
        ("Ba$$in", "crane", "crane", *map(str, range(997))),
        lambda: [conv(), POOL(), keras.layers.Dense(1000)],
    ),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The guided gradient is left out")
@pytest.mark.parametrize("head", HEADS)
def test_every_kind_of_classifier_can_be_looked_at(head, monkeypatch):
    names, layers = HEADS[head]
    world, network = world_of(names), little(*layers())
    monkeypatch.setattr(saliency, "METHODS", {k: saliency.METHODS[k] for k in QUICK_ONES})
    for make in (
        lambda: explorers.grad_cam(world, network=network),
        lambda: explorers.own_photo(world, world.test.images[0], network),
        lambda: explorers.channels(world, network),
        lambda: explorers.pixel_maps(world, world.test.images[:1], network),
    ):
        explorer = make()
        if "target" in explorer.controls:
            last = explorer.controls["target"].options[-1]
            assert last in explorer.set(target=last)
            kind = "margin" if len(names) == 2 else "log-odds"
            assert f"why {last} and not " in explorer.set(explains="margin")
            assert f": {kind} " in explorer.label.text
        assert shown(explorer).shape[0] > 300 and not explorer.notice.text
        assert len(explorer.label.text) < 250
    if head == "thousand":
        assert {"crane (1)", "crane (2)"} < set(explorer.controls["target"].options)
        assert ", and 997 others" in explorer.label.text


QUICK_ONES = ("gradient", "guided gradient")


def one_of_two():
    """Networks of 2 classes and of ImageNet's, the second for pictures of any size."""
    keras.utils.set_random_seed(1)
    x = keras.Input((None, None, 3))
    deep = x
    for number in range(20):
        deep = keras.layers.Conv2D(3, 3, padding="same", name=f"conv{number}")(deep)
    free = keras.Model(x, keras.layers.Dense(1000)(POOL()(deep)), name="free")
    return {"small": little(conv(), POOL(), keras.layers.Dense(2)), "real": free}


@pytest.mark.slow
def test_one_of_several_networks_can_be_chosen():
    world, nets = world_of(("a", "b"), count=2, size=48), one_of_two()
    explorer = explorers.grad_cam(world, network=nets)
    assert list(explorer.controls)[:2] == ["network", "image"]
    assert panels(explorer).shape[0] == 384  # 32 pixels, twelve times as large
    explorer.set(target="b", explains="margin")
    label = explorer.set(network="real")
    best = int(networks.predict(nets["real"], world.test.images[0])[0].argmax())
    name = explorer.controls["target"].value
    assert name.startswith(photos.imagenet.names()[best]) and label.startswith(f"conv19 for {name}")
    assert (
        explorer.controls["explains"].value == "margin" and f"why {name} and not another" in label
    )
    assert len(explorer.controls["target"].options) == 1000
    layers = explorer.controls["layer"].options
    assert len(layers) <= 14 and layers[-4:] == ("conv16", "conv17", "conv18", "conv19")
    heat = cam.grad_cam(nets["real"], world.test.images[0], best, "conv19", against="rest")
    laid = plotting.overlay(world.test.images[0], plotting.rescale(heat), plotting.colors(), 0.8)
    enlarged = pattern.enlarge(laid)
    assert np.array_equal(panels(explorer)[:, -enlarged.shape[1] :], enlarged)
    assert explorer.set(network="small").startswith("conv for a; ")
    assert explorer.controls["target"].options == ("a", "b")
    with pytest.raises(ValueError, match="network cannot be 'third'"):
        explorer.set(network="third")


@pytest.mark.slow
def test_of_many_classes_the_most_probable_come_first_for_each_image():
    world, network = world_of(("a", "b"), count=2, size=48), one_of_two()["real"]
    first, second = world.test.images
    for explorer, show in (
        (explorers.grad_cam(world, network=network), lambda e: e.set(image=1)),
        (
            explorers.own_photo(world, first, network),
            lambda e: setattr(e.controls["upload"], "value", upload(explorers.png(second))),
        ),
    ):
        for image in (first, second):
            if image is not first:
                show(explorer)
            chances = networks.predict(network, image)[0]
            names = pattern.class_names(world.class_names, network, image[None])
            best = [names[k] for k in np.argsort(-chances)[:10]]
            options = list(explorer.controls["target"].options)
            assert options[:10] == best and explorer.controls["target"].value == best[0]
            assert options[10:] == sorted(set(names) - set(best), key=str.casefold)
            assert best[0] in explorer.label.text


def test_what_an_explorer_cannot_show_is_named():
    world, network = world_of(("a", "b")), little(conv(), POOL(), keras.layers.Dense(2))
    flat = little(keras.layers.Flatten(), keras.layers.Dense(2))
    images = world.test.images
    ragged = [images[0], images[0][:5]]
    for make in (explorers.grad_cam, explorers.pixel_maps):
        for bad, says in (
            (images[:0], "no images to show"),
            (ragged, r"shapes \(32, 32, 3\) and \(5, 32, 3\)"),
            (images / 255.0, "must be uint8"),
            (images[..., :1], "must be uint8"),
        ):
            with pytest.raises(ValueError, match=says):
                make(world, bad, network)
        with pytest.raises(ValueError, match="2 classes apart, but there are 3 class names"):
            make(world_of(("a", "b", "c")), None, network)
    for make in (
        lambda: explorers.grad_cam(world, network=flat),
        lambda: explorers.channels(world, flat),
        lambda: explorers.own_photo(world, images[0], flat),
    ):
        with pytest.raises(ValueError, match="convolution|spatial|places"):
            make()
    single = little(conv(), POOL(), keras.layers.Dense(1))
    with pytest.raises(ValueError, match="single|one output|linear"):
        explorers.grad_cam(world_of(("a",)), network=single)
    for explore in (explorers.channels, explorers.grad_cam):
        with pytest.raises(ValueError, match="give at least one network"):
            explore(load_world("drawn"), network={})
    with pytest.raises(ValueError, match="give at least one network"):
        explorers.deep_dream({}, load_world("drawn").test.images[0])


def test_a_single_picture_of_any_shape_is_shown():
    network = little(conv(), POOL(), keras.layers.Dense(2))
    world = world_of(("a", "b"), count=1)
    for explorer in (
        explorers.grad_cam(world, world.test.images[0], network),
        explorers.channels(world, network),
    ):
        assert explorer.controls["image"].max == 0 and shown(explorer).shape[0] > 300
    explorer.set(view="strongest pictures")
    wide = np.zeros((40, 900, 3), np.uint8)
    assert pattern.enlarge(wide).shape == (400, 9000, 3)
    assert pattern.enlarge(np.zeros((3000, 1500, 3), np.uint8)).shape == (384, 192, 3)


def test_what_fails_while_a_control_moves_is_said_and_the_picture_stays():
    def draw(n):
        if n == 2:
            raise ValueError("two is too many\nof them")
        if n == 3:
            warnings.warn("three is a lot", stacklevel=1)
        return np.full((9, 9, 3), n, np.uint8), str(n)

    explorer = explorers.Explorer("counter", draw, {"n": pattern.slider("n", most=9)})
    before = explorer.image.value
    explorer.controls["n"].value = 2  # as by mouse: nobody catches what is raised
    assert explorer.image.value == before
    assert (
        explorer.notice.text == "Not drawn: two is too many" and not explorer.notice.layout.display
    )
    assert explorer.set(n=3) == "3" and explorer.notice.text == "three is a lot"
    with pytest.raises(ValueError, match="n cannot be 2: two is too many"):
        explorer.set(n=2)
    assert explorer.set(n=1) == "1" and explorer.notice.layout.display == "none"


def test_in_jupyterlab_a_picture_stands_before_the_explorer(monkeypatch):
    published = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw, metadata=None: published.append(data)
    )
    black = np.zeros((9, 9, 3), np.uint8)
    explorer = explorers.Explorer(
        "a & b", lambda n: (black, "<i>"), {"n": pattern.slider("n", most=9)}
    )
    with pytest.raises(NotImplementedError):  # IPython takes the mimebundle then
        explorer._ipython_display_()
    monkeypatch.setattr(front_end, "is_lab", lambda: True)
    explorer._ipython_display_()
    still, live = published
    assert 'alt="a &amp; b: &lt;i&gt;"' in still["text/html"] and page.STILL in still["text/html"]
    name = f"still-{explorer.box.model_id}"
    assert f'id="{name}"' in still["text/html"] and set(live) == {pattern.VIEW, "text/plain"}
    mark = explorer.box.children[1].children[0].value
    assert f":has(#{name})" in mark and page.LOST in mark
    assert html.escape(json.dumps("a & b")) in mark
