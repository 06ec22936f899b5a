"""Measure the learning curve of a new head on `imagenet`, on a folder of photographs.

    python data/networks/photo_curves.py FOLDER "what it is"

writes photo_curves.json, which lesson 02 reads: accuracies on training and on test photographs, for
heads fitted on more and more photographs of each class, with three choices each. It takes a minute.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np

from helpers import load_world, runtime, transfer

FILE = Path(__file__).with_suffix(".json")
COUNTS, SEEDS = (10, 20, 50, 100, 200, 300), (0, 1, 2)
HOW = "head on imagenet, photographs"
NETWORK = "EfficientNet-Lite0, frozen; a linear head on its 1,280 features"


def measure(folder, about):
    """Return what the file holds; counts beyond the smallest class are left out."""
    world = load_world("photos", "imagenet", folder)
    base = world.network
    seen, asked = (
        transfer.head_features(base, split.images) for split in (world.train, world.test)
    )
    fewest = int(np.bincount(world.train.labels).min())
    counts = [count for count in COUNTS if count <= fewest]
    given = seen, world.train.labels, asked, world.test.labels
    curves = transfer.head_curve(*given, counts, SEEDS).round(4).tolist()
    runs = [
        {"how": HOW, "frozen": 5, "count": count, "seed": seed, "train": own, "test": tested}
        for count, *accuracies in zip(counts, *curves, strict=True)
        for seed, own, tested in zip(SEEDS, *accuracies, strict=True)
    ]
    sizes = f"{len(world.train)} to train on, {len(world.test)} to test on"
    return {"photographs": f"{about}: {sizes}", "network": NETWORK, "runs": runs}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("about", help="what the photographs are, in words")
    given = parser.parse_args()
    runtime.setup()
    unfinished = FILE.with_suffix(".unfinished")
    found = json.dumps(measure(given.folder, given.about), indent=1) + "\n"
    unfinished.write_text(found, encoding="utf-8")
    os.replace(unfinished, FILE)
    print(found)
