"""Fetch files over networks that cannot be relied on: whole and verified, or one clear error.

A file arrives under a name that nobody reads, goes on where it was cut off, and takes its own name
only when its size and its checksum are right. While one program downloads, others wait for it.
"""

import errno
import hashlib
import logging
import os
import shutil
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from helpers import locks, mirrors

ATTEMPTS = 5  # at each address, counted anew whenever PROGRESS was made
PROGRESS, MARGIN = 1_000_000, 50_000_000  # bytes
PAUSE = 1.0  # seconds before the second attempt, twice as many before each further one
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
log = logging.getLogger("helpers")  # runtime.setup prints what is said here


class DownloadError(OSError):
    """What could not be had: the message says why, and what to do."""


@dataclass(frozen=True)
class Source:
    """A file on the internet: its name here, its addresses in order, its bytes, its checksum.

    digest: SHA-256, or MD5 where its publisher gives no other.
    """

    name: str
    urls: tuple[str, ...]
    size: int
    digest: str


def fetch(source, folder, mirror=None, also=()):
    """Return the path of a `Source` in a folder, downloading it where it is not there yet.

    folder: made if need be. mirror: an address or a folder that holds the file under its name,
    taken in place of the source's own; else COURSE_MIRROR. also: paths where the file may lie
    already. Each is believed only with the right size and checksum. Shows a progress bar. What
    breaks off is tried again and goes on; what is there of it stays for the next call.
    Raises `DownloadError`, which says what to do, or OSError for a folder that is not writable.
    """
    path = Path(folder) / source.name
    for place in (path, *map(Path, also)):
        if is_whole(source, place):
            return place
    with locks.alone(path) as unfinished:
        if is_whole(source, path):  # another program has fetched it meanwhile
            return path
        if path.exists():
            warnings.warn(f"{path} is damaged; it is downloaded again", stacklevel=2)
        _check_room(source, path, unfinished)
        reasons = _download(source, mirrors.addresses(source, mirror), unfinished)
        if reasons:
            raise DownloadError(_what_to_do(source, path, unfinished, reasons))
        os.replace(unfinished, path)
    return path


def is_whole(source, path):
    """Return whether a file is there with a source's size and checksum."""
    if not path.is_file() or path.stat().st_size != source.size:
        return False
    total = hashlib.new("md5" if len(source.digest) == 32 else "sha256", usedforsecurity=False)
    with open(path, "rb") as file, bar(source.size, f"checking {source.name}") as shown:
        while chunk := file.read(mirrors.CHUNK):
            total.update(chunk)
            shown.update(len(chunk))
    return total.hexdigest() == source.digest


def bar(total, label, initial=0):
    """Return a progress bar that counts bytes: how many of `total`, how fast, how much longer.

    Silent where TQDM_DISABLE is set and for what ends within half a second.
    """
    from tqdm.auto import tqdm

    return tqdm(
        total=total,
        initial=initial,
        desc=label,
        unit="B",
        unit_scale=True,
        delay=0.5,
        leave=False,
    )


def _download(source, addresses, unfinished):
    """Receive a file from the first address that has it; return the reasons where none has."""
    reasons = []
    for address in addresses:
        left, most, pause, spoilt = ATTEMPTS, _size(unfinished), PAUSE, False
        while left:
            try:
                _receive(source, address, unfinished)
                return []
            except mirrors.Unfit as error:
                left, reason = 0, str(error)
            except mirrors.Spoilt as error:  # from the beginning, and once more only
                left, most, reason = 0 if spoilt else ATTEMPTS, 0, str(error)
                spoilt = True
                unfinished.unlink(missing_ok=True)
            except mirrors.BrokenOff as error:
                left, reason = left - 1, str(error)
            except OSError as error:
                if error.errno in FULL:
                    unfinished.unlink(missing_ok=True)
                raise DownloadError(_no_room(source, unfinished, error.strerror)) from None
            if _size(unfinished) >= most + PROGRESS:
                left, most, pause = ATTEMPTS, _size(unfinished), PAUSE
            if left:
                log.info("%s: %s. Trying again.", source.name, reason)
                time.sleep(pause)
                pause *= 2
        reasons.append(f"{address}: {reason}")
    return reasons


def _receive(source, address, unfinished):
    """Add to an unfinished file what it lacks, and check it; raises what `mirrors` defines."""
    have = _size(unfinished)
    if have < source.size:
        with (
            mirrors.opened(source, address, have) as (start, chunks),
            open(unfinished, "ab" if start else "wb") as file,
            bar(source.size, source.name, start) as shown,
        ):
            for chunk in chunks:
                file.write(chunk)
                shown.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())
    if _size(unfinished) < source.size:
        raise mirrors.BrokenOff(f"ended after {_size(unfinished):,} of {source.size:,} bytes")
    if not is_whole(source, unfinished):
        raise mirrors.Spoilt("what came has another checksum than it should")


def _size(path):
    return path.stat().st_size if path.exists() else 0


def _check_room(source, path, unfinished):
    free = shutil.disk_usage(path.parent).free
    if free < source.size - _size(unfinished) + MARGIN:
        raise DownloadError(_no_room(source, path, f"{free / 1e6:,.0f} MB are free"))


def _no_room(source, path, reason):
    return (
        f"{source.name} takes {source.size / 1e6:,.0f} MB and cannot be kept in {path.parent} "
        f"({reason}): free some space, or set COURSE_CACHE to a folder on another disk"
    )


def _what_to_do(source, path, unfinished, reasons):
    have, size = _size(unfinished) / 1e6, source.size / 1e6
    kept = f"{have:,.0f} MB of it are kept, and the next call goes on from there. " if have else ""
    return (
        f"{source.name} ({size:,.0f} MB) could not be downloaded. {'; '.join(reasons)}. {kept}"
        "What helps: a look at the network (does the Wi-Fi want a login?) and another call; or "
        "COURSE_MIRROR set to a folder or an address that has the file; or the file itself, put "
        f'at {path}. The drawn world needs no download: load_world("drawn")'
    )
