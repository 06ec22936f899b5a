"""Run the course on the newest releases that pyproject.toml's ranges admit: `make test-next`.

    python .ci/newest.py                 units and lessons, then a table of what broke
    python .ci/newest.py --only units    one of the two
    python .ci/newest.py --dry-run       only the versions that differ from the pins

They are installed in an environment of their own, `.venv/next`. Exits with 1 where something broke,
and with 2 where the packages cannot be had.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".venv" / "next"
COURSE = "what-a-cnn-sees"
WANTED = f"{ROOT}[lab,test]"
NETWORK = ROOT / ".ci" / "imagenet.txt"  # lessons do without where it cannot be had
# The one test that must fail on other versions than the pins.
PINNED = "tests/test_house.py::test_what_is_installed_is_what_is_pinned"
PARTS = {
    "units": ["--dist", "loadfile", "-m", "not slow", "--deselect", PINNED, "tests"],
    "lessons": [
        "-p", "nbval.plugin", "--nbval", "--nbval-current-env", "--nbval-cell-timeout", "240",
        "--dist", "loadfile", "notebooks",
    ],
}  # fmt: skip
SHORT = 100  # characters of a reason


class Broken(NamedTuple):
    """A test file or lesson of which something failed."""

    where: str
    failed: int
    of: int
    reason: str


def resolve():
    """Return {package: version} of the newest releases, as pip would install them here."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = "--dry-run", "--ignore-installed", "--report", report
        pip(sys.executable, "install", *options, WANTED, *beside_the_network())
        found = [one["metadata"] for one in json.loads(report.read_text())["install"]]
    newest = {canonicalize_name(one["name"]): one["version"] for one in found}
    del newest[COURSE]
    return newest


def beside_the_network():
    """Return what the extra "imagenet" asks for, without the network, which may be gone one day."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines, alone = project["optional-dependencies"]["imagenet"], pins(NETWORK.read_text())
    return [line for line in lines if Requirement(line).name not in alone]


def pins(text):
    """Return {package: version} of the lines of a file of pins."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    wanted = [Requirement(line) for line in lines]
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in wanted}


def changes(pinned, newest):
    """Return lines that say which packages differ, where both have them."""
    both = sorted(set(pinned) & set(newest))
    return [f"{k} {pinned[k]} -> {newest[k]}" for k in both if pinned[k] != newest[k]]


def install(newest):
    """Make the environment anew, with exactly these versions; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE], check=True)
    python = PLACE / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    exact = [f"{name}=={version}" for name, version in newest.items()]
    pip(python, "install", *exact)
    pip(python, "install", "--no-deps", "--editable", ROOT)
    try:
        pip(python, "install", "--no-deps", "-r", NETWORK)
    except subprocess.CalledProcessError:
        print("The ImageNet network cannot be had: lessons will leave out what needs it.")
    return python


def pip(python, command, *words):
    quiet = ["--quiet", "--disable-pip-version-check"]
    subprocess.run([python, "-m", "pip", command, *quiet, *words], check=True)


def run(python, part):
    """Run one of `PARTS` on two workers; return whether it passed, and what broke."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [python, "-m", "pytest", "-n", "2", f"--junitxml={report}", *PARTS[part]]
        environment = os.environ | {"TQDM_DISABLE": "1"} if part == "lessons" else None
        ended = subprocess.run(command, cwd=ROOT, env=environment).returncode
        return ended == 0, broken(report.read_text()) if report.is_file() else []


def broken(report):
    """Return the `Broken` of a report in JUnit's XML, by file."""
    count, reasons = {}, {}
    for case in ElementTree.fromstring(report).iter("testcase"):
        where = case.get("classname", "") or case.get("name")
        count[where] = count.get(where, 0) + 1
        for kind in ("failure", "error"):
            for found in case.iter(kind):
                reasons.setdefault(where, []).append(f"{case.get('name')}: {found.get('message')}")
    return [
        Broken(where, len(said), count[where], " ".join(said[0].split())[:SHORT])
        for where, said in sorted(reasons.items())
    ]


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="newest.py", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(PARTS), help="run only this part")
    parser.add_argument("--dry-run", action="store_true", help="install and run nothing")
    asked = parser.parse_args(arguments)
    try:
        newest = resolve()
        differ = changes(pins((ROOT / ".ci" / "pins.txt").read_text()), newest)
        print(
            f"Of {len(newest)} packages, {len(differ)} differ from the pins:", *differ, sep="\n  "
        )
        if asked.dry_run:
            return 0
        python = install(newest)
    except subprocess.CalledProcessError as error:
        print(f"The packages cannot be had: {' '.join(map(str, error.cmd))} failed.")
        return 2
    parts = [asked.only] if asked.only else list(PARTS)
    found = {part: run(python, part) for part in parts}
    print("\n| part | where | failed | of | first |\n|---|---|---|---|---|")
    for part, (passed, rows) in found.items():
        for row in rows:
            print("|", " | ".join(map(str, (part, *row))), "|")
        if not rows:
            told = "nothing broke" if passed else "pytest itself ended with an error, see above"
            print(f"| {part} | {told} | | | |")
    return int(not all(passed for passed, _ in found.values()))


if __name__ == "__main__":
    sys.exit(main())
