"""Worlds: opened by name, argument or environment; unchangeable; computed once."""

import dataclasses
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from helpers import drawn, load_world, networks, transfer, worlds
from helpers.core.paths import ROOT
from helpers.photos.downloads import DownloadError

KINDS = {"cats": (210, 60, 50), "dogs": (50, 60, 210)}
SIZE = 24
REAL = ("COURSE_PHOTOS", "COURSE_NETWORK")
real = {name: os.environ.get(name) for name in REAL}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch, tmp_path):
    for name in (*REAL, "COURSE_WORLD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 6)):
        for kind, colour in KINDS.items():
            (tmp_path / "photos" / part / kind).mkdir(parents=True)
            for number in range(count):
                pixels = (colour + rng.normal(0, 25, (30, 40, 3))).clip(0, 255).astype(np.uint8)
                image = Image.fromarray(pixels)
                image.save(tmp_path / "photos" / part / kind / f"{number}.jpg")
    return tmp_path / "photos"


def network_file(path, top, size=SIZE, channels=3):
    keras.utils.set_random_seed(3)
    image = keras.Input((size, size, channels))
    x = layers.Conv2D(6, 3, activation="relu", name="convolution")(image / 255)
    for layer in (layers.GlobalAveragePooling2D(), top):
        x = layer(x)
    networks.save(keras.Model(image, x), path)
    return path


@pytest.fixture
def base(tmp_path):
    return network_file(tmp_path / "base.keras", layers.Dense(10))


def accuracy(world):
    probabilities = networks.predict(world.network, world.test.images)
    return (probabilities.argmax(1) == world.test.labels).mean()


def kept(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache").iterdir())


# The drawn world


def test_the_drawn_world_is_the_default():
    world = load_world()
    assert (world.name, world.class_names) == ("drawn", ("cat", "dog"))
    assert world.part_names == drawn.PART_NAMES
    images, labels, parts = drawn.load_test()
    assert np.array_equal(world.test.images, images)
    assert np.array_equal(world.test.labels, labels)
    assert np.array_equal(world.test.parts, parts)
    assert world.test is world.test and len(world.test) == 400


def test_the_drawn_training_set_is_drawn_once(monkeypatch, tmp_path):
    monkeypatch.setattr(worlds, "PER_CLASS", 4)
    train = load_world().train
    images, labels, parts = drawn.dataset(drawn.PETS, 4)
    assert np.array_equal(train.images, images) and np.array_equal(train.parts, parts)
    assert np.array_equal(train.labels, labels)
    assert len(kept(tmp_path)) == 1

    draw = drawn.dataset
    monkeypatch.setattr(drawn, "dataset", lambda kinds, count, **_: draw(kinds, min(count, 3)))
    assert np.array_equal(load_world().train.images, images)  # kept, not drawn


def test_other_drawings_are_kept_apart(monkeypatch, tmp_path):
    monkeypatch.setattr(worlds, "PER_CLASS", 4)
    first, draw = load_world().train.images, drawn.dataset
    monkeypatch.setattr(
        drawn, "dataset", lambda *given, **options: (255 - draw(*given)[0], *draw(*given)[1:])
    )
    assert np.array_equal(load_world().train.images, 255 - first)
    assert len(kept(tmp_path)) == 2


def test_the_other_kinds_can_be_learned_from_beforehand(monkeypatch, tmp_path):
    monkeypatch.setattr(worlds, "PER_OTHER_KIND", 2)
    animals = worlds.load_animals()
    assert np.array_equal(animals.labels, list(range(10)) * 2)
    first = drawn.draw(drawn.OTHERS[0], 0)
    assert np.array_equal(animals.images[0], first.image)
    assert np.array_equal(animals.parts[0], first.parts)
    assert np.array_equal(worlds.load_animals().images, animals.images)


def test_a_world_cannot_be_changed(folder, base):
    for world in (load_world(), load_world("photos", base, folder)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            world.name = "mine"
        with pytest.raises(dataclasses.FrozenInstanceError):
            world.test.labels = None
        for array in (world.test.images, world.test.labels, world.test.parts):
            if array is not None:
                with pytest.raises(ValueError, match="read-only"):
                    array[0] = 0


def test_networks_are_loaded_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr(worlds, "NETWORKS", tmp_path / "networks")
    world = load_world()
    with pytest.raises(FileNotFoundError, match="has no networks; clone the whole course again"):
        world.load_network("pets")
    (tmp_path / "networks").mkdir()
    for name in ("pets", "pets_robust"):
        top = layers.Dense(2, name=f"{name}_scores")
        network_file(tmp_path / "networks" / f"{name}.keras", top, drawn.SIZE)
    assert world.network is world.network
    assert networks.layer_names(world.network, "dense") == ["pets_scores"]
    robust = world.load_network("pets_robust")
    assert networks.layer_names(robust, "dense") == ["pets_robust_scores"]
    with pytest.raises(ValueError, match="unknown network 'cats'; choose one of pets, pets_robust"):
        world.load_network("cats")


def test_a_network_of_your_own_in_the_drawn_world(monkeypatch, tmp_path):
    mine = network_file(tmp_path / "mine.keras", layers.Dense(1, activation="sigmoid"), None)
    monkeypatch.setenv("COURSE_NETWORK", str(mine))
    assert networks.predict(load_world().network, load_world().test.images[:2]).shape == (2, 2)
    monkeypatch.setenv("COURSE_PHOTOS", str(tmp_path))  # then COURSE_NETWORK is meant for these
    assert load_world().load_network("pets").name == load_world().network.name
    small = network_file(tmp_path / "small.keras", layers.Dense(2))
    with pytest.raises(ValueError, match=r"small\.keras takes pictures of 24x24 .*128x128"):
        load_world(network=small)
    many = network_file(tmp_path / "many.keras", layers.Dense(7), drawn.SIZE)
    with pytest.raises(ValueError, match="has 7 classes; the drawn world has cat, dog"):
        load_world(network=many)


# Your own photos, your own network


def test_a_base_gets_a_head_that_is_kept(folder, base, tmp_path, monkeypatch):
    world = load_world("photos", base, folder)
    assert (world.name, world.class_names, world.part_names) == ("photos", ("cats", "dogs"), ())
    assert world.test.images.shape == (12, SIZE, SIZE, 3) and world.test.parts is None
    assert len(world.train) == 24
    assert accuracy(world) == 1.0
    assert networks.layer_names(world.network, "all")[-1] == "scores"
    files = kept(tmp_path)
    assert len(files) == 1 and files[0].startswith("head-")

    def unwanted(*_):
        raise AssertionError("computed although it was kept")

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "fit_head", unwanted)
        again = load_world("photos", base, folder)
        expected = networks.predict(world.network, world.test.images)
        assert np.array_equal(networks.predict(again.network, again.test.images), expected)

        cats = folder / "train" / "cats"
        (cats / "0.jpg").write_bytes((cats / "1.jpg").read_bytes())  # other pictures, another head
        with pytest.raises(AssertionError, match="computed although"):
            _ = load_world("photos", base, folder).network
    _ = load_world("photos", base, folder).network
    other = network_file(tmp_path / "other.keras", layers.Dense(9))
    assert accuracy(load_world("photos", other, folder)) == 1.0
    assert len(kept(tmp_path)) == 3


@pytest.mark.parametrize("top", [layers.Dense(2), layers.Dense(1, activation="sigmoid")])
def test_a_network_with_the_folders_classes_is_used_as_it_is(folder, tmp_path, top):
    mine = network_file(tmp_path / "mine.keras", type(top).from_config(top.get_config()))
    world = load_world("photos", mine, folder)
    probabilities = networks.predict(networks.load(mine), world.test.images)
    assert np.array_equal(networks.predict(world.network, world.test.images), probabilities)
    assert not (tmp_path / "cache").exists()


def test_pictures_take_the_size_of_the_network(folder, tmp_path):
    for size, expected in ((32, 32), (None, transfer.FREE_SIZE)):
        mine = network_file(tmp_path / f"size{size}.keras", layers.Dense(5), size)
        world = load_world("photos", mine, folder)
        assert world.test.images.shape[1:] == (expected, expected, 3)
    assert accuracy(world) == 1.0


def test_the_environment_names_what_is_not_given(folder, base, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_WORLD", "photos")
    monkeypatch.setenv("COURSE_PHOTOS", str(folder))
    monkeypatch.setenv("COURSE_NETWORK", str(base))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "elsewhere"))
    assert accuracy(load_world()) == 1.0
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1
    _ = load_world(cache=tmp_path / "given").network
    assert len(list((tmp_path / "given").iterdir())) == 1
    with pytest.raises(FileNotFoundError, match=r"no network file .*nowhere\.keras"):
        load_world(network="nowhere.keras")
    with pytest.raises(ValueError, match="nowhere does not exist"):
        load_world(photos="nowhere")


def test_what_is_missing_is_asked_for(folder, base, monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="unknown world 'photo'; choose one of drawn, photos"):
        load_world("photo")
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path))  # with nothing in it
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(DownloadError, match=r"annotations\.tar\.gz .*COURSE_MIRROR"):
        load_world("photos", base)
    with pytest.raises(DownloadError, match=r"vgg16_weights.*COURSE_MIRROR"):
        load_world("photos", "vgg16", folder)
    for base in worlds.BASES:
        with pytest.raises(ValueError, match=f"{base} does not know the classes of the drawn"):
            load_world("drawn", base)
        monkeypatch.setenv("COURSE_NETWORK", base)  # meant for the photos world
        assert load_world("drawn").class_names == drawn.PETS


def test_networks_that_will_not_do_are_named(folder, base, tmp_path):
    text = tmp_path / "text.keras"
    text.write_text("no network")
    cut = tmp_path / "cut.keras"
    cut.write_bytes(base.read_bytes()[:2000])
    for path in (text, cut):
        with pytest.raises(ValueError, match=path.name):
            load_world("photos", path, folder)
    grey = network_file(tmp_path / "grey.keras", layers.Dense(2), channels=1)
    with pytest.raises(ValueError, match=r"must take RGB pictures .*, not \(24, 24, 1\)"):
        load_world("photos", grey, folder)


def test_bad_pictures_are_left_out_and_the_rest_is_used(folder, base):
    (folder / "test" / "dogs" / "bad.jpg").write_text("no picture")
    (folder / "train" / "cats" / "bad.jpg").write_bytes(b"")
    world = load_world("photos", base, folder)
    with pytest.warns(UserWarning, match=r"1 of 13 test photos cannot be used: bad\.jpg"):
        assert len(world.test) == 12
    with pytest.warns(UserWarning, match=r"1 of 25 train photos cannot be used: bad\.jpg"):
        assert accuracy(world) == 1.0


def test_a_head_cut_short_is_fitted_again(folder, base, tmp_path):
    expected = networks.predict(
        load_world("photos", base, folder).network, np.ones((1, 24, 24, 3), int)
    )
    file = tmp_path / "cache" / kept(tmp_path)[0]
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.warns(UserWarning, match=f"{file.name} is damaged; making it again"):
        network = load_world("photos", base, folder).network
    assert np.array_equal(networks.predict(network, np.ones((1, 24, 24, 3), int)), expected)
    assert kept(tmp_path) == [file.name]


def test_an_unwritable_cache_is_done_without(folder, base, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    with pytest.warns(UserWarning, match="cannot be written to"):
        assert accuracy(load_world("photos", base, folder)) == 1.0


def test_opening_the_drawn_world_loads_no_tensorflow():
    code = (
        "import sys, helpers; world = helpers.load_world(); world.test.images\n"
        "print('tensorflow' in sys.modules, 'keras' in sys.modules, 'matplotlib' in sys.modules)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COURSE_")}
    said = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environment)
    assert said.decode().split() == ["False"] * 3


# What is said


def said(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "helpers"]


def coloured_file(path, order=(0, 1), scale=1.0):
    """Save a network that knows red from blue, and gives its scores in the order asked for."""
    image = keras.Input((SIZE, SIZE, 3))
    mean = layers.GlobalAveragePooling2D()(image / scale)
    dense = layers.Dense(len(order))
    network = keras.Model(image, dense(mean))
    kernel = np.zeros((3, len(order)), np.float32)
    kernel[0, order[0]] = kernel[2, order[1]] = 1
    dense.set_weights([kernel, np.zeros(len(order))])
    networks.save(network, path)
    return path


def test_a_head_that_replaces_another_is_said_with_numbers(folder, base, caplog):
    load_world("photos", base, folder)
    assert (
        "base.keras has 10 classes, the pictures have 2 (cats, dogs): it is used as a base, and a "
        "new head of 2 outputs is fitted in place of its layer 'dense"
    ) in said(caplog)[-1]
    assert caplog.records[-1].levelname == "WARNING"


def test_a_base_without_a_classifier_is_said(folder, tmp_path, caplog):
    mine = network_file(tmp_path / "mine.keras", layers.Activation("linear"))
    load_world("photos", mine, folder)
    assert "mine.keras has 6 classes" in said(caplog)[-1]
    assert "on top of its output: no classifier was found to take off" in said(caplog)[-1]


def test_which_output_stands_for_which_class_is_said(folder, tmp_path, caplog):
    caplog.set_level("INFO", "helpers")
    world = load_world("photos", coloured_file(tmp_path / "mine.keras"), folder)
    assert said(caplog)[-1] == "The outputs of mine.keras stand for 0 cats, 1 dogs."
    count = len(said(caplog))
    assert accuracy(world) == 1.0 and len(said(caplog)) == count


def test_outputs_in_another_order_are_found_out(folder, tmp_path, caplog):
    world = load_world("photos", coloured_file(tmp_path / "mine.keras", (1, 0)), folder)
    assert accuracy(world) == 0.0
    assert (
        "mine.keras is right about 0 of 12 test pictures, but about 12 if its outputs stand for "
        "0 dogs, 1 cats: name the folders so"
    ) in said(caplog)[-1]


def test_a_network_that_only_guesses_is_found_out(folder, tmp_path, caplog):
    mine = coloured_file(tmp_path / "mine.keras", (0, 0))
    _ = load_world("photos", mine, folder).network
    assert "right about 6 of 12 test pictures, and guessing about 6: was it" in said(caplog)[-1]


def test_photos_without_the_world_of_photos_say_nothing(folder, monkeypatch, caplog):
    monkeypatch.setenv("COURSE_PHOTOS", str(folder))
    assert load_world().name == "drawn"
    assert said(caplog) == []


@pytest.mark.slow
@pytest.mark.skipif(not all(real.values()), reason="COURSE_PHOTOS and COURSE_NETWORK are not set")
def test_real_photos_and_a_real_network(tmp_path):
    world = load_world("photos", real["COURSE_NETWORK"], real["COURSE_PHOTOS"])
    assert accuracy(world) >= 0.93
    assert len(world.train) == 600 and len(world.test) == 240
    assert networks.layer_names(world.network)[-1].startswith("fire9")
