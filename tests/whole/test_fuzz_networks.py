"""Fuzz of networks' files: damaged, rewritten, hostile. None runs code or fills the memory."""

import gc
import io
import json
import os
import sys
import zipfile

import h5py
import keras
import pytest
from fuzzing import assert_sentence, damaged, files_in, fuzz, within
from hypothesis import given
from hypothesis import strategies as st

from helpers import networks


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A small network as the bytes of a .keras file, its parts, and a .h5 file."""
    folder = tmp_path_factory.mktemp("whole")
    layers = keras.layers
    network = keras.Sequential(
        [keras.Input((4, 4, 3)), layers.Flatten(name="flat"), layers.Dense(2, name="scores")]
    )
    networks.save(network, folder / "net.keras")
    network.save(folder / "net.h5")
    with zipfile.ZipFile(folder / "net.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return (folder / "net.keras").read_bytes(), parts, (folder / "net.h5").read_bytes()


def zipped(parts, packed=False):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if packed else 0) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def load(folder, content):
    """Load bytes as a network, or check the sentence that says why not; return whether it could."""
    path = folder / "mine.keras"
    path.write_bytes(content)
    try:
        network = networks.load(path)
    except ValueError as error:
        assert_sentence(error, str(path))
        network = None
    assert isinstance(network, keras.Model | None) and files_in(folder) == [path.name]
    assert path.read_bytes() == content
    return network is not None


def test_keras_files_that_are_damaged(whole, tmp_path):
    content, parts, _ = whole

    @fuzz(150)
    @given(st.sampled_from(("file", *sorted(parts))), st.data())
    def each(where, data):
        if where == "file":
            load(tmp_path, data.draw(damaged(content)))
        else:  # the archive is whole, and what is in it is not
            load(tmp_path, zipped(parts | {where: data.draw(damaged(parts[where]))}))

    assert load(tmp_path, content)
    with within(300):
        each()


def test_h5_files_that_are_damaged(whole, tmp_path):
    *_, content = whole

    @fuzz(100)
    @given(damaged(content))
    def each(data):
        load(tmp_path, data)

    assert load(tmp_path, content)
    with within(300):
        each()


VALUES = st.sampled_from(
    (None, True, 0, -1, 10**6, 10**9, 10**30, 1.5, "", "x", "Dense", "keras.layers", [], {})
) | st.recursive(st.integers() | st.text(max_size=5), lambda one: st.lists(one, max_size=2))
FOREIGN = st.sampled_from(
    [
        {"class_name": name, "config": {"name": "a"}, "module": module, "registered_name": name}
        for module in ("os", "builtins", "subprocess", "fuzz_evil", "helpers.networks", "keras")
        for name in ("system", "eval", "Popen", "Evil", "load", "Lambda", "TFSMLayer")
    ]
    + [{"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}]
)


@st.composite
def rewritten(draw, config):
    """Return a description of which some places hold something else, as JSON."""
    config = json.loads(config)
    for _ in range(draw(st.integers(1, 3))):
        places = [(config, key) for key in config]
        for inside, key in places:
            if isinstance(inside[key], dict | list):
                keys = inside[key] if isinstance(inside[key], dict) else range(len(inside[key]))
                places += [(inside[key], one) for one in keys]
        inside, key = draw(st.sampled_from(places))
        if isinstance(inside, dict) and draw(st.booleans()):
            del inside[key]
        else:
            inside[key] = json.loads(json.dumps(draw(VALUES | FOREIGN)))  # a copy
        if not config:
            break
    return json.dumps(config).encode()


def test_descriptions_of_anything_run_nothing(whole, tmp_path, monkeypatch):
    """A module of this name would be imported if safe mode let it."""
    evil = tmp_path / "modules"
    evil.mkdir()
    (evil / "fuzz_evil.py").write_text("raise SystemExit('the file has run code')\n")
    monkeypatch.syspath_prepend(evil)
    files = tmp_path / "files"
    files.mkdir()
    _, parts, h5 = whole
    with h5py.File(io.BytesIO(h5), "r") as file:
        in_h5 = file.attrs["model_config"]

    @fuzz(150)
    @given(st.booleans(), st.data())
    def each(as_h5, data):
        if as_h5:
            copy = io.BytesIO(h5)
            with h5py.File(copy, "r+") as file:
                file.attrs["model_config"] = data.draw(rewritten(in_h5)).decode()
            load(files, copy.getvalue())
        else:
            config = data.draw(rewritten(parts["config.json"]))
            load(files, zipped(parts | {"config.json": config}))
        assert "fuzz_evil" not in sys.modules

    with within(300):
        each()


NAMES = ("../evil", "/tmp/evil", "assets/../../evil", "C:\\evil", "..\\evil", "assets/evil", "évil")


def test_archives_that_are_hostile(whole, tmp_path):
    _, parts, _ = whole
    files = tmp_path / "files"
    files.mkdir()

    @fuzz(20)
    @given(st.sampled_from(NAMES), st.sampled_from((10, 10**6, 8 * 10**7)), st.booleans())
    def each(name, size, inside):
        more = {"model.weights.h5" if inside else name: bytes(size)}
        could = load(files, zipped(parts | more, packed=size > 10**6))
        assert not (could and (inside or ".." in name or size > 10**6))
        assert files_in(tmp_path) == [os.path.join("files", "mine.keras")]

    with within(500):  # the test itself makes the content
        each()


def test_weights_that_say_to_be_huge(whole, tmp_path):
    _, parts, _ = whole

    @fuzz(40)
    @given(
        st.sampled_from((10**3, 10**6, 10**9, 10**12)),
        st.sampled_from(("chunks", "outside", "link", "circle")),
    )
    def each(count, kind):
        copy = io.BytesIO(parts["model.weights.h5"])
        with h5py.File(copy, "r+") as file:
            if kind == "chunks":
                file.create_dataset("more", (count,), "f4", chunks=(1000,), compression="gzip")
            elif kind == "outside":
                outside = [("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
                file.create_dataset("more", (count,), "u1", external=outside)
            elif kind == "link":
                file["more"] = h5py.ExternalLink("/tmp/other.h5", "/x")
            else:
                file["layers/more"] = file["layers"]
        could = load(tmp_path, zipped(parts | {"model.weights.h5": copy.getvalue()}))
        assert could == (kind == "circle" or (kind == "chunks" and count <= 10**6))

    with within(300):
        each()


def test_networks_larger_than_their_weights(whole, tmp_path):
    _, parts, _ = whole
    config = parts["config.json"]

    @fuzz(40)
    @given(st.integers(1, 10**9))
    def each(units):
        changed = config.replace(b'"units": 2', b'"units": %d' % units)
        assert changed != config or units == 2
        could = load(tmp_path, zipped(parts | {"config.json": changed}))
        assert could == (units == 2)
        gc.collect()  # what was made before it was refused

    with within(300):
        each()
