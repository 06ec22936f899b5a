"""Questions of lesson 05: Grad-CAM, from one cell of a map to a way of breaking it."""

import functools

import numpy as np

from helpers import cam, drawn, metrics
from helpers.exercises.answers import array, called, choice, number, row
from helpers.exercises.exercise import Question, drawn_network, drawn_world
from helpers.networks import predict


def _pixels_of_a_cell(answer):
    value = number(answer)
    if value == 16:
        return None
    if value == 8:
        return "There are 8 cells in a row; how many of the 128 pixels does each one cover?"
    if value == 256:
        return "That is the number of pixels in the square; we ask for its side."
    return f"Divide the picture's width by the number of cells in a row: not {value:g}."


def _heat(function):
    rng = np.random.default_rng(4)
    for sign in (1, -1):
        activation = np.abs(rng.normal(size=(6, 5, 4))).astype(np.float32)
        gradient = sign * np.abs(rng.normal(size=(6, 5, 4))).astype(np.float32)
        gradient[..., 0] *= -1
        summed = activation @ gradient.mean((0, 1))
        got = array(called(function, activation, gradient), (6, 5), "one number for each place,")
        if np.allclose(got, summed, atol=1e-4) and summed.min() < 0:
            return "Some of your heat is negative; Grad-CAM keeps only what speaks for the class."
        if not np.allclose(got, np.maximum(summed, 0), atol=1e-4):
            return "Weigh the channels, add them up, and only then cut off what is below zero."
    return None


@functools.cache
def _right_without_faces(name):
    """Return on which share of 40 animals without a face a network is right."""
    weather, kinds = ("sunny", "cloudy"), np.arange(40) % 2
    bare = [drawn.draw(drawn.PETS[k], drawn.TEST_SEED + i // 2, drawn.FACE, weather[k]).image
            for i, k in enumerate(kinds)]  # fmt: skip
    return (predict(drawn_network(name), np.array(bare)).argmax(1) == kinds).mean()


def _surer_without_faces(answer):
    names = ("pets", "pets_cloudy")
    answer = choice(answer, names)
    right = {name: _right_without_faces(name) for name in names}
    if right[answer] == max(right.values()):
        return None
    return f"Without faces {answer} is right on {right[answer]:.0%} only. What else do they show?"


def _right_but_elsewhere(answer):
    world = drawn_world()
    asked = row(answer, world.test.images)
    image, parts = world.test.images[asked], world.test.parts[asked]
    if int(predict(world.network, image)[0].argmax()) != world.test.labels[asked]:
        return f"The network gets picture {asked} wrong; find one that it gets right."
    heat = cam.grad_cam(world.network, image, target=int(world.test.labels[asked]))
    if not heat.any():
        return f"The map of picture {asked} is empty, so that it points nowhere."
    if metrics.pointing_game(heat, parts > 0):
        return f"On picture {asked} the hottest pixel lies on the animal."
    return None


QUESTIONS = (
    Question(
        _pixels_of_a_cell,
        ("The picture is 128 pixels wide, the map is 8 cells wide.", "Each pool halves the size."),
        "answer = 128 / 8",
        "answer = 8",
    ),
    Question(
        _heat,
        (
            "Each channel of the activation counts as much as its weight; then add them up.",
            "activation @ weights does both. What must not be left in a map of evidence for?",
        ),
        "def heat_of(activation, gradient):\n"
        "    return np.maximum(activation @ gradient.mean(axis=(0, 1)), 0)",
        "def heat_of(activation, gradient):\n    return activation @ gradient.mean(axis=(0, 1))",
    ),
    Question(
        _right_but_elsewhere,
        (
            "Compute the maps of all test pictures, for their true classes.",
            "metrics.pointing_game(maps, parts > 0) is False where the hottest pixel is off.",
            "It must be False where networks.predict is right and the map is not empty.",
        ),
        "labels, images = truth.test.labels, truth.test.images\n"
        "right = networks.predict(truth.network, images).argmax(axis=1) == labels\n"
        "maps = cam.grad_cam(truth.network, images, target=labels)\n"
        "off = ~metrics.pointing_game(maps, truth.test.parts > 0) & maps.any(axis=(1, 2))\n"
        "answer = np.flatnonzero(right & off)[0]",
        "maps = cam.grad_cam(truth.network, truth.test.images, target=truth.test.labels)\n"
        "answer = np.flatnonzero(metrics.pointing_game(maps, truth.test.parts > 0))[0]",
    ),
    Question(
        _surer_without_faces,
        (
            "One of them has learned from dogs under clouds and cats in the sun.",
            "Which network can do without a face, because something else gives the animal away?",
        ),
        'answer = "pets_cloudy"',
        'answer = "pets"',
    ),
)
