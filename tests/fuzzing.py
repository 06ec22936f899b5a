"""What the fuzz tests share: bytes that are damaged, sentences, and a limit on memory.

A fuzz feeds what learners might, or what somebody might send them. The property is the same each
time: a value, or one of the course's errors in a sentence that a learner can read.
"""

import contextlib
import os
import sys

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

LONGEST = 600  # characters of a sentence
EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\1\0\0")


def fuzz(examples):
    """Return the settings of a fuzz test of so many examples, the same ones in every run."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def damaged(draw, content):
    """Return these bytes, of which some are changed, cut off, put in or taken twice."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        # The first bytes of a file say what it is and how large.
        end = draw(st.sampled_from((min(64, len(data)), len(data))))
        place = draw(st.integers(0, max(0, end - 1)))
        kind = draw(st.sampled_from(("flip", "set", "extreme", "cut", "take", "twice", "noise")))
        if kind == "flip" and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set" and data:
            data[place] = draw(st.integers(0, 255))
        elif kind == "extreme":
            data[place : place + 4] = draw(st.sampled_from(EXTREMES))
        elif kind == "cut":
            del data[draw(st.integers(0, len(data))) :]
        elif kind == "take":
            del data[place : place + draw(st.integers(1, 16))]
        elif kind == "twice":
            data[place:place] = data[place : place + draw(st.integers(1, 64))]
        elif kind == "noise":
            data[place:place] = draw(st.binary(max_size=8))
    return bytes(data)


def assert_sentence(text, *names):
    """Check that a message is one line that can be printed, of bearable length, with these names.

    names: what it must contain, such as the name of a file.
    """
    text = str(text)
    text.encode("utf-8")  # a lone surrogate cannot be printed
    assert text.strip() == text and "\n" not in text and "Traceback" not in text, text
    assert 10 < len(text) <= LONGEST and text.isprintable(), text
    for name in names:
        assert name in text, text


@contextlib.contextmanager
def within(mebibytes):
    """Fail if this process takes so much more memory meanwhile than it has now; Linux only.

    Where a file asks for far more, the request is refused, so that the test cannot take the whole
    machine.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    limits = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak is from now on
    before = _memory("VmRSS")
    reserved = _memory("VmSize") + mebibytes + 1024  # address space is asked for in large pieces
    resource.setrlimit(resource.RLIMIT_AS, (reserved << 20, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert _memory("VmHWM") - before < mebibytes, "more memory was taken than is allowed for"


def _memory(what):
    """Return a number out of what Linux says of this process, in MiB."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(what)) // 1024


def files_in(folder):
    """Return the names of all files in a folder, at any depth."""
    return sorted(
        os.path.relpath(os.path.join(place, name), folder)
        for place, _, names in os.walk(folder)
        for name in names
    )


@pytest.fixture
def nothing_left_behind(tmp_path):
    """Check that a test leaves no unfinished file in its folder."""
    yield tmp_path
    unfinished = [name for name in files_in(tmp_path) if os.path.basename(name).startswith(".")]
    assert not unfinished, unfinished
