"""Your own photos: find them in a folder, read them, prepare them for a network.

A folder labels its pictures in one of two ways, optionally inside `train/` and `test/`:

    cats/anything.jpg   dogs/anything.jpg      one folder per class
    cat.12.jpg          dog.7.jpg              the class before the number (as on Kaggle)

Any file will do (rotated by EXIF, grey, CMYK, palette, transparent, 16-bit, huge): the result is
the centre of the picture as RGB uint8, in the size that the network takes.
"""

import io
import re
import warnings
from collections import defaultdict
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from helpers.core.progress import progress

LAYOUTS = (
    "either one folder per class (cats/1.jpg, dogs/1.jpg) or the class before a number "
    "(cat.1.jpg, dog.1.jpg), optionally inside train/ and test/ folders"
)
SUFFIXES = tuple(".jpg .jpeg .jpe .jfif .png .webp .gif .bmp .tif .tiff .heic .heif .avif".split())
TEST_NAMES = ("test", "validation", "val")
MOST = {"train": 1000, "test": 400}
SMALLEST = 8  # pixels, of the shorter side
LARGEST = 64_000_000  # pixels to decode at once: about 200 MB


@dataclass(frozen=True)
class Listing:
    """The pictures found in a folder: class names, and (path, label) pairs for train and test.

    Classes alternate, so the first few pictures show all of them.
    """

    folder: Path
    class_names: tuple[str, ...]
    train: tuple[tuple[Path, int], ...]
    test: tuple[tuple[Path, int], ...]


def find(folder, most=None, seed=0):
    """Find the labelled pictures of a folder and split them into train and test.

    Arguments:
        folder: a path, laid out as described at the top of this module.
        most: the most pictures to use, shared equally between the classes; by default
            {"train": 1000, "test": 400}.
        seed: chooses the pictures. Without labelled pictures in `test/` (or `validation/`, `val/`),
            it also chooses a quarter of each class as the test set.

    Returns a `Listing`, without opening any picture. Classes are sorted as Keras sorts them.
    Raises ValueError, naming the layouts that work, for a missing or empty folder, fewer than two
    classes, and test classes that differ from the training classes.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise ValueError(f"the photo folder {folder} {what}; expected {LAYOUTS}")
    inside = folder / "train" if _classes(folder / "train") else folder
    classes = _classes(inside)
    if len(classes) < 2:
        found = f"only one class, {next(iter(classes))!r}" if classes else "no labelled pictures"
        raise ValueError(f"{inside} holds {found}; expected two classes or more, {LAYOUTS}")
    tests = [_classes(folder / name) for name in TEST_NAMES if inside != folder]
    held_out = next((found for found in tests if found), None)
    if held_out and set(held_out) != set(classes):
        raise ValueError(
            f"{folder} has the classes {', '.join(sorted(classes))} to train on but "
            f"{', '.join(sorted(held_out))} to test on; they must be the same"
        )
    rng = np.random.default_rng(seed)
    most = {**MOST, **(most or {})}
    pairs = {"train": [], "test": []}
    for label, name in enumerate(sorted(classes)):
        parts = {"train": classes[name], "test": held_out[name]} if held_out else None
        for part, paths in (parts or _quarter(name, classes[name], rng)).items():
            share = max(1, most[part] // len(classes))
            chosen = np.sort(rng.permutation(len(paths))[:share])
            pairs[part] += [(turn, label, paths[index]) for turn, index in enumerate(chosen)]
    parts = [tuple((path, label) for *_, label, path in sorted(found)) for found in pairs.values()]
    return Listing(folder, tuple(sorted(classes)), *parts)


def load(listing, part, size):
    """Read the pictures of one part of a listing as images and labels.

    part: "train" or "test". size: (height, width) or one int. Returns images uint8 (N, H, W, 3) and
    labels int64 (N,). Unusable pictures are left out and named in one warning. Raises ValueError if
    a class has no usable picture.
    """
    pairs = getattr(listing, part)
    size = np.broadcast_to(size, 2).tolist()
    images, labels, failures = np.empty((len(pairs), *size, 3), np.uint8), [], []
    with warnings.catch_warnings(), ThreadPool() as pool:
        warnings.simplefilter("ignore")  # Pillow's: _prepare checks what matters
        results = pool.imap(lambda pair: _attempt(pair[0], size), pairs)
        results = progress(results, total=len(pairs), label=f"reading {part} photos")
        for (_, label), result in zip(pairs, results, strict=True):
            if isinstance(result, str):
                failures.append(result)
            else:
                images[len(labels)] = result
                labels.append(label)
    if failures:
        named = "; ".join(failures[:3]) + ("; ..." if failures[3:] else "")
        message = f"{len(failures)} of {len(pairs)} {part} photos cannot be used: {named}"
        if empty := set(range(len(listing.class_names))) - set(labels):
            names = ", ".join(listing.class_names[label] for label in sorted(empty))
            raise ValueError(f"no usable {part} photos of {names} in {listing.folder}: {message}")
        warnings.warn(message, stacklevel=2)
    return images[: len(labels)], np.array(labels, np.int64)


def read(source, size):
    """Read one picture as RGB uint8 (H, W, 3): upright, centre-cropped, resized with anti-aliasing.

    source: a path, or the bytes of a file, such as an upload widget returns. size: (height, width)
    or one int. Transparent areas become white, 16 bits are scaled to 8. Raises ValueError that
    names the picture and says why it cannot be used.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = _attempt(source, np.broadcast_to(size, 2).tolist())
    if isinstance(result, str):
        raise ValueError(f"cannot use the picture {result}")
    return result


def _attempt(source, size):
    """Return the picture of a path or bytes, or a string that says why it cannot be used."""
    in_memory = isinstance(source, bytes | bytearray | memoryview)
    name = "given as bytes" if in_memory else Path(source).name
    try:
        with Image.open(io.BytesIO(source) if in_memory else source) as image:
            return _prepare(image, *size)
    except Image.UnidentifiedImageError:
        heic = name.lower().endswith((".heic", ".heif"))
        reason = "save it as JPEG first" if heic else "not a picture in a supported format"
    except Exception as error:  # a damaged file makes Pillow raise almost anything
        reason = str(error) or type(error).__name__
    return f"{name} ({reason})"


def _prepare(image, height, width):
    image.draft(None, (2 * max(height, width),) * 2)  # JPEG only: decode at 1/2, 1/4 or 1/8
    if min(image.size) < SMALLEST:
        raise ValueError(f"{image.width}x{image.height} pixels: too small to show anything")
    if image.width * image.height > LARGEST:
        raise ValueError(f"{image.width}x{image.height} pixels: too large, save it as JPEG")
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode[0] in "FI":  # floats, or integers of 16 bits and more
        pixels = np.asarray(image, np.float32)
        if image.mode == "F" or pixels.min() < 0 or pixels.max() > 65535:
            raise ValueError("more than 16 bits per pixel: save it with 8 or 16")
        image = Image.fromarray((pixels / 257).round().astype(np.uint8))
    image = image.convert("RGB")
    return np.array(ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS))


def _classes(folder):
    """Return {class name: [paths]} of a folder, from class folders or else from file names."""
    if not folder.is_dir():
        return {}
    inside = [path for path in folder.iterdir() if not path.name.startswith((".", "__"))]
    kinds = {path.name: _pictures(path) for path in inside if path.name not in TEST_NAMES}
    kinds = {name: paths for name, paths in kinds.items() if paths}
    if not kinds:
        kinds = defaultdict(list)
        for path in _pictures(folder):
            if match := re.fullmatch(r"(.*[^\d.].*)\.\d+", path.stem):
                kinds[match[1]].append(path)
    return dict(kinds)


def _pictures(folder):
    """Return the paths of the pictures in a folder, 2.jpg before 10.jpg; none for a file."""
    paths = folder.iterdir() if folder.is_dir() else ()
    paths = [path for path in paths if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
    return sorted(filter(Path.is_file, paths), key=_natural)


def _natural(path):
    pieces = re.split(r"([0-9]+)", path.name)
    return [(int(piece or 0) if index % 2 else 0, piece) for index, piece in enumerate(pieces)]


def _quarter(name, paths, rng):
    """Split the paths of a class: three quarters for training, one for testing, both in order."""
    if len(paths) < 2:
        raise ValueError(f"the class {name!r} has one picture; training and testing need two")
    order, held = rng.permutation(len(paths)), max(1, len(paths) // 4)
    parts = {"train": sorted(order[held:]), "test": sorted(order[:held])}
    return {part: [paths[index] for index in indices] for part, indices in parts.items()}
