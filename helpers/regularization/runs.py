"""What each regularizer is worth: one run of the experiment, and the runs that are recorded.

Three problems: 200 digits with true labels, the same with one label in five false, and 50 drawn
pets of each kind. Each seed has its own examples and its own random weights, and a regularizer
changes neither.
"""

import functools
import gzip
import json
from itertools import combinations

import numpy as np

from helpers.core.paths import NETWORKS
from helpers.regularization.digits import dense, learn, load_digits, load_pets, pet_network
from helpers.regularization.regularizers import changes, keep

PROBLEMS = ("true labels", "false labels", "pets")
SEEDS = (0, 1, 2)
COMBINED = 6  # of the regularizers in `chosen`, the first, that are recorded together
DIGITS, PETS = 200, 50  # examples to learn from: of all digits, and of each kind of pet
STEPS = {"digits": 200, "pets": 60}  # passes over the examples


@functools.cache
def examples(problem, seed=0, double=False):
    """Return the `Examples` of a problem, new ones for validation, and (images, labels) to test on.

    double: twice as many examples to learn from, the usual ones among them.
    Raises ValueError for an unknown problem.
    """
    if problem not in PROBLEMS:
        raise ValueError(f"unknown problem {problem!r}; choose from {', '.join(PROBLEMS)}")
    if problem == "pets":
        data = load_pets(2 * PETS, seed, new=100)
        return _first(data, 2 * PETS * (1 + double)), load_pets(1, seed)[3:5]
    data = load_digits(2 * DIGITS, 0.2 * (problem == "false labels"), seed, each_pixel=False)
    half = len(data.new_images) // 2
    test = data.new_images[half:], data.new_labels[half:]
    data = data._replace(new_images=data.new_images[:half], new_labels=data.new_labels[:half])
    return _first(data, DIGITS * (1 + double)), test


def _first(data, count):
    """Return examples of which only the first `count` are to learn from."""
    names = ("images", "labels", "true_labels", "pictures")
    return data._replace(**{name: getattr(data, name)[:count] for name in names})


def experiment(
    problem, seed=0, steps=None, double=False, share=1.0, l2=0.0, dropout=0.0, normalized=False,
    smoothing=0.0, shift=0, mixup=0.0, flip=None,
):  # fmt: skip
    """Train one network with some regularizers and return how it learned.

    Arguments:
        problem: one of `PROBLEMS`. seed: of its examples, of the weights, and of all changes.
        steps: passes over the examples; None for as many as the recorded runs have.
        double: twice as many examples. share: of the network's usual number of neurons.
        l2, dropout, normalized: see `dense`. smoothing: see `smoothed`.
        shift, mixup, flip: see `changes`.

    Returns the accuracies train (on the labels, false ones included) and validation, lists of 20;
    kept, which of these early stopping would keep; and two numbers for the test examples: stopped,
    the accuracy there, and end, at the end of the training.
    """
    data, test = examples(problem, seed, double)
    parts = {"l2": l2, "seed": seed, "dropout": dropout, "normalized": normalized}
    pets = problem == "pets"
    network = pet_network(share, **parts) if pets else dense(round(100 * share), **parts)
    steps = steps or STEPS["pets" if pets else "digits"]
    more = {"rate": 0.002, "batch": 20} if pets else {"rate": 0.003}
    change = changes(shift, mixup, flip, edge=pets)
    history = learn(
        network, data, steps, every=steps // 20, smoothing=smoothing, change=change, test=test,
        seed=seed, **more,
    )  # fmt: skip
    kept = keep(history["val_accuracy"])
    return {
        "train": history["accuracy"], "validation": history["val_accuracy"], "kept": kept,
        "stopped": history["test_accuracy"][kept], "end": history["test_accuracy"][-1],
    }  # fmt: skip


@functools.cache
def _record():
    return json.loads(gzip.decompress((NETWORKS / "regularizers.json.gz").read_bytes()))


def chosen(problem):
    """Return the strength of each regularizer that was chosen on validation examples.

    It is {regularizer: options of `experiment`}.
    """
    return _record()["chosen"][problem]


def recorded(problem, *regularizers, **options):
    """Return the recorded runs of a problem with these regularizers, as arrays with a row a seed.

    Arguments:
        regularizers: names in `chosen`, each with its strength there.
        options: others of `experiment`.

    Returns what `experiment` returns, by the same names: train and validation (3, 20), kept,
    stopped and end (3,). Raises ValueError for runs that are not recorded.
    """
    for name in regularizers:
        if name not in chosen(problem):
            raise ValueError(f"{name!r} is not recorded; choose from {', '.join(chosen(problem))}")
    options |= _together(problem, regularizers)
    group = _find(problem, options)
    if group is None:
        raise ValueError(f"{problem!r} with {options} is not recorded")
    curves = {name: np.array(group[name]) / 1000 for name in ("train", "validation")}
    return curves | {name: np.array(group[name]) for name in ("kept", "stopped", "end")}


def best(problem):
    """Return the best recorded runs with several regularizers, and a tuple of their names.

    The best have the highest mean accuracy on validation examples at the end of training.
    """
    names = list(chosen(problem))[:COMBINED]
    sets = [some for size in range(2, COMBINED + 1) for some in combinations(names, size)]
    known = [some for some in sets if _find(problem, _together(problem, some))]
    found = {some: recorded(problem, *some) for some in known}
    top = max(found, key=lambda some: found[some]["validation"][:, -1].mean())
    return found[top], top


def gains(problem):
    """Return how much test accuracy each regularizer gains: {name: (3,)}, one number a seed.

    First early stopping, then each in `chosen` alone, then the `best` together, then all six.
    """
    plain, names = recorded(problem), list(chosen(problem))
    found = {"early stopping": plain["stopped"]}
    found |= {name: recorded(problem, name)["end"] for name in names}
    found["best together"] = best(problem)[0]["end"]
    found["all six together"] = recorded(problem, *names[:COMBINED])["end"]
    return {name: right - plain["end"] for name, right in found.items()}


def _together(problem, names):
    """Return the options of several regularizers, each with the strength that was chosen."""
    return {key: value for name in names for key, value in chosen(problem)[name].items()}


def _find(problem, options):
    """Return the recorded group of runs with exactly these options, or None."""
    for group in _record()["runs"]:
        if group["problem"] == problem and group["options"] == options:
            return group
    return None
