"""What a lesson asks of a machine: seconds, memory, and how many learners one machine bears."""

import threading
import time
from pathlib import Path

import harness
import limits
import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
# Wanted at most: for a lesson, of memory of its own, until its first picture.
SECONDS, GIGABYTES, FIRST = 60, 1.0, 40
CROWD = (1, 2, 3, 4)  # kernels at once
SLOW = 2.0  # times as long as alone: slowed by half
SHORT = "00_start_here"
KILLED = "killed"


def report():
    """Measure every lesson alone, then some kernels at once; return (lines, all as wanted)."""
    heads = "seconds", "first picture after", "peak memory", "of which its own"
    rows = [["lesson", *heads, f"seconds in {GIGABYTES:g} GB"]]
    own, met = [], True
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        seconds, first, peak, private = run(path)
        within = run_within(path, GIGABYTES)
        cells = f"{seconds:.0f}", f"{first:.0f} s", f"{peak:.2f} GB", f"{private:.2f} GB", within
        rows.append([path.stem, *cells])
        print(path.stem, *cells, flush=True)
        own.append(private)
        met &= seconds <= SECONDS and private <= GIGABYTES and first <= FIRST and within != KILLED
    crowd = [["learners at once", "seconds for lesson 00", "times as long as alone"]]
    seconds = {many: together(many) for many in CROWD}
    for many, slow in seconds.items():
        crowd.append([str(many), f"{slow:.0f}", f"{slow / seconds[1]:.1f}"])
    quick = max(many for many, slow in seconds.items() if slow < SLOW * seconds[1])
    most = max(own)
    bears = (
        f"A kernel has at most {most:.2f} GB to itself: {1.07 / most:.1f} learners for each GiB. "
        "The rest are TensorFlow's own files, which all kernels of one machine share, and which "
        "the system may drop and read again. So each lesson was also run in a kernel that may not "
        f"have more than {GIGABYTES:g} GB, these files included, or is killed: a container's limit."
    )
    cores = psutil.cpu_count()
    shared = (
        f"If all run all cells at once, without a pause to read, {cores} cores serve {quick} "
        f"learners before it takes {SLOW:g} times as long as alone: {quick / cores:.1f} learners "
        "for each core."
    )
    return [harness.table(rows), "", bears, "", harness.table(crowd), "", shared], met


def run(path, most=None):
    """Run a lesson; return its seconds, those to its first picture, its peak and its own memory.

    most: gigabytes that the system lets it have. None is returned where the machine cannot do that.
    """
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(NOTEBOOKS)}}
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources=place)
    first, private = None, 0.0
    with client.setup_kernel():
        if most and not limits.limit(client.km.provisioner.pid, int(most * 1e9)):
            return None
        begun = time.perf_counter()
        for number, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                client.execute_cell(cell, number)
                if first is None and any("image" in str(o.get("data")) for o in cell.outputs):
                    first = time.perf_counter() - begun
                private = max(private, memory(client, "RssAnon"))
        seconds, peak = time.perf_counter() - begun, memory(client, "VmHWM")
    return seconds, first, peak, private


def run_within(path, gigabytes):
    """Return a lesson's seconds where the system lets it have no more memory, or what happened."""
    limits.forget_libraries()
    try:
        found = run(path, gigabytes)
    except DeadKernelError:
        return KILLED
    finally:
        limits.lift()
    return f"{found[0]:.0f}" if found else "no limit here"


def memory(client, kind):
    """Return gigabytes that the kernel's process has, as the system counts that kind."""
    return harness.memory(kind, client.km.provisioner.pid) / 1e9


def together(many):
    """Return the seconds after which the last of so many kernels has finished the short lesson."""
    path = NOTEBOOKS / f"{SHORT}.ipynb"
    threads = [threading.Thread(target=run, args=(path,)) for _ in range(many)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun
