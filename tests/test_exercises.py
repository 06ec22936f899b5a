"""Exercises: every solution passes, every wrong answer fails, a blank is a blank, odd ones fail."""

import functools
import json
import re
import sys
import types
from fractions import Fraction
from pathlib import Path

import nbformat
import numpy as np
import pytest

import helpers
from helpers.exercises import answers
from helpers.exercises import exercise as exercises
from helpers.worlds import Split, World

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
NETWORKS = functools.cache(World.load_network)
# Those whose solution takes some seconds.
SLOW = {
    "start_here.3", "transfer_learning.3", "transfer_learning.4", "activations.2", "activations.3",
    "saliency.2", "saliency.3", "saliency.4", "grad_cam.2", "grad_cam.3", "grad_cam.4",
    "deep_dream.2", "deep_dream.4", "deep_dream.5", "tsne.4", "style_transfer.3",
    "more_regularizers.5",
}  # fmt: skip
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for lesson in exercises.LESSONS
    for name in exercises.questions(lesson)
]


@pytest.fixture(autouse=True)
def the_drawn_world_and_no_progress_file(monkeypatch):
    # Solutions and checks share networks, so that each is traced once.
    monkeypatch.setattr(World, "load_network", staticmethod(NETWORKS))
    monkeypatch.delenv("COURSE_WORLD", raising=False)
    monkeypatch.delenv("COURSE_PROGRESS", raising=False)


@functools.cache
def checked():
    """Return the name of the variable that a lesson's cell checks: `{exercise: name}`."""
    cells = [cell for path in NOTEBOOKS.glob("*.ipynb") for cell in nbformat.read(path, 4).cells]
    sources = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    return dict(re.findall(r'exercises\.check\("([\w.]+)", (\w+)\)', sources))


@functools.cache
def answer_of(name, kind="solution"):
    """Run the solution or the wrong answer as a learner would, after the lesson's imports."""
    world = exercises.drawn_world()
    known = {module: getattr(helpers, module) for module in helpers.__all__}
    known |= dict(np=np, world=world, truth=world)
    exec(getattr(exercises.find(name), kind), known)
    return known[checked()[name]]


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_passes_and_the_wrong_answer_does_not(name):
    outcome = exercises.check(name, answer_of(name))
    assert outcome.state == "correct", outcome
    outcome = exercises.check(name, answer_of(name, "wrong"))
    assert outcome.state == "incorrect" and len(outcome.message) > 20, outcome


class Raises:
    """An answer that cannot even be shown."""

    def __repr__(self):
        raise RuntimeError("no")


def numbers():
    yield from (1, 2)


# Each wraps around what is right: the shape may fit, the values never do.
ODD = {
    "NaN": np.nan,
    "infinity": -np.inf,
    "a huge number": 10**400,
    "a fraction": Fraction(-7, 3),
    "complex": 1j,
    "truth": True,
    "text": "x" * 1_000_000,
    "bytes": b"x" * 1_000_000,
    "a long list": list(range(100_000)),
    "rows of two lengths": [[1], [2, 3]],
    "nothing in it": [],
    "an empty array": np.zeros((0, 3)),
    "objects": np.array([None, "x"]),
    "a dict": {"answer": 1},
    "a set": {1, 2},
    "a pair of NaN": (np.nan, np.nan),
    "a class": float,
    "an object": object(),
    "a generator": numbers(),
    "no repr": Raises(),
    "pictures of NaN": np.full((128, 128, 3), np.nan),
    "a table of infinity": np.full((100, 30), np.inf),
    "factors of NaN": np.full(30, np.nan),
    "a huge table": np.zeros((100, 100_000)),
    "a module": np,
}


def gives(value):
    return lambda *_: value


def raises(*_):
    raise ValueError("y" * 1_000_000)


def leaves(*_):
    raise SystemExit("bye")


def not_a_number(*arguments):
    return np.full(np.shape(arguments[0]), np.nan)


ODD_FUNCTIONS = {
    "NaN in shape": not_a_number,
    "raises": raises,
    "exits": leaves,
    "no arguments": lambda: 1,
    "generates": lambda *_: (n for n in range(3)),
    "a function": lambda *_: gives(1),
    "the wrong shape": lambda *_: np.zeros((2, 3, 4, 5)),
} | {f"gives {what}": gives(value) for what, value in ODD.items()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("error")
def test_odd_answers_are_refused_in_a_short_sentence(name):
    answers = ODD | (ODD_FUNCTIONS if callable(answer_of(name)) else {"a function": gives(1)})
    for what, answer in answers.items():
        outcome = exercises.check(name, answer)
        assert outcome.state in ("incorrect", "cannot tell"), (what, outcome)
        assert 20 < len(repr(outcome)) < 420, (what, outcome)
        expected = what in ("raises", "exits", "no arguments")
        assert expected == (outcome.state == "cannot tell"), (what, outcome)


@pytest.mark.parametrize("name", NAMES)
def test_a_blank_is_not_attempted(name):
    blank = answers.Blank()
    for nothing in (None, ..., blank, 1 + blank, blank.mean(axis=0), blank[3] / 2):
        assert exercises.check(name, nothing).state == "not attempted"
    if callable(answer_of(name)):
        for nothing in (..., blank):
            assert exercises.check(name, gives(nothing)).state == "not attempted"


def test_common_slips_of_a_first_function_are_explained():
    def says(answer):
        return exercises.check("start_here.1", answer).message

    assert "returns nothing (None): does it end with `return`?" in says(gives(None))
    assert "Give the function itself (its name, without calling it), not np.float64(0.31)" in says(
        np.float64(0.31)
    )
    assert "not an array of shape (4, 6). Its mean() or sum() would be one number" in says(
        lambda parts: parts > 0
    )
    assert says(gives("0.5")) == "A number is wanted, and '0.5' is text."
    assert "A finite number is wanted, not nan." in says(gives(np.nan))
    assert "a percentage" in says(lambda parts: 100 * (parts > 0).mean())

    def spoils(parts):
        share = (parts > 0).mean()
        parts[:] = 0
        return share

    assert exercises.check("start_here.1", spoils).state == "correct"


@pytest.mark.parametrize("name", NAMES)
def test_hints_go_from_gentle_to_plain(name):
    hints = exercises.find(name).hints
    assert 1 < len(hints) <= 3 and all(len(hint) > 15 for hint in hints)
    assert f"(hint 1 of {len(hints)})" in repr(exercises.hint(name))
    assert hints[-1] in exercises.hint(name, len(hints))
    for wrong in (9, 0, "two"):
        said = exercises.hint(name, wrong)
        assert f"{name} has hints 1 to {len(hints)}, and no hint {wrong!r}. Still stuck?" in said
    assert repr(exercises.solution(name)) == exercises.find(name).solution


def test_unknown_exercises_are_named_with_those_there_are():
    outcome = exercises.check("grad_cam.99", 1)
    assert outcome.state == "cannot tell"
    assert "no exercise 'grad_cam.99'. Choose from grad_cam.1, grad_cam.2" in outcome.message
    for ask in (exercises.hint, exercises.solution, lambda name: exercises.check(name, 1).message):
        assert "no lesson 'start'. Did you mean 'start_here'? Choose from start_" in ask("start.1")
        assert "no lesson 'xyz'. Choose from start_here, regularization, " in ask("xyz.1")
        assert 'Give the name of an exercise first, like "start_here.1"' in ask(numbers)
        assert len(ask("x" * 10_000)) < 400
    with pytest.raises(ValueError, match="There is no exercise 'tsne.0'"):
        exercises.find("tsne.0")


def test_the_first_lesson_asks_about_the_world_that_is_open(monkeypatch):
    truth = exercises.drawn_world()
    few = World(
        "photos", ("ant", "bee", "cow"), (), lambda _: Split(*kept), lambda _: truth.network
    )
    said = truth.network(truth.test.images[:6]).numpy().argmax(axis=1)
    kept = truth.test.images[:6], said  # this network makes no mistake
    shell = types.SimpleNamespace(user_ns={"world": few})
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert exercises.check("start_here.2", 2).state == "correct"
    assert "cow does not stand at 1" in exercises.check("start_here.2", 1).message
    assert "there is none to find" in exercises.check("start_here.3", 0).message
    assert "numbered 0 to 5" in exercises.check("start_here.3", 6).message
    shell.user_ns["world"] = "no world"
    assert exercises.check("start_here.2", 1).state == "correct"


def test_an_outcome_shows_itself_as_text_and_as_html():
    outcome = exercises.Outcome("grad_cam.1", "incorrect", "5 < 6 & so on")
    assert repr(outcome) == "✘ grad_cam.1: incorrect. 5 < 6 & so on"
    assert "5 &lt; 6 &amp; so on" in outcome._repr_html_()


def test_numpy_leaves_arithmetic_with_a_blank_to_the_blank():
    blank = answers.Blank()
    assert isinstance(np.ones(3) * blank + 1, answers.Blank)
    assert repr(blank) == "____"


def test_progress_is_noted_only_where_asked(tmp_path, monkeypatch):
    exercises.check("grad_cam.1", 16)
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    exercises.check("grad_cam.1", 8)
    exercises.check("grad_cam.1", 16)
    exercises.check("start_here.2", 0)
    noted = json.loads((tmp_path / "progress.json").read_text())
    assert noted == {"grad_cam.1": "correct", "start_here.2": "incorrect"}
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
    (tmp_path / "progress.json").write_text('{"grad_cam.1": "cor')
    for place in (tmp_path / "progress.json", tmp_path / "nowhere" / "progress.json"):
        monkeypatch.setenv("COURSE_PROGRESS", str(place))
        with pytest.warns(UserWarning, match="cannot save progress in .*progress.json"):
            assert exercises.check("grad_cam.1", 16).state == "correct"


def test_slips_in_a_vote_of_neighbours_and_in_crops_are_explained():
    right = answer_of("tsne.1", "solution")
    said = exercises.check("tsne.1", lambda points, labels, k: right(points, labels, k + 1))
    assert said.state == "incorrect" and "yours is" in said.message

    def votes(points, labels, k, begin=1, first=False):
        near = np.linalg.norm(points[:, None] - points[None], axis=2).argsort(axis=1)
        near = labels[near[:, begin : begin + k]]
        best = [np.bincount(row).argmax() for row in near]
        if not first:
            best = [row[(row[:, None] == row).sum(axis=0).argmax()] for row in near]
        return np.mean(best == labels)

    assert exercises.check("tsne.1", votes).state == "correct"
    assert "votes for itself" in exercises.check("tsne.1", lambda *a: votes(*a, begin=0)).message
    assert "nearest voter" in exercises.check("tsne.1", lambda *a: votes(*a, first=True)).message

    crops = answer_of("activations.4", "solution")
    said = exercises.check("activations.4", lambda *a: crops(*a)[::-1])
    assert said.state == "incorrect" and "strongest comes first" in said.message
    said = exercises.check(
        "activations.4", lambda i, m, k, side: np.roll(crops(i, m, k, side), 1, 2)
    )
    assert said.state == "incorrect" and "not centred" in said.message
