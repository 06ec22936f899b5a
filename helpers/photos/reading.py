"""Read a picture file: judged by its contents, whatever its name, and made ready for a network.

Any file will do (rotated by EXIF, grey, CMYK, palette, transparent, 16-bit, animated, huge): the
result is the centre of the picture as RGB uint8, in the size that the network takes. What cannot be
read is named with a reason that tells the learner what to do.
"""

import importlib
import importlib.util
import io
import re
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin

SMALLEST = 8  # pixels, of the shorter side
LARGEST = 64_000_000  # pixels to decode at once: about 200 MB
# What photos come in. Pillow knows thirty formats more, most of them rare and little checked.
FORMATS = {
    "AVIF", "BMP", "GIF", "HEIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP",
}  # fmt: skip
PLUGINS = {  # packages that teach Pillow a format: the format, and the function to call
    "pillow_heif": ("HEIF", "register_heif_opener"),
    "pillow_avif": ("AVIF", None),
}
HEIC = b"heic heix hevc hevx heim heis hevm hevs mif1 msf1".split()
MORE_SUFFIXES = (".heic", ".heif", ".hif", ".avif", ".avifs", ".mpo")
NO_PICTURE = {  # how a file begins: what it is
    b"\0\0\0\x0cJXL ": "a JPEG XL picture: save it as JPEG",
    b"\xff\x0a": "a JPEG XL picture: save it as JPEG",
    b"<!doctype": "a web page, not a picture: download the picture itself",
    b"<html": "a web page, not a picture: download the picture itself",
    b"<svg": "a drawing in SVG: export it as PNG",
    b"%!ps": "a PostScript document: export it as PNG",
    b"%pdf": "a PDF document: export the picture as JPEG",
    b"pk\x03\x04": "a zip archive: unpack it",
    b"8bps": "a document of Photoshop: export it as JPEG",
    b"version https://git-lfs": "a Git LFS pointer instead of the picture: run git lfs pull",
}
UNKNOWN = "it is not a picture in a format known here: if it is one, save it as JPEG or PNG"
PREVIEW = 254  # a TIFF tag: 1 where only a small preview of a raw photo is readable


def read(source, size, name=None):
    """Read one picture as RGB uint8 (H, W, 3): upright, centre-cropped, resized with anti-aliasing.

    Arguments:
        source: a path, or the bytes of a file, such as an upload widget returns. Its contents tell
            the format, not its name.
        size: (height, width) or one int.
        name: what to call the picture in an error; default the file's name, or "The picture".

    Transparent areas become white, 16 bits are scaled to 8, of an animation the first frame is
    taken. HEIC needs the package pillow-heif, AVIF a Pillow that was built with it (11.3 and later
    are). Raises ValueError in one sentence, fit for a learner: which picture, why, and what to do.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = attempt(source, np.broadcast_to(size, 2).tolist())
    if isinstance(result, str):
        in_memory = isinstance(source, bytes | bytearray | memoryview)
        name = name or ("The picture" if in_memory else Path(source).name)
        raise ValueError(f"{name} cannot be used: {result}.")
    return result


def suffixes():
    """Return the suffixes of the formats that may be read here, in lower case, as a set."""
    known = {suffix for suffix, form in _extensions().items() if form in _formats()}
    return known.union(MORE_SUFFIXES)


def is_picture(path):
    """Return whether a file's first bytes are those of a picture, readable here or not."""
    try:
        with open(path, "rb") as file:
            if _brand(file.read(64)):
                return True
            file.seek(0)
            with warnings.catch_warnings(), _opened(file):
                warnings.simplefilter("ignore")
                return True
    except Image.DecompressionBombError:
        return True
    except Exception:  # anything at all, in a file that is no picture
        return False


def attempt(source, size):
    """Return the picture of a path or bytes, or a string that says why it cannot be used."""
    in_memory = isinstance(source, bytes | bytearray | memoryview)
    try:
        with io.BytesIO(source) if in_memory else open(source, "rb") as file:
            head = file.read(64)
            file.seek(0)
            try:
                with _opened(file) as image:
                    return _prepare(image, *size)
            except Image.UnidentifiedImageError:
                return _in_words(head)
    except Image.DecompressionBombError as error:
        pixels = int(re.search(r"\d+", str(error))[0])
        return f"it has {pixels:,} pixels: too large, make it smaller or save it as JPEG"
    except OSError as error:
        return error.strerror or _damage(error)
    except Exception as error:  # a damaged file makes Pillow raise almost anything
        return str(error) if isinstance(error, ValueError) else _damage(error)


def _damage(error):
    return f"the file is damaged ({str(error).rstrip('.') or type(error).__name__})"


def _opened(file):
    """Open a picture, a JPEG of any size too: `Image.open` refuses it before it can be reduced."""
    jpeg = file.read(3) == b"\xff\xd8\xff"
    file.seek(0)
    if jpeg:
        return JpegImagePlugin.JpegImageFile(file)
    return Image.open(file, formats=_formats())


def _extensions():
    _formats()
    return Image.registered_extensions()


def _formats():
    """Return those of FORMATS that Pillow can open, with the plugins that are installed."""
    Image.init()
    for package, (form, register) in PLUGINS.items():
        if form not in Image.OPEN and importlib.util.find_spec(package):
            module = importlib.import_module(package)
            if register:
                getattr(module, register)()
    return [form for form in Image.OPEN if form in FORMATS]


def _brand(head):
    """Return "HEIC" or "AVIF" for the first bytes of such a photo, else None."""
    if head[4:8] != b"ftyp":
        return None
    brands = [head[8:12], *(head[start : start + 4] for start in range(16, head[3], 4))]
    if b"avif" in brands or b"avis" in brands:
        return "AVIF"
    return "HEIC" if any(brand in HEIC for brand in brands) else None


def _in_words(head):
    """Return why Pillow does not know a file, from its first bytes."""
    if not head:
        return "it is an empty file, not a picture"
    brand = _brand(head)
    if brand == "HEIC":
        known = "HEIF" in Image.OPEN
        mend = "" if known else "run pip install pillow-heif, or "
        return f"this is an HEIC photo{' that cannot be read' * known}: {mend}save it as JPEG"
    if brand == "AVIF":
        known = "AVIF" in Image.OPEN
        mend = "" if known else 'run pip install "pillow>=11.3", or '
        return f"this is an AVIF photo{' that cannot be read' * known}: {mend}save it as JPEG"
    if head[4:8] == b"ftyp":
        return "this is a raw photo or a film: export a picture as JPEG"
    start = head.lstrip().lower()
    known = (words for begin, words in NO_PICTURE.items() if start.startswith(begin.lower()))
    return next((f"this is {words}" for words in known), UNKNOWN)


def _prepare(image, height, width):
    size, whole = f"{image.width}x{image.height} pixels", image.width * image.height
    image.draft(None, (2 * max(height, width),) * 2)  # JPEG only: decode at 1/2, 1/4 or 1/8
    if min(image.size) < SMALLEST:
        raise ValueError(f"it has {size}: too small to show anything")
    if image.width * image.height > LARGEST:
        raise ValueError(f"it has {size}: too large, make it smaller or save it as JPEG")
    if image.info.get("progressive") and whole > 2 * LARGEST:  # it is decoded as a whole
        raise ValueError(f"it has {size}: too large for a progressive JPEG, save it as baseline")
    if image.format == "TIFF" and image.tag_v2.get(PREVIEW) == 1:
        raise ValueError("this is a raw photo, or a preview of one: export it as JPEG")
    image = ImageOps.exif_transpose(image)
    if image.mode[0] in "FI":  # floats, or integers of 16 bits and more
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = ImageOps.fit(image.convert("RGBA"), (width, height), Image.Resampling.LANCZOS)
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    return np.array(ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS))


def _eight_bits(image):
    pixels = np.asarray(image, np.float32)
    if image.mode == "F" or pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("it has more than 16 bits per channel: save it with 8 or 16")
    if isinstance(clear := image.info.get("transparency"), int):
        pixels = np.where(pixels == clear, 65535, pixels)
    return Image.fromarray((pixels / 257).round().astype(np.uint8))
