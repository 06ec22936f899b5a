"""A class's progress: files as the exercises write them, damaged ones, and the table."""

import json

import pytest

from helpers import exercises, progress


@pytest.fixture
def seats(tmp_path):
    """Return a folder with the files of two learners."""
    for name, known in {
        "seat02": {"tsne.1": "incorrect", "grad_cam.10": "correct", "grad_cam.2": "correct"},
        "seat01": {"grad_cam.2": "incorrect", "mine.1": "correct"},
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(known))
    return tmp_path


def test_the_table_has_a_row_for_each_exercise_and_a_column_for_each_learner(seats, capsys):
    assert progress.main([str(seats)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2 learners, 4 exercises. ✔ correct, ✘ incorrect, empty: nothing noted",
        "",
        "exercise     correct  incorrect   1   2",
        "grad_cam.2         1          1   ✘   ✔",
        "grad_cam.10        1          0       ✔",
        "tsne.1             0          1       ✘",
        "mine.1             1          0   ✔",
        "",
        "   1  seat01",
        "   2  seat02",
    ]


def test_what_the_exercises_write_is_what_it_reads(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "me.json"))
    outcome = exercises.check("style_transfer.2", "negative")
    assert outcome.state in progress.NOTED
    assert progress.read(tmp_path) == ({"me": {"style_transfer.2": outcome.state}}, [])


@pytest.mark.parametrize("content", [b"{", b"[1, 2]", b'{"tsne.1": 3}', b"\xff\xfe\x00"])
def test_a_damaged_file_is_named_and_the_others_are_shown(seats, capsys, content):
    (seats / "seat03.json").write_bytes(content)
    assert progress.main([str(seats)]) == 0
    said = capsys.readouterr()
    assert "2 learners" in said.out and said.err.startswith("seat03.json is left out: ")


def test_a_folder_without_progress_is_an_error_of_one_line(seats, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.json").write_text("[")
    for folder, reason in (
        (tmp_path / "nowhere", "is not a folder"),
        (tmp_path / "empty", "no file that ends in .json"),
        (tmp_path / "bad", "x.json is left out"),
    ):
        assert progress.main([str(folder)]) == 1
        said = capsys.readouterr()
        assert not said.out and said.err.count("\n") == 1 and reason in said.err
