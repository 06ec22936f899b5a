"""Exercises: every solution passes, every wrong answer fails, a blank is a blank."""

import functools
import json

import numpy as np
import pytest

import helpers
from helpers.exercises import exercise as exercises
from helpers.worlds import World

NETWORKS = functools.cache(World.load_network)
NAMES = [name for lesson in exercises.LESSONS for name in exercises.questions(lesson)]


@pytest.fixture(autouse=True)
def the_drawn_world_and_no_progress_file(monkeypatch):
    # Solutions and checks share networks, so that each is traced once.
    monkeypatch.setattr(World, "load_network", staticmethod(NETWORKS))
    monkeypatch.delenv("COURSE_WORLD", raising=False)
    monkeypatch.delenv("COURSE_PROGRESS", raising=False)


@functools.cache
def answer_of(code):
    """Run the code of an answer as a learner would, after the lesson's imports."""
    world = exercises.drawn_world()
    known = {name: getattr(helpers, name) for name in helpers.__all__}
    known |= dict(np=np, world=world, truth=world)
    exec(code, known)
    return known["answer"]


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_passes_and_the_wrong_answer_does_not(name):
    question = exercises.find(name)
    outcome = exercises.check(name, answer_of(question.solution))
    assert outcome.state == "correct", outcome
    outcome = exercises.check(name, answer_of(question.wrong))
    assert outcome.state == "incorrect" and len(outcome.message) > 20, outcome


@pytest.mark.parametrize("name", NAMES)
def test_a_blank_is_not_attempted_and_nonsense_cannot_be_told(name):
    blank = exercises.BLANK
    for nothing in (None, ..., blank, 1 + blank, blank.mean(axis=0), blank[3] / 2):
        assert exercises.check(name, nothing).state == "not attempted"
    if callable(answer_of(exercises.find(name).solution)):
        assert exercises.check(name, lambda *_: blank).state == "not attempted"
        assert exercises.check(name, lambda: 1).state == "cannot tell"
    outcome = exercises.check(name, object())
    assert outcome.state in ("cannot tell", "incorrect")
    assert outcome.state == "incorrect" or "TypeError" in outcome.message


@pytest.mark.parametrize("name", NAMES)
def test_hints_go_from_gentle_to_plain(name):
    hints = exercises.find(name).hints
    assert 1 < len(hints) <= 3 and all(len(hint) > 15 for hint in hints)
    assert f"(hint 1 of {len(hints)})" in repr(exercises.hint(name))
    assert hints[-1] in exercises.hint(name, len(hints))
    with pytest.raises(ValueError, match=f"hints 1 to {len(hints)}, not 9"):
        exercises.hint(name, 9)
    assert repr(exercises.solution(name)) == exercises.find(name).solution


def test_unknown_exercises_are_named_with_those_there_are():
    with pytest.raises(
        ValueError, match="unknown exercise 'grad_cam.99'; choose from grad_cam.1, grad_cam.2"
    ):
        exercises.check("grad_cam.99", 1)
    with pytest.raises(ValueError, match="unknown lesson 'dance'; choose from start_here, "):
        exercises.hint("dance.1")


def test_an_outcome_shows_itself_as_text_and_as_html():
    outcome = exercises.Outcome("grad_cam.1", "incorrect", "5 < 6 & so on")
    assert repr(outcome) == "✘ grad_cam.1: incorrect. 5 < 6 & so on"
    assert "5 &lt; 6 &amp; so on" in outcome._repr_html_()


def test_numpy_leaves_arithmetic_with_a_blank_to_the_blank():
    blank = exercises.BLANK
    assert isinstance(np.ones(3) * blank + 1, exercises.Blank)
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
