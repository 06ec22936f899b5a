"""Download files over unreliable networks: complete and verified, or with one clear error.

A file is downloaded under a temporary name, resumes where it was interrupted, and gets its final
name only once its size and checksum match. While one program downloads, others wait.
"""

import contextlib
import errno
import hashlib
import logging
import os
import shutil
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from helpers.core import cache

ATTEMPTS = 5  # per address; the count restarts after every PROGRESS bytes
PROGRESS, MARGIN = 1_000_000, 50_000_000  # bytes
PAUSE = 1.0  # seconds before the second attempt, doubled before each further one
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CHUNK = 1 << 16  # bytes
TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two bytes
BUSY = (408, 425, 429)  # temporary errors, as are all from 500 on
log = logging.getLogger("helpers")  # runtime.setup prints these messages


class DownloadError(OSError):
    """A download failed; the message says why and what to do."""


class Unfit(Exception):
    """The address does not have the file: retrying does not help."""


class BrokenOff(Exception):
    """The connection failed or was interrupted: retrying may help."""


class Spoilt(Exception):
    """The data is not the wanted file: restart from the first byte."""


@dataclass(frozen=True)
class Source:
    """A file on the internet: local name, addresses in order of preference, bytes, checksum.

    digest: SHA-256, or MD5 if the publisher provides no other.
    """

    name: str
    urls: tuple[str, ...]
    size: int
    digest: str


def fetch(source, folder, mirror=None, also=()):
    """Return the path of a `Source`'s file, downloading it if it is not there yet.

    Arguments:
        folder: where to keep the file; created if needed.
        mirror: an address or a folder to use instead of the source's; default COURSE_MIRROR.
        also: paths where the file may already be.

    A file is used only if its size and checksum match. An interrupted download is retried, and
    resumes at the next call. Shows a progress bar. Raises `DownloadError`, which says what to do,
    or OSError if the folder is not writable.
    """
    path = Path(folder) / source.name
    for place in (path, *map(Path, also)):
        if is_whole(source, place):
            return place
    with cache.alone(path) as unfinished:
        if is_whole(source, path):  # another program has just fetched it
            return path
        if path.exists():
            warnings.warn(f"{path} is damaged; downloading it again", stacklevel=2)
        _check_room(source, path, unfinished)
        reasons = _download(source, addresses(source, mirror), unfinished)
        if reasons:
            raise DownloadError(_what_to_do(source, path, unfinished, reasons))
        os.replace(unfinished, path)
    return path


def is_whole(source, path):
    """Return whether a file exists and has a source's size and checksum."""
    if not path.is_file() or path.stat().st_size != source.size:
        return False
    total = hashlib.new("md5" if len(source.digest) == 32 else "sha256", usedforsecurity=False)
    with open(path, "rb") as file, bar(source.size, f"checking {source.name}") as shown:
        while chunk := file.read(CHUNK):
            total.update(chunk)
            shown.update(len(chunk))
    return total.hexdigest() == source.digest


def bar(total, label, initial=0):
    """Return a progress bar in bytes, with speed and time left, hidden for half a second.

    total: bytes. label: text before the bar. initial: bytes already there.
    """
    from tqdm.auto import tqdm

    return tqdm(
        total=total, initial=initial, desc=label, unit="B", unit_scale=True, delay=0.5, leave=False
    )


def _download(source, addresses, unfinished):
    """Download a file from the first address that has it; return the reasons if none has."""
    reasons = []
    for address in addresses:
        left, most, pause, spoilt = ATTEMPTS, _size(unfinished), PAUSE, False
        while left:
            try:
                _receive(source, address, unfinished)
                return []
            except Unfit as error:
                left, reason = 0, str(error)
            except Spoilt as error:  # restart from the first byte, once
                left, most, reason = 0 if spoilt else ATTEMPTS, 0, str(error)
                spoilt = True
                unfinished.unlink(missing_ok=True)
            except BrokenOff as error:
                left, reason = left - 1, str(error)
            except OSError as error:
                if error.errno in FULL:
                    unfinished.unlink(missing_ok=True)
                raise DownloadError(_no_room(source, unfinished, error.strerror)) from None
            if _size(unfinished) >= most + PROGRESS:
                left, most, pause = ATTEMPTS, _size(unfinished), PAUSE
            if left:
                log.info("%s: %s. Retrying.", source.name, reason)
                time.sleep(pause)
                pause *= 2
        reasons.append(f"{address}: {reason}")
    return reasons


def _receive(source, address, unfinished):
    """Download the rest of an unfinished file and check it; raise Unfit, BrokenOff or Spoilt."""
    have = _size(unfinished)
    if have < source.size:
        with (
            opened(source, address, have) as (start, chunks),
            open(unfinished, "ab" if start else "wb") as file,
            bar(source.size, source.name, start) as shown,
        ):
            for chunk in chunks:
                file.write(chunk)
                shown.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())
    if _size(unfinished) < source.size:
        raise BrokenOff(f"ended after {_size(unfinished):,} of {source.size:,} bytes")
    if not is_whole(source, unfinished):
        raise Spoilt("the downloaded file has the wrong checksum")


def _size(path):
    return path.stat().st_size if path.exists() else 0


def _check_room(source, path, unfinished):
    free = shutil.disk_usage(path.parent).free
    if free < source.size - _size(unfinished) + MARGIN:
        raise DownloadError(_no_room(source, path, f"{free / 1e6:,.0f} MB are free"))


def _no_room(source, path, reason):
    return (
        f"{source.name} needs {source.size / 1e6:,.0f} MB and cannot be saved in {path.parent} "
        f"({reason}): free some space, or set COURSE_CACHE to a folder on another disk"
    )


def _what_to_do(source, path, unfinished, reasons):
    have, size = _size(unfinished) / 1e6, source.size / 1e6
    kept = f"{have:,.0f} MB are kept, and the next call resumes from there. " if have else ""
    return (
        f"{source.name} ({size:,.0f} MB) could not be downloaded. {'; '.join(reasons)}. {kept}"
        "Check the network (does the Wi-Fi ask for a login?) and try again, or set COURSE_MIRROR "
        f"to a folder or an address that has the file, or copy the file to {path}. "
        'The drawn world needs no download: load_world("drawn")'
    )


def addresses(source, mirror=None):
    """Return where to look for a source's file: the mirror, else COURSE_MIRROR, else its own urls.

    A mirror is an http address or a folder that holds the file under its name.
    """
    mirror = mirror or os.environ.get("COURSE_MIRROR")
    return (f"{str(mirror).rstrip('/')}/{source.name}",) if mirror else source.urls


@contextlib.contextmanager
def opened(source, address, start):
    """Open a source's file at an address; yields the first byte's position, and chunks of bytes.

    start: the position to resume from; a server may start at 0 anyway. The chunks never hold more
    bytes than the source has.
    """
    if "://" not in address:
        with _in_folder(source, Path(address).expanduser()) as file:
            file.seek(start)
            yield start, _read(file)
        return
    import requests  # here: only downloads need it

    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        answer = requests.get(address, headers=headers, stream=True, timeout=TIMEOUT)
    except (requests.TooManyRedirects, ValueError) as error:  # ValueError: not an address
        raise Unfit(str(error)) from None
    except requests.RequestException as error:
        raise BrokenOff(_in_words(error)) from None
    with answer:
        if answer.status_code != 206:
            start = 0
        _check(source, answer, start)
        yield start, _chunks(answer.raw, source.size - start)


def _in_folder(source, path):
    try:
        if path.stat().st_size != source.size:
            raise Unfit(f"has {path.stat().st_size:,} bytes instead of {source.size:,}")
        return open(path, "rb")
    except OSError as error:
        raise Unfit(error.strerror) from None


def _read(file):
    try:
        while chunk := file.read(CHUNK):
            yield chunk
    except OSError as error:
        raise BrokenOff(error.strerror) from None


def _check(source, answer, start):
    status = f"the server answers {answer.status_code} {answer.reason}"
    if answer.status_code in BUSY or answer.status_code >= 500:
        raise BrokenOff(status)
    if answer.status_code == 416:  # the unfinished file is longer than the server's
        raise Spoilt(status)
    if answer.status_code not in (200, 206):
        raise Unfit(status)
    begins = answer.headers.get("Content-Range", f"bytes {start}-")
    length = answer.headers.get("Content-Length", str(source.size - start))
    if not begins.startswith(f"bytes {start}-") or length != str(source.size - start):
        kind = answer.headers.get("Content-Type", "something")
        page = ": perhaps a Wi-Fi login page" if "html" in kind else ""
        raise Unfit(f"sends {length} bytes of {kind}, not {source.size:,} of {source.name}{page}")


def _chunks(raw, left):
    """Yield the bytes that a server sends, undecoded: an archive stays compressed."""
    import urllib3

    try:
        for chunk in raw.stream(CHUNK, decode_content=False):
            left -= len(chunk)
            if left < 0:
                raise Spoilt("the server sends more bytes than the file has")
            yield chunk
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise BrokenOff(_in_words(error)) from None


def _in_words(error):
    """Return the innermost reason of a nested error of `requests`."""
    if "timed out" in str(error):
        return f"no data for {TIMEOUT[1]:g} s (timed out)"
    cause = error.args[0] if error.args else error
    cause = getattr(cause, "reason", cause)
    return str(cause).rpartition(": ")[2] or type(error).__name__
