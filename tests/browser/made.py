"""Pages that .ci makes, for tests of the website and of the slides: made once, opened as files."""

import importlib.machinery
import os
import subprocess
import sys

import pytest
from lab import ROOT


def pages(folder, name, package, played):
    """Make build/NAME in a folder, with some explorers played; return what the command printed.

    Without the package that it needs, the test is skipped, but not in CI.
    """
    paths = [str(ROOT / ".venv" / "book"), *sys.path]
    if importlib.machinery.PathFinder.find_spec(package, paths) is None:
        say = pytest.fail if os.environ.get("CI", "").lower() in ("true", "1") else pytest.skip
        say(f"needs what make installs from .ci/book.txt: run make {name} once")
    command = [sys.executable, ROOT / ".ci" / f"{name}.py", "--output", folder, "--only", *played]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def resize(driver, width, height, mobile=False):
    """Give pages a window of this size, with a log of what they complain of that is empty."""
    window = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    driver.get_log("browser")  # what pages before complained of
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)


def restore(driver):
    """Leave the window as it was, and empty."""
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.get("about:blank")
