"""Measure learners at once on one hub, and write the table of notebooks/workshops.md.

Run as `PYTHONPATH=.venv/hub .venv/bin/python tests/hub`, after `make test-hub`, on a machine that
does nothing else.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hub as hubs
from learner import Learner

sys.path[:0] = [str(hubs.ROOT / ".ci"), str(hubs.ROOT / "tests" / "benchmarks"), str(hubs.ROOT)]

import harness  # noqa: E402
import write_tables  # noqa: E402

AT_ONCE = (1, 2, 4, 8)
LESSON = Path("course") / "notebooks" / "00_start_here.ipynb"


def main():
    rows = [["learners at once", "seconds for lesson 00", "a kernel has", "cells lost"]]
    largest = 0.0
    with hubs.running() as hub:
        learners = [Learner(hub, f"learner{number}").log_in() for number in range(AT_ONCE[-1])]
        begun = time.perf_counter()
        with ThreadPoolExecutor(len(learners)) as pool:
            list(pool.map(Learner.start, learners))
        started = time.perf_counter() - begun
        run(learners[0])  # reads TensorFlow's files, which all share
        for many in AT_ONCE:
            begun = time.perf_counter()
            with ThreadPoolExecutor(many) as pool:
                sizes = list(pool.map(run, learners[:many]))  # raises at the first cell that fails
            seconds = time.perf_counter() - begun
            server, kernel = (max(column) for column in zip(*sizes, strict=True))
            largest = max(largest, server)
            rows.append([str(many), f"{seconds:.0f}", f"{kernel:.2f} GB", "0"])
            print(*rows[-1], flush=True)
        rest = (
            f"A learner's server has at most {largest:.2f} GB to itself; the hub, its proxy and "
            f"its culler have {hub.memory():.2f} GB."
        )
    lines = [
        f"Measured on {harness.machine()}.", "", harness.table(rows), "",
        f"Eight learners who log in at once all have a server after {started:.0f} seconds. {rest}",
    ]  # fmt: skip
    print("\n".join(lines))
    write_tables.replace(hubs.ROOT / "notebooks" / "workshops.md", "hub", lines)


def run(learner):
    """Run the lesson in a new kernel; return gigabytes of the learner's server and kernel."""
    kernel = learner.kernel()
    kernel.run_lesson(learner.home / LESSON)
    sizes = learner.memory()
    kernel.end()
    return sizes


if __name__ == "__main__":
    main()
