"""Lesson 11 beside the libraries that it compares with, each family in an environment of its own.

`make test` runs it without them: cells that need one carry its family's tag, and what they print is
left out there (`nbval-ignore-output`). Here it is compared. Where a family cannot be installed, its
test is skipped and says why.
"""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
LESSON = ROOT / "notebooks" / "11_other_libraries.ipynb"
sys.path.append(str(ROOT / ".ci"))
import libraries  # noqa: E402


@pytest.mark.parametrize("part", libraries.PARTS)
def test_the_lesson_prints_the_same_beside_these_libraries(part, tmp_path):
    if reason := libraries.install(part):
        pytest.skip(f"{part}: {reason}")
    notebook = nbformat.read(LESSON, as_version=4)
    own = [cell for cell in notebook.cells if part in cell.metadata.get("tags", [])]
    assert len(own) >= 4
    for cell in own:
        cell.metadata["tags"].remove("nbval-ignore-output")
    copy = tmp_path / LESSON.name
    nbformat.write(notebook, copy)
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider",
            "-p", "nbval.plugin", "--rootdir", tmp_path, "-c", ROOT / "pyproject.toml",
            "--nbval", "--nbval-current-env", "--nbval-cell-timeout", "240", copy,
        ],
        env=libraries.environment([part]) | {"TQDM_DISABLE": "1"},
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
