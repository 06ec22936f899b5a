"""What the book needs TensorFlow for: python .ci/book/played.py FOLDER [--only NAME ...]

The explorers: each is made as its lesson makes it, in the drawn world, played, and written as an
element of HTML, `FOLDER/05_grad_cam.1.html` for the first one of lesson 05. And the hints and
solutions of all exercises, `FOLDER/exercises.json`. What lies there already is left alone.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from skimage import data

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from helpers import (  # noqa: E402
    dreaming,
    embedding,
    exercises,
    explorers,
    load_world,
    networks,
    photos,
    plotting,
    runtime,
    transfer,
)
from helpers.core import paths  # noqa: E402


def start_here():
    """Lesson 00: Grad-CAM of the drawn pictures."""
    explorer = explorers.grad_cam(load_world("drawn"))
    return explorer, {"image": 6, "layer": 11, "target": None}


def polynomial():
    """Lesson 01: a polynomial through a few photographs of a ball."""
    explorer = explorers.polynomial()
    explorer.set(degree=9, throw=3, penalty=0.01)
    return explorer, {"degree": 7, "penalty": 9, "others": None}


def penalties():
    """Lesson 01: what two penalties prefer."""
    return explorers.penalties(), {"penalty": 11, "turn": 13}


def freezing():
    """Lesson 02: how many blocks to freeze."""
    truth, counts = load_world("drawn"), [10, 20, 50, 100, 200]
    animals = truth.load_network("animals")
    features = [transfer.block_features(animals, s.images)[-1] for s in (truth.train, truth.test)]
    nets = {"VGG16": networks.vgg16(), "small network": truth.network}
    fixed = {name: transfer.frozen_counts(net) for name, net in nets.items()}
    totals = {name: net.count_params() for name, net in nets.items()}
    right = [transfer.measured("fine-tuned", k, [50])[1].mean() for k in range(5)]
    known = features[0], truth.train.labels, features[1], truth.test.labels
    right.append(transfer.head_curve(*known, counts)[1, counts.index(50)].mean())
    return explorers.freezing(fixed, totals, right, "small network"), None


def channels():
    """Lesson 03: one channel of a layer, in four views, in two networks."""
    world = load_world("drawn")
    network, real = (world.load_network(n, needed=False) for n in ("pets_robust", "imagenet"))
    convolutions = networks.layer_names(network)
    layers = [convolutions[round(n / 12 * (len(convolutions) - 1))] for n in (0, 2, 4, 7, 10, 12)]
    nets, offered = {network.name: network}, {network.name: layers}
    if real:
        nets["imagenet"] = real
        blocks = ("block2_2_add", "block3_2_add", "block4_3_add", "block5_3_add", "block6_4_add")
        offered["imagenet"] = [*blocks, "head"]
    looked = [*world.test.images[:100], *photos.samples(world.test.images.shape[1]).values()]
    explorer = explorers.channels(world, nets, offered, count=len(looked), images=looked)
    explorer.set(image=26, layer=layers[3], view="mask")
    chosen = {"network": None} if real else {}
    return explorer, chosen | {"layer": 4, "channel": 4, "view": None}


def saliency():
    """Lesson 04: maps of three pictures by all methods, with some of their settings."""
    world = load_world("drawn")
    images, labels = world.test.images[:150], world.test.labels[:150]
    right = networks.predict(world.network, images, batch_size=8).argmax(axis=1) == labels
    cat, dog = (np.flatnonzero(right & (labels == kind)) for kind in (0, 1))
    picks = [cat[4], dog[7], np.flatnonzero(~right)[0]]
    explorer = explorers.pixel_maps(world, images[picks])
    explorer.set(method="SmoothGrad", samples=16, explains="margin")
    chosen = {"image": None, "method": None, "target": None}
    return explorer, chosen | {"samples": None, "steps": None, "window": None}


def grad_cam():
    """Lesson 05: Grad-CAM of photographs and drawings, by two networks."""
    world, shots = load_world("drawn"), photos.samples(224)
    real = world.load_network("imagenet", needed=False)
    grown = np.round(plotting.resize(world.test.images[:20], 224, 224)).astype(np.uint8)
    offered = ({"imagenet": real} if real else {}) | {world.name: world.network}
    explorer = explorers.grad_cam(world, [*shots.values(), *grown], offered)
    chosen = {"image": [*range(len(shots) + 2)], "layer": 7}
    return explorer, {"network": None} | chosen if real else chosen


def own_photo():
    """Lesson 05: a cup of coffee, and why it is one."""
    world = load_world("drawn")
    real = world.load_network("imagenet", needed=False)
    shot = photos.samples(224)["coffee"] if real else world.test.images[0]
    explorer = explorers.own_photo(world, shot, real or world.network)
    first = list(explorer.controls["target"].options[:6])
    return explorer, {"target": first, "explains": None, "strength": [0, 20, 40, 60, 80, 100]}


def deep_dream():
    """Lesson 06: two dreams of a temple, from frame to frame."""
    world = load_world("drawn")
    real, robust = world.load_network("imagenet", needed=False), world.load_network("pets_robust")
    known = {"imagenet": real} if real else {}
    machine = explorers.deep_dream(known | {"robust": robust}, photos.samples((180, 270))["temple"])
    machine.set(octaves=3, steps=8, strength=8)
    layers = ["block3_2_add", "block5_3_add"] if real else [machine.controls["layer"].value]
    for layer in layers:
        machine.set(layer=layer)
        machine.dream()
        machine.wait()
    return machine, {"layer": layers, "moment": [0, 17, 33, 50, 67, 83, 100]}


def tsne_maps():
    """Lesson 07: a hundred pictures on a map."""
    world = load_world("drawn")
    network, rng = world.network, np.random.default_rng(0)
    chosen = rng.choice(len(world.train), 100, replace=False)
    images, labels = world.train.images[chosen], world.train.labels[chosen]
    said = networks.predict(network, images).argmax(axis=1)
    convolutions = networks.layer_names(network)
    spaces = {}
    for share in (0.08, 0.5, 0.75):
        name = convolutions[round(share * (len(convolutions) - 1))]
        spaces[name] = embedding.features(network, images, name)
    spaces["penultimate"] = embedding.features(network, images)
    explorer = explorers.tsne_maps(spaces, images, labels, world.class_names, said)
    worry = int(np.flatnonzero(said != labels)[0])
    explorer.set(layer="penultimate", form="grid", picture=worry)
    chosen = {"layer": [*spaces][::3], "perplexity": [5, 15, 40], "form": None}
    return explorer, chosen | {"picture": 3}


def toy_clouds():
    """Lesson 07: clouds whose arrangement is known."""
    toys = explorers.toy_clouds()
    toys.set(data="one wide and far", perplexity=15)
    return toys, None


def relevance():
    """Lesson 08: relevance, layer by layer."""
    truth = load_world("drawn")
    explorer = explorers.relevance_by_layer(truth, truth.test.images[[16, 12, 5, 15]])
    explorer.set(explains="margin", rule="z+", layer="block4_pool")
    return explorer, {"image": 3, "rule": None, "explains": None, "layer": 9}


def style_transfer():
    """Lesson 09: Chelsea in three styles, from frame to frame."""
    world, view = load_world("drawn"), (160, 240)
    real = world.load_network("imagenet", needed=False)
    painter = {"imagenet": real} if real else {}
    painter["robust"] = world.load_network("pets_robust")
    styles = {name: dreaming.pattern(name, view) for name in dreaming.PATTERNS}
    styles["flower"] = photos.samples(view)["flower"]
    styles["grass"] = np.dstack([data.grass()[:160, :240]] * 3)
    machine = explorers.style_transfer(painter, photos.samples(view)["chelsea"], styles)
    machine.set(weight=10)
    chosen = ["strokes", "flower", "waves"]
    for style in chosen:
        machine.set(style=style)
        machine.start()
        machine.wait()
    return machine, {"style": chosen, "moment": list(range(0, 101, 10))}


def more_regularizers():
    """Lesson 10: regularizers as check boxes."""
    explorer = explorers.regularizers()
    explorer.set(dropout=True, augmentation=True, l2=True)
    return explorer, None


def other_libraries():
    """Lesson 11: the same by another library."""
    truth = load_world("drawn")
    explorer = explorers.other_libraries(truth, truth.test.images[[16, 12, 5, 15]])
    explorer.set(method="Grad-CAM", library="tf-keras-vis")
    return explorer, {"image": 4, "method": None, "library": None}


PLAYED = {
    "00_start_here.1": start_here,
    "01_regularization.1": polynomial,
    "01_regularization.2": penalties,
    "02_transfer_learning.1": freezing,
    "03_activations.1": channels,
    "04_saliency.1": saliency,
    "05_grad_cam.1": grad_cam,
    "05_grad_cam.2": own_photo,
    "06_deep_dream.1": deep_dream,
    "07_tsne.1": tsne_maps,
    "07_tsne.2": toy_clouds,
    "08_relevance.1": relevance,
    "09_style_transfer.1": style_transfer,
    "10_more_regularizers.1": more_regularizers,
    "11_other_libraries.1": other_libraries,
}


def write(path, text):
    """Write a file, whole or not at all."""
    with paths.whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def main(folder, names):
    asked = {}
    for lesson in exercises.LESSONS:
        for name, question in exercises.questions(lesson).items():
            asked[name] = {"hints": question.hints, "solution": question.solution}
    write(Path(folder, "exercises.json"), json.dumps(asked))
    for name in names:
        path = Path(folder, f"{name}.html")
        if path.exists():
            continue
        started = time.process_time()
        runtime.setup(seed=0)
        explorer, controls = PLAYED[name]()
        write(path, explorer.to_html(controls=controls))
        seconds = time.process_time() - started
        print(f"{name}: {path.stat().st_size / 1e6:.1f} MB, {seconds:.0f} s of CPU", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--only", nargs="*", metavar="NAME", default=[*PLAYED])
    options = parser.parse_args()
    main(options.folder, options.only)
