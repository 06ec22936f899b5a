"""Questions of lesson 06: a step uphill, a guess, an objective, an attack, and its method."""

import functools

import keras
import numpy as np

from helpers import dreaming, networks
from helpers.exercises.answers import array, called, choice, instance, picture
from helpers.exercises.exercise import Question, drawn_network, drawn_world

RADIUS = 2.0  # how far a cat may be changed in question 4, L2, pixels in 0-1
ENOUGH = 0.75  # of the rise that the helper reaches, in question 5


def _step_uphill(function):
    rng = np.random.default_rng(6)
    start = rng.uniform(0.4, 0.6, (8, 9, 3))
    for size in (3.0, 1e-4):
        slope = rng.normal(0, size, start.shape)
        got = array(called(function, start, slope, 0.02), start.shape, "a picture like the first,")
        change = got - start
        if (change * slope).sum() < 0:
            return "That walks downhill: the score falls."
        if np.allclose(change, 0.02 * slope):
            return "That step is as long as the slope is steep; divide by slope.std() first."
        if not np.allclose(change, 0.02 * slope / slope.std(), rtol=1e-3):
            return "Add the slope, divided by its own standard deviation, times the rate."
    return None


@functools.cache
def _chance_upside_down(name):
    """Return how sure a network is that the dog it dreamed is a dog, upside down."""
    network, mean = drawn_network(name), drawn_world().test.images.mean(0)
    start = np.clip(mean + np.random.default_rng(0).normal(0, 16, mean.shape), 0, 255)
    dog = dreaming.target_class(1)
    made = dreaming.maximize(network, dog, start, steps=100, rate=0.05, radius=40)
    return float(networks.predict(network, made[::-1])[0, 1])


def _dog_upside_down(answer):
    names = ("pets", "pets_robust")
    answer = choice(answer, names)
    chance = {name: _chance_upside_down(name) for name in names}
    if chance[answer] == max(chance.values()):
        return None
    return (
        f"Upside down, the dog of {answer} is a dog to it with {chance[answer]:.0%}; the other one "
        "stays surer. Which of the two pictures has an up and a down?"
    )


def _more_cat_less_dog(answer):
    instance(answer, dreaming.Objective, "an objective, made of those in `dreaming`")
    world = drawn_world()
    pictures = world.test.images[:6]
    cat, dog = (dreaming.value(world.network, dreaming.target_class(k), pictures) for k in (0, 1))
    got = dreaming.value(world.network, answer, pictures)
    if np.allclose(got, cat - dog, atol=1e-2):
        return None
    if np.allclose(got, dog - cat, atol=1e-2):
        return "The other way round: that likes dogs and dislikes cats."
    if np.allclose(got, cat, atol=1e-2):
        return "That wants a cat, but does not mind a dog at all."
    return f"For the first test picture it is worth {got[0]:.1f}; {cat[0] - dog[0]:.1f} is wanted."


def _cat_called_dog(answer):
    world = drawn_world()
    cat = np.float32(world.test.images[0])
    made = picture(answer, cat.shape)
    far = float(np.linalg.norm((made - cat) / 255))
    if far > RADIUS * 1.001:
        return f"That is {far:.1f} away from test picture 0; at most {RADIUS:g} is allowed."
    chance = float(networks.predict(world.network, made)[0, 1])
    if chance < 0.99:
        return f"It is near enough, but a dog with {chance:.0%} only."
    return None


def _attack(function):
    keras.utils.set_random_seed(6)
    network = networks.build(3, size=32, widths=(4, 4, 8, 8, 8))
    rng = np.random.default_rng(6)
    for target, steps, rate, radius in ((2, 12, 0.005, 0.9), (0, 3, 0.01, 30.0)):
        start = rng.uniform(40, 215, (32, 32, 3)).astype(np.float32)
        got = called(function, network, start, target, steps, rate, radius)
        got = np.float32(picture(got, start.shape))
        far = float(np.linalg.norm((got - start) / 255))
        if far > radius * 1.01:
            return f"With radius {radius:g}, your picture is {far:.1f} away from the first one."
        goal, choices = dreaming.target_class(target), dict(parameterization=dreaming.pixels)
        best = dreaming.maximize(
            network, goal, start, steps=steps, rate=rate, radius=radius, transform=None,
            rule=dreaming.Normalized(), **choices,
        )  # fmt: skip
        low, mine, high = dreaming.value(network, goal, np.stack([start, got, best]))
        if not mine > low:
            return f"The score of class {target} does not rise: {low:.2f} before, {mine:.2f} after."
        if not mine - low > ENOUGH * (high - low):
            return (
                f"In {steps} steps the score of class {target} rises by {mine - low:.2f}; the "
                f"helper reaches {high - low:.2f}. Is each step as long as rate says, and is the "
                "picture pulled back only where it is beyond the radius?"
            )
    return None


QUESTIONS = (
    Question(
        _step_uphill,
        (
            "A slope says for each pixel how much the score would rise if the pixel did.",
            "Slopes may be tiny or huge: divide by slope.std(), then multiply by the rate.",
        ),
        "def step_uphill(picture, slope, rate):\n    return picture + rate * slope / slope.std()",
        "def step_uphill(picture, slope, rate):\n    return picture - rate * slope / slope.std()",
    ),
    Question(
        _dog_upside_down,
        (
            "Which of the two pictures has a top and a bottom?",
            "A patch of texture is as good upside down; ears that hang are not.",
        ),
        'answer = "pets"',
        'answer = "pets_robust"',
    ),
    Question(
        _more_cat_less_dog,
        (
            "Objectives can be added, subtracted and scaled.",
            "dreaming.target_class(0) is the score for cat. Which is the one for dog?",
        ),
        "answer = dreaming.target_class(0) - dreaming.target_class(1)",
        "answer = dreaming.target_class(0)",
    ),
    Question(
        _cat_called_dog,
        (
            "dreaming.maximize can set out from a picture, and keeps within a radius of it.",
            "You want no robust forms here: parameterization=dreaming.pixels, transform=None.",
            "Start at truth.test.images[0], climb to dog (class 1), with radius=1.9, rate=0.01.",
        ),
        "answer = dreaming.maximize(\n"
        "    truth.network, dreaming.target_class(1), truth.test.images[0], steps=40, rate=0.01,\n"
        "    radius=1.9, parameterization=dreaming.pixels, transform=None,\n"
        ")",
        "answer = truth.test.images[1]",
    ),
    Question(
        _attack,
        (
            "It is the loop from the beginning of the lesson, with one more line at its end.",
            "Keep the start. After each step: how long is the change, all pixels taken together?",
            "Where the change is longer than radius, multiply it by radius / length.",
        ),
        "import tensorflow as tf\n\n\n"
        "def attack(network, picture, target, steps, rate, radius):\n"
        "    start = numbers = tf.constant(picture[None] / 255, tf.float32)\n"
        "    for _ in range(steps):\n"
        "        with tf.GradientTape() as tape:\n"
        "            tape.watch(numbers)\n"
        "            score = network(numbers * 255, training=False)[0, target]\n"
        "        slope = tape.gradient(score, numbers)\n"
        "        numbers += rate * slope / tf.math.reduce_std(slope)\n"
        "        change = tf.clip_by_value(numbers, 0, 1) - start\n"
        "        numbers = start + change * tf.minimum(1.0, radius / tf.norm(change))\n"
        "    return numbers[0].numpy() * 255",
        "def attack(network, picture, target, steps, rate, radius):\n    return picture",
    ),
)
