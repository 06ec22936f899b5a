"""Lay out the pages of the book for Sphinx: lessons with alt texts, hints, and places to play.

Nothing is executed. Pictures become files of their own; an explorer's dead widget becomes a place
where `.ci/book.py` puts the played one, or its still picture.
"""

import base64
import html
import io
import json
import re
import shutil
from pathlib import Path

import nbformat
import reference
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
VIEW = "application/vnd.jupyter.widget-view+json"
BADGE = re.compile(r"^\[!\[Open in (\w+)\]\([^)]*\)\]\((\S+)\)\n?", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|mailto:|page:|spot:)([^)#\s]*)(#[^)\s]+)?\)")
CHECK = re.compile(r'exercises\.check\("([\w.]+)"')
PLACE = "<!-- explorer {} -->"
FIRST = ("glossary", "own_photos")  # of the pages beside the lessons


def lay_out(folder, played):
    """Write all sources into a folder, which is emptied first; return the lessons' names."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("static", "extra/images"):
        (folder / name).mkdir(parents=True)
    shutil.copy(HERE / "conf.py", folder)
    shutil.copy(HERE / "book.css", folder / "static")
    shutil.copy(ROOT / "data" / "picture.jpg", folder / "extra")
    repository = address()
    asked = questions(played)
    lessons = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in lessons:
        (folder / "extra" / path.name).write_text(emptied(path), encoding="utf-8")
        book = lesson(path, asked, folder / "extra" / "images", played, repository)
        nbformat.write(book, folder / path.name)
    pages = {path.stem: path for path in sorted((ROOT / "notebooks").glob("*.md"))}
    for name, path in pages.items():
        words = path.read_text(encoding="utf-8")
        (folder / f"{name}.md").write_text(linked(words, repository), encoding="utf-8")
    (folder / "credits.md").write_text(credits(repository), encoding="utf-8")
    index = (HERE / "index.md").read_text(encoding="utf-8")
    index = index.replace("LESSONS", "\n".join(path.stem for path in lessons))
    index = index.replace("PAGES", "\n".join([*FIRST, *(n for n in pages if n not in FIRST)]))
    index = index.replace("SLIDES", f"[slides]({published(repository)}slides/)")
    index = index.replace("REFERENCE", "\n".join(reference.write(ROOT, folder)))
    (folder / "index.md").write_text(index, encoding="utf-8")
    return [path.stem for path in lessons]


def emptied(path):
    """Return a lesson without its outputs, for download: they come back when it is run."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return nbformat.writes(notebook)


def questions(played):
    """Return {exercise: its hints and its solution}, out of the folder of what is played."""
    return json.loads((played / "exercises.json").read_text(encoding="utf-8"))


def address():
    """Return the address of the repository, as the lessons name it."""
    first = (ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8")
    return re.search(r"COURSE_REPO:-(https://github\.com/[\w.-]+/[\w.-]+)\}", first)[1]


def published(repository):
    """Return the address of the website that GitHub makes for a repository."""
    owner, name = repository.removeprefix("https://github.com/").split("/")
    return f"https://{owner}.github.io/{name}/"


def credits(repository):
    """Return the page of credits: those of data/README.md, and the licences."""
    words = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## Credits\n(.*?)(?=^## |\Z)", words, re.MULTILINE | re.DOTALL)
    licences = "Code is under the MIT licence, lessons and pictures under CC BY 4.0"
    end = f"{licences}: [LICENSE]({repository}/blob/main/LICENSE)."
    return linked(f"# Credits\n{section}\n{end}\n", repository, "data")


def linked(words, repository, base="notebooks"):
    """Return Markdown whose links lead to pages of the book, or else to the repository."""

    def to(match):
        target, spot = match[1], (match[2] or "")[1:]
        if not target:
            return match[0]
        path = (ROOT / base / target).resolve().relative_to(ROOT)
        if path.parts[0] == "notebooks" and path.suffix in (".md", ".ipynb"):
            return f"](spot:{path.stem}#{spot})" if spot else f"](page:{path.stem})"
        return f"]({repository}/blob/main/{path.as_posix()}{match[2] or ''})"

    return LINK.sub(to, words)


def lesson(path, asked, images, played, repository):
    """Return a lesson as the book shows it."""
    book = nbformat.read(path, as_version=4)
    names = {id(output): name for output, name in explorers(book, path.stem)}
    book.metadata.language_info["pygments_lexer"] = "ipython3"  # the set-up cell has a "!"
    for number, cell in enumerate(book.cells):
        if cell.cell_type == "markdown":
            if number == 0:
                cell.source = opened(cell.source, path.name)
            cell.source = linked(cell.source, repository)
            continue
        outputs = []
        for output in cell.outputs:
            if name := names.get(id(output)):
                still = picture(output, images, name)
                place = PLACE.format(name) if (played / f"{name}.html").is_file() else still
                outputs.append(element(f'<div class="course-explorer">{place}</div>'))
            elif is_picture(output):
                name = f"{path.stem}-{number}-{len(outputs)}"
                outputs.append(element(picture(output, images, name)))
            else:
                outputs.append(output)
        checks = CHECK.findall(cell.source)
        outputs += [element(unfolding(name, asked[name])) for name in checks if name in asked]
        cell.outputs = outputs
    return book


def explorers(notebook, stem):
    """Return all outputs of a lesson that are explorers, with the names they are played under."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    views = [output for output in outputs if VIEW in output.get("data", {})]
    return [(output, f"{stem}.{number}") for number, output in enumerate(views, 1)]


def opened(source, name):
    """Return a lesson's first cell with links instead of badges, which other servers would draw."""
    links = [
        f'<a href="{html.escape(to)}">Open in {where}</a>' for where, to in BADGE.findall(source)
    ]
    links.append(f'<a href="{name}" download>Download</a>')
    head, _, rest = BADGE.sub("", source).partition("\n")
    return f'{head}\n\n<p class="course-launch">{"".join(links)}</p>\n\n{rest.strip()}'


def picture(output, images, name):
    """Write the picture of an output as a file; return its element."""
    kind, content = _picture(output)
    file = images / f"{name}.{kind.partition('/')[2]}"
    file.write_bytes(content)
    return shown(output, f"images/{file.name}")


def shown(output, source=None):
    """Return the element of an output's picture, by default with the picture in it."""
    kind, content = _picture(output)
    source = source or f"data:{kind};base64,{base64.b64encode(content).decode()}"
    alt = output.metadata.get(kind, {}).get("alt", "")
    wide, high = Image.open(io.BytesIO(content)).size
    size = f'width="{wide}" height="{high}" loading="lazy"'
    return f'<img class="course-card" src="{source}" alt="{html.escape(alt)}" {size}>'


def is_picture(output):
    """Is an output a picture, a figure or the still picture of an explorer?"""
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def _picture(output):
    """Return the kind and the bytes of an output's picture."""
    kind = next(kind for kind in output.data if kind.startswith("image/"))
    return kind, base64.b64decode(output.data[kind])


def unfolding(name, question):
    """Return an exercise's hints and solution, which unfold."""
    parts = [
        f"<details><summary>Hint {number}</summary><p>{html.escape(hint)}</p></details>"
        for number, hint in enumerate(question["hints"], 1)
    ]
    code = highlight(question["solution"], PythonLexer(), HtmlFormatter())
    parts.append(f"<details><summary>Solution</summary>{code}</details>")
    return f'<div class="course-exercise" data-exercise="{name}">{"".join(parts)}</div>'


def element(code):
    """Return an output that is an element of HTML."""
    return nbformat.v4.new_output("display_data", {"text/html": code})
