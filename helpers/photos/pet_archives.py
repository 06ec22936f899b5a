"""The two archives of the Oxford-IIIT Pet data set: choose pictures and extract them.

Nothing is unpacked to disk: each archive is read once, and the chosen pictures are cropped, resized
and kept in memory. Names in an archive are never used as file paths.
"""

import gzip
import io
import logging
import re
import tarfile
import zlib
from itertools import chain

import numpy as np
from PIL import Image, ImageOps
from tqdm.utils import CallbackIOWrapper

from helpers.photos import downloads, reading

_PLACES = (
    "https://www.robots.ox.ac.uk/~vgg/data/pets/data",
    "https://thor.robots.ox.ac.uk/~vgg/data/pets",
)
IMAGES = downloads.Source(
    "images.tar.gz",
    tuple(f"{place}/images.tar.gz" for place in _PLACES),
    791_918_971,
    "67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d",
)
ANNOTATIONS = downloads.Source(
    "annotations.tar.gz",
    tuple(f"{place}/annotations.tar.gz" for place in _PLACES),
    19_173_078,
    "52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91",
)
CLASS_NAMES = ("cat", "dog")
TRIMAP = np.array([255, 1, 0, 2], np.uint8)  # from the set's 1 pet, 2 background, 3 border
LISTS = {"train": "trainval.txt", "test": "test.txt"}
SPARE = 10  # pictures per class that replace unreadable ones
LARGEST = 50_000_000  # bytes: larger members are ignored


def pictures(annotations, images, count, side):
    """Return the chosen pictures and their masks, {"train/cat/Bengal_12": (JPEG, PNG)}.

    Arguments:
        annotations, images: paths of the two archives.
        count: how many pictures to choose, such as {"train": 1000, "test": 400}, half of them cats.
        side: of the square that is cropped from the centre, in pixels.

    Classes alternate. The choice is random with a fixed seed; unreadable pictures are replaced.
    Raises `downloads.DownloadError` for an archive that is damaged or holds too few pictures.
    """
    lists, trimaps = {}, {}
    for name, content in _members(annotations, "annotations/"):
        folder, _, file = name.rpartition("/")
        if folder == "annotations":
            lists[file] = content.decode("utf-8", errors="replace")
        elif folder == "annotations/trimaps" and file.endswith(".png"):
            trimaps[file[:-4]] = content
    missing = [name for name in LISTS.values() if name not in lists]
    if missing:
        raise downloads.DownloadError(f"{annotations} lacks {', '.join(missing)}")
    ranked = _ranked({part: lists[name] for part, name in LISTS.items()}, count)
    wanted, made = set(chain.from_iterable(ranked.values())), {}
    for name, content in _members(images, "images/"):
        stem = name.removeprefix("images/").removesuffix(".jpg")
        if stem in wanted and name.endswith(".jpg"):
            try:
                made[stem] = _reduced(content, trimaps.get(stem, b""), side)
            except ValueError as error:
                logging.getLogger("helpers").info("%s is left out: %s", name, error)
    pairs = {}
    for part in count:
        taken, half = [], count[part] // 2
        for kind in CLASS_NAMES:
            usable = [stem for stem in ranked[part, kind] if stem in made][:half]
            if len(usable) < half:
                raise downloads.DownloadError(
                    f"{images} has {len(usable)} usable {part} pictures of a {kind}, but {half} "
                    "are needed: delete the file and try again"
                )
            taken.append([(f"{part}/{kind}/{stem}", made[stem]) for stem in usable])
        pairs |= dict(chain.from_iterable(zip(*taken, strict=True)))
    return pairs


def _ranked(lists, count):
    """Return {(part, class): names} in random order: as many as are needed, and SPARE more."""
    rng, ranked = np.random.default_rng(0), {}
    for part, text in lists.items():
        rows = [line.split() for line in text.splitlines() if line[:1] not in ("", "#")]
        names = sorted({row[0] for row in rows if row and re.fullmatch(r"\w+", row[0])})
        for kind in CLASS_NAMES:  # cat breeds begin with a capital letter
            own = [name for name in names if name[0].isupper() == (kind == "cat")]
            rank = rng.permutation(len(own))[: count[part] // 2 + SPARE]
            ranked[part, kind] = [own[index] for index in rank]
    return ranked


def _members(path, prefix):
    """Yield (name, content) of an archive's regular files below a folder, in one pass."""
    try:
        with (
            downloads.bar(path.stat().st_size, f"reading {path.name}") as shown,
            open(path, "rb") as file,
            gzip.open(CallbackIOWrapper(shown.update, file, "read")) as unpacked,
        ):
            with tarfile.open(fileobj=unpacked, mode="r|") as archive:
                for member in archive:
                    name = member.name.removeprefix("./")
                    if name.startswith(prefix) and member.isreg() and member.size <= LARGEST:
                        yield name, archive.extractfile(member).read()
            while unpacked.read(downloads.CHUNK):  # tarfile mistakes damage for the end
                pass
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise downloads.DownloadError(
            f"{path} is damaged inside ({error}): delete the file and try again"
        ) from None


def _reduced(picture, trimap, side):
    """Return the centre of a picture as JPEG and of its mask as PNG; ValueError if unusable."""
    pixels = reading.read(picture, side)
    try:
        with Image.open(io.BytesIO(picture)) as image, Image.open(io.BytesIO(trimap)) as mask:
            ids, size, turned = TRIMAP[np.asarray(mask)], image.size, image.getexif().get(0x0112, 1)
    except Exception as error:  # a damaged file makes Pillow raise almost anything
        raise ValueError(f"its mask cannot be read ({error})") from None
    if ids.shape != size[::-1] or ids.max() > 2:
        raise ValueError("its mask is of another picture")
    ids = Image.fromarray(ids)
    ids.getexif()[0x0112] = turned
    ids = ImageOps.exif_transpose(ids)
    ids = ImageOps.fit(ids, (side, side), Image.Resampling.NEAREST)
    photo = _encoded(Image.fromarray(pixels), "JPEG", quality=92, subsampling=0)
    return photo, _encoded(ids, "PNG", optimize=True)


def _encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()
