"""Measure what each regularizer is worth: `python data/networks/regularizers.py`, a quarter hour.

Writes regularizers.json.gz for lesson 10. For each problem of `helpers.regularization`, each
regularizer is tried alone, in a few strengths; the strength with the best mean accuracy on
validation examples, over three seeds, is chosen. Then digits are learned with every combination of
six regularizers, and pets with some. Each group of runs has one run a seed, of `experiment`; train
and validation are curves in thousandths, test accuracies are used nowhere to choose.
"""

import gzip
import itertools
import json
import os
import platform
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from helpers import regularization, runtime
from helpers.regularization.runs import COMBINED as TOGETHER

HERE = Path(__file__).resolve().parent
TRIED = {
    "dropout": [{"dropout": rate} for rate in (0.3, 0.5, 0.7)],
    "augmentation": [{"shift": 1}],
    "batch normalization": [{"normalized": True}],
    "label smoothing": [{"smoothing": share} for share in (0.1, 0.3, 0.5)],
    "mixup": [{"mixup": alpha} for alpha in (0.2, 0.5, 1.0)],
    "L2 penalty": [{"l2": penalty} for penalty in (0.003, 0.01, 0.03)],
    "smaller network": [{"share": share} for share in (0.1, 0.2, 0.4)],
    "twice the examples": [{"double": True}],
}
ON_PETS = {
    "dropout": [{"dropout": rate} for rate in (0.3, 0.5)],
    "augmentation": [{"shift": 2, "flip": "mirrored"}],
    "label smoothing": [{"smoothing": share} for share in (0.1, 0.3)],
    "mixup": [{"mixup": alpha} for alpha in (0.2, 0.5)],
    "L2 penalty": [{"l2": penalty} for penalty in (0.001, 0.01)],
    "smaller network": [{"share": 0.5}],
}
COMBINED = tuple(TRIED)[:TOGETHER]
FLIPS = [{"flip": "mirrored"}, {"flip": "turned"}]  # both break the labels of digits


def measure(problem, options):
    """Train a network for each seed; return what is recorded of the runs."""
    runs = [regularization.experiment(problem, seed, **options) for seed in regularization.SEEDS]
    group = {"problem": problem, "options": options}
    for name in ("train", "validation"):
        group[name] = [[round(1000 * value) for value in run[name]] for run in runs]
    group["kept"] = [run["kept"] for run in runs]
    group |= {name: [round(run[name], 4) for run in runs] for name in ("stopped", "end")}
    print(problem, options, *group["end"], flush=True)
    return group


def alone(problem, groups):
    """Measure each regularizer alone; return the strengths with the best validation accuracy."""
    chosen = {}
    for name, tried in (TRIED | (ON_PETS if problem == "pets" else {})).items():
        found = [measure(problem, options) for options in tried]
        best = [np.mean(group["validation"], axis=0)[-1] for group in found]
        chosen[name] = tried[int(np.argmax(best))]
        groups += found
    return chosen


def combinations(problem):
    """Return which regularizers are measured together, two or more at a time."""
    if problem == "pets":
        pairs = [("augmentation", name) for name in COMBINED if name != "augmentation"]
        return [*pairs, COMBINED]
    sizes = range(2, len(COMBINED) + 1)
    return [names for size in sizes for names in itertools.combinations(COMBINED, size)]


def main():
    """Measure all runs and write them."""
    runtime.setup(0)
    groups, chosen = [], {}
    for problem in regularization.PROBLEMS:
        groups += [measure(problem, options) for options in ({}, *FLIPS)]
        chosen[problem] = alone(problem, groups)
        for names in combinations(problem):
            options = {k: v for name in names for k, v in chosen[problem][name].items()}
            groups.append(measure(problem, options))
    made = {"python": platform.python_version(), "tensorflow": tf.__version__}
    made |= {"keras": keras.__version__}
    lines = ",\n  ".join(json.dumps(group) for group in groups)
    head = f'{{"chosen": {json.dumps(chosen)},\n "made with": {json.dumps(made)},\n'
    text = f'{head} "runs": [\n  {lines}\n]}}\n'
    (HERE / "regularizers.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
