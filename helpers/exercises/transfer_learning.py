"""Questions of lesson 02: transfer learning, and mistakes in it that raise no error."""

import functools

import numpy as np

from helpers import transfer
from helpers.exercises.answers import array, called, choice, number, whole
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


def _new_head(function):
    rng = np.random.default_rng(5)
    for classes in (2, 3):
        centres = rng.normal(size=(classes, 8))
        unit, shift = 10.0 ** rng.uniform(-1, 2, 8), rng.normal(size=8)

        def draw(labels, centres=centres, unit=unit, shift=shift):
            return (centres[labels] + rng.normal(size=(len(labels), 8)) + shift) * unit

        labels = np.arange(200) % classes
        mostly = np.where(rng.uniform(size=300) < 0.8, 0, classes - 1)  # of one class
        features, new = draw(labels), draw(mostly)
        head = transfer.fit_head(features, labels)
        right = (new @ head["kernel"] + head["bias"]).argmax(axis=1)
        got = array(called(function, features, labels, new), (300,), "one class for each new row,")
        agree = (got == right).mean()
        if agree < 0.95:
            return (
                f"With {classes} classes, the helper and you agree on {agree:.0%} of 300 new rows. "
                "Are they standardized by mean and deviation of `features`, not by their own?"
            )
    return None


QUESTIONS = (
    Question(
        _new_head,
        (
            "Standardize both tables by features.mean(axis=0) and features.std(axis=0).",
            "np.eye(K)[labels] are the one-hot labels; exp(scores) over their sum is the softmax.",
            "Gradients: x.T @ g + 0.05 * weights, and g.sum(axis=0), with g as the text gives it.",
        ),
        "def predict_with_new_head(features, labels, new_features):\n"
        "    mean, deviation = features.mean(axis=0), features.std(axis=0)\n"
        "    x, new = (features - mean) / deviation, (new_features - mean) / deviation\n"
        "    wanted = np.eye(labels.max() + 1)[labels]\n"
        "    weights = np.zeros((x.shape[1], wanted.shape[1]))\n"
        "    offsets = np.zeros(wanted.shape[1])\n"
        "    for _ in range(500):\n"
        "        scores = x @ weights + offsets\n"
        "        chance = np.exp(scores - scores.max(axis=1, keepdims=True))\n"
        "        g = (chance / chance.sum(axis=1, keepdims=True) - wanted) / len(x)\n"
        "        weights = weights - 0.2 * (x.T @ g + 0.05 * weights)\n"
        "        offsets = offsets - 0.2 * g.sum(axis=0)\n"
        "    return (new @ weights + offsets).argmax(axis=1)",
        "def predict_with_new_head(features, labels, new_features):\n"
        "    centres = [features[labels == k].mean(axis=0) for k in range(labels.max() + 1)]\n"
        "    far = [((new_features - centre) ** 2).sum(axis=1) for centre in centres]\n"
        "    return np.argmin(far, axis=0)",
    ),
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
)
