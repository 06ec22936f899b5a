"""Exercises that grade themselves: `check`, `hint`, `solution`.

A question is a `Question` in a module of `helpers.questions`, named "lesson.number". Checks look at
what an answer does, with a tolerance, and never at one magic value. The same solutions that a
learner can read are run by the tests, and so is a wrong answer, which must be refused.
"""

import html
import json
import os
import warnings
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

LESSONS = {
    "start": "start",
    "regularization": "regularization",
    "transfer": "transfer",
    "activations": "activations",
    "saliency": "saliency",
    "cam": "grad_cam",
    "dream": "dream",
    "tsne": "tsne",
}
STATES = ("correct", "incorrect", "not attempted", "cannot tell")
MARKS = dict(zip(STATES, ("✔", "✘", "·", "?"), strict=True))
TINTS = dict(zip(STATES, ("#007a5a", "#b24a00", "#555555", "#0063a5"), strict=True))


class Blank:
    """What `____` stands for: whatever is done with it, it stays blank."""

    def _stay(self, *_args, **_kwargs):
        return self

    __call__ = __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _stay
    __truediv__ = __rtruediv__ = __neg__ = __pow__ = __matmul__ = __rmatmul__ = _stay
    __lt__ = __gt__ = __le__ = __ge__ = _stay
    __array_ufunc__ = None  # NumPy then leaves arithmetic with a blank to the blank

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __repr__(self):
        return "____"


BLANK = ____ = Blank()


@dataclass(frozen=True)
class Question:
    """One exercise: `check(answer)` returns None when it is right and otherwise says why not.

    `solution` and `wrong` are code that sets `answer`; hints go from a nudge to nearly all of it.
    """

    check: callable = field(repr=False)
    hints: tuple
    solution: str
    wrong: str


@dataclass(frozen=True)
class Outcome:
    """How an answer fared: one of four states, and a sentence. Shows itself as text and as HTML."""

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
    """Return the exercises of a lesson by full name, in order; ValueError for an unknown lesson."""
    if lesson not in LESSONS:
        raise ValueError(f"no lesson is called {lesson!r}; there are {', '.join(LESSONS)}")
    found = import_module(f"helpers.questions.{LESSONS[lesson]}").QUESTIONS
    return {f"{lesson}.{number}": question for number, question in enumerate(found, 1)}


def find(name):
    """Return the question of that name; ValueError lists those that there are."""
    lesson = str(name).partition(".")[0]
    known = questions(lesson)
    if name not in known:
        raise ValueError(f"no exercise is called {name!r}; there are {', '.join(known)}")
    return known[name]


def check(name, answer):
    """Check an answer and return its `Outcome`, which shows itself."""
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
    """Return the hint of that number, the first one being the gentlest."""
    hints = find(name).hints
    if not 1 <= number <= len(hints):
        raise ValueError(f"{name} has hints 1 to {len(hints)}, not {number}")
    more = f" (hint {number} of {len(hints)})"
    return Note(hints[number - 1] + more)


def solution(name):
    """Return the code of a solution; the tests run just this text."""
    return Note(find(name).solution)


class Note(str):
    """Text that a notebook shows as it is, without quotes."""

    def __repr__(self):
        return str(self)


class Unanswered(Exception):
    """Raised by a check when what a learner's function returns is still blank."""


def given(value):
    """Return a value that a learner's function gave, unless it is still blank."""
    if value is None or value is Ellipsis or isinstance(value, Blank):
        raise Unanswered
    return value


def _remember(outcome):
    """Note the outcome in the file that COURSE_PROGRESS names, if it names one."""
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
        warnings.warn(f"progress is not noted in {file} (COURSE_PROGRESS): {error}", stacklevel=3)
