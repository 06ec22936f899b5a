"""Read a network's file: judged by what is in it, not by its name, and never allowed to run code.

A file that cannot be read gets a sentence about the cause and one about the mend. Where the cause
is not known, it says so and quotes Keras.
"""

import contextlib
import io
import json
import re
import tempfile
import zipfile
import zlib
from pathlib import Path

import h5py
import keras

from helpers.core import bounds
from helpers.core.copies import reason_of

_HDF5 = b"\x89HDF\r\n\x1a\n"
_FIRST_BYTES = {  # of files that are often taken for networks
    b"version https://git-lfs": "is a pointer of Git LFS, not the network: run git lfs pull",
    b"<!doctype": "is a web page, so the download went wrong: download it again",
    b"<html": "is a web page, so the download went wrong: download it again",
    b"\x80": "is a Python pickle, as PyTorch writes it, and not a Keras network",
    b"\x1f\x8b": "is a compressed archive: unpack it, and give the network's file in it",
    b"{": "is JSON, and holds no weights: save the whole network, model.save('network.keras')",
}
_UNKNOWN_WHEN_EMPTY = {"input_axes", "output_axes"}  # to an older Keras
_OF_WEIGHTS = {"layer_names", "layers", "vars", "_layer_checkpoint_dependencies"}  # in .h5 files
_WITHOUT_MODULE = "Functional", "__tuple__", "__tensor__", "__numpy__", "function"  # in .h5 files
_SAVE_WHOLE = "save it whole, model.save('network.keras')"
_TRUST = "Use a copy from somebody you trust."
_REBUILD = "Where the network was built, use Keras' own layers instead, and save it again."
# What reading the description of a network raises where it is not built like one.
_DAMAGE = (
    AttributeError, EOFError, IndexError, KeyError, NotImplementedError, OSError, OverflowError,
    RecursionError, RuntimeError, TypeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_MOST = 64 * 2**20  # bytes of a description
_OPEN_ELSEWHERE = (
    "With the tf_keras package, tf_keras.models.load_model(folder).save('network.h5') makes a file "
    "that can be loaded here."
)


def load(path):
    """Load a network from a `.keras` or `.h5` file, in safe mode; see `networks.load`."""
    path = Path(path).expanduser()
    if path.is_dir():
        raise ValueError(f"{path} {_about_folder(path)}")
    if not path.is_file():
        raise FileNotFoundError(f"There is no network file {path}.")
    with path.open("rb") as file:
        first = file.read(64)
    if first.startswith(b"PK"):
        suffix, read = ".keras", _read_zip
    elif first.startswith(_HDF5):
        suffix, read = ".h5", _read_hdf5
    else:
        raise ValueError(f"{path} {_about_bytes(first)}.")
    try:
        network = _load(path, suffix, *read(path))
    except _DAMAGE as error:
        raise ValueError(f"{path} is damaged: copy or download it again.") from error
    if not isinstance(network, keras.Model):
        raise ValueError(f"{path} holds a {type(network).__name__}, not a whole network.")
    return network


def _about_folder(folder):
    names = {one.name for one in folder.iterdir()}
    if "saved_model.pb" in names:
        return (
            "is a folder in TensorFlow's SavedModel format, of which Keras 3 makes no network. "
            + _OPEN_ELSEWHERE
        )
    if {"config.json", "model.weights.h5"} <= names:
        return "is a .keras file that has been unpacked: zip what is in this folder, as x.keras."
    inside = sorted(n for n in names if n.lower().endswith((".keras", ".h5", ".hdf5")))
    hint = f": do you mean {inside[0]} in it?" if inside else "."
    return f"is a folder, and a network is a .keras or .h5 file{hint}"


def _about_bytes(first):
    if not first:
        return "is empty: copy or download it again"
    if first[4:8] == b"TFL3":
        return (
            "is a TensorFlow Lite file, which has no gradients: give the .keras file it came from"
        )
    for start, what in _FIRST_BYTES.items():
        if first.lower().startswith(start):
            return what
    return f"is not a .keras or .h5 file: open the network where it was made, and {_SAVE_WHOLE}"


def _read_zip(path):
    """Return the config in a .keras file, the version of Keras that wrote it, the weights' size."""
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is truncated: copy or download it again.")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        inside = [name for name in names if name.lower().endswith((".keras", ".h5", ".hdf5"))]
        if "config.json" not in names:
            what = f": unpack it, and give {inside[0]}" if inside else ""
            if any(name.endswith("data.pkl") for name in names):
                what = ", but what PyTorch writes"
            fault = f"is a zip file but not a .keras file: it has no config.json{what}"
            raise ValueError(f"{path} {fault}.")
        if "model.weights.h5" not in names:
            raise ValueError(f"{path} has a description but no weights: {_SAVE_WHOLE}.")
        with _refused(path):
            bounds.check_zip(archive)
        config = _described(path, _part(path, archive, "config.json"))
        about = _described(path, _part(path, archive, "metadata.json"))
        weights = _part(path, archive, "model.weights.h5")
    with h5py.File(io.BytesIO(weights), "r") as file, _refused(path):
        bounds.check_hdf5(file, len(weights))
    return config, about.get("keras_version", ""), len(weights)


def _part(path, archive, name):
    """Return what one file in a .keras file holds, its checksum checked."""
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{path} is damaged ({name}): copy or download it again.") from error


def _read_hdf5(path):
    """Return the config in a .h5 file, the version of Keras that wrote it, and the file's size."""
    try:
        with h5py.File(path, "r") as file:
            config, written = file.attrs.get("model_config"), file.attrs.get("keras_version", "")
            names = set(file) | set(file.attrs)
            with _refused(path):
                bounds.check_hdf5(file, path.stat().st_size)
    except OSError as error:
        raise ValueError(f"{path} is truncated or damaged: copy or download it again.") from error
    if config is None and names & _OF_WEIGHTS:
        raise ValueError(
            f"{path} holds weights only, without the network: build the network in Python, "
            f"network.load_weights(file), then {_SAVE_WHOLE}."
        )
    if config is None:
        raise ValueError(f"{path} is an HDF5 file, but no network that Keras has saved.")
    return _described(path, config), written, path.stat().st_size


def _described(path, text):
    """Return what a JSON text holds, an object."""
    try:
        if len(text) > _MOST:
            raise ValueError("too long")
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: copy or download it again.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is damaged: it describes a {type(found).__name__}, no network.")
    return found


@contextlib.contextmanager
def _refused(path):
    """Put a file's name before what `bounds` says, and what to do after it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path} {error}. {_TRUST}") from error


def _load(path, suffix, config, written, size):
    """Load a file under a name that Keras accepts, its config rewritten where that is needed."""
    for entry in _entries(config):
        _refuse_code(path, entry)
    known = _known_here(config)
    refused = []
    try:
        with bounds.weights_within(size) as refused:
            return _built(path, suffix, known, known == config and path.suffix == suffix)
    except Exception as error:
        if refused:
            raise ValueError(f"{path} {refused[0]}. {_TRUST}") from error
        raise ValueError(f"{path} {_why_not(path, config, written, error)}") from error


def _built(path, suffix, config, as_it_is):
    """Return the network in a file, read through a copy unless the file will do as it is."""
    if as_it_is:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "network" + suffix)
        _rewrite(path, copy, json.dumps(config))
        return keras.models.load_model(copy, compile=False, safe_mode=True)


def _rewrite(path, copy, config):
    """Copy a file, its config exchanged."""
    if copy.suffix == ".h5":
        copy.write_bytes(path.read_bytes())
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = config
        return
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as target:
        for name in archive.namelist():
            target.writestr(name, config if name == "config.json" else archive.read(name))


def _known_here(entry):
    """Return a config without what this Keras rejects although it says nothing.

    That is what a newer Keras writes and leaves empty, and the one group of Keras 2's depthwise
    convolutions.
    """
    if isinstance(entry, list):
        return [_known_here(one) for one in entry]
    if not isinstance(entry, dict):
        return entry
    left = {k: v for k, v in entry.items() if v is not None or k not in _UNKNOWN_WHEN_EMPTY}
    if entry.get("class_name") == "DepthwiseConv2D" and entry["config"].get("groups") == 1:
        left["config"] = {k: v for k, v in entry["config"].items() if k != "groups"}
    return {key: _known_here(value) for key, value in left.items()}


def _entries(config):
    """Yield the entries of a config that stand for an object or a function."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str) and "config" in config:
            yield config
        config = config.values()
    elif not isinstance(config, list):
        return
    for one in config:
        yield from _entries(one)


def _named(entry):
    """Return how to speak of a layer."""
    inner = entry["config"]
    name = inner.get("name") if isinstance(inner, dict) else None
    return f"{entry['class_name']} layer {name!r}" if name else entry["class_name"]


def _refuse_code(path, entry):
    """Raise ValueError for a layer that would run code out of the file."""
    if entry["class_name"] == "TFSMLayer":
        raise ValueError(
            f"{path} holds a {_named(entry)}: a TensorFlow program without layers to look into, "
            f"which safe mode does not run. Give the network it was made from. {_OPEN_ELSEWHERE}"
        )
    inner = entry["config"] if isinstance(entry["config"], dict) else {}
    functions = [inner] if entry["class_name"] == "__lambda__" else list(inner.values())
    codes = any(
        isinstance(one, dict)
        and (one.get("class_name") == "__lambda__" or "code" in one or _is_dump(one))
        for one in functions
    )
    if codes or inner.get("function_type") == "lambda" or entry["class_name"] == "__lambda__":
        raise ValueError(
            f"{path} holds Python code, in its {_named(entry)}, which could do anything and is not "
            f"run. {_REBUILD} For x / 127.5 - 1, say, that is Rescaling(1 / 127.5, offset=-1)."
        )


def _is_dump(entry):
    """Tell whether an entry is a lambda in place of an activation: code, defaults, closure."""
    value = entry.get("value")
    return set(entry) == {"value"} and isinstance(value, list) and len(value) == 3


def _why_not(path, config, written, error):
    """Say why Keras could not load a file: the first cause that is certain."""
    if zipfile.is_zipfile(path) and _numbers(written)[:1] == [2]:
        return (
            f"was written by Keras {written}, whose .keras files Keras 3 cannot read: save the "
            "network there as model.save('network.h5'), which can be loaded here."
        )
    said = reason_of(error)
    for entry in _entries(config):
        kind, inner = entry["class_name"], entry["config"]
        if kind == "Lambda" and f"'{_function(inner)}'" in str(error):
            return (
                f"calls the Python function {_function(inner)} in its {_named(entry)}, and a file "
                f"holds only the name of a function. {_REBUILD} Instead of preprocess_input, for "
                "one, Rescaling(1 / 127.5, offset=-1) maps 0-255 to -1 to 1."
            )
        if kind in ("TFOpLambda", "SlicingOpLambda"):
            return (
                f"was written by Keras 2, with TensorFlow's operations among its layers ({kind}), "
                "which Keras 3 does not know. Build it again with Keras 3 and load its weights."
            )
        if kind != "function" and _is_unknown(entry):
            return (
                f"holds the {_named(entry)}, a class that is not defined here. Import its module "
                "first, and decorate the class with @keras.saving.register_keras_serializable()."
            )
        if kind == "function" and f"'{inner}'" in str(error):
            return (
                f"uses the function {inner}, which is not defined here. Import its module first, "
                "and decorate the function with @keras.saving.register_keras_serializable()."
            )
    if _numbers(written) > _numbers(keras.__version__):
        return (
            f"was written by Keras {written}, and this is the older Keras {keras.__version__}: "
            f"update Keras, or save the file with a Keras that is not newer. Keras says: {said}"
        )
    return f"cannot be loaded as a Keras network; the cause is not known. Keras says: {said}"


def _function(inner):
    """Return the name of a Lambda's function."""
    function = inner.get("function")
    return function.get("config") if isinstance(function, dict) else function


def _is_unknown(entry):
    """Tell whether an entry's class is neither Keras' own nor registered."""
    name = entry.get("registered_name") or entry["class_name"]
    if keras.saving.get_registered_object(name) is not None:
        return False
    if "module" in entry:
        return not f"{entry['module']}.".startswith("keras.")
    places = keras, keras.layers, keras.initializers, keras.regularizers, keras.constraints
    return name not in _WITHOUT_MODULE and not any(hasattr(place, name) for place in places)


def _numbers(version):
    return [int(number) for number in re.findall(r"\d+", str(version))[:2]]
