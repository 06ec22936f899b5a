"""What every lesson stands on: a quiet TensorFlow, equal numbers on every run, a set-up check.

TensorFlow is imported by the functions that need it and not by this module.
"""

import logging
import numbers
import os
import platform
import shutil
import sys
import tomllib
import warnings
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

DISTRIBUTION = "what-a-cnn-sees"
ROOT = Path(__file__).resolve().parent.parent
MEMORY_GB, DISK_GB = 1.7, 1.0  # what the largest lesson takes


def setup(seed=0, threads=2):
    """Make TensorFlow quiet and every run of a lesson give the same numbers.

    Seeds Python, NumPy and Keras, turns deterministic kernels on, and splits every operation over
    `threads` threads, on a laptop and on a server alike: sums of floats depend on how they are
    split. Safe to call again (a cell run twice) and prints nothing. Call it first in a notebook.

    Warns where TensorFlow has already computed something with another number of threads, which can
    then no longer be changed. Raises ValueError for a seed or a number of threads it cannot use.
    """
    if not (isinstance(seed, int) and 0 <= seed < 2**32):
        raise ValueError(f"seed is {seed!r}; it must be a whole number from 0 to 2**32 - 1")
    if not (isinstance(threads, int) and threads >= 1):
        raise ValueError(f"threads is {threads!r}; it must be a whole number, 1 or more")
    import keras
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    threading = tf.config.threading
    if threading.get_intra_op_parallelism_threads() != threads:
        try:
            threading.set_intra_op_parallelism_threads(threads)
            threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError:
            warnings.warn(
                f"TensorFlow was in use before runtime.setup() and keeps its own number of threads "
                f"instead of {threads}: last digits may differ. Restart the kernel to mend this.",
                stacklevel=2,
            )
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    log = logging.getLogger("helpers")
    log.setLevel(logging.INFO)
    if not any(isinstance(handler, _Print) for handler in log.handlers):
        log.addHandler(_Print())


class _Print(logging.Handler):
    """Prints what the helpers have to say, below the cell that called them."""

    def emit(self, record):
        print(self.format(record))


def versions():
    """Return one line that says which Python, TensorFlow, Keras, NumPy and device are in use.

    The line differs between machines: show it, but do not compare it. Imports TensorFlow.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    gpus = [
        tf.config.experimental.get_device_details(d) for d in tf.config.list_physical_devices("GPU")
    ]
    device = ", ".join(gpu.get("device_name", "a GPU") for gpu in gpus) or "CPU only"
    threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count()
    return (
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, NumPy {np.__version__}; "
        f"{device}, {threads} threads on {platform.system()}"
    )


def progress(iterable, total=None, label=None):
    """Show a progress bar while going through an iterable that takes more than a moment.

    A widget in a notebook, text on stderr in a terminal, nothing for what ends within half a second
    or where the environment variable TQDM_DISABLE is set. Yields the items of `iterable`; `total`
    is needed only where it has no length.
    """
    from tqdm.auto import tqdm

    # Said here as well, because the notebook's bar does not read the variable itself.
    disable = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return tqdm(iterable, desc=label, total=total, delay=0.5, leave=False, disable=disable)


def portions(images, count, most, label):
    """Yield (number of the image, slice of `count`), `most` at a time, under a progress bar.

    For methods that ask many times about each image. Portions are of nearly one size.
    """
    size = -(-count // -(-count // most))
    slices = [slice(start, start + size) for start in range(0, count, size)]
    yield from progress([(n, some) for n in range(images) for some in slices], label=label)


def check_count(name, value, least, most=float("inf"), why=""):
    """Raise ValueError, with the limits and why, where a value is no whole number within them."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        limit = f"or more{why}" if most == float("inf") else f"to {most}, {why}"
        raise ValueError(f"{name} must be a whole number, {least} {limit}, not {value!r}.")


class Finding(NamedTuple):
    """One thing that `check` looked at: is it fine, what was found, and how to mend it."""

    subject: str
    ok: bool
    found: str
    mend: str

    def __str__(self):
        return f"{self.subject}: {self.found}" + ("" if self.ok else f". To mend it: {self.mend}")


def check():
    """Look over this machine and return what was found, in words, with the mend for what is wrong.

    Looks at Python, the packages against the versions the course supports, memory, disk, the
    course's own data, and widgets. Returns a list of `Finding`; print one to read it. Imports
    neither TensorFlow nor Keras, so that it works where they do not.
    """
    return [_python(), *_packages(), _memory(), _disk(), _data(), _widgets()]


def requirements():
    """Return what the course needs as (Python specifier, list of packaging Requirements).

    From pyproject.toml in a checkout, otherwise from the installed package. Raises RuntimeError
    where there is neither.
    """
    from packaging.requirements import Requirement

    pyproject = ROOT / "pyproject.toml"
    if pyproject.is_file():
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
        return project["requires-python"], [Requirement(line) for line in project["dependencies"]]
    try:
        about = metadata.metadata(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise RuntimeError(f"{DISTRIBUTION} is not installed, nor is {pyproject} there") from None
    needs = [Requirement(line) for line in about.get_all("Requires-Dist") or []]
    return about["Requires-Python"], [need for need in needs if not need.marker]


def _python():
    from packaging.specifiers import SpecifierSet

    supported = requirements()[0]
    version = platform.python_version()
    ok = SpecifierSet(supported).contains(version, prereleases=True)
    found = f"version {version}" + ("" if ok else f", supported is {supported}")
    return Finding("Python", ok, found, "install a supported Python, remove .venv, run make lab")


def _packages():
    for need in requirements()[1]:
        mend = f'pip install "{need}", or run make lab, which installs all versions that fit'
        try:
            version = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            yield Finding(need.name, False, "not installed", mend)
            continue
        ok = need.specifier.contains(version, prereleases=True)
        found = f"version {version}" + ("" if ok else f", supported is {need.specifier}")
        yield Finding(need.name, ok, found, mend)


def _memory():
    import psutil

    free = psutil.virtual_memory().available / 1e9
    mend = f"close other programs and notebooks; a lesson takes up to {MEMORY_GB:g} GB"
    return Finding("memory", free >= MEMORY_GB, f"{free:.1f} GB free", mend)


def _disk():
    folder = Path(os.environ.get("COURSE_CACHE") or Path.home())
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    mend = f"free {DISK_GB:g} GB, or let COURSE_CACHE name a folder on another disk"
    return Finding("disk", free >= DISK_GB, f"{free:.1f} GB free at {folder}", mend)


def _data():
    missing = [name for name in ("drawn", "networks") if not any((ROOT / "data" / name).glob("*"))]
    found = f"missing: {', '.join(missing)}" if missing else "pictures and networks are there"
    return Finding("course data", not missing, found, "clone the course again, as a whole")


def _widgets():
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    ok = shell is not None and hasattr(shell, "kernel")
    found = "a notebook kernel is there to show them" if ok else "not in a notebook"
    return Finding("sliders", ok, found, "open the lesson in JupyterLab, Colab or Binder")
