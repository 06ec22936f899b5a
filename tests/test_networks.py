"""Networks are built, saved, loaded and named as said, and called on the right images only."""

import json
import zipfile

import keras
import numpy as np
import pytest
from hand_made import Calls, built, forms, images, of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from helpers import load_world, networks


def small(seed=0):
    keras.utils.set_random_seed(seed)
    return networks.build(2, size=32, widths=(2, 2, 3, 3, 4))


def test_build_is_a_narrow_vgg16():
    vgg = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    ours = small()
    wanted = [layer.name for layer in vgg.layers if not isinstance(layer, keras.layers.InputLayer)]
    found = networks.layer_names(ours, "all")
    assert found == ["rescale", *wanted, "pool", "dropout", "scores"]
    assert networks.layer_names(ours) == [name for name in wanted if "conv" in name]
    assert networks.layer_names(ours, "dense") == ["scores"]
    same = networks.build(1000, size=32, widths=(64, 128, 256, 512, 512))
    assert same.count_params() == vgg.count_params() + 512 * 1000 + 1000
    for name in wanted:
        assert same.get_layer(name).output.shape == vgg.get_layer(name).output.shape


def test_build_is_settled_by_the_seed():
    assert_array_equal(small(1)(images(1, 32)), small(1)(images(1, 32)))
    assert np.abs(small(1)(images(1, 32)) - small(2)(images(1, 32))).max() > 0


@pytest.mark.parametrize(
    "wrong",
    [{"classes": 0}, {"size": 16}, {"widths": (1, 2)}, {"dropout": 1}, {"widths": (0,) * 5}],
)
def test_build_names_what_is_wrong(wrong):
    with pytest.raises(ValueError, match="build needs"):
        networks.build(**{"classes": 2} | wrong)


def test_saved_networks_load_the_same(tmp_path):
    network = small()
    networks.save(network, tmp_path / "pets.keras")
    assert [file.name for file in tmp_path.iterdir()] == ["pets.keras"]
    loaded = networks.load(tmp_path / "pets.keras")
    assert_array_equal(loaded(images(2, 32)), network(images(2, 32)))


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "pets.keras"
    networks.save(small(), path)
    before = path.read_bytes()

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        networks.save(small(1), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["pets.keras"]


def test_save_names_what_is_wrong(tmp_path):
    with pytest.raises(ValueError, match="as a .keras file"):
        networks.save(small(), tmp_path / "pets.h5")
    with pytest.raises(FileNotFoundError, match="no folder"):
        networks.save(small(), tmp_path / "missing" / "pets.keras")


def test_load_names_what_is_wrong(tmp_path):
    path = tmp_path / "pets.keras"
    with pytest.raises(FileNotFoundError, match="no network file"):
        networks.load(path)
    with pytest.raises(ValueError, match="is a folder, and a network is a .keras or .h5 file"):
        networks.load(tmp_path)
    path.write_text("hello")
    with pytest.raises(ValueError, match="not a .keras or .h5 file"):
        networks.load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat.txt", "miaow")
    with pytest.raises(ValueError, match="no config.json"):
        networks.load(path)
    networks.save(small(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="truncated"):
        networks.load(path)
    damaged = bytearray(whole)
    damaged[len(whole) // 2 : len(whole) // 2 + 64] = bytes(64)
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="is damaged .model.weights.h5.: copy or download it"):
        networks.load(path)


def test_load_runs_no_code_from_a_file(tmp_path):
    x = keras.Input((2,))
    keras.Model(x, keras.layers.Lambda(lambda x: x * 2)(x)).save(tmp_path / "code.keras")
    with pytest.raises(ValueError, match="holds Python code, in its Lambda layer .lambda.*not run"):
        networks.load(tmp_path / "code.keras")


def test_load_takes_whole_networks_only(tmp_path):
    keras.saving.save_model(small(), tmp_path / "network.keras")
    with zipfile.ZipFile(tmp_path / "network.keras") as whole:
        weights = whole.read("model.weights.h5")
    layer = keras.layers.Rescaling(2.0)
    with zipfile.ZipFile(tmp_path / "layer.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(keras.saving.serialize_keras_object(layer)))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", weights)
    with pytest.raises(ValueError, match="not a whole network"):
        networks.load(tmp_path / "layer.keras")


def test_an_unknown_layer_is_named_with_the_nearest_and_all():
    with pytest.raises(ValueError, match="Did you mean 'block5_conv3'.*It has: rescale, block1_"):
        networks.find_layer(small(), "block5_con3")
    with pytest.raises(ValueError, match="No layer None"):
        networks.find_layer(small(), None)
    with pytest.raises(ValueError, match="kind must be one of conv, dense, all"):
        networks.layer_names(small(), "convolution")


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(0, 5), min_size=1, max_size=5),
    dtype=st.sampled_from(["uint8", "int64", "float16", "float32", "float64"]),
    wanted=st.sampled_from([(2,), (2, 2, 2), (None, None, 3), (4, None, 1)]),
)
def test_images_are_judged_by_the_networks_own_input(shape, dtype, wanted):
    network = keras.Sequential([keras.Input(wanted), keras.layers.Flatten()])
    array = np.full(shape, 7, dtype)
    each = shape[-len(wanted) :]
    fits = (
        len(shape) in (len(wanted), len(wanted) + 1)
        and all(w in (None, n) for w, n in zip(wanted, each, strict=False))
        and (len(shape) == len(wanted) or shape[0] > 0)
    )
    if fits and 0 not in shape:
        batch, single = networks.check_images(network, array)
        assert batch.dtype == np.float32
        assert single == (len(shape) == len(wanted))
        assert batch.shape == ((1, *shape) if single else tuple(shape))
        assert_array_equal(batch, 7)
    else:
        with pytest.raises(ValueError, match="takes images"):
            networks.check_images(network, array)


def test_images_that_cannot_be_right_are_named():
    network = forms()["flat"]
    good = images().astype("float32")
    for bad in (np.nan, np.inf):
        spoilt = good.copy()
        spoilt[1, 2, 3, 0] = bad
        with pytest.raises(ValueError, match="NaN or infinity"):
            networks.check_images(network, spoilt)
    with pytest.raises(
        ValueError, match=r"\(N, 16, 16, 3\) or one \(16, 16, 3\), not \(3, 16, 16\)"
    ):
        networks.check_images(network, good[..., 0])
    with pytest.raises(TypeError, match="must be numbers"):
        networks.check_images(network, np.full(good.shape, "cat"))
    with pytest.warns(UserWarning, match="look like 0-1.*multiply them by 255"):
        networks.check_images(network, good / 255)
    networks.check_images(network, np.zeros_like(good))  # black, whatever the range
    networks.check_images(of(lambda x: 5 * x, 2), np.ones((1, 2)))  # numbers, no pictures


def test_the_network_must_be_built_and_take_one_input():
    with pytest.raises(ValueError, match="not built yet"):
        networks.check_images(Calls(None, conv=keras.layers.Conv2D(1, 1)), images())
    with pytest.raises(TypeError, match="keras.Model, not a str"):
        networks.check_images("pets.keras", images())
    a, b = keras.Input((2,)), keras.Input((2,))
    with pytest.raises(ValueError, match="must take one input"):
        networks.check_images(keras.Model([a, b], keras.layers.Add()([a, b])), np.ones((1, 2)))


def test_predict_gives_probabilities_for_every_head():
    logits = np.asarray(forms()["flat"](images()))
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for activation in (None, "softmax", "log_softmax"):
        for form in ("flat", "nested"):
            found = networks.predict(forms(activation)[form], images())
            assert_allclose(found, wanted, atol=1e-6)
    network = forms("softmax")["subclassed"]
    assert_allclose(networks.predict(network, images()), network.predict(images(), verbose=0))
    assert_allclose(networks.predict(network, images(), batch_size=2), wanted, atol=1e-6)


def test_predict_of_one_output():
    sigmoid = of(keras.layers.Dense(1, activation="sigmoid", use_bias=False))
    sigmoid.set_weights([np.float32([[2]])])
    p = 1 / (1 + np.exp(-6))
    assert_allclose(networks.predict(sigmoid, np.float32([[3]])), [[1 - p, p]], atol=1e-6)
    with pytest.raises(ValueError, match="one linear output"):
        networks.predict(of(lambda x: 5 * x), np.float32([[3]]))
    with pytest.raises(ValueError, match="must be .images, classes."):
        networks.predict(
            keras.Sequential([keras.Input((4, 4, 3)), keras.layers.ReLU()]), images(1, 4)
        )


def test_record_agrees_with_a_sub_model_in_every_form():
    flat = forms()["flat"]
    wanted = {
        name: np.asarray(keras.Model(flat.input, flat.get_layer(name).output)(images(5)))
        for name in ("conv2", "pool1", "scores")
    }
    for network in forms().values():
        found = networks.record(network, images(5), list(wanted), batch_size=2)
        assert list(found) == list(wanted)
        for name in wanted:
            assert found[name].dtype == np.float32
            assert_allclose(found[name], wanted[name], atol=1e-5)
    assert networks.record(flat, images(1), "pool")["pool"].shape == (1, 6)
    with pytest.raises(ValueError, match="No layer 'conv3'"):
        networks.record(flat, images(1), ["conv1", "conv3"])


def test_a_subclassed_network_knows_the_shape_that_it_was_called_on():
    flat = keras.layers.Flatten(name="flat")
    network = built(Calls(lambda n, x: n.flat(x), flat=flat), (1, 2, 2))
    assert networks.input_shape(network) == (1, 2, 2)
    assert networks.record(network, np.ones((3, 1, 2, 2)), "flat")["flat"].shape == (3, 4)


@pytest.mark.parametrize(
    "name", ["animals", "pets", "pets_cloudy", "pets_robust", "pets_incomplete"]
)
def test_nothing_in_a_shipped_network_is_frozen(name):
    network = load_world("drawn").load_network(name)
    assert networks.parameter_counts(network) == (network.count_params(), network.count_params(), 0)
