"""`make bench`: how fast the methods are and how right, written into the pages that tell of it.

`make bench BENCH=correctness` does one block alone. Exits with 1 where something takes longer, or
needs more memory, than its bench allows.

Run as `python tests/benchmarks`, by its folder: tf-explain installs a package `tests` of its own.
"""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".ci"))

os.environ["TQDM_DISABLE"] = "1"  # a bar would be measured too

import harness  # noqa: E402
import write_tables  # noqa: E402


class Block(NamedTuple):
    """A part of a page, between the comments `<!-- name -->` and `<!-- /name -->`."""

    page: str
    benches: tuple


SPEED, DATA = "tests/benchmarks/README.md", "data/README.md"
BLOCKS = {
    "bench": Block(SPEED, ("bench_methods", "bench_embedding", "bench_captum")),
    "latency": Block(SPEED, ("bench_latency",)),
    "lessons": Block(SPEED, ("bench_lessons",)),
    "correctness": Block(DATA, ("bench_correctness",)),
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
    """Run the benches of a block, write it into its page; return whether all was as wanted."""
    if name != "lessons":  # those kernels shall not find TensorFlow's files in memory already
        importlib.import_module("helpers.core.runtime").setup()
    block = BLOCKS[name]
    reports = [importlib.import_module(bench).report() for bench in block.benches]
    lines = [
        f"Measured on {harness.machine()}.",
        "",
        *(line for told, _ in reports for line in told),
    ]
    print("\n".join(lines))
    write_tables.replace(write_tables.ROOT / block.page, name, lines)
    return all(met for _, met in reports)


if __name__ == "__main__":
    main(sys.argv[1:])
