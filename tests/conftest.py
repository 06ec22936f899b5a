"""What every test stands on: the default world, no windows, no progress bars, fixed threads."""

import gc
import os
import sys

import pytest
from hypothesis import settings

# Before anything is imported that reads them.
os.environ.update(MPLBACKEND="Agg", TF_CPP_MIN_LOG_LEVEL="3", TQDM_DISABLE="1")
os.environ.pop("COURSE_WORLD", None)

# The same examples in every run: a test that fails, fails for everybody, and on busy machines, too.
settings.register_profile("course", derandomize=True, deadline=None)
settings.load_profile("course")


def pytest_collection_finish(session):
    """Seed and fix TensorFlow once, where a collected test has imported it; others stay quick."""
    if "tensorflow" in sys.modules:
        from helpers import runtime

        runtime.setup()
    # Modules stay to the end, and tracing makes many objects: without this, a seventh of the time
    # goes into looking for those that could be freed.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Start every test from the same seed, whichever ran before it on the same worker."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture
def impatient(monkeypatch):
    """Downloads do not pause between attempts, and go to this computer alone."""
    from helpers.photos import downloads

    monkeypatch.setattr(downloads, "PAUSE", 0)
    monkeypatch.setattr(downloads, "TIMEOUT", (10.0, 10.0))  # of a busy computer
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.delenv("COURSE_MIRROR", raising=False)


@pytest.fixture
def server():
    """A stand-in for the internet, on this computer."""
    import stand_ins

    server = stand_ins.Server()
    yield server
    server.close()
