"""Measure functions side by side: one process, one after another in turn, medians of ratios."""

import platform
import statistics
import time
import warnings
from pathlib import Path

import psutil

LEAST = 3  # rounds
LONG = 2.0  # seconds: a function that takes longer is measured fewer times


def side_by_side(unit, functions, most=8.0, rounds=31):
    """Return for each function [(its seconds, those of `unit`), ...], a pair for each round, warm.

    In each round every function runs once, and `unit` just before it, so what else the machine does
    meanwhile weighs on both. Ends after `rounds`, or once `most` seconds are over and there were
    three: what takes long is itself a mean over many passes. A function that raises gets, in place
    of its pairs, what it said.
    """
    found = {}
    for name, function in functions.items():
        try:
            if _time(function) < LONG:  # it traced; a short one runs again, to settle
                _time(function)
            found[name] = []
        except Exception as error:  # a peer that cannot do it is a finding, not a failure
            found[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    working = [name for name in functions if not isinstance(found[name], str)]
    _quietly(unit)
    begun = time.perf_counter()
    for number in range(rounds):
        if number >= LEAST and time.perf_counter() - begun > most:
            break
        for name in working:
            before = statistics.median(_time(unit) for _ in range(3))
            found[name].append((_time(functions[name]), before))
    return found


def in_units(pairs):
    """Return how many times as long as the unit a function takes, the median over the rounds."""
    return statistics.median(seconds / unit for seconds, unit in pairs)


def ratio(pairs, others):
    """Return how many times as long as another a function takes, the median over the rounds."""
    rounds = zip(pairs, others, strict=True)
    return statistics.median(seconds / other for (seconds, _), (other, _) in rounds)


def seconds(function, rounds=3):
    """Return the median of the seconds that a function takes, after a first call."""
    _quietly(function)
    return statistics.median(_time(function) for _ in range(rounds))


def memory(kind, process="self"):
    """Return the bytes that a process has, as Linux counts that kind: VmHWM, RssAnon, ..."""
    status = Path(f"/proc/{process}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith(kind))
    return int(line.split()[1]) * 1024


def _time(function):
    begun = time.perf_counter()
    _quietly(function)
    return time.perf_counter() - begun


def _quietly(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function()


def machine():
    """Return one line that says what these numbers were measured on."""
    import tensorflow as tf

    devices = [device.device_type for device in tf.config.list_physical_devices()]
    return (
        f"{platform.machine()}, {psutil.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, {' and '.join(sorted(set(devices)))}; "
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}"
    )


def table(rows):
    """Return rows of text, the first one the head, as a Markdown table."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
