"""Run lessons from their first cell to their last and write the outputs into the same files.

    python .ci/execute.py notebooks                       all of them
    python .ci/execute.py notebooks/05_grad_cam.ipynb     one

What changes from run to run and teaches nothing (timings, widget states, Python's version) is left
out, so that a diff shows what a learner would see change. A lesson that fails keeps its old file.
Lesson 11 runs beside the libraries that `.ci/libraries.py` has installed, and needs them all.
"""

import os
import sys
import time
from pathlib import Path

import libraries
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def execute(path):
    compares = path.stem == "11_other_libraries"
    if compares and (gone := [part for part in libraries.PARTS if not libraries.there(part)]):
        raise MissingError(f"python .ci/libraries.py {' '.join(gone)} installs what it needs")
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    ).execute(env=libraries.environment() if compares else os.environ)
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    nbformat.validate(notebook)
    unfinished = path.with_name(f".{path.name}.unfinished")
    nbformat.write(notebook, unfinished)
    os.replace(unfinished, path)


class MissingError(Exception):
    """Raised for a lesson that would be written without half of its outputs."""


def notebooks(path):
    found = sorted(path.glob("*.ipynb")) if path.is_dir() else [path]
    if not found or not found[0].is_file():
        sys.exit(f"there is no notebook at {path}")
    return found


def main(names):
    os.environ["TQDM_DISABLE"] = "1"  # a progress bar is nothing to compare
    paths = [path for name in names for path in notebooks(Path(name))]
    failed = 0
    for path in paths:
        started = time.perf_counter()
        try:
            execute(path)
        except (CellExecutionError, MissingError) as error:
            failed += 1
            print(f"{path}: failed, file unchanged\n{error}")
        else:
            size = path.stat().st_size / 1e6
            print(f"{path}: {time.perf_counter() - started:.0f} s, {size:.2f} MB")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
