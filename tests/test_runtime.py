"""Set-up: quiet, equal numbers on every run, a check that says in words what is wrong."""

import os
import subprocess
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest

from helpers import runtime

NOISE = """
import numpy as np, random
from helpers import tracing, runtime  # a module that loads TensorFlow may well come first
runtime.setup(seed=3)
runtime.setup(seed=3)
import keras, tensorflow as tf
x = keras.random.normal((4, 8, 8, 3))
y = keras.layers.Conv2D(2, 3)(x)
threading = tf.config.threading
print(threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads())
print(random.random(), np.random.rand(), np.asarray(y).tobytes().hex())
"""


def run(code):
    """Run code in a fresh Python that nobody has told to be quiet."""
    loud = {
        k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL", "TQDM_DISABLE")
    }
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=runtime.ROOT, check=True, env=loud
    )


def test_setup_is_quiet_and_gives_the_same_numbers_in_two_processes():
    first, second = run(NOISE), run(NOISE)
    assert first.stdout == second.stdout
    assert first.stdout.startswith("2 2\n")
    assert first.stderr == ""


def test_setup_warns_where_it_comes_too_late():
    late = run(
        "import warnings, tensorflow as tf; tf.zeros(1) + 1\n"
        "from helpers import runtime\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    warnings.simplefilter('always'); runtime.setup(threads=3)\n"
        "print([str(w.message) for w in said])"
    )
    assert "in use before runtime.setup()" in late.stdout
    assert "instead of 3" in late.stdout


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"seed": 1.5}, {"seed": 2**32}, {"threads": 0}])
def test_setup_refuses_before_any_work(wrong):
    name = next(iter(wrong))
    with pytest.raises(ValueError, match=f"{name} is .*it must be a whole number"):
        runtime.setup(**wrong)


def test_versions_is_one_line_with_the_versions():
    line = runtime.versions()
    assert "\n" not in line
    for name, package in (("TensorFlow", "tensorflow"), ("Keras", "keras"), ("NumPy", "numpy")):
        assert f"{name} {metadata.version(package)}" in line


def test_progress_yields_everything_and_shows_what_takes_time(capsys, monkeypatch):
    shown = run(
        "import time; from helpers.runtime import progress\n"
        "print([x for x in progress(range(3), label='counting') if not time.sleep(0.3)])"
    )
    assert shown.stdout == "[0, 1, 2]\n"
    assert "counting" in shown.stderr and "/3" in shown.stderr
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    assert list(runtime.progress(iter("ab"), total=2)) == ["a", "b"]
    assert capsys.readouterr().err == ""  # over before it was worth a bar


@pytest.mark.parametrize("said", ["1", "", None])
def test_no_bar_in_a_notebook_either_where_none_is_wanted(said, monkeypatch):
    import tqdm.auto

    made = []

    def bar(items, **options):  # in a notebook, tqdm.auto's leaves the variable unread
        made.append(options)
        return items

    monkeypatch.setattr(tqdm.auto, "tqdm", bar)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    if said is not None:
        monkeypatch.setenv("TQDM_DISABLE", said)
    assert list(runtime.progress("ab")) == ["a", "b"]
    assert made[0]["disable"] == (said == "1")


def findings():
    return {finding.subject: finding for finding in runtime.check()}


def test_check_finds_this_machine_in_order_but_for_the_notebook():
    found = findings()
    assert found["tensorflow"].ok and found["Python"].ok and found["course data"].ok
    assert found["tensorflow"].found == f"version {metadata.version('tensorflow')}"
    assert not found["sliders"].ok
    assert str(found["sliders"]) == (
        "sliders: not in a notebook. To mend it: open the lesson in JupyterLab, Colab or Binder"
    )
    assert "mend" not in str(found["Python"])


def test_check_names_a_missing_and_an_unsupported_package(monkeypatch):
    real = metadata.version

    def version(name):
        if name == "tqdm":
            raise metadata.PackageNotFoundError(name)
        return "1.26.4" if name == "numpy" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    found = findings()
    assert not found["tqdm"].ok and found["tqdm"].found == "not installed"
    assert "pip install" in found["tqdm"].mend and "make lab" in found["tqdm"].mend
    assert not found["numpy"].ok and "version 1.26.4, supported is <3,>=2.0" in str(found["numpy"])
    assert found["keras"].ok


def test_check_names_an_unsupported_python_and_scarce_memory_and_disk(monkeypatch, tmp_path):
    import psutil

    monkeypatch.setattr("platform.python_version", lambda: "3.14.0")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=3e8))
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=2e8))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "not" / "yet"))
    found = findings()
    assert "3.14.0, supported is" in str(found["Python"]) and not found["Python"].ok
    assert "0.3 GB free. To mend it: close other programs" in str(found["memory"])
    assert f"0.2 GB free at {tmp_path}. To mend it: free 1 GB" in str(found["disk"])


def test_check_names_missing_data(monkeypatch, tmp_path):
    (tmp_path / "data" / "drawn").mkdir(parents=True)
    (tmp_path / "data" / "drawn" / "test.npz").write_bytes(b"here")
    (tmp_path / "pyproject.toml").write_bytes((runtime.ROOT / "pyproject.toml").read_bytes())
    monkeypatch.setattr(runtime, "ROOT", tmp_path)
    assert findings()["course data"].found == "missing: networks"


def test_requirements_are_the_same_from_the_checkout_and_from_the_installed_package(
    monkeypatch, tmp_path
):
    python, needs = runtime.requirements()
    monkeypatch.setattr(runtime, "ROOT", tmp_path)
    installed_python, installed = runtime.requirements()
    assert sorted(map(str, needs)) == sorted(map(str, installed))
    assert set(python.split(",")) == set(installed_python.split(","))
    monkeypatch.setattr(runtime, "DISTRIBUTION", "no-such-course")
    with pytest.raises(RuntimeError, match="no-such-course is not installed"):
        runtime.requirements()


@pytest.mark.parametrize(("count", "most"), [(1, 9), (5, 4), (50, 26), (7, 1)])
def test_portions_are_of_nearly_one_size_and_leave_nothing_out(count, most):
    found = list(runtime.portions(2, count, most, "asking"))
    for image in range(2):
        some = [range(count)[part] for number, part in found if number == image]
        assert [n for part in some for n in part] == list(range(count))
        assert max(map(len, some)) <= most and len(some) == -(-count // most)
        assert max(map(len, some)) - min(map(len, some)) <= 1
