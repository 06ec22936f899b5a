"""Photos of cats and dogs with true masks: a subset of the Oxford-IIIT Pet data set.

The whole set is 811 MB, of which a lesson needs a small part: equally many cats and dogs, those to
train on from the set's own training list and those to test on from its test list. They are cut to
their middle and reduced once, and kept as one zip file: `train/cat/Bengal_12.jpg`, its mask
`parts/train/cat/Bengal_12.png`, and where they come from. (Parkhi et al., Cats and Dogs, CVPR 2012)
"""

import io
import os
import warnings
import zipfile
from multiprocessing.pool import ThreadPool

import numpy as np
from PIL import Image, ImageOps

from helpers import cache, downloads, locks, pet_archives, photos, runtime

PART_NAMES = ("background", "pet", "border")  # the border is a few pixels, not said to be either
COUNT = {"train": 1000, "test": 400}
SIDE = 299  # pixels: no network of keras.applications that is usual for photos takes more
RECIPE = 1  # raise it whenever the same archives would give another file
ABOUT = """Photographs from the Oxford-IIIT Pet data set, a subset, cut to their middle and reduced.

Omkar M Parkhi, Andrea Vedaldi, Andrew Zisserman, C. V. Jawahar: Cats and Dogs. CVPR 2012.
https://www.robots.ox.ac.uk/~vgg/data/pets/
Creative Commons Attribution-ShareAlike 4.0 International: https://creativecommons.org/licenses/by-sa/4.0/
The copyright of each photograph remains with its owner.

Masks are in parts/: 0 background, 1 pet, 2 the border between them.
"""


def fetch(folder=None, mirror=None, keep=False):
    """Return the path of the subset's zip file, making it at first: that downloads 811 MB, once.

    folder: the cache folder, as `cache.folder` takes it. mirror: see `downloads.fetch`. keep: leave
    the archives in the folder's `downloads/`, to serve as a mirror for others; otherwise they are
    removed. 1,000 pictures to train on and 400 to test on, chosen with a fixed seed. Shows progress
    bars. Raises `downloads.DownloadError` where the archives cannot be had or read.
    """
    folder, path = cache.folder(folder), place(folder)
    if is_whole(path):
        return path
    with locks.alone(path) as unfinished:
        if is_whole(path):  # another program has made it meanwhile
            return path
        if path.exists():
            warnings.warn(f"{path} is damaged; it is made again", stacklevel=2)
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
    """Return whether a subset is there and undamaged, to the last picture."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except cache.DAMAGE:
        return False


def load(path, part, size):
    """Return the pictures of one part of a subset, their labels, and the parts that they show.

    part: "train" or "test". size: (height, width) or one int. Returns images uint8 (N, H, W, 3),
    labels int64 (N,), 0 for a cat, and ids uint8 (N, H, W) that index `PART_NAMES`. The classes
    take turns. Shows a progress bar where it takes long.
    """
    height, width = np.broadcast_to(size, 2).tolist()
    with zipfile.ZipFile(path) as archive, ThreadPool() as pool:

        def read(name):
            with Image.open(io.BytesIO(archive.read(f"parts/{name}.png"))) as ids:
                ids = ImageOps.fit(ids, (width, height), Image.Resampling.NEAREST)
            return photos.read(archive.read(f"{name}.jpg"), (height, width)), np.asarray(ids)

        names = [name[:-4] for name in archive.namelist() if name.startswith(f"{part}/")]
        pairs = runtime.progress(
            pool.imap(read, names), total=len(names), label=f"reading {part} photos"
        )
        images = np.empty((len(names), height, width, 3), np.uint8)
        ids = np.empty((len(names), height, width), np.uint8)
        for row, pair in enumerate(pairs):
            images[row], ids[row] = pair
    labels = [pet_archives.CLASS_NAMES.index(name.split("/")[1]) for name in names]
    return images, np.array(labels, np.int64), ids


def _write(path, pairs):
    """Write a subset; equal pictures give an equal file."""
    with zipfile.ZipFile(path, "w") as archive:  # stored: JPEG and PNG are packed already
        archive.writestr(zipfile.ZipInfo("README.txt"), ABOUT)
        for name, (picture, mask) in pairs.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.jpg"), picture)
            archive.writestr(zipfile.ZipInfo(f"parts/{name}.png"), mask)
    with open(path, "rb") as file:
        os.fsync(file.fileno())
