"""Questions of lesson 00: find your way in a world, whichever is open."""

import functools
import sys

import numpy as np

from helpers.exercises.answers import Wrong, called, number, row, whole
from helpers.exercises.exercise import Question
from helpers.networks import predict
from helpers.worlds import World, load_world


def _world():
    """Return the world that the notebook has opened as `world`, else the one by default."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    opened = shell.user_ns.get("world") if shell else None
    return opened if isinstance(opened, World) else _default_world()


@functools.cache
def _default_world():
    return load_world()


def _label_of_the_last(answer):
    names = _world().class_names
    if isinstance(answer, str):
        return "That is a name; the label is a number."
    answer = whole(answer)
    if answer == len(names) - 1:
        return None
    if answer == len(names):
        return "That is how many there are. Labels count from 0."
    return f"Labels count from 0 along class_names, and {names[-1]} does not stand at {answer:,}."


def _share_of_animal(function):
    rng = np.random.default_rng(5)
    for parts in (np.zeros((4, 6), np.uint8), rng.integers(0, 9, (16, 12)), np.full((3, 3), 2)):
        value, right = number(called(function, parts)), float((parts > 0).mean())
        if abs(value - 100 * right) < 1e-3 and right > 0.01:
            return "That is a percentage; give the share as a number from 0 to 1."
        if abs(value - (1 - right)) < 1e-6 and abs(right - 0.5) > 1e-3:
            return "That is the share of the background; we want the rest."
        if abs(value - right) > 1e-4:
            return f"For one map of parts the share is {right:.2f}, your function says {value:.2f}."
    return None


def _mistake(answer):
    world = _world()
    asked = row(answer, world.test.images)
    said = int(predict(world.network, world.test.images[asked])[0].argmax())
    if said != world.test.labels[asked]:
        return None
    if (predict(world.network, world.test.images).argmax(axis=1) == world.test.labels).all():
        raise Wrong("This network gets every test picture right: there is none to find. Go on.")
    return f"The network gets picture {asked} right; look for one where it does not."


QUESTIONS = (
    Question(
        _share_of_animal,
        (
            "The background has part id 0. Everything else belongs to the animal.",
            "parts > 0 gives True for each pixel of the animal; what is the mean of that?",
        ),
        "def share_of_animal(parts):\n    return (parts > 0).mean()",
        "def share_of_animal(parts):\n    return (parts == 0).mean()",
    ),
    Question(
        _label_of_the_last,
        ("Look at what world.class_names prints.", "The first name has label 0, the next one 1."),
        "answer = len(world.class_names) - 1",
        "answer = len(world.class_names)",
    ),
    Question(
        _mistake,
        (
            "Compare what networks.predict says for all test pictures with world.test.labels.",
            "predict(...).argmax(axis=1) is the class; np.flatnonzero lists where something holds.",
        ),
        "said = networks.predict(world.network, world.test.images).argmax(axis=1)\n"
        "answer = np.flatnonzero(said != world.test.labels)[0]",
        "said = networks.predict(world.network, world.test.images).argmax(axis=1)\n"
        "answer = np.flatnonzero(said == world.test.labels)[0]",
    ),
)
