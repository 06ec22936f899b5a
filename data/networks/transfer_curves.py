"""Measure what lesson 02 has no time for: `python data/networks/transfer_curves.py`, many minutes.

Writes transfer_curves.json, a list of runs. Each learned cat or dog from `count` drawings of each:
"from scratch", or "fine-tuned": from `animals` with a new head, blocks 1 to `frozen` frozen. All
have the same optimizer, rate, batches and rule when to stop (`helpers.transfer.fine_tune`); none
sees a picture changed at random. An interrupted run goes on: finished runs lie in `.work`.
"""

import json
import os
import platform
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

from helpers import embedding, load_world, networks, runtime, transfer

HERE = Path(__file__).resolve().parent
WORK = HERE / ".work" / "transfer_curves.json"
WIDTHS = (12, 24, 48, 96, 128)
COUNTS, SEEDS = (10, 20, 50, 100, 200), (0, 1, 2)


def plan():
    """Return what is to be measured, one dict a run, the quick ones first."""
    tasks = [("fine-tuned", 4, count) for count in COUNTS]
    tasks += [("fine-tuned", frozen, 50) for frozen in (3, 2, 1)]
    tasks += [("fine-tuned", 0, count) for count in COUNTS]
    tasks += [("from scratch", 0, count) for count in COUNTS]
    runs = [(*task, seed) for task in tasks for seed in SEEDS]
    return [dict(zip(transfer.KEYS, run, strict=True)) for run in runs]


def key_of(run):
    """Return what was planned of a run that is measured."""
    return {key: run[key] for key in transfer.KEYS}


def measure(world, base, how, frozen, count, seed):
    """Train one network; return its accuracy on training and test pictures, and its epochs."""
    rows = transfer.choose(world.train.labels, count, seed)
    images, labels = world.train.images[rows], world.train.labels[rows]
    if how == "from scratch":
        keras.utils.set_random_seed(seed)
        network = networks.build(2, widths=WIDTHS)
    else:
        network = transfer.headed(base, embedding.features(base, images), labels, frozen)
    trained, inputs = network, images
    if frozen:
        lower, trained = transfer.halves(network, f"block{frozen}_pool")
        inputs = transfer.outputs(lower, images)
    losses = transfer.fine_tune(trained, inputs, labels, seed=seed)
    return {
        "train": round(transfer.accuracy(network, images, labels), 4),
        "test": round(transfer.accuracy(network, world.test.images, world.test.labels), 4),
        "losses": [round(loss, 3) for loss in losses],
    }


def main():
    """Measure all runs, those that are there already excepted, and write them."""
    runtime.setup(0)
    world = load_world("drawn")
    base = world.load_network("animals")
    runs = json.loads(WORK.read_text()) if WORK.is_file() else []
    known = [key_of(run) for run in runs]
    WORK.parent.mkdir(exist_ok=True)
    for task in plan():
        if task in known:
            continue
        runs.append(task | measure(world, base, **task))
        partial = WORK.with_name(f".{WORK.name}")
        partial.write_text(json.dumps(runs))
        partial.replace(WORK)
        print(*runs[-1].values(), flush=True)
    versions = {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    recipe = {"optimizer": "Adam", "rate": transfer.RATE, "batch": transfer.BATCH}
    recipe |= {"enough": transfer.ENOUGH, "most steps": 600}
    runs = [run for task in plan() for run in runs if key_of(run) == task]
    lines = ",\n  ".join(json.dumps(run) for run in runs)
    head = f'{{"recipe": {json.dumps(recipe)},\n "made with": {json.dumps(versions)},\n'
    (HERE / WORK.name).write_text(f'{head} "runs": [\n  {lines}\n]}}\n', encoding="utf-8")
    WORK.unlink()


if __name__ == "__main__":
    main()
