"""Make slides of the lessons: `make slides`, or python .ci/slides.py

    --output FOLDER        where they go, by default build/slides
    --only NAME ...        explorers to play, such as 01_regularization.2; without names, none

Each lesson becomes one file that opens without a server; reveal.js, which turns the slides, lies
in a folder beside them. `slides/rule.py` says what is on a slide. Nothing is executed again, and
explorers are those of the website (`book.py`), which checks the finished files, too.
"""

import os
import re
import shutil
import sys
import time
from html import escape
from pathlib import Path

import nbformat
from nbconvert.exporters import SlidesExporter
from nbconvert.filters import markdown_mistune
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / ".ci" / "slides"
sys.path[:0] = [str(ROOT / ".ci"), str(HERE)]

import book  # noqa: E402  (it knows where the packages of .ci/book.txt are)
import rule  # noqa: E402
import sources  # noqa: E402
from latex2mathml.converter import convert  # noqa: E402

REVEAL = Path(book.PACKAGES, "sphinx_revealjs", "_static", "revealjs")  # that package has a copy
SHARED = ["LICENSE", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js"]
MOST, MOST_ALL = 10_000_000, 60_000_000  # bytes: of one deck, of all
LONG = 60  # characters of TeX
TO = re.compile(r"\]\((?:page|spot):([\w.]+?)(#[^)\s]+)?\)")
INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>What a CNN Sees: slides</title>
<link rel="stylesheet" href="reveal/slides.css">
</head>
<body class="decks">
<h1>What a CNN Sees: slides</h1>
<p>Space and the arrow keys turn the slides, Esc shows all of them, S opens the speaker notes,
and F fills the screen. To print a lesson, add <code>?print-pdf</code> to its address. The lessons
to read, and the reference, are on <a href="{website}">the website</a>.</p>
<ol start="0">
{lessons}
</ol>
</body>
</html>
"""


class Renderer(markdown_mistune.IPythonRenderer):
    """Markdown as nbconvert reads it, with formulas as MathML, which needs no script."""

    def inline_math(self, body):
        formula = convert(body)  # browsers do not break one, so that a long one is set smaller
        return f'<span class="long">{formula}</span>' if len(body) > LONG else formula

    def block_math(self, body):
        formula = convert(body, display="block")
        return f'<div class="long">{formula}</div>' if len(body) > LONG else formula


class Exporter(SlidesExporter):
    """nbconvert's slides, in a template that asks nothing of any server."""

    exclude_input_prompt = exclude_output_prompt = True

    def markdown2html(self, source):
        renderer = Renderer(escape=False, exclude_anchor_links=True)
        return markdown_mistune.MarkdownWithMath(renderer=renderer).render(source)


def led(words, lessons, repository):
    """Return Markdown whose links lead to the decks of lessons, or else to the repository."""

    def to(match):
        name, spot = match[1], match[2] or ""
        if name in lessons:
            return f"]({name}.html)"
        return f"]({repository}/blob/main/notebooks/{name}.md{spot})"

    return TO.sub(to, sources.linked(words, repository))


def prepared(path, lessons, played, repository):
    """Return a lesson with the places of its played explorers and with links that lead on."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.language_info["pygments_lexer"] = "ipython3"
    names = {id(output): name for output, name in sources.explorers(notebook, path.stem)}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = led(cell.source, lessons, repository)
        for output in cell.get("outputs", ()):
            name = names.get(id(output))
            if name and (played / f"{name}.html").is_file():
                place = sources.PLACE.format(name)
                output.data = {"text/html": f'<div class="course-explorer">{place}</div>'}
            elif sources.is_picture(output):
                output.data = {"text/html": sources.shown(output)}
    return notebook


def shared(folder):
    """Write what all decks need into a folder."""
    folder.mkdir()
    for name in SHARED:
        shutil.copy(REVEAL / name, folder)
    colours = HtmlFormatter(style="a11y-high-contrast-light").get_style_defs(".highlight")
    style = (HERE / "slides.css").read_text(encoding="utf-8")
    (folder / "slides.css").write_text(f"{style}\n{colours}\n", encoding="utf-8")


def build(output, played, whole):
    """Make all decks in a folder beside `output`, check them, and put them in place.

    `whole` asks for every explorer to be played.
    """
    asked = sources.questions(played)
    repository = sources.address()
    exporter = Exporter(template_name="template", extra_template_basedirs=[str(HERE)])
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    names, wrong, lines = [path.stem for path in paths], [], []
    new = output.with_name(f".{output.name}.{os.getpid()}")
    new.mkdir(parents=True)
    try:
        shared(new / "reveal")
        for path in paths:
            lesson = prepared(path, names, played, repository)
            for _, name in sources.explorers(nbformat.read(path, as_version=4), path.stem):
                if whole and not (played / f"{name}.html").is_file():
                    wrong.append(f"{name} is a still picture; see played.py")
            deck = rule.slides(lesson, asked)
            title = deck.cells[0].source.partition("\n")[0].strip("# ")
            text, _ = exporter.from_notebook_node(deck, {"title": title})
            page = new / f"{path.stem}.html"
            page.write_text(book.filled(text, played), encoding="utf-8")
            if (size := page.stat().st_size) > MOST:
                wrong.append(f"{page.name} takes {size / 1e6:.0f} MB; see MOST in slides.py")
            lines.append(f'<li><a href="{page.name}">{escape(title)}</a></li>')
        index = INDEX.format(lessons="\n".join(lines), website=sources.published(repository))
        (new / "index.html").write_text(index, encoding="utf-8")
        book.put(new, output, "The slides are not made", wrong + book.faults(new, MOST_ALL))
    finally:
        shutil.rmtree(new, ignore_errors=True)


if __name__ == "__main__":
    book.command(__doc__, "slides", build, time.process_time, "made in {} s of CPU")
