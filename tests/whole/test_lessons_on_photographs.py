"""Lessons in the photos world: they run as they are, though numbers differ.

In the drawn world every printed line is compared (`make test-notebooks`).
"""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
PICTURED = [path.stem for path in sorted(FOLDER.glob("*.ipynb")) if path.name[:2] != "01"]
OWN = os.environ.get("COURSE_NETWORK")
ON_OWN = pytest.mark.skipif(not OWN, reason="COURSE_NETWORK not set")
NETWORKS = [
    *((name, "imagenet") for name in PICTURED),
    pytest.param("05_grad_cam", OWN, marks=ON_OWN),
]


@pytest.mark.skipif(not os.environ.get("COURSE_PHOTOS"), reason="COURSE_PHOTOS not set")
@pytest.mark.parametrize(("name", "network"), NETWORKS)
def test_a_lesson_runs_in_the_photos_world(name, network, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_WORLD", "photos")
    monkeypatch.setenv("COURSE_NETWORK", network)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    place = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [output.get("data", {}) for cell in code for output in cell.outputs]
    assert sum(any(kind.startswith("image/") for kind in data) for data in shown) >= 5
    if name in ("04_saliency", "05_grad_cam"):
        printed = "".join(o.get("text", "") for cell in code for o in cell.outputs)
        assert "our lines and the helper agree" in printed
        assert any("cats" in str(data) for data in shown)
    (tmp_path / "as_run.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
