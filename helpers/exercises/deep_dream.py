"""Questions of lesson 06: one step uphill, a guess, an objective, a cat that is called a dog."""

import functools

import numpy as np

from helpers import dreaming
from helpers.exercises.answers import array, called, choice, picture
from helpers.exercises.exercise import Question, drawn_network, drawn_world
from helpers.networks import predict

RADIUS = 2.0  # how far a cat may be changed in the last question, L2, pixels in 0-1


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
    return float(predict(network, made[::-1])[0, 1])


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
    if not isinstance(answer, dreaming.Objective):
        return "Give an objective, made of those in `dreaming`, not " + type(answer).__name__ + "."
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
    chance = float(predict(world.network, made)[0, 1])
    if chance < 0.99:
        return f"It is near enough, but a dog with {chance:.0%} only."
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
            "dreaming.target_class(0) is the score for cat. What is it for dog?",
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
)
