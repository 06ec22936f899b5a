"""Photos in folders: every layout found, and whatever is left out or guessed is said."""

import logging
import os
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image

from helpers.photos import folder as photos

RED, BLUE = (200, 30, 30), (30, 30, 200)


def paint(path, colour=RED, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def assert_colour(pixels, colour, tolerance=6):
    assert np.abs(pixels.astype(int) - colour).max() <= tolerance


@pytest.fixture
def folder(tmp_path):
    for number in range(1, 13):
        paint(tmp_path / "cats" / f"{number}.jpg", RED)
        paint(tmp_path / "dogs" / f"{number}.png", BLUE)
    return tmp_path


# Finding


def names(pairs):
    return [f"{path.parent.name}/{path.name}" for path, _ in pairs]


def test_class_folders_are_split_the_same_each_time(folder):
    listing = photos.find(folder)
    assert listing.class_names == ("cats", "dogs")
    for label in (0, 1):
        assert sum(pair[1] == label for pair in listing.train) == 9
        assert sum(pair[1] == label for pair in listing.test) == 3
    assert set(listing.train).isdisjoint(listing.test)
    assert listing == photos.find(folder)
    assert names(listing.test) != names(photos.find(folder, seed=1).test)


def test_files_are_in_natural_order_and_classes_take_turns(folder):
    listing = photos.find(folder)
    assert [label for _, label in listing.train] == [0, 1] * 9
    numbers = [int(path.stem) for path, label in listing.train if label == 0]
    assert numbers == sorted(numbers) and max(numbers) >= 10


@pytest.mark.parametrize("held_out", ["test", "validation", "val"])
def test_train_and_test_folders_are_kept_apart(tmp_path, held_out):
    for part, count in (("train", 3), (held_out, 2)):
        for number in range(count):
            for kind in ("tabby", "Beagle"):
                paint(tmp_path / part / kind / f"{number}.jpg")
    listing = photos.find(tmp_path)
    assert listing.class_names == ("Beagle", "tabby")  # as Keras sorts them
    assert len(listing.train) == 6 and len(listing.test) == 4
    assert all(path.parts[-3] == "train" for path, _ in listing.train)
    assert all(path.parts[-3] == held_out for path, _ in listing.test)


@pytest.mark.parametrize("part", ["", "train"])
def test_flat_names_as_kaggle_has_them(tmp_path, part):
    for number in range(4):
        paint(tmp_path / part / f"cat.{number}.jpg")
        paint(tmp_path / part / f"dog.{number}.jpg")
        paint(tmp_path / "test" / f"{number}.jpg")  # Kaggle's test pictures have no labels
    paint(tmp_path / part / "IMG_0001.jpg")
    listing = photos.find(tmp_path)
    assert listing.class_names == ("cat", "dog")
    assert len(listing.train) == 6 and len(listing.test) == 2
    assert all(path.name.startswith(("cat", "dog")) for path, _ in listing.train + listing.test)


def test_what_is_no_picture_is_left_alone(folder):
    (folder / "cats" / "notes.txt").write_text("no picture")
    (folder / "cats" / "._1.jpg").write_bytes(b"left by macOS")
    paint(folder / ".ipynb_checkpoints" / "1.jpg")
    paint(folder / "__MACOSX" / "1.jpg")
    paint(folder / "test" / "1.jpg")
    (folder / "empty").mkdir()
    (folder / "README.md").write_text("mine")
    listing = photos.find(folder)
    assert listing.class_names == ("cats", "dogs") and len(listing.train + listing.test) == 24


def test_a_class_may_be_called_train(tmp_path):
    for number in range(4):
        for kind in ("bus", "train"):
            paint(tmp_path / kind / f"{number}.jpg")
    assert photos.find(tmp_path).class_names == ("bus", "train")


def test_the_limit_is_shared_between_the_classes(folder):
    for number in range(13, 60):
        paint(folder / "dogs" / f"{number}.png", size=(8, 8))
    listing = photos.find(folder, most={"train": 20, "test": 4})
    labels = [label for _, label in listing.train]
    assert labels.count(0) == 9 and labels.count(1) == 10 and len(listing.test) == 4
    assert listing == photos.find(folder, most={"train": 20, "test": 4})


def test_folders_that_will_not_do_are_named_with_what_will(tmp_path):
    def error():
        with pytest.raises(ValueError) as caught:
            photos.find(tmp_path / "photos")
        return str(caught.value)

    def assert_says(*words):
        assert all(word in error() for word in (*words, "cats/1.jpg", "cat.1.jpg"))

    assert_says("does not exist")
    (tmp_path / "photos").write_text("")
    assert_says("is a file")
    (tmp_path / "photos").unlink()
    (tmp_path / "photos").mkdir()
    assert_says("no labelled pictures")
    paint(tmp_path / "photos" / "cats" / "1.jpg")
    assert_says("only one class", "'cats'")
    paint(tmp_path / "photos" / "dogs" / "1.jpg")
    assert "'cats' has one picture" in error()


def test_train_and_test_must_have_the_same_classes(tmp_path):
    for part, kinds in (("train", ("cats", "dogs")), ("test", ("cats", "birds"))):
        for kind in kinds:
            paint(tmp_path / part / kind / "1.jpg")
    with pytest.raises(ValueError, match="cats, dogs to train on but birds, cats to test on"):
        photos.find(tmp_path)


# What is said


def noise(folder, *names, count=4):
    """Write pictures that all differ; a * in a name stands for the numbers 0 to count - 1."""
    rng = np.random.default_rng(len(names))
    for name in names:
        for number in range(count if "*" in name else 1):
            path = folder / name.replace("*", str(number))
            path.parent.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8))
            image.save(path, "PPM" if path.suffix == ".ppm" else "JPEG")
    return folder


def found(caplog, folder, **options):
    """Return a listing and its report, which must have been logged, once."""
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="helpers"):
        listing = photos.find(folder, **options)
    assert [record.getMessage() for record in caplog.records] == [listing.report]
    return listing, listing.report


def test_folders_of_the_system_are_no_classes_and_what_is_left_out_is_counted(tmp_path, caplog):
    junk = "$RECYCLE.BIN", "__MACOSX", ".ipynb_checkpoints", "System Volume Information", "@eaDir"
    noise(tmp_path, "cats/*.jpg", "dogs/*.jpg", "birds/*.ppm", "cows/2021/*.jpg", "cows/2022/1.jpg")
    noise(tmp_path, *(f"{name}/*.jpg" for name in junk), "cats/@eaDir/*.jpg", "loose.jpg")
    for name in ("cats/notes.txt", "more.csv", "labels.csv", "cats/.DS_Store", "dogs/Thumbs.db"):
        (tmp_path / name).write_text("no picture")
    (tmp_path / "empty").mkdir()
    listing, report = found(caplog, tmp_path)
    assert listing.class_names == ("birds", "cats", "cows", "dogs")
    assert caplog.records[0].levelno == logging.WARNING
    assert len(listing.train) == 13 and len(listing.test) == 4
    for said in (
        "0 birds: 3 to train on, 1 to test on, from birds/",
        "2 cows: 4 to train on, 1 to test on, from cows/2021/, cows/2022/",
        "There is no labelled test folder: a quarter of each class is the test set.",
        "in $RECYCLE.BIN/, which is no class: 4",
        "in @eaDir/, which is no class: 8",
        f"1 picture in {tmp_path.name}/: outside of the class folders",
        f"{tmp_path.name}/empty/: no pictures",
        "hidden files: 2",
        "no pictures (.csv): 2",
        "no pictures (.txt): 1",
    ):
        assert said in report


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Train", "Test"), ("Training", "Testing"), ("training_set", "test_set"), ("TRAIN", "VAL"),
        ("train", "valid"), ("train-set", "Validation"), ("train", "Test Data"), ("train", "test1"),
    ],
)  # fmt: skip
def test_splits_are_understood_whatever_they_are_called(tmp_path, caplog, train, test):
    noise(tmp_path, f"{train}/cats/*.jpg", f"{train}/Dogs/*.jpg", "unlabelled/*.jpg")
    noise(tmp_path, f"{test}/Cats/*.jpg", f"{test}/dogs/*.jpg", f"{test}/Cats/more/*.jpg")
    listing, report = found(caplog, tmp_path)
    assert listing.class_names == ("Dogs", "cats")
    assert len(listing.train) == 8 and len(listing.test) == 12
    assert f"4 pictures in {tmp_path.name}/unlabelled/: outside of {train}/" in report
    assert "quarter" not in report
    for path, label in (*listing.train, *listing.test):
        assert listing.class_names[label].lower() in str(path.relative_to(tmp_path)).lower()


def test_only_one_test_set_is_used_and_the_other_is_said(tmp_path, caplog):
    for part in ("", "val/", "test/"):
        noise(tmp_path, f"{part}cats/*.jpg", f"{part}dogs/*.jpg")
    listing, report = found(caplog, tmp_path)
    assert {path.parts[-3] for path, _ in listing.test} == {"test"} and len(listing.train) == 8
    assert f"8 pictures in {tmp_path.name}/val/: test/ is the test set" in report


def test_kaggles_unlabelled_test_pictures_and_names_without_class_are_said(tmp_path, caplog):
    noise(tmp_path, "train/cat.*.jpg", "train/dog.*.jpg", "train/IMG_0001.jpg", "test1/*.jpg")
    listing, report = found(caplog, tmp_path)
    assert listing.class_names == ("cat", "dog") and len(listing.train) == 6
    assert f"4 pictures in {tmp_path.name}/test1/: no labels" in report
    assert f"1 picture in {tmp_path.name}/train/: no class in the name" in report


def test_a_folder_within_a_folder_as_zip_files_make_it(tmp_path, caplog):
    noise(tmp_path, "archive/PetImages/Cat/*.jpg", "archive/PetImages/Dog/*.JPG")
    listing, report = found(caplog, tmp_path)
    assert listing.class_names == ("Cat", "Dog") and len(listing.train) == 6
    assert f"the classes are the folders in {tmp_path.name}/archive/PetImages/" in report
    deeper = noise(tmp_path / "b", "archive/train/cats/*.jpg", "archive/train/dogs/*.jpg")
    assert photos.find(deeper).class_names == ("cats", "dogs")


def test_a_class_may_be_called_train_and_have_folders_in_it(tmp_path):
    noise(tmp_path, "bus/*.jpg", "train/steam/*.jpg", "train/diesel/*.jpg")
    assert photos.find(tmp_path).class_names == ("bus", "train")


def test_two_folders_to_train_on_are_an_error(tmp_path):
    for part in ("train", "training"):
        noise(tmp_path, f"{part}/cats/*.jpg", f"{part}/dogs/*.jpg")
    with pytest.raises(ValueError, match="two folders to train on, train/ and training/: keep one"):
        photos.find(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows asks for a privilege to make links")
def test_links_are_followed_but_not_in_a_circle_and_not_into_nothing(tmp_path, caplog):
    elsewhere = noise(tmp_path / "elsewhere", "*.jpg")
    folder = noise(tmp_path / "pets", "dogs/*.jpg")
    os.symlink(elsewhere, folder / "cats")
    os.symlink(folder, folder / "dogs" / "circle")
    os.symlink(tmp_path / "nowhere", folder / "dogs" / "nothing.jpg")
    listing, report = found(caplog, folder)
    assert listing.class_names == ("cats", "dogs") and len(listing.train + listing.test) == 8
    assert "broken links: 1" in report and "links to a folder above: 1" in report


def test_names_are_compared_as_people_write_them_and_files_need_no_suffix(tmp_path, caplog):
    noise(tmp_path, "train/cafe\u0301/*", "train/猫/*.JPEG", "test/caf\u00e9/*.jpg", "test/猫/*")
    (tmp_path / "train" / "猫" / "README").write_text("no picture")
    listing, report = found(caplog, tmp_path)
    assert listing.class_names == ("caf\u00e9", "猫")
    assert len(listing.train) == len(listing.test) == 8
    assert "no pictures (no suffix): 1" in report


def test_copies_are_counted_and_kept(tmp_path, caplog):
    noise(tmp_path, "train/cats/*.jpg", "train/dogs/*.jpg", "test/cats/*.jpg", "test/dogs/*.jpg")
    cat = (tmp_path / "train/cats/0.jpg").read_bytes()
    for name in ("train/cats/4.jpg", "train/dogs/5.jpg", "test/cats/6.jpg"):
        (tmp_path / name).write_bytes(cat)
    (tmp_path / "test/dogs/7.jpg").write_bytes((tmp_path / "test/dogs/0.jpg").read_bytes())
    listing, report = found(caplog, tmp_path)
    assert len(listing.train + listing.test) == 20
    assert (
        "4 of 20 pictures are copies of others, and kept; "
        "1 are both to train and to test on; 1 are in two classes."
    ) in report


def test_the_pictures_beyond_the_limit_are_counted_and_many_classes_are_summed_up(tmp_path, caplog):
    noise(tmp_path, *(f"class {number:02d}/*.jpg" for number in range(30)), count=8)
    _, report = found(caplog, tmp_path, most={"train": 90, "test": 30})
    assert "0 class 00: 3 of 6 to train on, 1 of 2 to test on, from class 00/" in report
    assert "and 10 classes more, to 29 class 29" in report and len(report.splitlines()) < 25


def test_a_tidy_folder_is_no_cause_for_a_warning(tmp_path, caplog):
    noise(tmp_path, "cats/*.jpg", "dogs/*.jpg")
    found(caplog, tmp_path)
    assert caplog.records[0].levelno == logging.INFO


def test_thousands_of_files_are_listed_without_opening_them(tmp_path, monkeypatch):
    for kind in ("cats", "dogs"):
        (tmp_path / kind).mkdir()
        for number in range(2000):
            (tmp_path / kind / f"{number}.jpg").write_bytes(bytes(number))
    monkeypatch.setattr(photos.reading, "is_picture", None)
    monkeypatch.setattr(Image, "open", None)
    listing = photos.find(tmp_path)
    assert len(listing.train) == 1000 and len(listing.test) == 400


def test_an_archive_is_to_be_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        archive.writestr("cats/1.jpg", b"")
    with pytest.raises(ValueError, match="is a file, a zip archive: unpack it; expected"):
        photos.find(tmp_path / "pets.zip")
    with pytest.raises(ValueError, match="no labelled pictures; .*unpack the archive in it first"):
        photos.find(tmp_path)


# Loading


def test_load_gives_pictures_with_their_labels(folder):
    listing = photos.find(folder)
    images, labels = photos.load(listing, "train", 16)
    assert images.shape == (18, 16, 16, 3) and images.dtype == np.uint8
    assert labels.tolist() == [label for _, label in listing.train]
    for image, label in zip(images, labels, strict=True):
        assert_colour(image, (RED, BLUE)[label])
    assert photos.load(listing, "test", (8, 12))[0].shape == (6, 8, 12, 3)


def test_load_names_what_it_leaves_out_in_one_warning(folder):
    bad = {"cut.jpg": b"\xff\xd8\xff\xe0", "text.jpg": b"text", "nothing.jpg": b""}
    for name, content in bad.items():
        (folder / "cats" / name).write_bytes(content)
    paint(folder / "cats" / "dot.png", size=(1, 1))
    listing = photos.find(folder)
    pairs = (*listing.train, *listing.test)
    listing = photos.Listing(folder, listing.class_names, pairs, ())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        images, labels = photos.load(listing, "train", 16)
    assert len(said) == 1 and said[0].category is UserWarning
    message = str(said[0].message)
    assert message.startswith("4 of 28 train photos cannot be used: ") and message.endswith("; ...")
    assert sum(f"{name} (" in message for name in (*bad, "dot.png")) == 3
    assert len(images) == len(labels) == 24
    for image, label in zip(images, labels, strict=True):
        assert_colour(image, (RED, BLUE)[label])


def test_a_class_without_a_usable_picture_is_an_error(tmp_path):
    for number in range(4):
        paint(tmp_path / "cats" / f"{number}.jpg")
        (tmp_path / "dogs").mkdir(exist_ok=True)
        (tmp_path / "dogs" / f"{number}.jpg").write_text("no picture")
    with pytest.raises(
        ValueError, match=r"no usable train photos of dogs in .*1\.jpg \(it is not a p"
    ):
        photos.load(photos.find(tmp_path), "train", 16)
