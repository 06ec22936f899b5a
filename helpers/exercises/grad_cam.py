"""Questions of lesson 05: Grad-CAM, from one cell of a map to the whole method."""

import functools

import keras
import numpy as np

from helpers import cam, drawn, metrics
from helpers.exercises.answers import array, called, choice, number, row
from helpers.exercises.exercise import Question, drawn_network, drawn_world
from helpers.networks import predict

PER_PIXEL = "one number for each pixel,"


def _pixels_of_a_cell(answer):
    value = number(answer)
    if value == 16:
        return None
    if value == 8:
        return "There are 8 cells in a row; how many of the 128 pixels does each one cover?"
    if value == 256:
        return "That is the number of pixels in the square; we ask for its side."
    return f"Divide the picture's width by the number of cells in a row: not {value:g}."


def _two_questions_disagree(answer):
    world = drawn_world()
    asked = row(answer, world.test.images)
    image, parts = world.test.images[asked], world.test.parts[asked]
    label = int(world.test.labels[asked])
    if int(predict(world.network, image)[0].argmax()) != label:
        return f"The network gets picture {asked} wrong; find one that it gets right."
    score = cam.grad_cam(world.network, image, label)
    margin = cam.grad_cam(world.network, image, label, against="rest")
    if not score.any():
        return f"The score's map of picture {asked} is empty, so that it points nowhere."
    if metrics.pointing_game(score, parts > 0) > 0:
        return f"On picture {asked} the hottest pixel of the score's map lies on the animal."
    head = [drawn.PART_NAMES.index(name) for name in ("head", *metrics.FEATURES)]
    if metrics.pointing_game(margin, parts, head) < 1:
        return f"On picture {asked} the hottest pixel of the margin's map is not on the head."
    return None


@functools.cache
def _right_with_exchanged(half):
    """Return on which share of 20 animals `pets_cloudy` is right with half of the background new.

    The other half and the animal stay as they are in the weather that the network knows.
    """
    skies = ("sunny", "cloudy")
    usual, kinds, parts = drawn.dataset(drawn.PETS, 10, drawn.TEST_SEED, skies)
    swapped, _, _ = drawn.dataset(drawn.PETS, 10, drawn.TEST_SEED, skies[::-1])
    above = np.arange(parts.shape[1])[:, None] < parts.shape[1] // 2
    new = (parts == 0) & (above if half == "upper" else ~above)
    mixed = np.where(new[..., None], swapped, usual)
    return (predict(drawn_network("pets_cloudy"), mixed).argmax(1) == kinds).mean()


def _fooled_by(answer):
    halves = ("upper", "lower")
    answer = choice(answer, halves)
    right = {half: _right_with_exchanged(half) for half in halves}
    if right[answer] == min(right.values()):
        return None
    return (
        f"With another {answer} background pets_cloudy is still right on {right[answer]:.0%}. "
        "Where does its map glow?"
    )


@functools.cache
def _unseen_network():
    """Return a small network with a hidden dense layer: there Grad-CAM is not CAM."""
    layers, seeds = keras.layers, iter(range(4))

    def look():
        return dict(kernel_initializer=keras.initializers.HeNormal(next(seeds)), activation="relu")

    x = keras.Input((24, 20, 3))
    y = layers.Conv2D(6, 3, strides=2, name="early", **look())(layers.Rescaling(1 / 128, -1)(x))
    y = layers.Conv2D(8, 3, strides=2, name="late", **look())(y)
    y = layers.Dense(12, **look())(layers.Flatten()(y))
    return keras.Model(x, layers.Dense(3, **look() | dict(activation=None))(y))


def _whole_method(function):
    network, rng = _unseen_network(), np.random.default_rng(5)
    for target, layer in ((0, "late"), (1, "late"), (2, "early")):
        picture = rng.integers(0, 256, (24, 20, 3), np.uint8)
        wanted = cam.grad_cam(network, picture, target, layer)
        got = array(called(function, network, picture, target, layer), (None, None), PER_PIXEL)
        if got.shape == network.get_layer(layer).output.shape[1:3]:
            return (
                f"This is the coarse grid {got.shape}: enlarge it to the picture, {wanted.shape}."
            )
        got = array(got, wanted.shape, PER_PIXEL)
        close = functools.partial(np.allclose, atol=1e-3 * wanted.max(), rtol=1e-3)
        if close(got, wanted):
            continue
        if got.min() < 0:
            return "Some of your heat is negative; Grad-CAM keeps only what speaks for the class."
        if got.max() > 0 and close(got * wanted.max() / got.max(), wanted):
            return "The heat is right but for its scale: return it as it is, without rescaling it."
        return (
            f"Class {target} in layer {layer!r} gives something else. Weight the channels by their "
            "average gradient, add them up, cut off what is below zero, and only then enlarge."
        )
    return None


QUESTIONS = (
    Question(
        _pixels_of_a_cell,
        ("The picture is 128 pixels wide, the map is 8 cells wide.", "Each pool halves the size."),
        "answer = 128 / 8",
        "answer = 8",
    ),
    Question(
        _two_questions_disagree,
        (
            "Compute the maps of all test pictures for their true classes, once with "
            'against="rest" and once without.',
            "metrics.pointing_game(maps, mask) is 1 where the hottest pixel lies on the mask.",
            "It must be 0 for the score's maps and parts > 0, and 1 for the margin's maps and "
            "the head. Only then does it count whether networks.predict is right.",
        ),
        "judge, test = truth.load_network('pets'), truth.test\n"
        "right = networks.predict(judge, test.images).argmax(axis=1) == test.labels\n"
        "by_score = cam.grad_cam(judge, test.images, test.labels)\n"
        "by_margin = cam.grad_cam(judge, test.images, test.labels, against='rest')\n"
        "off = (metrics.pointing_game(by_score, test.parts > 0) == 0) & by_score.any(axis=(1, 2))\n"
        "face = (test.parts >= truth.part_names.index('head')) & (\n"
        "    test.parts <= truth.part_names.index('tongue')\n"
        ")\n"
        "on = metrics.pointing_game(by_margin, face) == 1\n"
        "answer = np.flatnonzero(right & off & on)[0]",
        "answer = 0",
    ),
    Question(
        _fooled_by,
        (
            "Dogs under clouds, cats in the sun: what differs between these pictures?",
            "Most of the heat of pets_cloudy lies in the sky.",
        ),
        'answer = "upper"',
        'answer = "lower"',
    ),
    Question(
        _whole_method,
        (
            "A keras.Model with two outputs gives the layer's output and the scores in one pass.",
            "tape.gradient(score, activation) is the gradient; average it over height and width.",
            "np.maximum(activation @ weights, 0) is the coarse grid; plotting.resize_maps "
            "enlarges it to picture.shape[:2].",
        ),
        "import tensorflow as tf\n"
        "\n"
        "\n"
        "def my_grad_cam(network, picture, target, layer):\n"
        "    outputs = [network.get_layer(layer).output, network.outputs[0]]\n"
        "    both = tf.keras.Model(network.inputs, outputs)\n"
        "    batch = tf.constant(picture[None], tf.float32)\n"
        "    with tf.GradientTape() as tape:\n"
        "        tape.watch(batch)\n"
        "        activation, output = both(batch)\n"
        "        score = output[0, target]\n"
        "    weights = tape.gradient(score, activation)[0].numpy().mean(axis=(0, 1))\n"
        "    heat = np.maximum(activation[0].numpy() @ weights, 0)\n"
        "    return plotting.resize_maps(heat, *picture.shape[:2])",
        "def my_grad_cam(network, picture, target, layer):\n"
        "    maps, slope = gradients.activation_gradient(network, picture, target, layer)\n"
        "    evidence = maps @ slope.mean(axis=(0, 1))\n"
        "    return plotting.resize_maps(np.abs(evidence), *picture.shape[:2])",
    ),
)
