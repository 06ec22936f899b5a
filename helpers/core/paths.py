"""Where the course's files are on this machine, and how one is written whole or not at all."""

import contextlib
import os
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DRAWN = ROOT / "data" / "drawn"  # the shipped test pictures
NETWORKS = ROOT / "data" / "networks"  # the shipped networks
BUNDLED_CACHE = ROOT / "cache"  # photos and weights that came with a bundle


@contextlib.contextmanager
def whole(path):
    """Yield a path to write to, beside `path` and with its suffix: it takes its place at the end.

    After an error, `path` is as before, and what was written is removed.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.stem}.{uuid.uuid4().hex}{path.suffix}")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
