"""Fuzz of answers: whatever an exercise is given, it says what it makes of it in a sentence."""

import functools
import warnings

import numpy as np
import pytest
from fuzzing import fuzz, within
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helpers.exercises import answers, exercise


def _raises(*_args, **_kwargs):
    raise RuntimeError("two\nlines and a \ud800")


def _hostile(name):
    """Return an object of which this method raises."""
    return type("Hostile", (), {name: _raises})()


METHODS = (
    "__repr__", "__str__", "__eq__", "__array__", "__len__", "__iter__", "__bool__", "__float__",
    "__int__", "__index__", "__getattr__", "__getitem__", "__call__", "__hash__", "__contains__",
)  # fmt: skip
ODD = [_hostile(name) for name in METHODS]
ODD += [type("Hostile", (), {"__class__": property(_raises)})()]
ODD += [type("Loud", (), {"__repr__": lambda self: "a\nb\x00\ud800" * 99})()]
ODD += [..., NotImplemented, object(), int, np.float32, _raises, len, np, (n for n in ()), print]
ODD += [np.ma.masked, np.datetime64("NaT"), b"\xff", bytearray(9), memoryview(b"abc"), 1j, range(9)]
ODD += [np.broadcast_to(np.float32(1), (10**5, 10**5)), answers.BLANK, ValueError("x"), 10**400]
NUMBERS = st.integers() | st.floats() | st.booleans() | st.sampled_from([np.int8(3), np.float16(1)])
TEXT = st.text(st.characters(), max_size=20)  # lone surrogates, too
KINDS = hnp.scalar_dtypes() | hnp.array_dtypes(max_size=2)
ARRAYS = hnp.arrays(KINDS, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
VALUES = st.recursive(
    NUMBERS | TEXT | ARRAYS | st.integers(0, len(ODD) - 1).map(lambda n: ODD[n]) | st.none(),
    lambda one: (
        st.lists(one, max_size=3) | st.dictionaries(TEXT, one, max_size=2) | st.tuples(one, one)
    ),
    max_leaves=4,
)
FUNCTIONS = VALUES.map(lambda value: lambda *_args, **_kwargs: value)
ANSWERS = VALUES | FUNCTIONS
EXAMPLES = 100


def assert_outcome(outcome, name):
    """Check that an outcome has one of the states, and that it can be shown everywhere."""
    assert outcome.state in exercise.STATES and outcome.name == name
    for shown in (repr(outcome), outcome._repr_html_(), outcome.message):
        shown.encode("utf-8")
        assert "\n" not in shown and "\0" not in shown and len(shown) < 1500
    assert outcome.state == "correct" or len(outcome.message) > 10


@functools.cache
def names(lesson):
    return tuple(exercise.questions(lesson))


@pytest.mark.parametrize("lesson", exercise.LESSONS)
def test_any_answer_gets_a_sentence(lesson, monkeypatch):
    monkeypatch.delenv("COURSE_PROGRESS", raising=False)

    @fuzz(EXAMPLES * len(names(lesson)))
    @given(st.sampled_from(names(lesson)), ANSWERS)
    def each(name, answer):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert_outcome(exercise.check(name, answer), name)

    with within(700):
        each()


@fuzz(400)
@given(ANSWERS, st.integers() | VALUES)
def test_any_name_and_number_get_a_sentence(name, number):
    outcome = exercise.check(name, 1)
    assert outcome.state == "cannot tell"
    assert_outcome(outcome, outcome.name)
    for note in (exercise.hint(name), exercise.solution(name), exercise.hint("tsne.1", number)):
        note.encode("utf-8")
        assert "\n" not in note and len(note) < 1500


READERS = [
    answers.number,
    answers.whole,
    lambda one: answers.row(one, range(9)),
    lambda one: answers.choice(one, ("yes", "no", 3)),
    lambda one: answers.instance(one, dict, "a dict"),
    lambda one: answers.array(one, (None, 3)),
    lambda one: answers.array(one, (2, 2)),
    lambda one: answers.picture(one, (3, 3, 3)),
    lambda one: answers.array(answers.called(one, np.zeros(3)), (3,)),
    lambda one: answers.number(answers.called(one)),
]


@fuzz(2000)
@given(st.sampled_from(READERS), ANSWERS)
def test_what_reads_answers_lets_nothing_else_through(read, answer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = read(answer)
        except answers.Unanswered:
            return
        except answers.Wrong as error:
            text = str(error)
        except Exception as error:  # the learner's own, which `check` puts into a sentence
            text = answers.in_short(error)
        else:
            assert isinstance(value, str | dict) or np.isfinite(value).all()
            return
    text.encode("utf-8")
    assert 3 < len(text) < 500 and "\n" not in text
