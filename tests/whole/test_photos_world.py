"""The photos world from nothing: pictures and weights off a server, a network that learned them."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import stand_ins
from numpy.testing import assert_array_equal

from helpers import cam, dreaming, load_world, metrics, networks, prefetch, transfer
from helpers.photos import downloads, imagenet, oxford_pets, pet_archives


@pytest.fixture(autouse=True)
def small(impatient, monkeypatch, tmp_path):
    for name in ("COURSE_WORLD", "COURSE_PHOTOS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COURSE_NETWORK", "vgg16")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(oxford_pets, "COUNT", {"train": 8, "test": 4})
    monkeypatch.setattr(downloads, "TIMEOUT", (2.0, 2.0))


@pytest.fixture(scope="module")
def vgg16_file(tmp_path_factory):
    return stand_ins.vgg16_weights(tmp_path_factory.mktemp("weights") / "vgg16.h5")


@pytest.fixture
def server(server, monkeypatch, vgg16_file):
    """Serve small archives and full-sized random weights as the real ones."""
    images, notes = stand_ins.oxford()
    for attribute, name, content in (
        ("IMAGES", "images.tar.gz", stand_ins.archive(images)),
        ("ANNOTATIONS", "annotations.tar.gz", stand_ins.archive(notes)),
    ):
        monkeypatch.setattr(pet_archives, attribute, server.source(name, content))
    name = imagenet.SOURCES["vgg16"].name
    source = server.source(name, vgg16_file.read_bytes())
    monkeypatch.setitem(imagenet.SOURCES, "vgg16", source)
    return server


def asked(server):
    return [path.strip("/") for path, _ in server.asked]


FILES = [imagenet.SOURCES["vgg16"].name, "annotations.tar.gz", "images.tar.gz"]


def test_from_nothing_to_a_network_and_marks_against_true_masks(server, monkeypatch, tmp_path):
    server.faults = ["half", 503, None, "redirect"]  # a bad day
    world = load_world("photos")
    assert sorted(set(asked(server)) - {"moved/annotations.tar.gz"}) == sorted(FILES)
    assert (world.name, world.class_names) == ("photos", ("cat", "dog"))
    assert world.part_names == ("background", "pet", "border")
    assert world.train.images.shape == (8, 224, 224, 3) and len(world.test) == 4
    assert world.test.parts.shape == (4, 224, 224)

    assert networks.parameter_counts(world.network).total == 27_823_938
    frozen = networks.parameter_counts(networks.frozen(world.network, "block4"))
    assert (frozen.trainable, frozen.frozen) == (20_188_674, 7_635_264)
    right = networks.predict(world.network, world.test.images).argmax(1) == world.test.labels
    assert right.all()  # red and blue are easily told apart

    heat = cam.grad_cam(world.network, world.test.images[:2])
    shares = metrics.part_scores(heat, world.test.parts[:2], world.part_names)
    assert list(shares) == ["background", "pet", "border", "animal"]
    np.testing.assert_allclose(
        shares["animal"], shares["pet"] + shares["border"], rtol=1e-5, atol=1e-6
    )

    requests = len(server.asked)  # on the second day there is no network
    server.always = 404
    monkeypatch.setattr(transfer, "kept_features", None)
    again = load_world("photos")
    assert len(server.asked) == requests
    expected = networks.predict(world.network, world.test.images[:1])
    assert_array_equal(networks.predict(again.network, again.test.images[:1]), expected)


def test_a_network_of_your_own_sees_oxfords_pets_in_its_own_size(server, tmp_path):
    image = keras.Input((40, 40, 3))
    x = keras.layers.Conv2D(6, 3, activation="relu")(image / 255)
    x = keras.layers.Dense(5)(keras.layers.GlobalMaxPooling2D()(x))
    networks.save(keras.Model(image, x), tmp_path / "mine.keras")
    world = load_world("photos", tmp_path / "mine.keras")
    assert world.test.images.shape == (4, 40, 40, 3) and world.test.parts.shape == (4, 40, 40)
    right = networks.predict(world.network, world.test.images).argmax(1) == world.test.labels
    assert right.all() and FILES[0] not in asked(server)


def test_a_folder_of_your_own_needs_no_network_of_your_own(server, tmp_path, monkeypatch):
    def learned(weights, world, size, key, folder):
        return weights, world.class_names, size

    monkeypatch.setattr(transfer, "classifier", learned)
    for kind in ("birds", "cats", "dogs"):
        for number in range(4):
            path = tmp_path / "photos" / kind / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stand_ins.photo("cat", number)[0])
    world = load_world("photos", photos=tmp_path / "photos")
    assert asked(server) == FILES[:1] and world.test.parts is None and world.part_names == ()
    weights = tmp_path / "cache" / "downloads" / FILES[0]
    assert world.network == (weights, ("birds", "cats", "dogs"), 224)


def test_what_cannot_be_had_is_told_when_the_world_is_opened(server):
    server.always = 404
    with pytest.raises(downloads.DownloadError, match="59 MB.* 404 .*COURSE_MIRROR.*drawn world"):
        load_world("photos")
    assert len(server.asked) == 1


# Weights


def test_the_weights_are_those_that_keras_downloads():
    from keras.src.applications import inception_v3, vgg16

    for name, module in (("vgg16", vgg16), ("inception_v3", inception_v3)):
        source = imagenet.SOURCES[name]
        assert source.urls == (module.WEIGHTS_PATH_NO_TOP,)
        written = Path(module.__file__).read_text()
        assert f'file_hash="{source.digest}"' in written and f'"{source.name}"' in written
    with pytest.raises(ValueError, match="unknown weights 'vgg19'; choose one of vgg16, incep"):
        imagenet.weights("vgg19")


def test_weights_in_keras_form_come_into_vgg16_and_are_fetched_once(server, vgg16_file):
    network = transfer.vgg16(size=32, weights="imagenet")
    theirs = keras.applications.VGG16(include_top=False, weights=str(vgg16_file))
    for mine, wanted in zip(network.get_weights()[:26], theirs.get_weights(), strict=True):
        assert_array_equal(mine, wanted)
    assert imagenet.weights("vgg16").name == FILES[0] and len(server.asked) == 1


def test_what_keras_has_downloaded_before_is_used_unless_it_is_half_a_file(
    server, vgg16_file, tmp_path
):
    theirs = tmp_path / "keras" / "models" / FILES[0]
    theirs.parent.mkdir(parents=True)
    content = vgg16_file.read_bytes()
    theirs.write_bytes(content)
    assert imagenet.weights("vgg16") == theirs and server.asked == []
    theirs.write_bytes(content[: len(content) // 2])
    mine = imagenet.weights("vgg16")
    assert mine.parent == tmp_path / "cache" / "downloads" and mine.read_bytes() == content


def test_inception_is_an_option_for_dreams(server, monkeypatch, tmp_path):
    bare = keras.applications.InceptionV3(include_top=False, weights=None)
    bare.save_weights(tmp_path / "inception.weights.h5")
    content = (tmp_path / "inception.weights.h5").read_bytes()
    source = server.source("inception.weights.h5", content)
    monkeypatch.setitem(imagenet.SOURCES, "inception_v3", source)
    network = load_world("drawn").load_network("inception_v3")
    for mine, wanted in zip(network.get_weights(), bare.get_weights(), strict=True):
        assert_array_equal(mine, wanted)
    picture = np.random.default_rng(0).integers(0, 256, (1, 80, 96, 3)).astype(np.float32)
    wanted = keras.applications.inception_v3.preprocess_input(picture.copy())
    np.testing.assert_allclose(network.get_layer("rescale")(picture), wanted, atol=1e-6)
    assert {"mixed0", "mixed3", "mixed10"} <= set(networks.layer_names(network, "all"))
    dream = dreaming.deep_dream(network, picture[0], "mixed0", octaves=1, steps=1)
    assert dream.shape == (80, 96, 3) and np.isfinite(dream).all()


# Ahead of the day


def test_prefetch_leaves_nothing_to_fetch_or_to_learn(server, monkeypatch, tmp_path, capsys):
    def learned(weights, world, *_):
        return transfer.vgg16(2, weights, 224)

    monkeypatch.setattr(transfer, "classifier", learned)
    assert prefetch.main(["--cache", str(tmp_path / "day")]) == 0
    assert asked(server) == FILES
    said = capsys.readouterr().out
    assert "weights of vgg16: 59 MB" in said and "12 photos: " in said
    assert "of 4 test photos correct" in said and f"Everything is ready in {tmp_path}/day" in said
    assert prefetch.main(["--cache", str(tmp_path / "day"), "--only-download"]) == 0
    assert asked(server) == FILES
    assert "correct" not in capsys.readouterr().out


def test_prefetched_archives_serve_another_machine(server, tmp_path, capsys):
    first = ["--cache", str(tmp_path / "first"), "--only-download", "--keep"]
    assert prefetch.main(first) == 0
    mirror = str(tmp_path / "first" / "downloads")
    second = ["--cache", str(tmp_path / "second"), "--only-download", "--mirror", mirror]
    assert prefetch.main(second) == 0
    assert asked(server) == FILES
    subsets = [next((tmp_path / name).glob("*.zip")).read_bytes() for name in ("first", "second")]
    assert subsets[0] == subsets[1]


def test_prefetch_that_fails_says_why_in_one_line(server, capsys):
    server.always = 404
    assert prefetch.main(["--only-download"]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "404 Not Found" in said.err


def test_prefetch_interrupted_goes_on_with_the_next_call(server, monkeypatch, capsys):
    server.faults, receive = ["half"], downloads.opened

    def interrupted(source, address, start):
        if start:
            raise KeyboardInterrupt
        return receive(source, address, start)

    with monkeypatch.context() as patch:
        patch.setattr(downloads, "opened", interrupted)
        assert prefetch.main(["--only-download"]) == 1
    assert "run it again" in capsys.readouterr().err
    assert prefetch.main(["--only-download"]) == 0
    half = len(server.files[FILES[0]]) // 2
    assert server.asked[1][0] == f"/{FILES[0]}" and 0 <= half - server.asked[1][1] < downloads.CHUNK


def test_prefetch_runs_as_a_program_against_a_mirror_that_has_nothing(tmp_path):
    environment = os.environ | {"COURSE_MIRROR": str(tmp_path), "COURSE_CACHE": str(tmp_path / "c")}
    program = [sys.executable, "-m", "helpers.prefetch"]
    root = Path(prefetch.__file__).parent.parent
    ended = subprocess.run(program, cwd=root, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stdout == "" and "Traceback" not in ended.stderr
    assert f"{tmp_path}/{FILES[0]}: No such file or directory" in ended.stderr
