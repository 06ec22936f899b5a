"""Networks as files: load one safely, also from a newer Keras, and save one whole or not at all."""

import json
import os
import tempfile
import zipfile
from pathlib import Path

import keras

# What newer versions of Keras write into a file and older ones refuse, where it says nothing.
UNKNOWN_WHEN_EMPTY = ("input_axes", "output_axes")


def load(path):
    """Load a network from a `.keras` file, in safe mode: a file cannot run code.

    Raises FileNotFoundError, or ValueError for a file that is no Keras network or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no network file {path}.")
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            cut = file.read(2) == b"PK"
        fault = "is cut short: copy it again" if cut else "is no .keras file: save with Keras 3"
        raise ValueError(f"{path} {fault}.")
    with zipfile.ZipFile(path) as archive:
        if "config.json" not in archive.namelist():
            raise ValueError(f"{path} is a zip file but not a .keras file: it has no config.json.")
    try:
        network = _load(path)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{path} cannot be loaded as a Keras network: {reason}") from error
    if not isinstance(network, keras.Model):
        raise ValueError(f"{path} holds a {type(network).__name__}, not a whole network.")
    return network


def _load(path):
    """Load a file; one that a newer Keras has written is copied without what this one refuses."""
    with zipfile.ZipFile(path) as archive:
        written = archive.read("config.json").decode("utf-8")
        known = json.dumps(json.loads(written, object_hook=_without_empty))
        if not any(f'"{name}": null' in written for name in UNKNOWN_WHEN_EMPTY):
            return keras.models.load_model(path, compile=False, safe_mode=True)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, path.name)
            with zipfile.ZipFile(copy, "w") as target:
                for name in archive.namelist():
                    target.writestr(name, known if name == "config.json" else archive.read(name))
            return keras.models.load_model(copy, compile=False, safe_mode=True)


def _without_empty(entry):
    return {k: v for k, v in entry.items() if v is not None or k not in UNKNOWN_WHEN_EMPTY}


def save(network, path):
    """Save a network as a `.keras` file, whole or not at all.

    Raises ValueError for another suffix, FileNotFoundError for a folder that is not there.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(f"A network is saved as a .keras file, not as {path.name}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to save {path.name} in.")
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}.keras")
    try:
        network.save(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
