"""`make bench`: how fast the methods are and how right, written into the README as well.

`make bench BENCH=marks` does one block alone. Exits with 1 where a method takes longer than it may.

Run as `python tests/benchmarks`, by its folder: tf-explain installs a package `tests` of its own.
"""

import importlib
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".ci"))

os.environ["TQDM_DISABLE"] = "1"  # a bar would be measured too

import harness  # noqa: E402
import write_tables  # noqa: E402

# Blocks of the README, and the benches that write them.
BLOCKS = {
    "bench": ("bench_methods", "bench_embedding"),
    "latency": ("bench_latency",),
    "lessons": ("bench_lessons",),
    "marks": ("bench_marks",),
}


def main(names):
    """Run each block in a process of its own; exit with 1 where one did not do as wanted."""
    unknown = set(names) - set(BLOCKS)
    if unknown:
        sys.exit(f"No such bench: {', '.join(sorted(unknown))}. There are {', '.join(BLOCKS)}.")
    if len(names) == 1:
        sys.exit(not measure(*names))
    ends = [subprocess.call([sys.executable, __file__, name]) for name in names or BLOCKS]
    sys.exit(any(ends))


def measure(name):
    """Run the benches of a block, write it into the README; return whether all was as wanted."""
    if name != "lessons":  # those kernels shall not find TensorFlow's files in memory already
        importlib.import_module("helpers.runtime").setup()
    reports = [importlib.import_module(bench).report() for bench in BLOCKS[name]]
    page = [
        f"Measured on {harness.machine()}.",
        "",
        *(line for lines, _ in reports for line in lines),
    ]
    print("\n".join(page))
    write_tables.replace(write_tables.ROOT / "README.md", name, page)
    return all(met for _, met in reports)


if __name__ == "__main__":
    main(sys.argv[1:])
