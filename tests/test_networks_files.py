"""Networks as files: judged by their contents, and each refusal names the cause and the mend."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from hand_made import forms, images
from numpy.testing import assert_array_equal

from helpers import networks


class Own(keras.layers.Layer):
    """A class that no file knows by more than its name."""

    def call(self, x):
        return 2 * x


def own_function(x):
    return 2 * x


def rewritten(source, target, change):
    """Copy a .keras file, its config changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                content = json.dumps(json.loads(content, object_hook=change)).encode()
            new.writestr(name, content)


def newer(entry):
    """Add to each initializer what Keras 3.15 writes and 3.13 refuses."""
    if entry.get("class_name") == "HeNormal":
        entry["config"] |= {"input_axes": None, "output_axes": None}
    return entry


def test_a_file_of_a_newer_keras_can_be_read(tmp_path):
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 3, kernel_initializer="he_normal")(image)
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    networks.save(network, tmp_path / "plain.keras")
    rewritten(tmp_path / "plain.keras", tmp_path / "newer.keras", newer)
    before = (tmp_path / "newer.keras").read_bytes()
    assert b"input_axes" in before
    again = networks.load(tmp_path / "newer.keras")
    probe = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(network(probe), again(probe), rtol=1e-6)
    assert (tmp_path / "newer.keras").read_bytes() == before


@pytest.mark.parametrize(
    "name", ["a.KERAS", "b.keras.zip", "c", "d.h5", "e.H5", "f.hdf5", "g.keras"]
)
def test_a_file_is_judged_by_what_is_in_it(tmp_path, name):
    network, path = forms()["nested"], tmp_path / name
    wanted = networks.predict(network, images())
    made = tmp_path / ("made.h5" if name[0] in "def" else "made.keras")
    if name[0] == "g":
        made = tmp_path / "made.h5"  # HDF5 under a wrong name
    network.save(made)
    made.rename(path)
    assert_array_equal(networks.predict(networks.load(path), images()), wanted)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def as_keras_2(path):
    """Write the config of a .h5 file as Keras 2 wrote it, with groups in depthwise convolutions."""

    def older(entry):
        for new in ("module", "registered_name", "build_config"):
            entry.pop(new, None)
        if isinstance(entry.get("dtype"), dict):
            entry["dtype"] = "float32"
        if "batch_shape" in entry:
            entry["batch_input_shape"] = entry.pop("batch_shape")
        if entry.get("class_name") == "DepthwiseConv2D":
            entry["config"]["groups"] = 1
        entry.pop("quantization_config", None)
        return entry

    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"], object_hook=older)
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(config), "2.15.0"


def test_a_file_of_keras_2_is_read_also_with_its_depthwise_convolutions(tmp_path):
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    network.save(tmp_path / "teachable.h5")
    as_keras_2(tmp_path / "teachable.h5")
    before = (tmp_path / "teachable.h5").read_bytes()
    assert b'"groups": 1' in before
    assert_array_equal(
        networks.load(tmp_path / "teachable.h5")(images(2, 8)), network(images(2, 8))
    )
    assert (tmp_path / "teachable.h5").read_bytes() == before


def of(*layers, shape=(4, 4, 3)):
    return keras.Sequential([keras.Input(shape), *layers])


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_what_safe_mode_or_this_python_cannot_have_is_named_with_its_mend(tmp_path, suffix):
    layers, path = keras.layers, tmp_path / f"network{suffix}"
    scaled = layers.Lambda(keras.applications.vgg16.preprocess_input, name="scaled")
    mend = "use Keras' own layers instead, and save it again"
    for network, cause in (
        (of(scaled), rf"function preprocess_input in its Lambda layer 'scaled'.*{mend}"),
        (of(layers.Lambda(lambda x: 2 * x, name="f")), rf"Python code, in its Lambda.*'f'.*{mend}"),
        (of(Own(name="mine")), r"Own layer 'mine'.*not defined here.*register_keras_serializable"),
        (of(of(Own(name="mine"))), r"Own layer 'mine'.*Import its module first"),
        (of(layers.Conv2D(2, 3, activation=own_function)), r"function own_function.*not defined"),
    ):
        network.save(path)
        with pytest.raises(ValueError, match=cause):
            networks.load(path)


def test_a_lambda_in_an_activation_is_python_code_too(tmp_path):
    network = of(keras.layers.Conv2D(2, 3, activation=lambda x: 2 * x, name="conv"))
    with pytest.warns(UserWarning, match="includes a `lambda`"):
        network.save(tmp_path / "network.keras")
    with pytest.raises(ValueError, match="Python code, in its Conv2D layer 'conv'"):
        networks.load(tmp_path / "network.keras")


def test_a_class_that_is_registered_loads(tmp_path):
    networks.save(of(Own()), tmp_path / "own.keras")
    with keras.saving.custom_object_scope({"Own": Own}):
        assert_array_equal(networks.load(tmp_path / "own.keras")(images(1, 4)), 2.0 * images(1, 4))


def test_programs_without_layers_are_named(tmp_path):
    def program(entry):
        if entry.get("class_name") == "Rescaling":
            entry |= {"class_name": "TFSMLayer", "config": {"name": "saved", "filepath": "x"}}
        return entry

    networks.save(of(keras.layers.Rescaling(2.0)), tmp_path / "plain.keras")
    rewritten(tmp_path / "plain.keras", tmp_path / "program.keras", program)
    with pytest.raises(
        ValueError, match=r"TFSMLayer layer 'saved'.*not run.*tf_keras.models.load_m"
    ):
        networks.load(tmp_path / "program.keras")
    folder = tmp_path / "saved"
    folder.mkdir()
    with pytest.raises(ValueError, match=r"is a folder, and a network is a .keras or .h5 file\."):
        networks.load(folder)
    (folder / "pets.keras").touch()
    with pytest.raises(ValueError, match=r"do you mean pets\.keras in it\?"):
        networks.load(folder)
    (folder / "saved_model.pb").touch()
    with pytest.raises(ValueError, match=r"SavedModel format.*save\('network\.h5'\)"):
        networks.load(folder)
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(tmp_path / "plain.keras") as archive:
        archive.extractall(unpacked)
    with pytest.raises(ValueError, match="has been unpacked: zip what is in this folder"):
        networks.load(unpacked)


def test_halves_of_networks_are_named(tmp_path):
    network = of(keras.layers.Conv2D(2, 3))
    network.save_weights(tmp_path / "pets.weights.h5")
    with pytest.raises(
        ValueError, match=r"holds weights only.*network\.load_weights\(file\), then sav"
    ):
        networks.load(tmp_path / "pets.weights.h5")
    with h5py.File(tmp_path / "measured.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(ValueError, match="an HDF5 file, but no network"):
        networks.load(tmp_path / "measured.h5")
    network.save(tmp_path / "whole.h5")
    whole = (tmp_path / "whole.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="truncated or damaged: copy or download it again"):
        networks.load(tmp_path / "cut.h5")
    networks.save(network, tmp_path / "whole.keras")
    with zipfile.ZipFile(tmp_path / "whole.keras") as old:
        config = old.read("config.json")
    with zipfile.ZipFile(tmp_path / "described.keras", "w") as new:
        new.writestr("config.json", config)
    with pytest.raises(ValueError, match="has a description but no weights"):
        networks.load(tmp_path / "described.keras")
    with zipfile.ZipFile(tmp_path / "download.zip", "w") as new:
        new.write(tmp_path / "whole.keras", "pets/whole.keras")
    with pytest.raises(ValueError, match="no config.json: unpack it, and give pets/whole.keras"):
        networks.load(tmp_path / "download.zip")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "is a web page, so the download went wrong"),
        (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS"),
        (b"\x80\x04\x95", "is a Python pickle, as PyTorch writes it"),
        (b"\x1c\x00\x00\x00TFL3", "is a TensorFlow Lite file, which has no gradients"),
        (b'{"class_name": "Functional"}', "is JSON, and holds no weights"),
        (b"\x89PNG", "is not a .keras or .h5 file"),
    ],
)
def test_what_is_no_network_is_named(tmp_path, content, cause):
    path = tmp_path / "pets.keras"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"pets\.keras {cause}"):
        networks.load(path)


def test_a_newer_keras_is_blamed_where_nothing_else_explains_it(tmp_path):
    def later(entry):
        if entry.get("class_name") == "Conv2D":
            entry["config"]["invented_later"] = 3
        return entry | {"keras_version": "99.1.0"} if "keras_version" in entry else entry

    networks.save(of(keras.layers.Conv2D(2, 3)), tmp_path / "plain.keras")
    rewritten(tmp_path / "plain.keras", tmp_path / "later.keras", later)
    with pytest.raises(ValueError, match=r"the cause is not known\. Keras says:.*invented_later"):
        networks.load(tmp_path / "later.keras")
    with zipfile.ZipFile(tmp_path / "later.keras") as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts["metadata.json"] = json.dumps({"keras_version": "99.1.0"})
    with zipfile.ZipFile(tmp_path / "later.keras", "w") as new:
        for name, content in parts.items():
            new.writestr(name, content)
    parts["metadata.json"] = json.dumps({"keras_version": "2.15.0"})
    parts["config.json"] = parts["config.json"].replace(b"keras.layers", b"tf_keras.layers")
    with zipfile.ZipFile(tmp_path / "earlier.keras", "w") as new:
        for name, content in parts.items():
            new.writestr(name, content)
    with pytest.raises(ValueError, match=r"Keras 2\.15\.0, whose .* model\.save\('network\.h5'\)"):
        networks.load(tmp_path / "earlier.keras")
    with pytest.raises(ValueError, match=r"written by Keras 99\.1\.0, and this is the older Keras"):
        networks.load(tmp_path / "later.keras")
