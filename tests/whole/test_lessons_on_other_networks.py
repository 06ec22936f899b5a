"""Lessons on other people's networks: they run, or say which part they leave out, and go on.

The photographs are drawn animals saved as JPEG, the networks are the course's own `pets` with other
endings: what a reader is most likely to bring. The ImageNet network cannot be had, so its parts are
left out as well. Lessons run in this process, one after another, so that TensorFlow starts once.
COURSE_CASES names the cases to run, such as "softmax sigmoid", or
"all": then every lesson meets every case, also those that are not known to pass.
"""

import os
import shutil
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from keras import layers
from PIL import Image

from helpers import drawn, dreaming, networks, transfer
from helpers.core import cache
from helpers.core.paths import NETWORKS
from helpers.photos import imagenet

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
SHAPE = (drawn.SIZE, drawn.SIZE, 3)


def pets():
    return networks.load(NETWORKS / "pets.keras")


def softmax(_):
    """Return probabilities, as most tutorials end."""
    network = pets()
    return keras.Model(network.inputs, layers.Softmax()(network.outputs[0]))


def sigmoid(_):
    """Return one probability: the second class against the first."""
    network = pets()
    kernel, bias = network.get_layer("scores").get_weights()
    one = layers.Dense(1, activation="sigmoid", name="probability")
    whole = keras.Model(network.inputs, one(network.get_layer("scores").input))
    one.set_weights([kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]])
    return whole


def nested(_):
    """Return a base and a head, as in transfer learning with keras.applications."""
    network = pets()
    base = keras.Model(network.inputs, network.get_layer("scores").input, name="base")
    scores = layers.Dense(2, name="answer")
    whole = keras.Sequential([keras.Input(SHAPE), base, scores])
    scores.set_weights(network.get_layer("scores").get_weights())
    return whole


def swish(pictures):
    """Return a network without a single ReLU, for as many classes as there are."""
    config = pets().get_config()
    for layer in config["layers"]:
        if layer["config"].get("activation") == "relu":
            layer["config"]["activation"] = "swish"
    network = keras.Model.from_config(config)
    network.set_weights(pets().get_weights())
    images, labels = pictures
    return transfer.attach_head(
        network, **transfer.fit_head(transfer.head_features(network, images), labels)
    )


CASES = {  # the network, pictures of a class, classes
    "softmax": (softmax, 40, drawn.PETS),
    "sigmoid": (sigmoid, 6, drawn.PETS),
    "nested": (nested, 90, drawn.PETS),
    "swish": (swish, 90, (*drawn.PETS, "owl")),
}
RUNS = {  # which lesson meets which case
    "00_start_here": ["softmax"],
    "02_transfer_learning": ["swish"],
    "03_activations": ["sigmoid", "nested", "swish"],
    "04_saliency": ["sigmoid", "nested"],
    "05_grad_cam": ["sigmoid", "swish"],
    "06_deep_dream": ["swish"],
    "07_tsne": ["sigmoid"],
    "08_relevance": ["softmax"],
    "09_style_transfer": ["sigmoid"],
}
MANY, FEW = 30, 6
LONG = [(dreaming, "maximize"), (dreaming, "style_transfer")]
ASKED = os.environ.get("COURSE_CASES", " ".join(CASES)).split()
if ASKED == ["all"]:
    with_photos = [path.stem for path in sorted(FOLDER.glob("*.ipynb")) if path.name[:2] != "01"]
    RUNS, ASKED = {lesson: list(CASES) for lesson in with_photos}, list(CASES)
PAIRS = [(lesson, case) for lesson, cases in RUNS.items() for case in cases if case in ASKED]


@pytest.fixture(scope="module")
def animals():
    """Return pictures uint8 that no network of the course has seen, {class: (N, H, W, 3)}."""
    images, labels, _ = drawn.load_test()
    owls = np.stack([drawn.draw("owl", seed).image for seed in range(5000, 5024)])
    return {"cat": images[labels == 0], "dog": images[labels == 1], "owl": owls}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Return a cache folder that has the drawings for training, if they were made before."""
    folder = tmp_path_factory.mktemp("cache")
    for file in cache.folder().glob("drawn-train-*.npz"):
        shutil.copy(file, folder)
    return folder


@pytest.fixture
def world(request, animals, kept, tmp_path, monkeypatch):
    """Set up a photos world for a case of `CASES`."""
    make, count, kinds = CASES[request.param]
    for kind in kinds:
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for number, image in enumerate(animals[kind][:count]):
            Image.fromarray(image).save(tmp_path / "photos" / kind / f"{number}.jpg", quality=95)
    images = np.concatenate([animals[kind][:count] for kind in kinds])
    labels = np.repeat(range(len(kinds)), [len(animals[kind][:count]) for kind in kinds])
    networks.save(make((images, labels)), tmp_path / "mine.keras")
    monkeypatch.setenv("COURSE_WORLD", "photos")
    monkeypatch.setenv("COURSE_PHOTOS", str(tmp_path / "photos"))
    monkeypatch.setenv("COURSE_NETWORK", str(tmp_path / "mine.keras"))
    monkeypatch.setenv("COURSE_CACHE", str(kept))
    monkeypatch.chdir(FOLDER)


@pytest.fixture
def few_steps(monkeypatch):
    """Shorten what lessons repeat for the sake of a better picture."""

    def shortened(function):
        def short(*args, **named):
            steps = {"steps": FEW} if named.get("steps", 0) > MANY else {}
            return function(*args, **named | steps)

        return short

    for module, name in LONG:
        monkeypatch.setattr(module, name, shortened(getattr(module, name)))


def missing(*_):
    raise imagenet.Unavailable("The ImageNet network cannot be had here.")


@pytest.mark.filterwarnings("default")  # a lesson may warn
@pytest.mark.parametrize(("lesson", "world"), PAIRS, indirect=["world"])
@pytest.mark.usefixtures("few_steps")
def test_a_lesson_runs_on_the_network_and_without_imagenet(lesson, world, monkeypatch, caplog):
    monkeypatch.setattr(imagenet, "network", missing)
    notebook = nbformat.read(FOLDER / f"{lesson}.ipynb", as_version=4)
    shell = InteractiveShell.instance()
    monkeypatch.setattr(shell, "showtraceback", lambda *_, **__: None)  # `raise_error` has it
    shell.reset(new_session=True)
    try:
        for number, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                result = shell.run_cell(cell.source)
                plt.close("all")
                if error := result.error_before_exec or result.error_in_exec:
                    raise AssertionError(f"cell {number} of {lesson}:\n{cell.source}") from error
    finally:
        shell.reset(new_session=True)
        keras.backend.clear_session()
    asks = any('"imagenet"' in cell.source for cell in notebook.cells)
    assert asks == ("cannot be had here. What needs it is left out." in caplog.text)
