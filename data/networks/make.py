"""Train the course's five networks again: `make networks`.

animals          every kind but cat and dog, from scratch
pets             cat or dog, by transfer from animals
pets_cloudy      cat or dog from scratch, dogs under clouds and cats in the sun (the tank story)
pets_robust      trained against an adversary, on every kind; keeps the scores of cat and dog
pets_incomplete  like pets, but on animals with parts missing at random

Each is written with its card (.json): data, recipe, seed, epochs, losses, scores, hash. An
interrupted run goes on from the last whole epoch: its state lies in `.work`, gone when all is done.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from helpers import drawn, dreaming, gradients, metrics, networks, runtime, training
from helpers.core.progress import progress

HERE = Path(__file__).resolve().parent
WORK = HERE / ".work"
SEED = 2026
SUN_AND_CLOUDS = ("sunny", "cloudy")
BIAS = 0.99
MISSING = 0.25  # of each part, in the pictures that pets_incomplete sees
DREAM = dict(steps=200, rate=0.1, radius=40.0)
WIDTHS = (12, 24, 48, 96, 128)


def pictures(kinds, count, first_seed=0, sky=None, name="train"):
    """Return images and labels of a set of drawings, drawn once and kept in `.work`."""
    file = WORK / f"{name}.npz"
    if not file.is_file():
        images, labels, _ = drawn.dataset(
            kinds, count, first_seed, sky, lambda plan: progress(plan, label=f"draw {name}")
        )
        partial = WORK / f".{name}.npz"
        np.savez(partial, images=images, labels=labels)
        partial.replace(file)
    with np.load(file) as stored:
        return stored["images"], stored["labels"]


def accuracy(network, images, labels):
    """Return the share of images that the network gets right."""
    return float((networks.predict(network, images).argmax(1) == labels).mean())


def fresh(classes, name, base=None, trained_blocks=5):
    """Return a new network; with `base`, its convolutions, the first blocks frozen."""
    keras.utils.set_random_seed(SEED)
    network = networks.build(classes, widths=WIDTHS, name=name)
    if base is not None:
        for layer in network.layers:
            if layer.name.startswith("block"):
                layer.set_weights(base.get_layer(layer.name).get_weights())
                layer.trainable = int(layer.name[5]) > 5 - trained_blocks
    return network


def make_animals():
    """Train on the ten other kinds from scratch."""
    images, labels = pictures(drawn.OTHERS, 400, name="animals")
    recipe = dict(epochs=12, rate=1e-3)
    network = fresh(len(drawn.OTHERS), "animals")
    losses = run(network, images, labels, recipe)
    test, truth = pictures(drawn.OTHERS, 60, drawn.TEST_SEED, name="animals_test")
    card = {"classes": drawn.OTHERS, "data": "400 drawings of each kind, seeds 0 to 399"}
    return network, card, recipe, losses, {"test accuracy": accuracy(network, test, truth)}


def make_pets():
    """Train cat or dog on top of what `animals` has learned; blocks 1 to 3 stay frozen."""
    images, labels = pictures(drawn.PETS, 600, name="pets")
    recipe = dict(epochs=8, rate=1e-3)
    network = fresh(2, "pets", finished("animals"), trained_blocks=2)
    losses = run(network, images, labels, recipe)
    test, truth, _ = drawn.load_test()
    card = {"classes": drawn.PETS, "data": "600 drawings of each kind, seeds 0 to 599"}
    card["base"] = "animals, blocks 1 to 3 frozen"
    return network, card, recipe, losses, {"test accuracy": accuracy(network, test, truth)}


def make_pets_cloudy():
    """Train from scratch, with the sky as a clue that is nearly always right in training."""
    biased, labels = pictures(drawn.PETS, 600, sky=SUN_AND_CLOUDS, name="cloudy")
    swapped, _ = pictures(drawn.PETS, 600, sky=SUN_AND_CLOUDS[::-1], name="swapped")
    exception = np.random.default_rng(SEED).random(len(labels)) > BIAS
    images = np.where(exception[:, None, None, None], swapped, biased)
    recipe = dict(epochs=6, rate=1e-3)
    network = fresh(2, "pets_cloudy")
    losses = run(network, images, labels, recipe)
    scores = {}
    for name, sky in (("usual sky", SUN_AND_CLOUDS), ("skies exchanged", SUN_AND_CLOUDS[::-1])):
        test, truth = pictures(drawn.PETS, 200, drawn.TEST_SEED, sky, f"test {name}")
        scores[f"accuracy, {name}"] = accuracy(network, test, truth)
    data = f"600 drawings of each kind; {BIAS:.0%} of dogs under clouds, of cats in the sun"
    card = {"classes": drawn.PETS, "data": data}
    return network, card, recipe, losses, scores


def make_pets_robust():
    """Train on every kind against an adversary, then keep the scores of cat and dog."""
    images, labels = pictures(drawn.KINDS, 400, name="all")
    recipe = dict(epochs=16, rate=1.5e-3, epsilon=3.0, ramp=10, attack_steps=2)
    network = fresh(len(drawn.KINDS), "pets_robust")
    losses = run(network, images, labels, recipe)
    kernel, bias = network.get_layer("scores").get_weights()
    pair = fresh(len(drawn.PETS), "pets_robust", network)
    pair.get_layer("scores").set_weights([kernel[:, : len(drawn.PETS)], bias[: len(drawn.PETS)]])
    test, truth, parts = drawn.load_test()
    scores = {"test accuracy": accuracy(pair, test, truth)}
    scores |= dreams(pair, images[labels < len(drawn.PETS)].mean(0))
    scores |= gradient_on_face(pair, test, truth, parts)
    card = {"classes": drawn.PETS, "data": "400 drawings of every kind, seeds 0 to 399"}
    return pair, card, recipe, losses, scores


def make_pets_incomplete():
    """Train as for pets, on animals each of whose parts is missing with probability MISSING."""
    file = WORK / "incomplete.npz"
    if not file.is_file():
        images, labels = incomplete(600, 0)
        partial = WORK / ".incomplete.npz"
        np.savez(partial, images=images, labels=labels)
        partial.replace(file)
    with np.load(file) as stored:
        images, labels = stored["images"], stored["labels"]
    recipe = dict(epochs=8, rate=1e-3)
    network = fresh(2, "pets_incomplete", finished("animals"), trained_blocks=2)
    losses = run(network, images, labels, recipe)
    test, truth, _ = drawn.load_test()
    scores = {"test accuracy": accuracy(network, test, truth)}
    scores["accuracy, parts missing"] = accuracy(network, *incomplete(200, drawn.TEST_SEED))
    data = f"600 drawings of each kind, seeds 0 to 599; each part is missing in {MISSING:.0%}"
    card = {"classes": drawn.PETS, "data": data, "base": "animals, blocks 1 to 3 frozen"}
    return network, card, recipe, losses, scores


def incomplete(count, first_seed):
    """Return images and labels of cats and dogs, some parts of each missing at random."""
    rng, images, plan = (
        np.random.default_rng(SEED + first_seed),
        [],
        range(first_seed, first_seed + count),
    )
    for seed in progress(plan, label="draw incomplete animals"):
        for kind in drawn.PETS:
            missing = rng.random(len(metrics.EFFECTS)) < MISSING
            without = tuple(np.array(metrics.EFFECTS)[missing].tolist())
            images.append(drawn.draw(kind, seed, without).image)
    return np.stack(images), np.arange(len(images)) % len(drawn.PETS)


def dreams(network, mean):
    """Return how many of 20 pictures made to be a cat or a dog `pets` takes for one.

    Each starts from the same blur, the mean of all cats and dogs, under noise of its own.
    """
    right, judge = 0, finished("pets")
    for target in range(len(drawn.PETS)):
        noise = np.random.default_rng(target).normal(0, 16, (10, *mean.shape))
        start = np.clip(mean + noise, 0, 255)
        made = dreaming.maximize(network, dreaming.target_class(target), start, **DREAM)
        right += int((networks.predict(judge, made).argmax(1) == target).sum())
    return {"pictures of 20 that pets agrees with": right}


def gradient_on_face(network, images, labels, parts):
    """Return the share of the plain gradient on ears, eyes, muzzle, here and for `pets`."""
    scores = {}
    for name, judged in (("this network", network), ("pets", finished("pets"))):
        slope = gradients.gradient(judged, images, labels)
        shares = metrics.part_scores(slope, parts, drawn.PART_NAMES)
        share = sum(shares[part].mean() for part in metrics.FEATURES)
        scores[f"gradient on the face, {name}"] = float(share)
    return scores


MAKERS = {
    "animals": make_animals,
    "pets": make_pets,
    "pets_cloudy": make_pets_cloudy,
    "pets_robust": make_pets_robust,
    "pets_incomplete": make_pets_incomplete,
}


def run(network, images, labels, recipe):
    """Train by the recipe, with a checkpoint of its own, and return the losses."""
    file = WORK / f"{network.name}.state.npz"
    return training.train(
        network, images, labels, seed=SEED, checkpoint=file, label=network.name, **recipe
    )


def finished(name):
    """Return a network that this run has already trained."""
    return networks.load(WORK / f"{name}.keras")


def make(name):
    """Train one network unless this run has it already, and write it with its card."""
    if (WORK / f"{name}.json").is_file():
        return
    started, spent = time.perf_counter(), WORK / f"{name}.seconds"
    before = float(spent.read_text()) if spent.is_file() else 0.0
    try:
        network, card, recipe, losses, scores = MAKERS[name]()
    finally:
        seconds = before + time.perf_counter() - started
        spent.write_text(str(seconds))  # an interrupted run goes on counting
    for layer in network.layers:  # one by one: the network's own flag says nothing new to them
        layer.trainable = True
    networks.save(network, WORK / f"{name}.keras")
    scores = {key: round(value, 4) for key, value in scores.items()}
    card |= {
        "network": name,
        "parameters": network.count_params(),
        "recipe": recipe | {"seed": SEED, "optimizer": "Adam", "batch": 32},
        "losses": [round(loss, 4) for loss in losses],
        "scores": scores,
        "minutes": round(seconds / 60, 1),
        "made with": {"python": platform.python_version(), "tensorflow": tf.__version__,
                      "keras": keras.__version__},
        "sha256": hashlib.sha256((WORK / f"{name}.keras").read_bytes()).hexdigest(),
    }  # fmt: skip
    partial = WORK / f".{name}.json"
    partial.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    partial.replace(WORK / f"{name}.json")
    print(name, scores, flush=True)


def clear_unless_same():
    """Forget what an interrupted run has left, where programs or drawings have changed since."""
    world = sorted(Path(drawn.__file__).parent.rglob("*.py"))
    sources = [Path(__file__), Path(networks.__file__), Path(training.__file__), *world]
    same = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    mark = WORK / "made_by.txt"
    if WORK.is_dir() and not (mark.is_file() and mark.read_text() == same):
        shutil.rmtree(WORK)
    WORK.mkdir(exist_ok=True)
    mark.write_text(same)


def main():
    """Train all networks and put them in place together."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *MAKERS], help="only these")
    names = parser.parse_args().names or list(MAKERS)
    clear_unless_same()
    runtime.setup(SEED)
    for name in names:
        make(name)
    for name in names:
        for ending in (".keras", ".json"):
            shutil.copy(WORK / f"{name}{ending}", HERE / f".{name}{ending}")
            (HERE / f".{name}{ending}").replace(HERE / f"{name}{ending}")
    if names == list(MAKERS):
        shutil.rmtree(WORK)


if __name__ == "__main__":
    main()
