"""The form of a lesson, read from the committed files without running them.

What the cells print is compared elsewhere (`make test-notebooks`); here a test makes sure that
there is enough to compare.
"""

import re
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
SKIPPED_BY_NBVAL = {"image/png", "image/jpeg", "application/vnd.jupyter.widget-view+json"}
# Cells whose text nbval compares, at least. A lesson that proves less has lost something.
COMPARED = {"00_start_here": 5}
COMPARED_BY_DEFAULT = 12
# Colab shows a list to choose from.
FIELD = 'WORLD = ""  # @param ["", "drawn", "photos"]'


def load(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def headings(notebook):
    """(level, text) of every heading, leaving out comments in fenced code."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"^```.*?^```", "", cell.source, flags=re.MULTILINE | re.DOTALL)
            for marks, words in re.findall(r"^(#{1,6})\s+(.+)$", text, re.MULTILINE):
                yield len(marks), words


def is_compared(cell):
    """Does nbval hold this cell's outputs against anything?"""
    if cell.execution_count is None or re.search(r"^#\s*NBVAL_", cell.source, re.MULTILINE):
        return False
    if any(tag.startswith("nbval-") for tag in cell.metadata.get("tags", [])):
        return False
    return any(
        output.output_type == "stream" or set(output.get("data", {})) - SKIPPED_BY_NBVAL
        for output in cell.outputs
    )


every_notebook = pytest.mark.parametrize(
    "notebook", [load(path) for path in PATHS], ids=[path.stem for path in PATHS]
)
every_path = pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])


def test_there_are_lessons():
    assert PATHS, f"no notebooks in {FOLDER}"
    assert PATHS[0].stem == "00_start_here"


@every_path
def test_a_lesson_is_a_valid_and_small_file(path):
    nbformat.validate(load(path))
    assert path.stat().st_size <= 2_000_000, f"{path.stat().st_size / 1e6:.1f} MB, at most 2"


@every_notebook
def test_only_what_a_learner_needs_is_in_the_metadata(notebook):
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) <= {"kernelspec", "language_info", "colab"}
    assert "version" not in notebook.metadata.get("language_info", {}), "run make notebooks"
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags", "cellView", "slideshow"}, dict(cell.metadata)


@every_notebook
def test_the_first_cell_says_what_to_expect(notebook):
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    objectives = re.findall(r"^\s*(?:[-*]|\d+\.)\s+\S", first.source, re.MULTILINE)
    assert 3 <= len(objectives) <= 5, f"{len(objectives)} objectives, not 3 to 5"
    assert re.search(r"\b\d+\s+minutes", first.source), "how many minutes does it take?"
    assert re.search(r"prerequisite", first.source, re.IGNORECASE), "what should one know before?"


@every_notebook
def test_the_second_cell_is_the_same_short_set_up_everywhere(notebook):
    setup = notebook.cells[1]
    assert setup.cell_type == "code"
    assert len(setup.source.splitlines()) <= 8
    assert setup.source == load(PATHS[0]).cells[1].source


@every_notebook
def test_the_world_is_chosen_in_a_field(notebook):
    sources = [cell.source for cell in code_cells(notebook)]
    assert sum("world = load_world(" in source for source in sources) <= 1
    if "load_world" in "".join(sources):
        assert any(f"{FIELD}\nworld = load_world(WORLD)\n" in f"{source}\n" for source in sources)


@every_notebook
def test_cells_are_short_and_never_three_code_cells_in_a_row(notebook):
    for cell in code_cells(notebook):
        lines = len(cell.source.splitlines())
        assert lines <= 12, f"{lines} lines, at most 12: {cell.source[:60]}"
        wide = [line for line in cell.source.splitlines() if len(line) > 100]
        assert not wide or "google.colab" in cell.source, f"over 100 characters: {wide}"
    kinds = "".join(cell.cell_type[0] for cell in notebook.cells)
    assert "ccc" not in kinds, f"three code cells in a row at cell {kinds.find('ccc')}"


@every_notebook
def test_outputs_are_those_of_one_run_from_top_to_bottom(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "run make notebooks"
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.output_type != "error", f"an error in: {cell.source[:60]}"
            assert output.get("name") != "stderr", f"{output.text[:200]} from: {cell.source[:60]}"


@every_path
def test_enough_cells_are_compared(path):
    compared = sum(is_compared(cell) for cell in code_cells(load(path)))
    wanted = COMPARED.get(path.stem, COMPARED_BY_DEFAULT)
    assert compared >= wanted, f"{compared} cells are compared, at least {wanted} wanted"


@every_path
def test_only_films_and_what_needs_a_library_are_left_out_of_the_comparison(path):
    """Libraries are compared where they are installed (`tests/whole/test_other_libraries.py`)."""
    for cell in code_cells(load(path)):
        tags, printed = (
            set(cell.metadata.get("tags", [])),
            "".join(output.get("text", "") for output in cell.outputs),
        )
        if "film" in tags:
            assert "dreaming.play" in cell.source and not printed
        elif tags:
            assert path.stem == "11_other_libraries"
            assert "nbval-ignore-output" in tags and tags & {"libraries", "torch"}, tags
        assert "Left out here" not in printed, "python .ci/libraries.py, then make notebooks"


@every_notebook
def test_headings_go_down_one_level_at_a_time(notebook):
    found = list(headings(notebook))
    assert [level for level, _ in found].count(1) == 1, "one # heading, in the first cell"
    for (above, _), (level, words) in zip(found, found[1:], strict=False):
        assert level <= above + 1, f"'{words}' jumps from level {above} to {level}"


@every_notebook
def test_every_picture_has_an_alt_text(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"!\[\s*\]\(", cell.source), cell.source[:80]
            for image in re.findall(r"<img\b[^>]*>", cell.source):
                assert re.search(r'\balt="[^"]+"', image), image[:80]
            continue
        for output in cell.get("outputs", []):
            for kind in {"image/png", "image/jpeg"} & set(output.get("data", {})):
                alt = output.metadata.get(kind, {}).get("alt")
                assert alt, f"a figure without alt text (use plotting) in: {cell.source[:60]}"


@every_path
def test_the_last_cell_looks_back_and_ahead(path):
    notebook = load(path)
    last = notebook.cells[-1]
    assert last.cell_type == "markdown"
    assert re.search(r"sources|further reading", last.source, re.IGNORECASE), "name the sources"
    later = [other.name for other in PATHS if other.name > path.name]
    assert not later or re.search(r"\]\(\d\d_\w+\.ipynb\)", last.source), "link to the next lesson"
