"""Questions of lesson 02: transfer learning, and mistakes in it that raise no error."""

import functools

import numpy as np

from helpers import networks, transfer
from helpers.exercises.answers import array, called, choice, number, row, whole
from helpers.exercises.exercise import Question, drawn_network, drawn_world

COUNT = 50  # examples of each class


def _dense_layer_of_larger_pictures(answer):
    value, cells = whole(answer), (448 // 2**5) ** 2
    right = cells * 512 * 512 + 512
    if value == right:
        return None
    if value == right - 512:
        return "Nearly: each of its 512 neurons has a bias, too."
    if value == 7 * 7 * 512 * 512 + 512:
        return "That is fc1 at 224 pixels. At 448 pixels, how large is the grid that is flattened?"
    if value == 2 * 7 * 7 * 512 * 512 + 512:
        return "Twice as wide is also twice as high: the grid has more than twice the cells."
    return f"Not {value:.12g}. It is (cells of the grid x channels + 1 bias) x 512 neurons."


@functools.cache
def _examples(scale=1.0):
    """Return rows of training examples, features of these, of 100 test pictures, and a head."""
    world = drawn_world()
    base, rows = drawn_network("animals"), transfer.choose(world.train.labels, COUNT)
    pool = transfer.halves(base, "pool")[0]  # asked as it is: no helper that warns
    seen = transfer.outputs(pool, world.train.images[rows] * np.float32(scale))
    asked = transfer.outputs(pool, world.test.images[:100] * np.float32(scale))
    return seen, asked, transfer.fit_head(seen, world.train.labels[rows])


def _accuracy_of_equal_wrongs(answer):
    answer = choice(answer, ("A", "B", "C"))
    labels = drawn_world().test.labels[:100]
    usual, wrong = (
        float(((asked @ head["kernel"] + head["bias"]).argmax(1) == labels).mean())
        for _, asked, head in (_examples(), _examples(1 / 255))
    )
    right = "A" if usual - wrong < 0.02 else "B" if wrong > 0.6 else "C"
    if answer == right:
        return None
    return (
        f"We tried, on some of the pictures: right on {usual:.0%} with the right preprocessing, "
        f"on {wrong:.0%} with the same mistake twice."
    )


@functools.cache
def _accuracy_after(rate):
    """Return the accuracy with the last block fine-tuned at a rate, or frozen where it is None."""
    world = drawn_world()
    rows, labels = transfer.choose(world.train.labels, COUNT), world.train.labels
    base = drawn_network("animals")
    network = transfer.headed(base, _examples()[0], labels[rows], upto=4)
    lower, upper = transfer.halves(network, "block4_pool")
    if rate is not None:
        maps = transfer.outputs(lower, world.train.images[rows])
        transfer.fine_tune(upper, maps, labels[rows], rate=rate, steps=70)  # as in the lesson
    return transfer.accuracy(network, world.test.images, world.test.labels)


def _rate_that_spoils(answer):
    rate = number(answer)
    if not 0 < rate <= 1:
        return f"A learning rate is above 0, and here at most 1, not {rate:g}."
    tuned, frozen = _accuracy_after(rate), _accuracy_after(None)
    if tuned < frozen:
        return None
    return (
        f"At a rate of {rate:g} it ends right on {tuned:.0%}, and it began at {frozen:.0%}: "
        "that is no harm done. Take larger steps."
    )


def _standardized(function):
    rng = np.random.default_rng(2)
    for shift in (0.0, 5.0):
        train = rng.normal(3, 2, (40, 6))
        test = rng.normal(3 + shift, 2, (12, 6))
        right = (test - train.mean(axis=0)) / train.std(axis=0)
        got = array(called(function, train, test), test.shape, "a table like the test features,")
        own = (test - test.mean(axis=0)) / test.std(axis=0)
        both = np.concatenate([train, test])
        if np.allclose(got, own) or np.allclose(got, (test - both.mean(0)) / both.std(0)):
            return "Your result for one test picture depends on the other test pictures: a leak."
        if not np.allclose(got, right, atol=1e-6):
            return "Take off the mean of the training examples, then divide by their deviation."
    return None


def _sure_and_wrong(answer):
    world = drawn_world()
    asked = row(answer, world.test.images)
    chance = networks.predict(drawn_network(), world.test.images[asked])[0]
    if chance.argmax() == world.test.labels[asked]:
        return f"pets gets picture {asked} right."
    if chance.max() <= 0.9:
        return (
            f"pets is wrong about picture {asked}, but only {chance.max():.0%} sure. Find another."
        )
    return None


QUESTIONS = (
    Question(
        _dense_layer_of_larger_pictures,
        (
            "Five poolings each halve the grid. How many cells has it at 448 pixels?",
            "fc1 gets (448 / 32) x (448 / 32) x 512 values, and has 512 neurons with a bias each.",
        ),
        "answer = (448 // 32) ** 2 * 512 * 512 + 512",
        "answer = (224 // 32) ** 2 * 512 * 512 + 512",
    ),
    Question(
        _rate_that_spoils,
        (
            "The helper takes 0.0003 unless told otherwise. Which way leads to harm?",
            "Try a rate a hundred times as large.",
        ),
        "answer = 0.03",
        "answer = 0.0003",
    ),
    Question(
        _accuracy_of_equal_wrongs,
        (
            "The head is fitted on features of the pictures that it will be tested on: also dark.",
            "Do almost black pictures still differ from one another, for the base?",
        ),
        'answer = "B"',
        'answer = "C"',
    ),
    Question(
        _standardized,
        (
            "What may you know when the first test picture arrives? Only the training examples.",
            "Mean and deviation of each column of train, both applied to test.",
        ),
        "def standardized(train_features, test_features):\n"
        "    mean, deviation = train_features.mean(axis=0), train_features.std(axis=0)\n"
        "    return (test_features - mean) / deviation",
        "def standardized(train_features, test_features):\n"
        "    mean, deviation = test_features.mean(axis=0), test_features.std(axis=0)\n"
        "    return (test_features - mean) / deviation",
    ),
    Question(
        _sure_and_wrong,
        (
            "networks.predict gives a row of probabilities for each picture; argmax is the answer.",
            "You want the rows where argmax differs from the labels and max is above 0.9.",
        ),
        'chance = networks.predict(truth.load_network("pets"), truth.test.images)\n'
        "wrong = chance.argmax(axis=1) != truth.test.labels\n"
        "answer = np.flatnonzero(wrong & (chance.max(axis=1) > 0.9))[0]",
        'chance = networks.predict(truth.load_network("pets"), truth.test.images)\n'
        "answer = np.flatnonzero(chance.max(axis=1) > 0.9)[0]",
    ),
)
