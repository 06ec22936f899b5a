"""Self-grading exercises: `check`, `hint`, `solution`.

Each exercise is a `Question` in a module of `helpers.exercises`, named "lesson.number". Checks test
the properties of an answer, within a tolerance, and never compare it with one magic value. The
tests run the solutions that learners see, and a wrong answer to each, which must be rejected.
"""

import functools
import html
import json
import os
import warnings
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from helpers.worlds import load_world

LESSONS = (
    "start_here", "regularization", "transfer_learning", "activations", "saliency", "grad_cam",
    "deep_dream", "tsne",
)  # fmt: skip
STATES = ("correct", "incorrect", "not attempted", "cannot tell")
MARKS = dict(zip(STATES, ("✔", "✘", "·", "?"), strict=True))
TINTS = dict(zip(STATES, ("#007a5a", "#b24a00", "#555555", "#0063a5"), strict=True))


class Blank:
    """The value of `____`: whatever is done with it, it stays blank."""

    def _stay(self, *_args, **_kwargs):
        return self

    __call__ = __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _stay
    __truediv__ = __rtruediv__ = __neg__ = __pow__ = __matmul__ = __rmatmul__ = _stay
    __lt__ = __gt__ = __le__ = __ge__ = _stay
    __array_ufunc__ = None  # so that NumPy leaves arithmetic with a blank to the blank

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __repr__(self):
        return "____"


BLANK = ____ = Blank()


@dataclass(frozen=True)
class Question:
    """One exercise: `check(answer)` returns None if the answer is right, else what is wrong.

    `solution` and `wrong` are code that sets `answer`; the last of the hints nearly gives it away.
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
        head = f"<b>{MARKS[self.state]} {self.name}: {self.state}.</b>"
        return f'<div role="status" style="{edge}">{head} {html.escape(self.message)}</div>'


def questions(lesson):
    """Return a lesson's exercises by full name, in order; ValueError for an unknown lesson."""
    if lesson not in LESSONS:
        raise ValueError(f"unknown lesson {lesson!r}; choose from {', '.join(LESSONS)}")
    found = import_module(f"helpers.exercises.{lesson}").QUESTIONS
    return {f"{lesson}.{number}": question for number, question in enumerate(found, 1)}


def find(name):
    """Return the question of this name; ValueError lists the known ones."""
    lesson = str(name).partition(".")[0]
    known = questions(lesson)
    if name not in known:
        raise ValueError(f"unknown exercise {name!r}; choose from {', '.join(known)}")
    return known[name]


def check(name, answer):
    """Check an answer and return its `Outcome`, which displays itself."""
    question = find(name)
    if answer is None or answer is Ellipsis or isinstance(answer, Blank):
        return Outcome(name, "not attempted", "Replace the ____ and run the cell again.")
    try:
        fault = question.check(answer)
    except Unanswered:
        return Outcome(name, "not attempted", "Your function still gives a ____.")
    except Exception as error:
        problem = f"Your answer raised {type(error).__name__}: {error}"
        return Outcome(name, "cannot tell", problem.partition("\n")[0])
    outcome = Outcome(name, "incorrect" if fault else "correct", fault or "Well done.")
    _remember(outcome)
    return outcome


def hint(name, number=1):
    """Return the hint of this number; the first one is the gentlest."""
    hints = find(name).hints
    if not 1 <= number <= len(hints):
        raise ValueError(f"{name} has hints 1 to {len(hints)}, not {number}")
    more = f" (hint {number} of {len(hints)})"
    return Note(hints[number - 1] + more)


def solution(name):
    """Return the code of the solution, which is what the tests run."""
    return Note(find(name).solution)


class Note(str):
    """Text that a notebook shows as it is, without quotes."""

    def __repr__(self):
        return str(self)


class Unanswered(Exception):
    """Raised by a check if a learner's function returns a blank."""


@functools.cache
def drawn_world():
    """Return the drawn world, made once: loading it takes as long as a lesson's first cell."""
    return load_world("drawn")


@functools.cache
def drawn_network(name="pets"):
    """Return one of the drawn world's networks, loaded once."""
    world = drawn_world()
    return world.network if name == "pets" else world.load_network(name)


def given(value):
    """Return a value that a learner's function returned; `Unanswered` if it is a blank."""
    if value is None or value is Ellipsis or isinstance(value, Blank):
        raise Unanswered
    return value


def _remember(outcome):
    """Save the outcome in the file named by COURSE_PROGRESS, if any."""
    name = os.environ.get("COURSE_PROGRESS")
    if not name:
        return
    file = Path(name).expanduser()
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        partial.write_text(json.dumps(known | {outcome.name: outcome.state}, indent=1))
        partial.replace(file)
    except (OSError, ValueError, TypeError) as error:
        warnings.warn(f"cannot save progress in {file} (COURSE_PROGRESS): {error}", stacklevel=3)
