"""What every lesson begins with: a quiet TensorFlow and reproducible numbers.

Only the functions that need TensorFlow import it.
"""

import gc
import logging
import os
import platform
import sys
import warnings

MISSING = (
    "If an earlier cell makes {name}, run that first: Run > Run All Above Selected Cell "
    "(in Colab: Runtime > Run before)."
)


def setup(seed=0, threads=2):
    """Make TensorFlow quiet and a lesson's numbers reproducible; call it first in a notebook.

    Seeds Python, NumPy and Keras (seed: 0 to 2**32 - 1), turns on deterministic kernels, and fixes
    the number of threads per operation, since sums of floats depend on it. After a NameError,
    notebooks then say which cells to run. May be called again.

    Warns if TensorFlow has already started with another number of threads, which can then no longer
    be changed. Raises ValueError for an invalid seed or number of threads.
    """
    if not (isinstance(seed, int) and 0 <= seed < 2**32):
        raise ValueError(f"seed is {seed!r}; it must be a whole number from 0 to 2**32 - 1")
    if not (isinstance(threads, int) and threads >= 1):
        raise ValueError(f"threads is {threads!r}; it must be a whole number, 1 or more")
    first = "tensorflow" not in sys.modules
    import keras
    import tensorflow as tf

    if first:  # modules stay to the end: Python need not look through them for what can be freed
        gc.freeze()
    tf.get_logger().setLevel("ERROR")
    threading = tf.config.threading
    if threading.get_intra_op_parallelism_threads() != threads:
        try:
            threading.set_intra_op_parallelism_threads(threads)
            threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError:
            warnings.warn(
                f"TensorFlow was in use before runtime.setup() and keeps its own number of threads "
                f"instead of {threads}: last digits may differ. Restart the kernel to fix this.",
                stacklevel=2,
            )
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    log = logging.getLogger("helpers")
    log.setLevel(logging.INFO)
    if not any(isinstance(handler, _Print) for handler in log.handlers):
        log.addHandler(_Print())
    explain_missing_names()


def explain_missing_names():
    """Let IPython, where it runs, say after a NameError that the cells above may not have run.

    Not where the notebook handles errors in a way of its own. Works from this call to the next
    restart of the kernel.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None and not shell.custom_exceptions:
        shell.set_custom_exc((NameError,), _show_missing_name)


def _show_missing_name(shell, kind, error, traceback, tb_offset=None):
    """Show a traceback as ever, then the sentence; called by IPython."""
    shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)
    if kind is NameError and error.name:  # and not UnboundLocalError, which is another matter
        print(MISSING.format(name=error.name))


class _Print(logging.Handler):
    """Prints the helpers' log messages below the cell that called them."""

    def emit(self, record):
        print(self.format(record))


def versions():
    """Return one line with the versions of Python, TensorFlow, Keras and NumPy, and the device.

    The line differs between machines, so tests should not compare it. Imports TensorFlow.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    gpus = [
        tf.config.experimental.get_device_details(d) for d in tf.config.list_physical_devices("GPU")
    ]
    device = ", ".join(gpu.get("device_name", "a GPU") for gpu in gpus) or "CPU only"
    threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count()
    return (
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, NumPy {np.__version__}; "
        f"{device}, {threads} threads on {platform.system()}"
    )
