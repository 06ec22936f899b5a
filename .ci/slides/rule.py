"""Which cells of a lesson become slides, and what of them: a notebook in, a notebook out.

A cell whose metadata has a `slide_type` is shown as that says, whole. All others follow the rule:
a heading begins a slide; text that is too long for one is shown by the first sentence of each
paragraph, and stands in the speaker notes in full; code is shown with what it prints, code that
only prepares is not; code and figures join the text before them, and the text after joins them, if
there is room, but a figure does not join a text about the figure before it; an explorer has a slide
of its own; an exercise is asked, and its hints and its solution are in the notes.
"""

import re
from dataclasses import dataclass, field

import nbformat
import sources
from markdown_it import MarkdownIt

LINES, WIDE = 8, 58  # of text on a slide; characters in one of them
SPARE = 2  # lines more, before a slide is divided
TABLE_WIDE = 80  # tables are set smaller
CODE, CODE_WIDE = 20, 74  # the same of code and what it prints
MARKDOWN = MarkdownIt("commonmark").enable("table")
HEADING, GAP = 4, 1  # as high as so many lines of code; GAP is between parts of a slide
FULL = 24  # lines of code as high as a slide with text and code
FIGURE, LINE = (936, 640), 50  # pixels: the place of a figure, and a line with its share of gaps
SIZE = re.compile(r'<img [^>]*width="(\d+)" height="(\d+)"')
EXERCISE = "**Exercise"
SOURCES = re.compile(r"sources|further reading", re.IGNORECASE)
# The end of a sentence, outside of formulas, code and brackets, which `_hidden` blanks out.
END = re.compile(r"""[.!?]["*_)\]]*(?=\s+["*_(\[`$]*[A-Z0-9`$])""")
HIDDEN = re.compile(r"\$\$.*?\$\$|\$[^$]+\$|`[^`]+`|\([^()]*\)|\be\.g\.|\bi\.e\.|\bvs\.", re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@dataclass
class Block:
    """A part of a text that is not torn: a paragraph, an item of a list, a formula, a table."""

    kind: str
    text: str
    level: int = 0  # of a heading

    @property
    def lines(self):
        """How many lines it takes on a slide, about."""
        if self.kind == "table":
            return sum(_long(row, TABLE_WIDE) for row in self.text.splitlines()) - 1
        if self.kind == "fence":
            return len(self.text.splitlines()) - 2
        if self.kind == "formula":
            return 2
        return _long(self.text, WIDE)


@dataclass
class Slide:
    """One slide: its cells, and what the speaker reads."""

    kind: str
    cells: list
    notes: list = field(default_factory=list)
    # "text", "told" (about a figure), "exercise", "code", "figure": what may join depends on it.
    holds: str = ""
    lines: int = 0  # as many lines of code as it is high; a line of text is as high as two
    room: int = 0  # lines of code as high as the place below its figure


def plain(words):
    """Return words without the addresses of their links."""
    return LINK.sub(r"\1", words).strip()


def _long(words, wide):
    """Return how many lines of this width some words take."""
    return -(-len(plain(words)) // wide)


def _height(found):
    """Return how many lines some blocks take."""
    return sum(block.lines for block in found)


def blocks(source):
    """Return the blocks of a text in Markdown."""
    found, lines = [], source.splitlines()
    tokens = MARKDOWN.parse(source)
    for place, token in enumerate(tokens):
        item = token.type == "list_item_open" and token.level == 1
        if not token.map or not (item or (token.level == 0 and "list" not in token.type)):
            continue
        kind = "item" if item else token.type.removesuffix("_open")
        text = "\n".join(lines[slice(*token.map)]).strip()
        if text.startswith("$$"):
            kind = "formula"
        if kind == "heading":
            found.append(Block(kind, tokens[place + 1].content, int(token.tag[1])))
        else:
            found.append(Block(kind, text))
    return found


def sentences(text):
    """Return the sentences of a paragraph."""
    hidden = HIDDEN.sub(lambda match: "x" * len(match[0]), text)
    ends = [match.end() for match in END.finditer(hidden)]
    parts = [text[a:b].strip() for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
    return [part for part in parts if part]


def shortened(found):
    """Return blocks with the first sentence of each paragraph, and what leads over to the next."""
    short = []
    for block, after in zip(found, [*found[1:], None], strict=True):
        if block.kind not in ("paragraph", "item"):
            short.append(block)
            continue
        said = sentences(block.text)
        kept = [said[0]]
        while len(kept) < len(said) and len(" ".join(kept)) < 30:
            kept.append(said[len(kept)])
        leads = after and after.kind != "paragraph" and block.kind == "paragraph"
        if leads and len(kept) < len(said):
            kept.append(said[-1])
        elif len(said) > len(kept) and said[-1].endswith(":"):
            kept.append(said[-1])
        short.append(Block(block.kind, " ".join(kept)))
    return short


def pages(found):
    """Distribute blocks over slides, each as full as it may be."""
    if _height(found) <= LINES + SPARE:
        return [found] if found else []
    done, page = [], []
    for block in (part for whole in found for part in _torn(whole)):
        if page and _height([*page, block]) > LINES:
            led = [page.pop()] if len(page) > 1 and page[-1].text.endswith(":") else []
            done.append(page)
            page = led
        page.append(block)
    return [*done, page] if page else done


def _torn(block):
    """Return a block in parts that fit: a paragraph by sentences, a table by rows."""
    if block.lines <= LINES or block.kind not in ("paragraph", "item", "table"):
        return [block]
    head, parts, joint = [], block.text.splitlines(), "\n"
    if block.kind == "table":
        head, parts = parts[:2], parts[2:]
    else:
        parts, joint = sentences(block.text), " "
    done, lines = [], []
    for part in parts:
        if lines and Block(block.kind, joint.join([*head, *lines, part])).lines > LINES:
            done.append(lines)
            lines = []
        lines.append(part)
    return [Block(block.kind, joint.join([*head, *lines])) for lines in [*done, lines]]


def joined(found):
    """Return blocks as one text in Markdown."""
    text = ""
    for before, block in zip([None, *found], found, strict=False):
        tight = before and before.kind == block.kind == "item"
        text += ("\n" if tight else "\n\n") + block.text
    return text.strip()


class Deck:
    """The slides of a lesson, as they are made from its first cell to its last."""

    def __init__(self, asked):
        self.asked, self.slides, self.title, self.waiting = asked, [], "", []

    def begin(self, cells, notes=(), kind="subslide", holds="", lines=0):
        """Begin a slide."""
        self.slides.append(Slide(kind, list(cells), [*self.waiting, *notes], holds, lines))
        self.waiting = []

    def join(self, cells, holds, lines=0, notes=()):
        """Add to the slide before."""
        before = self.slides[-1]
        before.cells += cells
        before.notes += [*self.waiting, *notes]
        before.holds, before.lines = holds, before.lines + GAP + lines
        self.waiting = []

    def note(self, text):
        """Add to what is said to the slide before."""
        (self.slides[-1].notes if self.slides else self.waiting).append(text)

    def where(self):
        """Return a cell which says in which part of the lesson a slide is."""
        return markdown(f'<p class="where">{plain(self.title)}</p>')

    def opening(self, source):
        """The first cell: the title and the question, then what is learnt."""
        head, *rest = blocks(sources.BADGE.sub("", source))
        items = [block for block in rest if block.kind == "item"]
        said = sentences(rest[0].text)
        self.title = head.text
        self.begin([markdown(f"# {head.text}\n\n{' '.join(said[:-1])}")], kind="slide")
        self.slides[-1].notes += [block.text for block in rest[1:] if block.kind != "item"]
        for number, page in enumerate(pages([Block("paragraph", said[-1]), *items])):
            self.begin(
                [self.where(), markdown(joined(page))], kind="subslide" if number else "slide"
            )

    def text(self, source):
        """A text: from each heading and each exercise on, slides of their own."""
        part = []
        for block in blocks(source):
            if part and (block.kind == "heading" or block.text.startswith(EXERCISE)):
                self.part(part)
                part = []
            part.append(block)
        self.part(part)

    def part(self, found):
        """A part of a text: whole if that fits, else shortened, with all of it in the notes."""
        head = found[0] if found[0].kind == "heading" else None
        body = found[1:] if head else found
        if head and SOURCES.search(head.text):
            ahead = [block for block in body if block.text.startswith("**Next")]
            self.begin([markdown(joined(ahead) or "**The end.**")])
            self.note(joined([block for block in body if block not in ahead]))
            return
        if head:
            self.title = head.text
        notes, exercise = [], found[0].text.startswith(EXERCISE)
        if not exercise and _height(body) > LINES:
            notes, body = [joined(body)], shortened(body)
        before, high = self.slides[-1], 2 * _height(body)
        below = before.holds == "figure" and before.room >= high
        below |= before.holds == "code" and before.lines + GAP + high <= FULL
        if below and not head and not exercise:
            self.join([markdown(joined(body))], before.holds, high, notes)
            before.room = 0
            return
        told = before.holds == "figure" and not head and not body[-1].text.endswith((":", "?"))
        for number, page in enumerate(pages(body) or [[]]):
            first = head if number == 0 else None
            top = markdown(f"## {head.text}") if first else self.where()
            kind = "slide" if first and head.level <= 2 else "subslide"
            cells = [top, markdown(joined(page))] if page else [top]
            lines = 2 * _height(page) + (HEADING if first else 0)
            holds = "exercise" if exercise else "told" if told else "text"
            self.begin(cells, notes if number == 0 else (), kind, holds, lines)

    def code(self, cell):
        """A code cell: what it says and prints, then each of its figures."""
        if names := sources.CHECK.findall(cell.source):
            self.exercise(cell, [name for name in names if name in self.asked])
            return
        figures, printed = [], []
        for output in cell.outputs:
            data = output.get("data", {"text/plain": output.get("text", "")})
            if "text/html" in data:
                figures.append(output)
            else:
                printed.append(data["text/plain"].rstrip("\n"))
        if printed:
            self.program(cell.source, "\n".join(printed))
        elif not figures and re.search(r"^(def|class) ", cell.source, re.MULTILINE):
            self.program(cell.source, "")
        else:
            listing = f"```python\n{cell.source}\n```"
            (self.waiting if figures else self.slides[-1].notes).append(listing)
        for output in figures:
            self.figure(output)

    def figure(self, output):
        """A figure or an explorer: below the text before, if there is room, else on its own."""
        room = -1
        if size := SIZE.search(output.data["text/html"]):
            wide, high = map(int, size.groups())
            room = 2 * int((FIGURE[1] - FIGURE[0] * high / wide) // LINE)
        before = self.slides[-1]
        if before.holds == "text" and before.lines <= room:
            room -= before.lines
            self.join([output_of([output])], "figure")
        else:
            self.begin([self.where(), output_of([output])], holds="figure")
        self.slides[-1].room = room

    def program(self, source, printed):
        """Code and what it prints: on one slide, if both fit."""
        listing = nbformat.v4.new_code_cell(source)
        lines = sum(max(1, _long(line, CODE_WIDE)) for line in source.splitlines())
        rows = printed.splitlines()
        whole, high = [listing, *([text_of(rows)] if rows else [])], lines + len(rows)
        before = self.slides[-1]
        if before.holds in ("text", "told") and before.lines + GAP + high <= FULL:
            self.join(whole, "code", high)
            return
        if high <= CODE:
            self.begin([self.where(), *whole], holds="code", lines=high)
            return
        self.begin([self.where(), listing])
        for start in range(0, len(rows), CODE):
            part = rows[start : start + CODE]
            self.begin([self.where(), text_of(part)], holds="code", lines=len(part))

    def exercise(self, cell, names):
        """An exercise: its cell below the question, if there is room; the answers in the notes."""
        lines = len(cell.source.splitlines())
        before = self.slides[-1]
        if before.holds == "exercise" and before.lines + lines <= CODE:
            self.join([nbformat.v4.new_code_cell(cell.source)], "exercise", lines)
        else:
            self.begin([self.where(), nbformat.v4.new_code_cell(cell.source)])
        for name in names:
            hints = [f"**Hint {n}:** {hint}" for n, hint in enumerate(self.asked[name]["hints"], 1)]
            solution = f"**Solution:**\n\n```python\n{self.asked[name]['solution'].strip()}\n```"
            self.slides[-1].notes += [*hints, solution]

    def chosen(self, cell, kind):
        """A cell that says itself what it is."""
        if kind == "notes":
            self.note(cell.source)
        elif kind in ("slide", "subslide") or not self.slides:
            self.begin([cell], kind="slide" if kind == "slide" else "subslide")
        elif kind != "skip":
            cell.metadata["shown"] = "fragment" if kind == "fragment" else "-"
            self.join([cell], "")  # nobody knows how high it is: nothing else joins it


def markdown(text):
    return nbformat.v4.new_markdown_cell(text)


def output_of(outputs):
    """Return a cell which shows outputs without their code."""
    without = {"transient": {"remove_source": True}}
    return nbformat.v4.new_code_cell("", outputs=outputs, metadata=without)


def text_of(rows):
    """Return a cell which shows printed lines."""
    cell = output_of([nbformat.v4.new_output("stream", name="stdout", text="\n".join(rows))])
    if max(map(len, rows)) > CODE_WIDE:
        cell.metadata["tags"] = ["wide"]
    return cell


def slides(notebook, asked):
    """Return the notebook of a lesson's slides; `asked` are {exercise: its hints and solution}."""
    deck = Deck(asked)
    for number, cell in enumerate(notebook.cells):
        if kind := cell.metadata.get("slideshow", {}).get("slide_type"):
            deck.chosen(cell, kind)
        elif number == 0:
            deck.opening(cell.source)
        elif cell.cell_type == "markdown":
            deck.text(cell.source)
        elif number > 1:  # the second cell is the set-up, in every lesson
            deck.code(cell)
    cells = []
    for slide in deck.slides:
        if slide.notes:
            slide.cells.append(markdown("\n\n".join(slide.notes)))
        for number, cell in enumerate(slide.cells):
            kind = slide.kind if number == 0 else cell.metadata.pop("shown", "-")
            if slide.notes and cell is slide.cells[-1]:
                kind = "notes"
            cell.metadata["slideshow"] = {"slide_type": kind}
        cells += slide.cells
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)
