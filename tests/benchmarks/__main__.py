"""`make bench`: how fast the methods are. Exits with 1 where one takes longer than it may.

Run as `python tests/benchmarks`, by its folder: tf-explain installs a package `tests` of its own.
"""

import sys

from helpers import runtime

runtime.setup()

import bench_cam  # noqa: E402
import harness  # noqa: E402

BENCHES = (bench_cam,)


def main():
    print(harness.machine())
    print("In units of one compiled forward pass of the same network and image, warm, medians.\n")
    good = True
    for bench in BENCHES:
        lines, met = bench.report()
        print("\n".join(lines) + "\n")
        good &= met
    sys.exit(not good)


if __name__ == "__main__":
    main()
