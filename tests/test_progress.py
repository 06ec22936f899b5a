"""Progress bars: shown for what takes time, and only where somebody looks."""

import time

import pytest
from test_runtime import run

from helpers.core import progress


def test_progress_yields_everything_and_shows_what_takes_time(capsys, monkeypatch):
    shown = run(
        "import time; from helpers.core.progress import progress\n"
        "print([x for x in progress(range(3), label='counting') if not time.sleep(0.3)])"
    )
    assert shown.stdout == "[0, 1, 2]\n"
    assert "counting" in shown.stderr and "/3" in shown.stderr
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    assert list(progress.progress(iter("ab"), total=2)) == ["a", "b"]
    assert capsys.readouterr().err == ""  # over before it was worth a bar


@pytest.mark.parametrize("said", ["1", "", None])
def test_no_bar_in_a_notebook_either_where_none_is_wanted(said, monkeypatch):
    import tqdm

    made = []

    def bar(items, **options):  # a bar that is not shown
        made.append(options)
        return items

    monkeypatch.setattr(tqdm, "tqdm", bar)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    if said is not None:
        monkeypatch.setenv("TQDM_DISABLE", said)
    assert list(progress.progress("ab")) == ["a", "b"]
    assert made[0]["disable"] == (said == "1")


@pytest.mark.parametrize(("count", "most"), [(1, 9), (5, 4), (50, 26), (7, 1)])
def test_portions_are_of_nearly_one_size_and_leave_nothing_out(count, most):
    found = list(progress.portions(2, count, most, "asking"))
    for image in range(2):
        some = [range(count)[part] for number, part in found if number == image]
        assert [n for part in some for n in part] == list(range(count))
        assert max(map(len, some)) <= most and len(some) == -(-count // most)
        assert max(map(len, some)) - min(map(len, some)) <= 1


def test_portions_of_as_many_as_each_image_has():
    found = list(progress.portions(3, [3, 0, 2], 2, "asking"))
    assert [(n, some.start) for n, some in found] == [
        (0, 0),
        (0, 2),
        (2, 0),
    ]


def test_in_a_notebook_a_bar_is_one_line_that_is_gone_at_the_end(monkeypatch):
    shown = []
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(progress.front_end, "notebook", lambda: object())
    for name in ("display", "update"):
        monkeypatch.setattr(
            "IPython.display.DisplayHandle." + name,
            lambda _, data, raw, name=name: shown.append((name, data)),
        )
    assert list(progress.progress("ab")) == ["a", "b"] and not shown
    for _ in progress.progress(range(3), label="counting"):
        time.sleep(0.3)
    assert [name for name, _ in shown] == ["display"] + ["update"] * (len(shown) - 1)
    assert "counting" in shown[0][1]["text/plain"] and shown[-1] == ("update", {})
