"""Photos of cats and dogs with ground-truth masks: a subset of the Oxford-IIIT Pet data set.

The full set is 811 MB; a lesson needs a small part: equally many cats and dogs, from the set's own
training and test lists. They are centre-cropped and resized once, and kept in one zip file:
`train/cat/Bengal_12.jpg`, its mask `parts/train/cat/Bengal_12.png`, and a README with the source.
(Parkhi et al., Cats and Dogs, CVPR 2012)
"""

import io
import os
import warnings
import zipfile
from multiprocessing.pool import ThreadPool

import numpy as np
from PIL import Image, ImageOps

from helpers.core import cache
from helpers.core.progress import progress
from helpers.photos import downloads, pet_archives, reading

PART_NAMES = ("background", "pet", "border")  # the border: a few undecided pixels
COUNT = {"train": 1000, "test": 400}
SIDE = 299  # pixels: enough for the common networks of keras.applications
RECIPE = 1  # increase it whenever the same archives would give a different file
ABOUT = """Photographs from the Oxford-IIIT Pet data set, a subset, cut to their middle and reduced.

Omkar M Parkhi, Andrea Vedaldi, Andrew Zisserman, C. V. Jawahar: Cats and Dogs. CVPR 2012.
https://www.robots.ox.ac.uk/~vgg/data/pets/
Creative Commons Attribution-ShareAlike 4.0 International: https://creativecommons.org/licenses/by-sa/4.0/
The copyright of each photograph remains with its owner.

Masks are in parts/: 0 background, 1 pet, 2 the border between them.
"""


def fetch(folder=None, mirror=None, keep=False):
    """Return the path of the subset's zip file; the first call downloads 811 MB to make it.

    folder: see `cache.folder`. mirror: see `downloads.fetch`. keep: leave the archives in the
    folder's `downloads/`, as a mirror for other computers. The file holds 1,000 pictures to train
    on and 400 to test on, chosen with a fixed seed. Raises `downloads.DownloadError` if the
    archives cannot be downloaded or read.
    """
    folder, path = cache.folder(folder), place(folder)
    if is_whole(path):
        return path
    with cache.alone(path) as unfinished:
        if is_whole(path):  # another program has just made it
            return path
        if path.exists():
            warnings.warn(f"{path} is damaged; making it again", stacklevel=2)
        kept = [downloads.fetch(one, folder / "downloads", mirror) for one in _sources()]
        pairs = pet_archives.pictures(*kept, COUNT, SIDE)
        try:
            _write(unfinished, pairs)
            os.replace(unfinished, path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise downloads.DownloadError(
                f"{path} cannot be written ({error.strerror}): free some space, or set "
                "COURSE_CACHE to a folder on another disk"
            ) from None
        for archive in () if keep else kept:
            archive.unlink(missing_ok=True)
    return path


def place(folder=None):
    """Return the path where `fetch` keeps, or would keep, the subset's zip file."""
    key = cache.digest(COUNT, SIDE, RECIPE, *(one.digest for one in _sources()))
    return cache.folder(folder) / f"oxford-pets-{key}.zip"


def _sources():
    return pet_archives.ANNOTATIONS, pet_archives.IMAGES


def is_whole(path):
    """Return whether a subset exists and every picture in it is undamaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except cache.DAMAGE:
        return False


def load(path, part, size):
    """Return images, labels and part ids of one part of a subset; classes alternate.

    part: "train" or "test". size: (height, width) or one int. Returns images uint8 (N, H, W, 3),
    labels int64 (N,), 0 for a cat, and ids uint8 (N, H, W) that index `PART_NAMES`.
    """
    height, width = np.broadcast_to(size, 2).tolist()
    with zipfile.ZipFile(path) as archive, ThreadPool() as pool:

        def read(name):
            with Image.open(io.BytesIO(archive.read(f"parts/{name}.png"))) as ids:
                ids = ImageOps.fit(ids, (width, height), Image.Resampling.NEAREST)
            return reading.read(archive.read(f"{name}.jpg"), (height, width)), np.asarray(ids)

        names = [name[:-4] for name in archive.namelist() if name.startswith(f"{part}/")]
        pairs = progress(pool.imap(read, names), total=len(names), label=f"reading {part} photos")
        images = np.empty((len(names), height, width, 3), np.uint8)
        ids = np.empty((len(names), height, width), np.uint8)
        for row, pair in enumerate(pairs):
            images[row], ids[row] = pair
    labels = [pet_archives.CLASS_NAMES.index(name.split("/")[1]) for name in names]
    return images, np.array(labels, np.int64), ids


def _write(path, pairs):
    """Write a subset; the same pictures give the same file."""
    with zipfile.ZipFile(path, "w") as archive:  # uncompressed: JPEG and PNG are compressed already
        archive.writestr(zipfile.ZipInfo("README.txt"), ABOUT)
        for name, (picture, mask) in pairs.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.jpg"), picture)
            archive.writestr(zipfile.ZipInfo(f"parts/{name}.png"), mask)
    with open(path, "rb") as file:
        os.fsync(file.fileno())
