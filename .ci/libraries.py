"""Install the libraries that lesson 11 compares with, each family into a folder of its own.

    python .ci/libraries.py            both; `make notebooks` then runs lesson 11 with them
    python .ci/libraries.py torch      one

A folder holds what `.ci/pins.txt` does not, and is put on the path of the kernel that needs it. So
the environment of all other lessons stays as it is.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".venv" / "libraries"
PARTS = "libraries", "torch"  # as the extras in pyproject.toml, and the tags of cells
PATIENCE = 900  # seconds for an installation
# A torchvision that is compiled for GPUs does not load beside a torch that is not: it describes
# operators that it could not define. Nothing here calls them.
DEFINED = """import torch.library as _library

_torchvision = _library.Library("torchvision", "DEF")
for _name in "nms", "qnms":
    _torchvision.define(_name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def folder(part):
    """Return where the libraries of a part are, or would be."""
    return PLACE / part


def pins(part):
    return ROOT / ".ci" / f"{part}.txt"


def there(part):
    """Return whether a part is installed, in the versions that are pinned."""
    stamp = folder(part) / ".installed"
    return stamp.is_file() and stamp.read_text() == pins(part).read_text()


def install(part):
    """Install a part unless it is there; return "", or why it cannot be had."""
    if there(part):
        return ""
    place = folder(part)
    shutil.rmtree(place, ignore_errors=True)
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--target", place, "-r", pins(part),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return f"the installation took more than {PATIENCE} seconds"
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return said[-1] if said else done.stderr[-300:]
    if part == "torch" and (error := imported(place, "torchvision")):
        if "torchvision::" not in error:
            return error
        start = place / "torchvision" / "__init__.py"
        start.write_text(DEFINED + start.read_text())
        if error := imported(place, "torchvision"):
            return error
    (place / ".installed").write_text(pins(part).read_text())
    return ""


def imported(place, module):
    """Import a module with a folder on the path; return the last line of what goes wrong, or ""."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        env=os.environ | {"PYTHONPATH": str(place)}, capture_output=True, text=True,
    )  # fmt: skip
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def environment(parts=PARTS):
    """Return the environment of a kernel that finds those of the parts that are there."""
    found = [str(folder(part)) for part in parts if there(part)]
    before = os.environ.get("PYTHONPATH", "")
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [before, *found]))}


def main(names):
    reasons = {part: install(part) for part in names or PARTS}
    for part, reason in reasons.items():
        print(f"{part}: {reason or folder(part)}")
    return any(reasons.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
