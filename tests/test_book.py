"""The website: its pages before Sphinx reads them, and the faults of a finished one."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
CI = ROOT / ".ci"


@pytest.fixture(scope="module")
def book():
    """The module .ci/book.py, which knows the two others that make pages."""
    path, before = list(sys.path), set(sys.modules)
    spec = importlib.util.spec_from_file_location("course_book", CI / "book.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = path
    for name in {"sources", "reference"} - before:
        sys.modules.pop(name, None)


def test_links_lead_to_pages_of_the_book_or_to_the_repository(book):
    to = book.sources.linked
    page = "[a](05_grad_cam.ipynb) [b](glossary.md#cnn) [c](#here) [d](https://x.org/y.md)"
    assert to(page, "R") == (
        "[a](page:05_grad_cam) [b](spot:glossary#cnn) [c](#here) [d](https://x.org/y.md)"
    )
    assert to("[a](../README.md#start)", "R") == "[a](R/blob/main/README.md#start)"
    assert to("[a](../notebooks/own_photos.md)", "R", "data") == "[a](page:own_photos)"


def test_badges_of_other_servers_become_links(book):
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        first = nbformat.read(path, as_version=4).cells[0].source
        source = book.sources.opened(first, path.name)
        assert source.startswith(first.partition("\n")[0] + "\n\n<p")
        assert source.count("<a href=") == 3 and "Open in Colab" in source
        assert f'<a href="{path.name}" download>' in source
        assert not re.search(r"!\[|\.svg", source)


def test_the_first_page_leads_to_the_published_slides(book):
    address = book.sources.published("https://github.com/Ann/a-course")
    assert address == "https://Ann.github.io/a-course/"
    assert "and SLIDES," in (CI / "book" / "index.md").read_text(encoding="utf-8")


def test_hints_and_solutions_unfold_and_are_quoted(book):
    question = {"hints": ["a < b", "c"], "solution": "answer = 1 < 2"}
    element = book.sources.unfolding("x.1", question)
    assert element.count("<details>") == element.count("</details>") == 3
    assert "<p>a &lt; b</p>" in element and "<summary>Solution</summary>" in element
    assert "answer" in element and "&lt;" in element


def test_every_explorer_of_a_lesson_has_something_to_play():
    tree = ast.parse((CI / "book" / "played.py").read_text(encoding="utf-8"))
    (played,) = (
        {key.value for key in node.value.keys}
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "PLAYED"
    )
    shown = set()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        outputs = [o for cell in cells for o in cell.get("outputs", ())]
        views = [o for o in outputs if any("widget-view" in kind for kind in o.get("data", ()))]
        shown |= {f"{path.stem}.{number}" for number in range(1, len(views) + 1)}
    assert len(shown) >= 10 and played == shown


def test_docstrings_become_markdown(book):
    reference = sys.modules["reference"]
    assert reference.escaped("`**kept**` and *Grad-CAM*, h*w of a[0]") == (
        "`**kept**` and *Grad-CAM*, h\\*w of a\\[0\\]"
    )
    text = reference.text(
        "First.\n\nArguments:\n    one, two: the first\n        and more.\n    x: y."
    )
    assert text == "First.\n\nArguments:\n\n- **one, two**: the first and more.\n- **x**: y."
    assert reference.text("Arguments, so:\n    x: y.") == "Arguments, so:\n\n- **x**: y."
    assert reference.text("steps: how many.") == "- **steps**: how many."
    assert reference.text("Saliency maps: which pixels?") == "Saliency maps: which pixels?"
    pages = {
        name: reference.page(name, path, ROOT) for name, path in reference.modules(ROOT).items()
    }
    assert "## `grad_cam`\n\n```python\ncam.grad_cam(" in pages["cam"]
    assert "### `set`" in pages["explorers"], "methods of classes are missing"
    assert "## `ascend`" in pages["dreaming"], "what a package takes from its modules is missing"
    assert all(len(page.splitlines()) > 5 for page in pages.values())


def test_what_is_wrong_with_a_finished_book_is_found(book, tmp_path):
    good = '<a href="b.html#spot">b</a><a href="https://x.org">x</a><img src="data:image/png,">'
    (tmp_path / "a.html").write_text(good)
    (tmp_path / "b.html").write_text('<p id="spot"></p><img src="c.png">')
    (tmp_path / "c.png").write_bytes(b"")
    assert book.faults(tmp_path) == []
    (tmp_path / "a.html").write_text(
        '<a href="b.html#no">b</a><a href="d.html">d</a><script src="//x.org/y.js"></script>'
        '<link href="https://x.org/z.css" rel="stylesheet"><img src="e.png">'
    )
    (tmp_path / "s.css").write_text("@font-face {src: url('https://x.org/f.woff')}")
    assert book.faults(tmp_path) == [
        "a.html fetches //x.org/y.js",
        "a.html fetches https://x.org/z.css",
        "a.html lacks e.png",
        "a.html links to b.html#no, and b.html has no such place",
        "a.html links to d.html, which is not there",
        "s.css fetches from elsewhere",
    ]


def test_an_explorer_that_is_not_played_is_found(book, tmp_path):
    (tmp_path / "a.html").write_text('<div class="course-explorer"><img src="x"></div>')
    (fault,) = book.still(tmp_path)
    assert fault.startswith("a.html: 1 explorers are still pictures")


def test_what_builds_the_book_is_pinned_and_published():
    lines = (CI / "book.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins and all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "book.yml").read_text("utf-8"))
    steps = workflow["jobs"]["book"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [
        "make book slides",
        "mv build/slides build/book/slides",
    ]
    assert [step["with"]["path"] for step in steps if "upload" in step.get("uses", "")] == [
        "build/book"
    ]
