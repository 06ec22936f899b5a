"""Self-grading exercises: `check`, `hint`, `solution`.

Each exercise is a `Question` in a module of `helpers.exercises`, named "lesson.number". Checks test
the properties of an answer, within a tolerance, and never compare it with one magic value. They
read answers with the functions of `answers`, and so never compare with NaN. The tests run the
solutions that learners see, and wrong answers, which must be rejected.
"""

import difflib
import functools
import html
import json
import os
import warnings
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from helpers.core import paths
from helpers.exercises.answers import Unanswered, Wrong, in_short, is_blank, quoted
from helpers.worlds import load_world

LESSONS = (
    "start_here", "regularization", "transfer_learning", "activations", "saliency", "grad_cam",
    "deep_dream", "tsne", "relevance", "style_transfer", "more_regularizers",
    "other_libraries",
)  # fmt: skip
STATES = ("correct", "incorrect", "not attempted", "cannot tell")
MARKS = dict(zip(STATES, ("✔", "✘", "·", "?"), strict=True))
TINTS = dict(zip(STATES, ("#007a5a", "#b24a00", "#555555", "#0063a5"), strict=True))


@dataclass(frozen=True)
class Question:
    """One exercise: `check(answer)` returns None if the answer is right, else what is wrong.

    `solution` and `wrong` are code that sets the name which the lesson's cell checks; the last of
    the hints nearly gives it away.
    """

    check: callable = field(repr=False)
    hints: tuple
    solution: str
    wrong: str


@dataclass(frozen=True)
class Outcome:
    """The result of a check: one of four states, and a sentence. Displays as text and as HTML."""

    name: str
    state: str
    message: str

    def __repr__(self):
        return f"{MARKS[self.state]} {self.name}: {self.state}. {self.message}".rstrip()

    def _repr_html_(self):
        edge = f"border-left:4px solid {TINTS[self.state]};padding:.3em .8em"
        head = f"<b>{MARKS[self.state]} {html.escape(self.name)}: {self.state}.</b>"
        return f'<div role="status" style="{edge}">{head} {html.escape(self.message)}</div>'


def questions(lesson):
    """Return a lesson's exercises by full name, in order; ValueError for an unknown lesson."""
    if lesson not in LESSONS:
        near = difflib.get_close_matches(lesson, LESSONS, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        known = ", ".join(LESSONS)
        raise ValueError(f"There is no lesson {quoted(lesson)}.{hint} Choose from {known}.")
    found = import_module(f"helpers.exercises.{lesson}").QUESTIONS
    return {f"{lesson}.{number}": question for number, question in enumerate(found, 1)}


def find(name):
    """Return the question of this name; ValueError lists the known ones."""
    if not issubclass(type(name), str):
        raise ValueError(f'Give the name of an exercise first, like "start_here.1": {quoted(name)}')
    known = questions(name.partition(".")[0])
    if name not in known:
        raise ValueError(f"There is no exercise {quoted(name)}. Choose from {', '.join(known)}.")
    return known[name]


def check(name, answer):
    """Check an answer and return its `Outcome`, which displays itself."""
    try:
        question = find(name)
    except ValueError as error:
        return Outcome(quoted(name).strip("'"), "cannot tell", str(error))
    if is_blank(answer):
        return Outcome(name, "not attempted", "Replace the ____ and run the cell again.")
    if answer is None:
        return Outcome(name, "not attempted", "Your answer is None, which is no answer yet.")
    try:
        fault = question.check(answer)
    except Unanswered:
        return Outcome(name, "not attempted", "Your function still gives a ____.")
    except Wrong as error:
        fault = str(error)
    except (Exception, SystemExit) as error:
        return Outcome(name, "cannot tell", f"Your answer raised {in_short(error)}")
    outcome = Outcome(name, "incorrect" if fault else "correct", fault or "Well done.")
    _remember(outcome)
    return outcome


def hint(name, number=1):
    """Return the hint of this number; the first one is the gentlest."""
    try:
        hints = find(name).hints
    except ValueError as error:
        return Note(error)
    try:
        known = number in range(1, len(hints) + 1)
    except Exception:  # whatever a comparison of one's own may raise
        known = False
    if not known:
        return Note(
            f"{name} has hints 1 to {len(hints)}, and no hint {quoted(number)}. "
            f'Still stuck? exercises.solution("{name}") shows a solution.'
        )
    number = int(number)
    return Note(f"{hints[number - 1]} (hint {number} of {len(hints)})")


def solution(name):
    """Return the code of the solution, which is what the tests run."""
    try:
        return Note(find(name).solution)
    except ValueError as error:
        return Note(error)


class Note(str):
    """Text that a notebook shows as it is, without quotes."""

    def __repr__(self):
        return str(self)


@functools.cache
def drawn_world():
    """Return the drawn world, made once: loading it takes as long as a lesson's first cell."""
    return load_world("drawn")


@functools.cache
def drawn_network(name="pets"):
    """Return one of the drawn world's networks, loaded once."""
    world = drawn_world()
    return world.network if name == "pets" else world.load_network(name)


def _remember(outcome):
    """Save the outcome in the file named by COURSE_PROGRESS, if any."""
    name = os.environ.get("COURSE_PROGRESS")
    if not name:
        return
    file = Path(name).expanduser()
    try:
        known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        with paths.whole(file) as unfinished:
            unfinished.write_text(json.dumps(known | {outcome.name: outcome.state}, indent=1))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        warnings.warn(f"cannot save progress in {file} (COURSE_PROGRESS): {error}", stacklevel=3)
