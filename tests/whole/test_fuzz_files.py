"""Fuzz of pictures, folders of pictures, archives, weights of PyTorch's and files of progress."""

import contextlib
import gzip
import io
import json
import os
import pickle
import re
import struct
import sys
import tempfile
import types
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import stand_ins
import test_state_dict as torch_files
from fuzzing import assert_sentence, damaged, files_in, fuzz, nothing_left_behind, within
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers import progress
from helpers.core import state_dict
from helpers.exercises import exercise
from helpers.photos import downloads, folder, pet_archives, reading

__all__ = ["nothing_left_behind"]
SIZE = 24


def _encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _pictures():
    """Small pictures of every kind that is read, by name."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8))
    smooth = image.resize((6, 6)).resize((SIZE, SIZE))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "turned"
    more = {"save_all": True, "append_images": [smooth, image]}
    deep = Image.fromarray(rng.integers(0, 65536, (SIZE, SIZE), np.uint16))
    clear = image.convert("RGBA")
    clear.putalpha(smooth.convert("L"))
    made = {
        "plain.jpg": (image, "JPEG", {}),
        "turned.jpg": (image, "JPEG", {"exif": exif}),
        "progressive.jpg": (smooth, "JPEG", {"progressive": True}),
        "inks.jpg": (image.convert("CMYK"), "JPEG", {}),
        "two.mpo": (image, "MPO", more),
        "plain.png": (smooth, "PNG", {}),
        "palette.png": (image.quantize(9), "PNG", {"transparency": 2}),
        "clear.png": (clear, "PNG", {"exif": exif}),
        "deep.png": (deep, "PNG", {"transparency": 7}),
        "bits.png": (image.convert("1"), "PNG", {}),
        "moving.png": (smooth, "PNG", more),
        "moving.gif": (smooth, "GIF", more),
        "moving.webp": (smooth, "WEBP", more | {"lossless": True}),
        "plain.webp": (smooth, "WEBP", {}),
        "plain.bmp": (image, "BMP", {}),
        "palette.bmp": (image.quantize(16), "BMP", {}),
        "plain.tif": (image, "TIFF", {}),
        "packed.tif": (smooth, "TIFF", {"compression": "tiff_lzw"}),
        "zipped.tif": (smooth, "TIFF", {"compression": "tiff_adobe_deflate"}),
        "jpeg.tif": (smooth, "TIFF", {"compression": "jpeg"}),
        "pages.tif": (smooth, "TIFF", more),
        "deep.tif": (deep, "TIFF", {}),
        "plain.ppm": (image, "PPM", {}),
        "deep.pgm": (deep, "PPM", {}),
        "plain.jp2": (smooth, "JPEG2000", {}),
    }
    if "AVIF" in Image.SAVE:
        made["plain.avif"] = smooth, "AVIF", {"speed": 10}
    return {name: _encoded(image, form, **more) for name, (image, form, more) in made.items()}


PICTURES = _pictures()
STARTS = (
    b"", b"8BPS\0\1", b"%!PS-Adobe", b"SIMPLE  = T", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n",
    b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"RIFF\0\0\0\0WEBP", b"P6 ", b"P4\n", b"Pf ",
    b"\0\0\0\x18ftypavif", b"\0\0\0\x18ftypheic", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xffO\xffQ",
    b"<svg", b"<!doctype html>", b"%PDF-1.7", b"PK\3\4", b"DDS |", b"qoif", b"icns", b"\0\0\1\0",
)  # fmt: skip


def _read(content):
    """Read bytes as a picture, or check the sentence that says why not; return whether it could."""
    try:
        pixels = reading.read(content, 16, name="mine.jpg")
    except ValueError as error:
        assert_sentence(error, "mine.jpg cannot be used: ")
        return False
    assert pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8
    return True


def test_pictures_that_are_damaged():
    could = []

    @fuzz(3200)
    @given(st.sampled_from(sorted(PICTURES)).flatmap(lambda name: damaged(PICTURES[name])))
    def each(content):
        could.append(_read(content))

    assert all(map(_read, PICTURES.values()))
    with within(300):
        each()
    assert len(could) >= 3000 and 100 < sum(could) < len(could) - 100


@fuzz(2000)
@given(st.sampled_from(STARTS), st.binary(max_size=80))
def test_bytes_that_begin_like_a_picture(start, more):
    _read(start + more)


def _claims(form, width, height):
    """Return a small file that says to be a picture of this size."""
    if form == "PNG":
        head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        data = b"IDAT" + zlib.compress(bytes(3000))
        chunks = (
            struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one))
            for one in (head, data, b"IEND")
        )
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    if form == "PPM":
        return f"P6 {width} {height} 255\n".encode() + bytes(3000)
    fields = {  # where a file has its size: after these bytes, so far on, in this form
        "plain.jpg": (b"\xff\xc0", 5, ">HH", (height, width)),
        "progressive.jpg": (b"\xff\xc2", 5, ">HH", (height, width)),
        "moving.gif": (b"GIF89a", 6, "<HH", (width, height)),
        "plain.bmp": (b"BM", 18, "<ii", (width, height)),
        "plain.jp2": (b"\xff\x51", 6, ">II", (width, height)),
        "plain.tif": (b"\0\1\4\0\1\0\0\0", 8, "<I", (width,)),
        "plain.avif": (b"ispe", 8, ">II", (width, height)),
    }
    after, further, shape, values = fields[form]
    data = bytearray(PICTURES[form])
    place = data.index(after) + further if after in data else 0
    most = 2 ** (8 * struct.calcsize(shape) // len(values)) - 1
    struct.pack_into(shape, data, place, *(min(one, most) for one in values))
    return bytes(data)


FORMS = ["PNG", "PPM", "plain.jpg", "progressive.jpg", "moving.gif", "plain.bmp", "plain.jp2"]
FORMS += ["plain.tif", *(name for name in PICTURES if name.endswith(".avif"))]
LENGTHS = st.sampled_from((0, 1, 7, 8, 16, 255, 4000, 8000, 16_000, 65_535, 2**24, 2**31 - 1))


def test_pictures_that_say_to_be_huge():
    @fuzz(600)
    @given(st.sampled_from(FORMS), LENGTHS, LENGTHS)
    def each(form, width, height):
        _read(_claims(form, width, height))

    with within(700):
        each()


NAMES = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=12)
SUFFIXES = ("", ".jpg", ".png", ".gif", ".psd", ".heic", ".JPG", ".1.jpg", ".2.jpg", ".zip", ".txt")
PARTS = ("cats", "dogs", "train", "test", "val", "Test", "__MACOSX", ".hidden", "a b", "日本")


@st.composite
def _trees(draw):
    """Return a folder's files, {path in it: content}, a few of them undamaged pictures."""
    files = {}
    if draw(st.booleans()):
        classes = draw(
            st.sampled_from((("cats", "dogs"), ("train/cats", "train/dogs"), ("a", "ä")))
        )
        files = {f"{one}/{n}.png": PICTURES["plain.png"] for one in classes for n in range(3)}
    for _ in range(draw(st.integers(0, 9))):
        places = draw(st.lists(st.sampled_from(PARTS) | NAMES, max_size=3))
        name = draw(st.sampled_from(("cat", "dog", "1", "2", "3")) | NAMES)
        kind = draw(st.sampled_from((*sorted(PICTURES), "noise", "link")))
        content = PICTURES.get(kind, b"noise" if kind == "noise" else None)
        files["/".join((*places, name + draw(st.sampled_from(SUFFIXES))))] = content
    return files


def _lay_out(root, files):
    """Write the files of a tree; what has no content is a link to the folder above."""
    for name, content in files.items():
        path = os.path.join(root, name)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if content is None:
                os.symlink("..", path)
            else:
                with open(path, "xb") as file:
                    file.write(content)
        except OSError:  # a name that another file has, "..", or one that is too long
            continue


def test_folders_of_anything(tmp_path):
    loaded = []

    @fuzz(200)
    @given(_trees())
    def each(files):
        with tempfile.TemporaryDirectory(dir=tmp_path) as root:
            _lay_out(root, files)
            before = files_in(root)
            try:
                listing = folder.find(root)
                listing.report.encode("utf-8")
                for part in ("train", "test"):
                    images, labels = folder.load(listing, part, 16)
                    assert images.shape == (len(labels), 16, 16, 3) and len(labels)
                loaded.append(listing)
            except ValueError as error:
                text = str(error)
                text.encode("utf-8")
                assert root in text and "Traceback" not in text
            assert files_in(root) == before

    with within(300), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # photos that cannot be used are named in one
        each()
    assert len(loaded) > 10


def test_archives_of_pets_that_are_damaged(tmp_path):
    images, notes = (stand_ins.archive(members) for members in stand_ins.oxford())
    plain = gzip.decompress(notes)
    count, read = {"train": 2, "test": 2}, []
    (tmp_path / "images.tar.gz").write_bytes(images)

    @fuzz(250)
    @given(st.booleans().flatmap(lambda packed: damaged(notes if packed else plain)))
    def each(content):
        packed = content if content[:2] == b"\x1f\x8b" else gzip.compress(content, 1)
        (tmp_path / "notes.tar.gz").write_bytes(packed)
        try:
            pairs = pet_archives.pictures(
                tmp_path / "notes.tar.gz", tmp_path / "images.tar.gz", count, 16
            )
            assert len(pairs) == 4 and all(re.fullmatch(r"[\w/]+", name) for name in pairs)
            read.append(len(pairs))
        except downloads.DownloadError as error:
            assert_sentence(error, str(tmp_path))
        assert files_in(tmp_path) == ["images.tar.gz", "notes.tar.gz"]

    with within(200):
        each()


def _weights():
    """Return a file of weights in each of PyTorch's formats."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in torch_files.STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def rebuild(*_):
        raise AssertionError("run while it was read")

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild
    known = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        state = torch_files.state_of(torch_files.ARRAYS, utils)
        return torch_files.written_before_1_6(state), torch_files.written_today(state)
    finally:
        for name, module in known.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _read_weights(path, content):
    """Read bytes as weights: tensors by name or a sentence. Returns whether there were tensors."""
    path.write_bytes(content)
    try:
        found = state_dict.read(path)
    except ValueError as error:
        assert_sentence(error, str(path))
        return False
    assert all(type(name) is str and type(one) is np.ndarray for name, one in found.items())
    assert {one.dtype.kind for one in found.values()} <= {"f", "i"}
    return True


def test_weights_that_are_damaged(tmp_path):
    plain, zipped = _weights()
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    could = []

    @fuzz(2500)
    @given(st.sampled_from(("plain", "zipped", "inside")), st.data())
    def each(kind, data):
        if kind == "inside":  # the archive is whole, the pickle in it is not
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w") as archive:
                for name, content in parts.items():
                    wrong = name.endswith("data.pkl")
                    archive.writestr(name, data.draw(damaged(content)) if wrong else content)
            content = file.getvalue()
        else:
            content = data.draw(damaged(plain if kind == "plain" else zipped))
        could.append(_read_weights(tmp_path / "net.pth", content))

    with within(200):
        each()
    assert len(could) >= 2500 and sum(could) > 50


CALLS = ("os system", "builtins eval", "builtins exec", "torch load", "numpy load", "sys exit")
CALLS += ("collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch FloatStorage")
PIECES = (
    st.sampled_from(CALLS).map(lambda name: b"c" + name.replace(" ", "\n").encode() + b"\n"),
    st.sampled_from([bytes([one]) for one in b"()]}Ndst012RbQuea\x85\x86\x87\x88\x89\x93\x94"]),
    st.integers(0, 2**32 - 1).map(lambda n: b"r" + n.to_bytes(4, "little")),
    st.integers(0, 9).map(lambda n: b"h" + bytes([n])),
    st.integers(0, 255).map(lambda n: b"K" + bytes([n])),
    st.integers(0, 2**32 - 1).map(lambda n: b"J" + n.to_bytes(4, "little")),
    st.sampled_from(("storage", "0", "cpu", "a.weight")).map(
        lambda text: b"X" + len(text).to_bytes(4, "little") + text.encode()
    ),
    st.integers(0, 2**62).map(lambda n: b"\x96" + n.to_bytes(8, "little")),
    st.integers(0, 2**31 - 1).map(lambda n: b"\x8b" + n.to_bytes(4, "little")),
)


def test_pickles_of_any_operations_run_nothing(tmp_path):
    @fuzz(1500)
    @given(st.lists(st.one_of(PIECES), max_size=30))
    def each(pieces):
        program = b"\x80\x02" + b"".join(pieces) + b"."
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("net/data.pkl", program)
            archive.writestr("net/data/0", bytes(64))
        _read_weights(tmp_path / "net.pth", file.getvalue())

    with within(200):
        each()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
NOTED = st.dictionaries(
    st.sampled_from(("saliency.1", "grad_cam.2", "tsne.9", "no.1", "x")) | st.text(max_size=9),
    st.sampled_from((*exercise.STATES, "else")) | JSON,
    max_size=4,
)
NOTES = st.one_of(
    NOTED.map(lambda known: json.dumps(known).encode()),
    JSON.map(lambda known: json.dumps(known).encode()),
    damaged(b'{"saliency.1": "correct", "grad_cam.2": "incorrect"}'),
    st.binary(max_size=40),
    st.sampled_from((b"[" * 100_000, b'{"a":' * 100_000, b"9" * 9999, b'{"a.' + b"9" * 9999)),
    st.just(json.dumps({"saliency." + "9" * 5000: "correct"}).encode()),
)


def test_files_of_progress(tmp_path, capsys):
    @fuzz(1200)
    @given(st.lists(NOTES, max_size=3))
    def each(files):
        for path in tmp_path.iterdir():
            path.unlink()
        for number, content in enumerate(files):
            (tmp_path / f"seat{number}.json").write_bytes(content)
        code = progress.main([str(tmp_path)])
        shown, said = capsys.readouterr()
        assert code == (0 if shown else 1) and "Traceback" not in said
        (shown + said).encode("utf-8")
        assert max(map(len, (*shown.splitlines(), *said.splitlines(), ""))) < 2000

    with within(200):
        each()


def test_an_outcome_is_noted_or_the_file_stays_as_it_was(nothing_left_behind, monkeypatch):
    file = nothing_left_behind / "me.json"
    monkeypatch.setenv("COURSE_PROGRESS", str(file))

    @fuzz(500)
    @given(NOTES)
    def each(content):
        file.write_bytes(content)
        with pytest.warns(UserWarning) if not _is_noted(content) else contextlib.nullcontext():
            exercise._remember(exercise.Outcome("start_here.2", "incorrect", ""))
        if _is_noted(content):
            known = json.loads(file.read_text("utf-8"))
            assert known == json.loads(content) | {"start_here.2": "incorrect"}
        else:
            assert file.read_bytes() == content
        assert files_in(nothing_left_behind) == ["me.json"]

    each()


def _is_noted(content):
    try:
        return isinstance(json.loads(content.decode("utf-8")), dict)
    except (ValueError, RecursionError):
        return False


def test_a_pickle_that_is_no_tensor_is_never_run(tmp_path):
    """The fuzz would notice: what it feeds does run where Python's own reader reads it."""
    program = b"\x80\x02cbuiltins\nlen\nX\x03\x00\x00\x00abc\x85R."
    assert pickle.loads(program) == 3
    assert not _read_weights(tmp_path / "net.pth", program)
    assert not Path(tmp_path / "abc").exists()
