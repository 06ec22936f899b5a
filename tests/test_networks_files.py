"""Networks as files: one that a newer Keras has written can be read (other tests: networks)."""

import json
import zipfile

import keras
import numpy as np

from helpers import networks


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
