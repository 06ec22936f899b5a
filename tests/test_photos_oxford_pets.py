"""Oxford's pets: the right pictures with their masks out of any archive, and nothing outside it."""

import dataclasses
import io
import subprocess
import sys
import tarfile
import zipfile
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pytest
import stand_ins
from PIL import Image

from helpers.photos import downloads, oxford_pets, pet_archives
from helpers.photos import folder as photos


@pytest.fixture(autouse=True)
def small(impatient, monkeypatch, tmp_path):
    monkeypatch.setattr(oxford_pets, "COUNT", {"train": 8, "test": 4})
    monkeypatch.setattr(pet_archives, "SPARE", 1)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def serve(server, monkeypatch):
    """Serve archives of these members as Oxford's own."""

    def serve_archives(images, notes):
        for attribute, name, members in (
            ("IMAGES", "images.tar.gz", images),
            ("ANNOTATIONS", "annotations.tar.gz", notes),
        ):
            content = members if isinstance(members, bytes) else stand_ins.archive(members)
            monkeypatch.setattr(pet_archives, attribute, server.source(name, content))

    return serve_archives


def files(folder):
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return sorted(path.relative_to(folder).as_posix() for path in found)


def names(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def assert_right(images, labels, parts):
    """Each picture is bright where its mask says pet, in the colour of its class."""
    assert labels.tolist() == [0, 1] * (len(labels) // 2)
    assert parts.max() == 2 and parts.dtype == np.uint8
    for image, label, ids in zip(images, labels, parts, strict=True):
        colour = stand_ins.COLOURS[pet_archives.CLASS_NAMES[label]]
        for part, wanted in ((1, colour), (0, (20, 20, 20))):
            middle = np.median(image[ids == part], axis=0)
            assert np.abs(middle - wanted).max() < 12, (label, part, middle)


def test_a_subset_is_made_once_and_holds_pictures_labels_and_masks(server, serve, tmp_path):
    serve(*stand_ins.oxford())
    path = oxford_pets.fetch()
    images, labels, parts = oxford_pets.load(path, "train", 64)
    assert images.shape == (8, 64, 64, 3) and parts.shape == (8, 64, 64)
    assert_right(images, labels, parts)
    images, labels, parts = oxford_pets.load(path, "test", (40, 64))
    assert images.shape == (4, 40, 64, 3) and parts.shape == (4, 40, 64)
    assert_right(images, labels, parts)
    assert oxford_pets.fetch() == path and len(server.asked) == 2
    assert files(tmp_path / "cache") == [path.name]  # the archives are gone


def test_training_pictures_are_from_oxfords_training_list(serve):
    serve(*stand_ins.oxford(train=6, test=4))
    taken = names(oxford_pets.fetch())
    for part, numbers in (("train", range(1, 7)), ("test", range(7, 11))):
        stems = [name.split("/")[2] for name in taken if name.startswith(f"{part}/")]
        assert all(int(stem.rpartition("_")[2][:-4]) in numbers for stem in stems)
        assert len(stems) == len(set(stems)) == oxford_pets.COUNT[part]


def test_the_choice_and_the_file_are_the_same_each_time(serve, tmp_path):
    images, notes = stand_ins.oxford(train=30)
    serve(images, notes)
    first = oxford_pets.fetch(tmp_path / "a")
    backwards = dict(reversed(images.items())), dict(reversed(notes.items()))
    serve(*backwards)
    again = oxford_pets.fetch(tmp_path / "b")
    assert first.read_bytes() == again.read_bytes()
    assert first.name != again.name  # the archives had other checksums


def test_the_subset_unpacked_is_a_photo_folder_that_says_where_it_is_from(serve, tmp_path):
    serve(*stand_ins.oxford())
    with zipfile.ZipFile(oxford_pets.fetch()) as archive:
        archive.extractall(tmp_path / "unpacked")
    listing = photos.find(tmp_path / "unpacked")
    assert listing.class_names == pet_archives.CLASS_NAMES
    assert len(listing.train) == 8 and len(listing.test) == 4
    about = (tmp_path / "unpacked" / "README.txt").read_text()
    assert "Parkhi" in about and "Attribution-ShareAlike 4.0" in about and "reduced" in about


def test_archives_can_be_kept_and_serve_as_a_mirror(server, serve, tmp_path):
    serve(*stand_ins.oxford())
    oxford_pets.fetch(tmp_path / "a", keep=True)
    mirror = tmp_path / "a" / "downloads"
    assert files(mirror) == ["annotations.tar.gz", "images.tar.gz"]
    asked = len(server.asked)
    oxford_pets.fetch(tmp_path / "b", mirror=mirror)
    assert len(server.asked) == asked and len(files(mirror)) == 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_has_its_mask_turned_alike(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture, mask = pet_archives._reduced(*stand_ins.photo("cat", 3, exif=exif), 60)
    pixels, ids = (np.asarray(Image.open(io.BytesIO(data))) for data in (picture, mask))
    assert pixels.shape == (60, 60, 3)
    bright = pixels[..., 0] > 110
    assert (bright == (ids == 1))[ids != 2].mean() > 0.99


def test_a_damaged_subset_is_made_again(serve, server):
    serve(*stand_ins.oxford())
    path = oxford_pets.fetch()
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    for damaged in (b"", whole[: len(whole) // 2], bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.warns(UserWarning, match=r"oxford-pets-.*\.zip is damaged; making it again"):
            assert oxford_pets.fetch() == path
        assert path.read_bytes() == whole


KILLED = """
import ast, os, sys
from helpers.photos import downloads
from helpers.photos import oxford_pets
from helpers.photos import pet_archives
images, notes = ast.literal_eval(sys.argv[1])
pet_archives.IMAGES, pet_archives.ANNOTATIONS = downloads.Source(*images), downloads.Source(*notes)
oxford_pets.COUNT = {"train": 8, "test": 4}
write = oxford_pets._write

def half(path, pairs):
    write(path, pairs)
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)
    os.kill(os.getpid(), 9)

oxford_pets._write = half
oxford_pets.fetch()
"""


def test_a_program_killed_while_it_makes_the_subset_leaves_no_half_of_it(serve, server, tmp_path):
    serve(*stand_ins.oxford())
    sources = [dataclasses.astuple(one) for one in (pet_archives.IMAGES, pet_archives.ANNOTATIONS)]
    program = [sys.executable, "-c", KILLED, repr(sources)]
    ended = subprocess.run(program, cwd=Path(downloads.__file__).parent.parent)
    assert ended.returncode == -9
    left = files(tmp_path / "cache")
    assert sum(name.endswith(".zip.unfinished") for name in left) == 1
    assert not any(name.endswith(".zip") for name in left)
    path = oxford_pets.fetch()
    assert oxford_pets.is_whole(path) and files(tmp_path / "cache") == [path.name]
    assert len(server.asked) == 2  # the archives had been kept


def test_two_at_once_make_one_subset(serve, server):
    serve(*stand_ins.oxford())
    server.always = "slow"
    with ThreadPool(2) as pool:
        first, second = pool.map(lambda _: oxford_pets.fetch(), range(2))
    assert first == second and oxford_pets.is_whole(first) and len(server.asked) == 2


# Archives that are not as they should be


def test_paths_that_lead_outside_lead_nowhere(serve, tmp_path):
    images, notes = stand_ins.oxford()
    wanted = names_of(images)
    link = tarfile.TarInfo("images/Bengal_1.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    images = {
        "../evil.jpg": b"evil",
        "images/../../evil.jpg": b"evil",
        f"{tmp_path}/evil.jpg": b"evil",
        **images,
        "images/Bengal_1.jpg": link,  # in the place of a picture
    }
    notes["annotations/trimaps/../../../evil.png"] = b"evil"
    notes["annotations/trainval.txt"] += b"../../evil 1 1 1\n/evil 1 2 1\n"
    serve(images, notes)
    taken = names(oxford_pets.fetch())
    assert_kinds(taken)
    assert {name.split("/")[2] for name in taken if name.startswith(("train/", "test/"))} <= wanted
    assert not [path for path in tmp_path.rglob("*evil*")]
    assert "train/cat/Bengal_1.jpg" not in taken


def names_of(images):
    return {name.removeprefix("images/") for name in images}


def assert_kinds(taken):
    for part, count in oxford_pets.COUNT.items():
        for kind in pet_archives.CLASS_NAMES:
            assert sum(name.startswith(f"{part}/{kind}/") for name in taken) == count // 2


DAMAGE = {
    "picture cut short": lambda picture, mask: (picture[: len(picture) // 2], mask),
    "no picture": lambda picture, mask: (b"nothing", mask),
    "mask cut short": lambda picture, mask: (picture, mask[:40]),
    "mask of another picture": lambda picture, _: (picture, stand_ins.photo("cat", 0, 30, 30)[1]),
    "mask with other numbers": lambda picture, _: (
        picture, stand_ins.encoded(np.full((50, 70), 9, np.uint8), "PNG")
    ),
    "mask with zeros": lambda picture, _: (
        picture, stand_ins.encoded(np.zeros((50, 70), np.uint8), "PNG")
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_another_picture_steps_in_for_a_damaged_one(serve, damage, caplog):
    images, notes = stand_ins.oxford(train=5)  # all are wanted, one to spare
    picture, mask = "images/english_setter_2.jpg", "annotations/trimaps/english_setter_2.png"
    images[picture], notes[mask] = DAMAGE[damage](images[picture], notes[mask])
    serve(images, notes)
    with caplog.at_level("INFO", "helpers"):
        taken = names(oxford_pets.fetch())
    assert "images/english_setter_2.jpg is left out: " in caplog.text
    assert_kinds(taken)
    assert "train/dog/english_setter_2.jpg" not in taken


def test_a_missing_mask_and_too_few_pictures_are_one_error(serve, tmp_path):
    images, notes = stand_ins.oxford(train=4)
    del notes["annotations/trimaps/Bengal_2.png"]
    serve(images, notes)
    with pytest.raises(
        downloads.DownloadError, match="3 usable train pictures of a cat, but 4 are needed"
    ):
        oxford_pets.fetch()
    assert not list((tmp_path / "cache").glob("*.zip"))


def test_missing_lists_are_named(serve):
    images, notes = stand_ins.oxford()
    del notes["annotations/test.txt"]
    serve(images, notes)
    with pytest.raises(downloads.DownloadError, match=r"annotations\.tar\.gz lacks test\.txt"):
        oxford_pets.fetch()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("which", [0, 1])
def test_an_archive_damaged_inside_is_one_error(serve, tmp_path, share, which):
    members = [stand_ins.archive(one) for one in stand_ins.oxford()]
    members[which] = members[which][: int(share * len(members[which]))] + b"\0" * 100
    serve(*members)
    name = ("images", "annotations")[which]
    with pytest.raises(downloads.DownloadError, match=rf"{name}\.tar\.gz is damaged inside"):
        oxford_pets.fetch()
    assert not list((tmp_path / "cache").glob("*.zip"))


def test_a_download_that_fails_is_told_and_the_next_call_goes_on(server, serve, tmp_path):
    serve(*stand_ins.oxford())
    server.faults = [None, 404]
    with pytest.raises(downloads.DownloadError, match=r"images\.tar\.gz .* 404 Not Found"):
        oxford_pets.fetch()
    oxford_pets.fetch()
    assert [path for path, _ in server.asked] == [
        "/annotations.tar.gz", "/images.tar.gz", "/images.tar.gz",
    ]  # fmt: skip


def test_a_full_disk_is_one_error_and_gets_its_room_back(serve, tmp_path, monkeypatch):
    serve(*stand_ins.oxford())

    def full(path, pairs):
        path.write_bytes(b"a beginning")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(oxford_pets, "_write", full)
        with pytest.raises(downloads.DownloadError, match="No space left on device.*free some"):
            oxford_pets.fetch()
    assert files(tmp_path / "cache") == ["downloads/annotations.tar.gz", "downloads/images.tar.gz"]
    oxford_pets.fetch()


def test_the_sources_are_oxfords():
    images, notes = pet_archives.IMAGES, pet_archives.ANNOTATIONS
    assert (images.size, notes.size) == (791_918_971, 19_173_078)
    assert images.digest[:8] == "67195c5e" and notes.digest[:8] == "52425fb6"
    for source in (images, notes):
        assert len(source.digest) == 64
        assert all(url.startswith("https://") and url.endswith(source.name) for url in source.urls)
