"""Photos: every layout found, every kind of picture read right, everything else named."""

import io
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.photos import folder as photos

RED, BLUE, WHITE = (200, 30, 30), (30, 30, 200), (255, 255, 255)


def paint(path, colour=RED, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def two_halves(width=64, height=48):
    """Return a picture that is red above and blue below, so that up is known."""
    pixels = np.full((height, width, 3), RED, np.uint8)
    pixels[height // 2 :] = BLUE
    return Image.fromarray(pixels)


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


# Reading


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what the camera did, Image.Transpose
    image = two_halves()
    if orientation in undo:
        image = image.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = photos.read(encoded(image, "JPEG", exif=exif, quality=95), 32)
    assert_colour(pixels[:13], RED)
    assert_colour(pixels[-13:], BLUE)


def test_colour_spaces_become_rgb():
    image = two_halves()
    grey = photos.read(encoded(image.convert("L"), "JPEG"), 32)
    assert grey.shape == (32, 32, 3) and np.ptp(grey.astype(int), axis=-1).max() == 0
    for pixels in (
        photos.read(encoded(image.convert("CMYK"), "JPEG", quality=95), 32),
        photos.read(encoded(image.convert("CMYK"), "TIFF"), 32),
        photos.read(encoded(image.quantize(8), "PNG"), 32),
        photos.read(encoded(image, "WEBP", lossless=True), 32),
        photos.read(encoded(image, "BMP"), 32),
        photos.read(encoded(image.quantize(8), "GIF"), 32),
    ):
        assert pixels.dtype == np.uint8
        assert_colour(pixels[:13], RED)
        assert_colour(pixels[-13:], BLUE)


def test_transparency_is_laid_on_white():
    image = two_halves().convert("RGBA")
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:24] = 0
    image.putalpha(Image.fromarray(alpha))
    palette = two_halves().quantize(2)
    clear = palette.getpixel((0, 0))
    for data in (
        encoded(image, "PNG"),
        encoded(image, "WEBP", lossless=True),
        encoded(palette, "PNG", transparency=clear),
        encoded(palette, "GIF", transparency=clear),
        encoded(two_halves(), "PNG", transparency=RED),
    ):
        pixels = photos.read(data, 32)
        assert_colour(pixels[:13], WHITE)
        assert_colour(pixels[-13:], BLUE)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("kind", ["<u2", ">u2"])
def test_sixteen_bits_are_scaled_and_not_clipped(form, kind):
    ramp = np.tile(np.linspace(0, 65535, 64), (64, 1))
    mode = {"PNG": "<u2", "TIFF": kind}[form]
    pixels = photos.read(encoded(Image.fromarray(ramp.astype(mode)), form), 64)
    assert np.array_equal(pixels[7, :, 1], np.round(ramp[7].astype(np.uint16) / 257))


def test_the_middle_is_cut_out_and_size_may_be_oblong():
    pixels = np.zeros((30, 90, 3), np.uint8)
    pixels[:, :30], pixels[:, 30:60], pixels[:, 60:] = RED, WHITE, BLUE
    data = encoded(Image.fromarray(pixels), "PNG")
    assert_colour(photos.read(data, 30), WHITE)
    assert np.array_equal(photos.read(data, (30, 90)), pixels)
    assert photos.read(data, (10, 60)).shape == (10, 60, 3)


def test_reduction_does_not_alias():
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = photos.read(encoded(Image.fromarray(stripes), "PNG"), 64)
    assert np.abs(pixels.astype(int) - 127).max() < 8


def test_paths_and_all_kinds_of_bytes_are_read_alike(tmp_path):
    path = paint(tmp_path / "1.png")
    data = path.read_bytes()
    for source in (str(path), data, bytearray(data), memoryview(data)):
        assert np.array_equal(photos.read(source, 16), photos.read(path, 16))


def test_a_huge_jpeg_is_read_with_little_memory(tmp_path):
    path = tmp_path / "huge.jpg"
    Image.new("L", (12_000, 9_000), 90).save(path)
    code = (
        "import resource, sys; from PIL import Image; from helpers import photos; Image.init()\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "before = peak(); pixels = photos.read(sys.argv[1], 224)\n"
        "print(pixels.shape, pixels.min(), pixels.max(), peak() - before < 100)"
    )
    run = [sys.executable, "-c", code, str(path)]
    root = Path(photos.__file__).parents[2]
    said = subprocess.run(run, capture_output=True, text=True, check=True, cwd=root)
    assert said.stdout.strip() == "(224, 224, 3) 90 90 True"


BAD = {
    "truncated.jpg": lambda: encoded(two_halves(400, 300), "JPEG")[:1200],
    "text.jpg": lambda: b"this is no picture\n" * 40,
    "nothing.jpg": lambda: b"",
    "dot.png": lambda: encoded(Image.new("RGB", (1, 1)), "PNG"),
    "phone.heic": lambda: b"\x00\x00\x00\x18ftypheic" + bytes(100),
    "deep.tif": lambda: encoded(Image.fromarray(np.full((32, 32), 70_000, np.int32)), "TIFF"),
    "float.tif": lambda: encoded(Image.fromarray(np.zeros((32, 32), np.float32)), "TIFF"),
    "huge.png": lambda: encoded(Image.new("1", (12_000, 9_000)), "PNG"),
    "bomb.png": lambda: encoded(Image.new("1", (20_000, 10_000)), "PNG"),
}
WHY = {
    "truncated.jpg": "truncated",
    "text.jpg": "not a picture",
    "nothing.jpg": "not a picture",
    "dot.png": "1x1 pixels: too small",
    "phone.heic": "save it as JPEG",
    "deep.tif": "more than 16 bits",
    "float.tif": "more than 16 bits",
    "huge.png": "12000x9000 pixels: too large, save it as JPEG",
    "bomb.png": "exceeds limit",
}


@pytest.mark.parametrize("name", BAD)
def test_a_picture_that_cannot_be_used_is_named_with_the_reason(tmp_path, name):
    (tmp_path / name).write_bytes(BAD[name]())
    with pytest.raises(ValueError) as caught:
        photos.read(tmp_path / name, 32)
    assert name in str(caught.value) and WHY[name] in str(caught.value)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.jpg.*No such file"):
        photos.read(tmp_path / "none.jpg", 32)


def test_a_damaged_file_is_read_or_refused_and_nothing_else():
    rng = np.random.default_rng(0)
    refused = 0
    for form in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"):
        whole = np.frombuffer(encoded(two_halves(), form), np.uint8)
        for _ in range(60):
            data = whole.copy()
            data[rng.integers(len(data), size=4)] = rng.integers(256, size=4)
            try:
                assert photos.read(data.tobytes(), 16).shape == (16, 16, 3)
            except ValueError as error:
                assert "cannot use the picture given as bytes" in str(error)
                refused += 1
    assert refused > 20


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
    for name in ("truncated.jpg", "text.jpg", "nothing.jpg", "dot.png"):
        (folder / "cats" / name).write_bytes(BAD[name]())
    listing = photos.find(folder)
    pairs = (*listing.train, *listing.test)
    listing = photos.Listing(folder, listing.class_names, pairs, ())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        images, labels = photos.load(listing, "train", 16)
    assert len(said) == 1 and said[0].category is UserWarning
    message = str(said[0].message)
    assert message.startswith("4 of 28 train photos cannot be used: ") and message.endswith("; ...")
    assert sum(f"{name} (" in message for name in BAD) == 3
    assert len(images) == len(labels) == 24
    for image, label in zip(images, labels, strict=True):
        assert_colour(image, (RED, BLUE)[label])


def test_a_class_without_a_usable_picture_is_an_error(tmp_path):
    for number in range(4):
        paint(tmp_path / "cats" / f"{number}.jpg")
        (tmp_path / "dogs").mkdir(exist_ok=True)
        (tmp_path / "dogs" / f"{number}.jpg").write_text("no picture")
    with pytest.raises(
        ValueError, match=r"no usable train photos of dogs in .*1\.jpg \(not a pict"
    ):
        photos.load(photos.find(tmp_path), "train", 16)
