"""Keep what took time to compute: files in the course's cache folder, whole or not at all."""

import hashlib
import os
import uuid
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import platformdirs

BUNDLED = Path(__file__).resolve().parent.parent / "cache"
DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def folder(path=None):
    """Return the cache folder: `path`, else COURSE_CACHE, else the bundle's, else the system's.

    A bundle that was made with photos and weights brings them in a folder `cache` of its own.
    """
    usual = platformdirs.user_cache_dir("what-a-cnn-sees", appauthor=False)
    usual = BUNDLED if BUNDLED.is_dir() else usual
    return Path(path or os.environ.get("COURSE_CACHE") or usual).expanduser()


def digest(*items):
    """Return 16 hexadecimal digits that stand for the items' content.

    items: paths (the file's bytes count, not its name), arrays, or what its `repr` tells in full.
    """
    total = hashlib.sha256()
    for item in items:
        if isinstance(item, Path):
            with open(item, "rb") as file:
                piece = hashlib.file_digest(file, "sha256").digest()
        elif isinstance(item, np.ndarray):
            form = repr((item.dtype, item.shape)).encode()
            piece = hashlib.sha256(form + item.tobytes()).digest()
        else:
            piece = hashlib.sha256(repr(item).encode()).digest()
        total.update(piece)
    return total.hexdigest()[:16]


def arrays(path, make):
    """Return the arrays kept in a file, or make them and keep them there.

    path: an .npz file, in a folder that need not exist. make: a function without arguments that
    returns {name: array}. A file that was cut short is made again, a folder that cannot be written
    to is done without; each is said in one warning. The file appears whole or not at all, also
    when two processes write it at once.
    """
    path = Path(path)
    if path.is_file():
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                return {name: kept[name] for name in kept.files}
        except DAMAGE:
            warnings.warn(f"the cache file {path} is damaged; it is made again", stacklevel=2)
    made = make()
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(unfinished, "xb") as file:
                np.savez(file, **made)
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        warnings.warn(
            f"the cache folder {path.parent} cannot be written to ({error.strerror or error}); "
            "going on without it. Set COURSE_CACHE to a folder that can be",
            stacklevel=2,
        )
    return made
