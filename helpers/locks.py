"""One program at a time makes a file that several want; the others wait, and find it made."""

import contextlib
import logging
import uuid

try:
    import fcntl
except ImportError:  # Windows: no locks
    fcntl = None


@contextlib.contextmanager
def alone(path):
    """Let one program at a time make the file `path`; yields the path to make it under.

    Others wait, and then find it made. The lock goes with the program, however that ends. Where a
    folder has no locks, each program works under a name of its own. Raises OSError where the folder
    cannot be written to.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(lock, "a")  # noqa: SIM115
    except OSError as error:
        raise OSError(
            f"{path.parent} cannot be written to ({error.strerror}): "
            "set COURSE_CACHE to a folder that can be"
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
    """Wait for the lock on an open file; return False where there are no locks."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logging.getLogger("helpers").info("Another program is fetching %s: waiting for it.", name)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:  # some network folders know no locks
        return False
    return True
