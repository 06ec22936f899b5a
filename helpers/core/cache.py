"""Cache what took time to compute: files in the course's cache folder, written atomically."""

import contextlib
import hashlib
import logging
import os
import uuid
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import platformdirs

from helpers.core import paths
from helpers.core.paths import BUNDLED_CACHE

DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def folder(path=None):
    """Return the cache folder: `path`, else COURSE_CACHE, else the bundle's, else the system's.

    A bundle made with photos and weights has them in its own folder `cache`.
    """
    usual = platformdirs.user_cache_dir("what-a-cnn-sees", appauthor=False)
    usual = BUNDLED_CACHE if BUNDLED_CACHE.is_dir() else usual
    return Path(path or os.environ.get("COURSE_CACHE") or usual).expanduser()


def digest(*items):
    """Return a hash of the items' content, 16 hexadecimal digits.

    items: paths (hashed by content, not by name), arrays, or objects whose `repr` is complete.
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
    """Return the arrays cached in a file, or make them and cache them: {name: array}.

    path: an .npz file. make: a function without arguments. See `kept`.
    """

    def read(path):
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}

    def write(path, made):
        with open(path, "xb") as file:
            np.savez(file, **made)

    return kept(path, make, read, write)


def kept(path, make, read, write):
    """Return `read(path)` where the file exists, else `make()`, which `write(path, made)` stores.

    The folder need not exist. A damaged file is made again, and a folder that is not writable is
    not used, each with one warning. Two processes may write the file at once.
    """
    path = Path(path)
    if path.is_file():
        try:
            return read(path)
        except DAMAGE:
            warnings.warn(f"the cache file {path} is damaged; making it again", stacklevel=3)
    made = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with paths.whole(path) as unfinished:
            write(unfinished, made)
    except OSError as error:
        warnings.warn(
            f"the cache folder {path.parent} cannot be written to ({error.strerror or error}); "
            "continuing without it. Set COURSE_CACHE to a writable folder",
            stacklevel=3,
        )
    return made


try:
    import fcntl
except ImportError:  # Windows: no locks
    fcntl = None


@contextlib.contextmanager
def alone(path):
    """Let one program at a time make the file `path`; yields a temporary path to write to.

    Other programs wait until it is done. The lock ends with the program, even if that is killed.
    Without file locks, each program gets a temporary path of its own. Raises OSError if the folder
    is not writable.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(lock, "a")
    except OSError as error:
        raise OSError(
            f"{path.parent} cannot be written to ({error.strerror}): "
            "set COURSE_CACHE to a writable folder"
        ) from None
    with file:
        if _locked(file, path.name):
            yield path.with_name(f".{path.name}.unfinished")
        else:
            unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
            try:
                yield unfinished
            finally:
                unfinished.unlink(missing_ok=True)


def _locked(file, name):
    """Wait for the lock on an open file; return False if locks are not supported."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logging.getLogger("helpers").info("Another program is fetching %s: waiting for it.", name)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:  # some network file systems have no locks
        return False
    return True
