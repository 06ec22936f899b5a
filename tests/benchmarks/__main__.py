"""`make bench`: how fast the methods are and how right, written into the README as well.

`make bench BENCH=marks` does one block alone. Exits with 1 where a method takes longer than it may.

Run as `python tests/benchmarks`, by its folder: tf-explain installs a package `tests` of its own.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".ci"))

os.environ["TQDM_DISABLE"] = "1"  # a bar would be measured too

from helpers import runtime  # noqa: E402

runtime.setup()

import bench_embedding  # noqa: E402
import bench_latency  # noqa: E402
import bench_lessons  # noqa: E402
import bench_marks  # noqa: E402
import bench_methods  # noqa: E402
import harness  # noqa: E402
import write_tables  # noqa: E402

# Blocks of the README, and the benches that write them.
BLOCKS = {
    "bench": (bench_methods, bench_embedding),
    "latency": (bench_latency,),
    "lessons": (bench_lessons,),
    "marks": (bench_marks,),
}


def main(names):
    unknown = set(names) - set(BLOCKS)
    if unknown:
        sys.exit(f"No such bench: {', '.join(sorted(unknown))}. There are {', '.join(BLOCKS)}.")
    good = True
    for name in names or BLOCKS:
        page = [f"Measured on {harness.machine()}.", ""]
        for bench in BLOCKS[name]:
            lines, met = bench.report()
            page += lines
            good &= met
        print("\n".join(page))
        write_tables.replace(write_tables.ROOT / "README.md", name, page)
    sys.exit(not good)


if __name__ == "__main__":
    main(sys.argv[1:])
