"""Run the lessons as Colab does and compare what they print: `make test-colab`.

Each lesson lies alone in an empty folder, with nothing but the bundle beside it. Its kernel has
Colab's IPython and ipywidgets (`.ci/colab.txt`), a stand-in for the module `google.colab`, and no
course installed: the set-up cell has to find it. Arguments go to pytest.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import bundle

ROOT = Path(__file__).resolve().parent.parent
OVERLAY = ROOT / ".venv" / "colab"
# Read by every Python that starts with this folder on its path.
STAND_IN = """
import sys
import google.colab
# The course is not installed in Colab.
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in repr(f).lower()]
"""


def lay_out(folder):
    """Make the stand-in, the kernel and a folder for each lesson; return (kernels, lessons)."""
    stand_in = folder / "stand-in"
    (stand_in / "google" / "colab").mkdir(parents=True)
    (stand_in / "google" / "colab" / "__init__.py").write_text('"""Colab, for tests."""\n')
    (stand_in / "sitecustomize.py").write_text(STAND_IN)
    kernel = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Colab",
        "language": "python",
        "env": {"PYTHONPATH": os.pathsep.join((str(OVERLAY), str(stand_in)))},
    }
    (folder / "kernels" / "colab").mkdir(parents=True)
    (folder / "kernels" / "colab" / "kernel.json").write_text(json.dumps(kernel))
    archive, lessons = folder / bundle.NAME, []
    bundle.bundle(archive)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        place = folder / path.stem
        place.mkdir()
        (place / path.name).write_bytes(path.read_bytes())
        os.link(archive, place / archive.name)
        lessons.append(place / path.name)
    return folder, lessons


def main(arguments):
    with tempfile.TemporaryDirectory() as folder:
        data, lessons = lay_out(Path(folder))
        environment = os.environ | {"JUPYTER_PATH": str(data), "TQDM_DISABLE": "1"}
        command = [
            sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "nbval.plugin",
            "--rootdir", folder, "-c", ROOT / "pyproject.toml",
            "--nbval", "--nbval-kernel-name", "colab",
            "--nbval-cell-timeout", "240", "--dist", "loadfile", *arguments, *lessons,
        ]  # fmt: skip
        return subprocess.run(command, env=environment, cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
