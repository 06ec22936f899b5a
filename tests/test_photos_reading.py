"""Reading pictures: judged by their contents, right in every form, everything else named."""

import io
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.photos import reading as photos

RED, BLUE, WHITE = (200, 30, 30), (30, 30, 200), (255, 255, 255)


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
    path = tmp_path / "1.png"
    two_halves().save(path)
    data = path.read_bytes()
    for source in (str(path), data, bytearray(data), memoryview(data)):
        assert np.array_equal(photos.read(source, 16), photos.read(path, 16))


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
    "truncated.jpg": "damaged",
    "text.jpg": "not a picture",
    "nothing.jpg": "an empty file, not a picture",
    "dot.png": "1x1 pixels: too small",
    "phone.heic": "this is an HEIC photo: run pip install pillow-heif, or save it as JPEG",
    "deep.tif": "more than 16 bits",
    "float.tif": "more than 16 bits",
    "huge.png": "12000x9000 pixels: too large, make it smaller or save it as JPEG",
    "bomb.png": "200,000,000 pixels: too large",
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
                assert str(error).startswith("The picture cannot be used: ")
                refused += 1
    assert refused > 20


def test_a_jpeg_of_200_megapixels_is_reduced_while_it_is_decoded(tmp_path):
    path = tmp_path / "huge.jpg"
    Image.new("L", (16_320, 12_240), 90).save(path)
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


def test_a_large_progressive_jpeg_is_refused_since_it_cannot_be_reduced(monkeypatch):
    monkeypatch.setattr(photos, "LARGEST", 500_000)
    data = encoded(Image.new("L", (1400, 1000)), "JPEG", progressive=True)
    with pytest.raises(ValueError, match="1400x1000 pixels: too large for a progressive JPEG"):
        photos.read(data, 32)
    assert photos.read(encoded(Image.new("L", (1400, 1000)), "JPEG"), 32).shape == (32, 32, 3)


FORMS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")


@pytest.mark.parametrize("form", FORMS)
def test_every_format_of_photos_is_read_whatever_the_file_is_called(tmp_path, form):
    if form not in Image.SAVE and form == "AVIF":
        pytest.skip("this Pillow was built without AVIF")
    path = tmp_path / "photo.psd"
    path.write_bytes(encoded(two_halves(64, 64).convert("P" if form == "GIF" else "RGB"), form))
    pixels = photos.read(path, 32)
    assert_colour(pixels[:12], RED, 12)
    assert_colour(pixels[-12:], BLUE, 12)
    assert photos.is_picture(path.rename(tmp_path / "photo"))
    assert set(photos.suffixes()) >= {".jpg", ".ppm", ".jp2", ".avif", ".heic", ".mpo", ".tif"}


@pytest.mark.parametrize("form", ["DDS", "ICNS", "ICO", "PCX", "QOI", "SGI", "SPIDER", "TGA"])
def test_formats_that_photos_do_not_come_in_are_refused(tmp_path, form):
    path = tmp_path / "photo.jpg"
    image = two_halves(64, 64).convert("F" if form == "SPIDER" else "RGB")
    path.write_bytes(encoded(image, form))
    with pytest.raises(ValueError, match=r"photo\.jpg .*known here: .* save it as JPEG or PNG\.$"):
        photos.read(path, 32)
    assert not photos.is_picture(path)
    assert not {".tga", ".ico", ".psd", ".eps"} & photos.suffixes()


def box(brand, *more):
    """Return how a file of the family of HEIC, AVIF and films begins."""
    content = b"ftyp" + brand + bytes(4) + b"".join(more)
    return (len(content) + 4).to_bytes(4, "big") + content + bytes(100)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (box(b"heic", b"mif1", b"heic"), "this is an HEIC photo: run pip install pillow-heif, or"),
        (box(b"mif1", b"mif1", b"heix"), "this is an HEIC photo"),
        (box(b"mif1", b"mif1", b"avif"), "this is an AVIF photo"),
        (box(b"avif", b"mif1"), "this is an AVIF photo"),
        (box(b"crx ", b"isom"), "a raw photo or a film: export a picture as JPEG"),
        (box(b"qt  "), "a raw photo or a film"),
        (b"\xff\x0a" + bytes(50), "a JPEG XL picture: save it as JPEG"),
        (b"\n<!DOCTYPE html><html>", "a web page, not a picture: download the picture itself"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a drawing in SVG: export it as PNG"),
        (b"%PDF-1.7", "a PDF document"),
        (b"PK\x03\x04" + bytes(40), "a zip archive: unpack it"),
        (b"8BPS\0\1" + bytes(40), "a document of Photoshop: export it as JPEG"),
        (b"version https://git-lfs.github.com/spec/v1", "run git lfs pull"),
        (b"\xff\xd8\xffnot really", "the file is damaged"),
        (encoded(two_halves(), "PNG")[:80], "the file is damaged"),
    ],
)
def test_what_a_file_is_instead_is_said_in_one_sentence(data, words):
    with pytest.raises(ValueError) as caught:
        photos.read(data, 32, name="mine.jpg")
    said = str(caught.value)
    assert said.startswith("mine.jpg cannot be used: ") and words in said
    assert said.endswith(".") and "\n" not in said and len(said) < 150


def test_heic_is_read_where_pillow_heif_is_installed(monkeypatch):
    """A stand-in for the package: it teaches Pillow the format as the real one does."""
    data = box(b"heic", b"mif1", b"heic")

    class Photo(Image.Image):
        format = "HEIF"

    def opened(file, name):
        photo = Photo()
        photo.im, photo._mode, photo._size = (made := two_halves(32, 32)).im, made.mode, made.size
        return photo

    def register_heif_opener():
        Image.register_open("HEIF", opened, lambda head: head[4:12] == b"ftypheic")

    module = types.ModuleType("pillow_heif")
    module.register_heif_opener = register_heif_opener
    module.__spec__ = types.SimpleNamespace(name="pillow_heif")
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    assert_colour(photos.read(data, 32)[:12], RED)
    with pytest.raises(ValueError, match="an HEIC photo that cannot be read: save it as JPEG"):
        photos.read(box(b"mif1", b"heic"), 32)


def test_the_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, BLUE)]
    for form in ("GIF", "PNG", "WEBP", "TIFF"):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
        assert_colour(photos.read(data, 16), RED, 12)


def test_sixteen_bits_with_one_clear_value_and_fewer_than_sixteen():
    pixels = np.full((32, 32), 1000, np.uint16)
    pixels[:16] = 60_000
    read = photos.read(encoded(Image.fromarray(pixels), "PNG", transparency=1000), 32)
    assert read[0, 0].tolist() == [233] * 3 and read[-1, 0].tolist() == [255] * 3
    ten_bits = b"P5 32 32 1023\n" + np.full(1024, 1023, ">u2").tobytes()
    assert (photos.read(ten_bits, 32) == 255).all()


def test_damaged_exif_does_not_cost_the_photo():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(two_halves(), "JPEG", exif=exif)
    start = data.index(b"Exif\0\0")
    for damage in (b"Exif\0\0XX", b"Exif\0\0MM\0*\xff\xff\xff\xff"):
        cut = data[:start] + damage + data[start + len(damage) :]
        assert photos.read(cut, 16).shape == (16, 16, 3)


def test_the_small_preview_in_a_raw_photo_does_not_pass_for_the_photo():
    data = encoded(two_halves(), "TIFF", tiffinfo={254: 1})
    with pytest.raises(ValueError, match="a raw photo, or a preview of one: export it as JPEG"):
        photos.read(data, 16)
