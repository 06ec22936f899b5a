"""Open a file where it is offered, on a web server or in a folder, from any byte on.

Whatever can go wrong is one of three things: the address will not do (`Unfit`), the connection
broke off and may be tried again (`BrokenOff`), or what came is not what it should be (`Spoilt`).
"""

import contextlib
import os
from pathlib import Path

CHUNK = 1 << 16  # bytes
TIMEOUT = (10.0, 30.0)  # seconds to connect, and without a byte
BUSY = (408, 425, 429)  # these answers, and all from 500 on, may be another one soon


class Unfit(Exception):
    """An address that does not have the file: asking again is of no use."""


class BrokenOff(Exception):
    """A connection that did not come about or did not last: asking again may help."""


class Spoilt(Exception):
    """A file that is not the wanted one: it must be had anew from its first byte."""


def addresses(source, mirror=None):
    """Return where to look for a source's file: the mirror, else COURSE_MIRROR, else its own urls.

    A mirror is an http address or a folder, which holds the file under its name.
    """
    mirror = mirror or os.environ.get("COURSE_MIRROR")
    return (f"{str(mirror).rstrip('/')}/{source.name}",) if mirror else source.urls


@contextlib.contextmanager
def opened(source, address, start):
    """Open a source's file at an address; yields the byte that it begins at and its chunks.

    start: the byte to begin at; a server may choose to begin at 0 all the same. The chunks are
    bytes, never more of them than the source has.
    """
    if "://" not in address:
        with _in_folder(source, Path(address).expanduser()) as file:
            file.seek(start)
            yield start, _read(file)
        return
    import requests  # here: a world without downloads does without

    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        answer = requests.get(address, headers=headers, stream=True, timeout=TIMEOUT)
    except (requests.TooManyRedirects, ValueError) as error:  # ValueError: no address at all
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
            raise Unfit(f"has {path.stat().st_size:,} bytes, wanted are {source.size:,}")
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
    if answer.status_code == 416:  # what is there already is longer than what the server has
        raise Spoilt(status)
    if answer.status_code not in (200, 206):
        raise Unfit(status)
    begins = answer.headers.get("Content-Range", f"bytes {start}-")
    length = answer.headers.get("Content-Length", str(source.size - start))
    if not begins.startswith(f"bytes {start}-") or length != str(source.size - start):
        kind = answer.headers.get("Content-Type", "something")
        page = ": perhaps the login page of a Wi-Fi" if "html" in kind else ""
        raise Unfit(f"gives {length} bytes of {kind}, not {source.size:,} of {source.name}{page}")


def _chunks(raw, left):
    """Yield what a server sends, as it is sent: an archive stays packed."""
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
    """Return the innermost reason of a nested error of `requests`, without its machinery."""
    if "timed out" in str(error):
        return f"no byte for {TIMEOUT[1]:g} s (timed out)"
    cause = error.args[0] if error.args else error
    cause = getattr(cause, "reason", cause)
    return str(cause).rpartition(": ")[2] or type(error).__name__
