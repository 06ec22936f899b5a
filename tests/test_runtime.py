"""Set-up: quiet, and equal numbers on every run."""

import os
import subprocess
import sys
import textwrap
from importlib import metadata

import nbformat
import pytest
from nbclient import NotebookClient

from helpers.core import runtime
from helpers.core.paths import ROOT

NOISE = """
import numpy as np, random
from helpers import runtime
from helpers.core import tracing  # a module that loads TensorFlow may well come first
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
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, env=loud)


@pytest.mark.slow
def test_setup_is_quiet_and_gives_the_same_numbers_in_two_processes():
    first, second = run(NOISE), run(NOISE)
    assert first.stdout == second.stdout
    assert first.stdout.startswith("2 2\n")
    assert first.stderr == ""


@pytest.mark.slow
def test_what_setup_loads_is_frozen_once_and_what_comes_later_is_not():
    code = """
        import gc
        from helpers import runtime
        runtime.setup()
        frozen = gc.get_freeze_count()
        later = [[n] for n in range(1000)]
        runtime.setup()
        print(frozen > 100_000, frozen == gc.get_freeze_count())
    """
    assert run(textwrap.dedent(code)).stdout == "True True\n"


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


CELLS = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="NoColor")
from helpers.core import runtime
runtime.explain_missing_names()
runtime.explain_missing_names()
for cell in ("world + 1", "1 / 0", "def f():\\n    x += 1\\nf()", "print('fine')"):
    print(type(shell.run_cell(cell).error_in_exec).__name__)
"""


def test_a_missing_name_is_followed_by_what_to_run():
    said = run(CELLS).stdout
    assert "NameError: name 'world' is not defined" in said
    sentence = "If an earlier cell makes world, run that first: Run > Run All Above Selected Cell"
    assert said.count(sentence) == said.count("If an earlier cell") == 1
    assert said.index("is not defined") < said.index(sentence) < said.index("ZeroDivisionError")
    assert "UnboundLocalError" in said and "fine" in said


def test_in_a_kernel_the_error_stays_an_error_and_the_sentence_follows():
    new = nbformat.v4
    setup = "from helpers.core import runtime\nruntime.explain_missing_names()"
    cells = [new.new_code_cell(source) for source in (setup, "world + 1", "1 + 1")]
    notebook = new.new_notebook(cells=cells)
    NotebookClient(notebook, allow_errors=True, resources={"metadata": {"path": ROOT}}).execute()
    error, sentence = notebook.cells[1].outputs
    assert (error.output_type, error.ename) == ("error", "NameError")
    assert sentence.text.startswith("If an earlier cell makes world, run that first")
    assert notebook.cells[2].outputs[0].data["text/plain"] == "2"


def test_a_notebook_that_shows_errors_its_own_way_is_left_alone():
    said = run(
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.set_custom_exc((KeyError,), lambda *_, **__: print('mine'))\n"
        "from helpers.core import runtime; runtime.explain_missing_names()\n"
        "shell.run_cell('world')\n"
    )
    assert "earlier cell" not in said.stdout
