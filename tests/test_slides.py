"""The slides: what the rule makes of a lesson's cells, before a browser shows them."""

import re
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
CI = ROOT / ".ci"
FIRST = "# Title: more\n\nA cat. Why? Then you can\n\n- one;\n- two;\n- three.\n\n**9 minutes.**"
LONG = "The first sentence has six words, e.g. these. " + "More is said here, and more. " * 30


@pytest.fixture(scope="module")
def rule():
    """The module .ci/slides/rule.py."""
    path, before = list(sys.path), set(sys.modules)
    sys.path[:0] = [str(CI / "book"), str(CI / "slides")]
    import rule

    yield rule
    sys.path[:] = path
    for name in {"rule", "sources", "reference"} - before:
        sys.modules.pop(name, None)


def code(source, *outputs, kind=None):
    metadata = {"slideshow": {"slide_type": kind}} if kind else {}
    return nbformat.v4.new_code_cell(source, outputs=list(outputs), metadata=metadata)


def printed(text):
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def figure(wide=900, high=900):
    element = f'<img class="course-card" src="x" alt="y" width="{wide}" height="{high}">'
    return nbformat.v4.new_output("display_data", {"text/html": element})


@pytest.fixture
def made(rule):
    """A function: cells after the first two in, slides out, as (kind, sources shown, notes)."""

    def make(*cells, asked=None):
        cells = [
            rule.markdown(cell) if isinstance(cell, str) else cell for cell in (FIRST, "x", *cells)
        ]
        cells[1] = code("import sys")
        book = rule.slides(nbformat.v4.new_notebook(cells=cells), asked or {})
        nbformat.validate(book)
        found = []
        for cell in book.cells:
            kind = cell.metadata["slideshow"]["slide_type"]
            if kind in ("slide", "subslide"):
                found.append((kind, [], []))
            (found[-1][2] if kind == "notes" else found[-1][1]).append(cell)
        return found[2:]

    return make


def words(slide):
    """What a slide says, without the line that says where one is."""
    sources = [c.source for c in slide[1] if '<p class="where">' not in c.source]
    return "\n\n".join(source for source in sources if source)


def test_the_first_cell_is_a_title_and_what_is_learnt_without_badges(rule):
    source = FIRST.replace("more\n", "more\n\n[![Open in Colab](a.svg)](b)\n")
    deck = rule.Deck({})
    deck.opening(source)
    title, learnt = deck.slides
    assert title.cells[0].source == "# Title: more\n\nA cat. Why?"
    assert title.notes == ["**9 minutes.**"]
    assert learnt.cells[1].source == "Then you can\n\n- one;\n- two;\n- three."


def test_a_heading_begins_a_slide_and_short_text_is_shown_whole(made):
    slides = made("## One\n\nShort. Whole.\n\n### Two\n\n$$x^2$$")
    assert [(kind, [c.source for c in cells]) for kind, cells, _ in slides] == [
        ("slide", ["## One", "Short. Whole."]),
        ("subslide", ["## Two", "$$x^2$$"]),
    ]


def test_long_text_is_shortened_and_stands_in_the_notes(made):
    (slide,) = made(f"## One\n\n{LONG}\n\nAnother paragraph. It leads on:\n\n$$x$$")
    assert words(slide) == (
        "## One\n\nThe first sentence has six words, e.g. these.\n\n"
        "Another paragraph. It leads on:\n\n$$x$$"
    )
    assert LONG.strip() in slide[2][0].source


def test_sentences_end_where_a_reader_ends_them(rule):
    text = "It is $a. B$ or `c. D`, vs. E (f. G). **Bold.** *Why?* Because 0.5 is `x`. 3 more."
    assert rule.sentences(text) == [
        "It is $a. B$ or `c. D`, vs. E (f. G).",
        "**Bold.**",
        "*Why?*",
        "Because 0.5 is `x`.",
        "3 more.",
    ]


def test_no_slide_takes_more_lines_than_it_may_and_nothing_is_lost(rule):
    table = "| a | b |\n|---|---|\n" + "\n".join(f"| {n} | x |" for n in range(30))
    found = rule.blocks("\n\n".join(["- item. " * 12] * 4 + [table, LONG]))
    parts = rule.pages(found)
    assert len(parts) > 5
    assert all(sum(b.lines for b in page) <= rule.LINES + rule.SPARE for page in parts)
    text = "\n".join(block.text for page in parts for block in page)
    assert all(f"| {n} | x |" in text for n in range(30))
    assert text.count("More is said here") == 30
    assert text.count("|---|---|") == len([p for p in parts if p[-1].kind == "table"])


def test_code_is_shown_with_what_it_prints_and_preparations_are_not(made):
    shown, derived, after = made(
        code("print(1)", printed("1\n")),
        code("x = 1"),
        code("def f():\n    return 1"),
        code("y = f()\nshow(y)", figure()),
    )
    assert words(shown) == "print(1)" and shown[1][2].outputs[0].text == "1"
    assert "x = 1" in shown[2][0].source
    assert words(derived) == "def f():\n    return 1" and not derived[2]
    assert words(after) == "" and after[1][1].outputs == [figure()]
    assert "show(y)" in after[2][0].source


def test_much_that_is_printed_goes_on_on_slides_of_its_own(rule, made):
    slides = made(code("print(1)", printed("\n".join(map(str, range(50))))))
    rows = [cells[1].outputs[0].text for _, cells, _ in slides[1:]]
    assert "\n".join(rows) == "\n".join(map(str, range(50)))
    assert all(len(text.splitlines()) <= rule.CODE for text in rows)


def test_a_figure_is_alone_unless_there_is_room_below_it(made):
    assert len(made(code("x", figure(900, 900)), "It is a cat.")) == 2
    (slide,) = made(code("x", figure(900, 200)), "It is a cat.")
    assert words(slide) == "It is a cat."


def test_a_figure_joins_the_text_before_it_where_there_is_room(made):
    (slide,) = made("## One\n\nLook.", code("show()", figure(900, 200)), "It is a cat.")
    assert words(slide) == "## One\n\nLook.\n\nIt is a cat."
    assert slide[1][2].outputs == [figure(900, 200)] and "show()" in slide[2][0].source
    assert len(made("## One\n\nLook.", code("show()", figure(900, 600)))) == 2
    assert len(made("## One\n\n" + "Look. " * 70, code("show()", figure(900, 400)))) == 2


def test_a_figure_does_not_join_a_text_about_the_figure_before(made):
    tall, flat = code("x", figure(900, 900)), code("y", figure(900, 200))
    assert len(made(tall, "It is a cat.", flat)) == 3
    assert len(made(tall, "It is a cat. And this is a dog:", flat)) == 2


def test_code_joins_the_text_before_it_and_text_the_code(made):
    (slide,) = made("## One\n\nLook.", code("print(1)", printed("1")), "It is one.")
    assert words(slide) == "## One\n\nLook.\n\nprint(1)\n\nIt is one."
    assert len(made("Look.", code("print(1)\n" * 22, printed("1")))) == 3  # listing, then output
    assert len(made("Look.", code("print(1)\n" * 12, printed("1")), "It is one. " * 20)) == 2


def test_nothing_joins_an_exercise(made):
    check = code('exercises.check("x.1", answer)')
    question, after, _ = made("**Exercise 1** (★). One?", check, "So.", "**Exercise 2** (★). Two?")
    assert words(question).endswith("answer)") and words(after) == "So."
    assert len(made("**Exercise 1** (★). One?", code("print(1)", printed("1")))) == 2
    assert len(made("**Exercise 1** (★). One?", code("show()", figure(900, 200)))) == 2


def test_an_exercise_is_asked_with_its_code_and_answered_in_the_notes(made):
    asked = {"x.1": {"hints": ["Think."], "solution": "answer = 3"}}
    (slide,) = made(
        "**Exercise 1** (★). How many? Count them.",
        code('answer = ____\nexercises.check("x.1", answer)', printed("Not yet.")),
        asked=asked,
    )
    assert words(slide).startswith("**Exercise 1** (★). How many? Count them.\n\nanswer = ____")
    assert "Not yet." not in str(slide)
    notes = slide[2][0].source
    assert "**Hint 1:** Think." in notes and "```python\nanswer = 3\n```" in notes


def test_sources_are_in_the_notes_and_the_next_lesson_is_not(made):
    (slide,) = made("### Sources and further reading\n\n- Ann, 2016.\n\n**Next:** dreams.")
    assert words(slide) == "**Next:** dreams." and "Ann" in slide[2][0].source


def test_metadata_overrules_the_rule(rule, made):
    tagged = rule.markdown(LONG)
    tagged.metadata["slideshow"] = {"slide_type": "subslide"}
    slides = made(
        "Before.",
        code("x = 1", kind="skip"),
        code("y = 1", kind="fragment"),
        tagged,
        code("z = 1", kind="notes"),
    )
    assert [words(slide) for slide in slides] == ["Before.\n\ny = 1", LONG]
    kinds = [cell.metadata["slideshow"]["slide_type"] for cell in slides[0][1]]
    assert kinds == ["subslide", "-", "fragment"]
    assert slides[1][2][0].source == "z = 1"


def test_every_lesson_becomes_slides_that_keep_its_figures_and_exercises(rule):
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        lesson = nbformat.read(path, as_version=4)
        pictures = 0
        for cell in lesson.cells:
            for output in cell.get("outputs", ()):
                if rule.sources.is_picture(output):
                    output.data = {"text/html": rule.sources.shown(output)}
                pictures += "<img" in output.get("data", {}).get("text/html", "")  # films, too
        exercises = len(rule.sources.CHECK.findall(str([c.source for c in lesson.cells])))
        book = rule.slides(lesson, {})
        assert sum("<img" in str(cell.get("outputs")) for cell in book.cells) == pictures
        assert sum('exercises.check("' in cell.source for cell in book.cells) == exercises
        kinds = [cell.metadata["slideshow"]["slide_type"] for cell in book.cells]
        assert 40 < kinds.count("slide") + kinds.count("subslide") < 100, path.stem
        assert not any(re.search(r"badge", c.source) for c in book.cells), path.stem
