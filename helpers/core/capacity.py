"""How many learners a machine holds: what it has free, against what was measured of a lesson.

A lesson's figures are those that `make bench BENCH=lessons` writes into tests/benchmarks/README.md;
a hub's are those of notebooks/workshops.md, as tests/hub measures them. A test keeps them in step.
"""

import math
import os
import shutil
from pathlib import Path
from typing import NamedTuple

KERNEL_GB = 1.0  # what a kernel has to itself, in the largest lesson
SHARED_GB = 0.49  # TensorFlow's own files, which all kernels of a machine share
SERVER_GB = 0.12  # a learner's own JupyterLab server
HUB_GB = 0.16  # the hub, its proxy and its culler
PER_CORE = 1.5  # learners who run everything at once, before a lesson takes twice as long as alone
COPY_GB = 0.2  # a copy of the course in each learner's folder, with room for outputs
LEARNER_GB = KERNEL_GB + SERVER_GB
DEFAULT, MOST = 30, 1000
# Of control groups, version 2 and 1: the limit, what is in use.
MEMORY = (
    ("memory.max", "memory.current"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes"),
)


class Machine(NamedTuple):
    """What a machine has free: memory and disk in bytes, cores (may be a fraction), a folder."""

    memory: float
    cores: float
    disk: float
    folder: str


def learners(text):
    """Return a number of learners from a word of the command line, 1 to 1000.

    Raises ValueError if it is anything else.
    """
    number = int(text) if str(text).isascii() and str(text).isdigit() else 0
    if not 1 <= number <= MOST:
        raise ValueError(f"a number of learners is a whole number from 1 to {MOST}, not {text!r}")
    return number


def machine(root="/"):
    """Return the `Machine` that this program runs on, within the limits of its control groups.

    root: the folder that has /proc, /sys and /home. A container has what it may use, not what the
    computer around it has.
    """
    import psutil

    root = Path(root)
    memory, cores = psutil.virtual_memory().available, float(_cores())
    for folder in _groups(root, "memory"):
        memory = min(memory, _memory_left(folder))
    for folder in _groups(root, "cpu"):
        cores = min(cores, _quota(folder))
    home = root / "home" if (root / "home").is_dir() else Path.home()
    return Machine(memory, cores, shutil.disk_usage(home).free, str(home))


def needs(number, machine):
    """Return [(subject, enough, what was found, how to fix it), ...] for so many learners.

    number: learners at once, 1 to 1000. machine: a `Machine`. One row each for memory, cores and
    disk.
    """
    most, wanted = holds(machine), HUB_GB + SHARED_GB + number * LEARNER_GB
    here = f"{machine.memory / 1e9:.1f} GB free, for {most['memory']} learners"
    fix = f"{number} learners take {wanted:.1f} GB: add memory, or end what else runs"
    rows = [("memory", most["memory"] >= number, here, fix)]
    cores = math.ceil(number / PER_CORE)
    here = f"{machine.cores:g}, for {most['cores']} learners who run everything at once"
    fix = (
        f"take {cores} cores for {number} learners. With fewer, all works, but when everybody "
        f"runs a whole lesson at once, it takes {_slower(number, machine.cores)} times as long "
        "as alone"
    )
    rows.append(("cores", most["cores"] >= number, here, fix))
    here = f"{machine.disk / 1e9:.1f} GB free at {machine.folder}, for {most['disk']} learners"
    fix = f"free {number * COPY_GB:.1f} GB, or put the learners' folders on another disk"
    return [*rows, ("disk", most["disk"] >= number, here, fix)]


def holds(machine):
    """Return how many learners a `Machine` holds by its memory, cores and disk, as a dict."""
    memory = (machine.memory / 1e9 - HUB_GB - SHARED_GB) / LEARNER_GB
    found = {
        "memory": memory,
        "cores": machine.cores * PER_CORE,
        "disk": machine.disk / 1e9 / COPY_GB,
    }
    return {name: max(0, math.floor(number + 1e-9)) for name, number in found.items()}


def summary(machine):
    """Return one sentence: how many learners a `Machine` holds, and what sets the limit."""
    most = holds(machine)
    least = min(most, key=most.get)
    return (
        f"This machine holds {most[least]} learners at once, by its {least}. A learner takes "
        f"{LEARNER_GB:.2f} GB, so there are {2**30 / 1e9 / LEARNER_GB:.1f} learners for each GiB, "
        f"and {PER_CORE:g} for each core."
    )


def _slower(number, cores):
    return f"{2 * number / (cores * PER_CORE):.0f}"


def _cores():
    """Return the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def _groups(root, controller):
    """Yield the folders of this process's control group and those around it, innermost first."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / (controller if controllers else "")
        inner = top / path.strip("/")
        # In a container, the path is often that of the computer around it: only the top is there.
        yield from (f for f in (inner, *inner.parents) if f.is_relative_to(top) and f.is_dir())


def _number(path):
    """Return the first number in a file; infinity where there is none."""
    try:
        word = path.read_text().split()[0]
    except (OSError, IndexError):
        return math.inf
    return float(word) if word.isdigit() else math.inf  # "max", and -1 in version 1


def _memory_left(folder):
    """Return bytes that a group may still take; what it has read of files can be dropped."""
    for limit, used in MEMORY:
        most = _number(folder / limit)
        if most < math.inf:
            return max(0.0, most - _number(folder / used) + _dropped(folder))
    return math.inf


def _dropped(folder):
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0.0
    counts = dict(line.split() for line in lines)
    return float(counts.get("total_inactive_file", counts.get("inactive_file", 0)))


def _quota(folder):
    """Return how many cores' time a group may use."""
    try:
        most, period = (folder / "cpu.max").read_text().split()
        return math.inf if most == "max" else float(most) / float(period)
    except OSError:  # version 1
        return _number(folder / "cpu.cfs_quota_us") / _period(folder)


def _period(folder):
    found = _number(folder / "cpu.cfs_period_us")
    return found if found < math.inf else 100_000.0
