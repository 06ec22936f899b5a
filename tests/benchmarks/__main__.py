"""`make bench`: how fast the methods are, written into the README as well.

Exits with 1 where a method takes longer than it may.

Run as `python tests/benchmarks`, by its folder: tf-explain installs a package `tests` of its own.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".ci"))

from helpers import runtime

runtime.setup()

import bench_embedding  # noqa: E402
import bench_latency  # noqa: E402
import bench_methods  # noqa: E402
import harness  # noqa: E402
import write_tables  # noqa: E402

BENCHES = (bench_methods, bench_embedding, bench_latency)


def main():
    page, good = [f"Warm, medians, in one process in turn, on {harness.machine()}.", ""], True
    print(page[0])
    for bench in BENCHES:
        lines, met = bench.report()
        page += lines
        print("\n".join(lines))
        good &= met
    write_tables.replace(write_tables.ROOT / "README.md", "bench", page)
    sys.exit(not good)


if __name__ == "__main__":
    main()
