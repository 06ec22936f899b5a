"""Questions of lesson 07: t-SNE, from the size of a cluster to a way of hiding two classes."""

import functools

import numpy as np

from helpers import drawn, embedding
from helpers.exercises.answers import Wrong, array, choice, number, row
from helpers.exercises.exercise import Question, drawn_network, drawn_world
from helpers.networks import predict

COLUMNS = 1000  # of a table that is to hide its classes, at most


def _width_on_the_map(answer):
    width = number(answer)
    if width <= 0:
        return "A ratio of two widths is above 0."
    if abs(np.log(width / _found_width())) < np.log(2):
        return None
    return f"It is not {width:g} times as wide. Each point asks for 15 neighbours, near or far."


@functools.cache
def _found_width():
    """Return how many times as wide as the tight cloud the wide one is on the map."""
    random = np.random.default_rng(0)
    tight = random.normal(size=(50, 10))
    wide = 10 * random.normal(size=(50, 10)) + 100 * np.eye(1, 10)
    points = embedding.tsne(np.concatenate([tight, wide]), perplexity=15)
    return points[50:].std() / points[:50].std()


def _hidden_from_the_map(answer):
    points, labels = array(answer, (100, None), "a table"), np.arange(100) % 2
    if not 2 <= points.shape[1] <= COLUMNS:
        raise Wrong(f"Give 2 to {COLUMNS} columns, not {points.shape[1]}.")
    if np.abs(points).max() > 1e9:
        raise Wrong("Keep the numbers within a billion: the map is computed in 32 bits.")
    low, high = (points[labels == k] for k in (0, 1))
    apart = (low.max(axis=0) < high.min(axis=0)) | (high.max(axis=0) < low.min(axis=0))
    if not apart.any():
        return "No single column tells the classes apart by a threshold; one of them must."
    found = embedding.neighbourhood_accuracy(embedding.tsne(points), labels)
    if found <= 0.7:
        return None
    return f"The map still shows them: its neighbourhood accuracy is {found:.0%}, 70% at most."


@functools.cache
def _moves():
    """Return how far points move, on average, when each part is taken away."""
    whole = _features_without(())
    changes = {part: _features_without((part,)) - whole for part in drawn.FACE}
    return {part: np.linalg.norm(change, axis=1).mean() for part, change in changes.items()}


def _part_that_moves_most(answer):
    answer = choice(answer, drawn.FACE)
    ways = _moves()
    if ways[answer] == max(ways.values()):
        return None
    others = sum(way > ways[answer] for way in ways.values())
    return f"Without {answer} the points do move, but {others} of the others move them farther."


def _features_without(parts):
    seeds = [(kind, drawn.TEST_SEED + i) for i in range(8) for kind in drawn.PETS]
    images = [drawn.draw(kind, seed, parts).image for kind, seed in seeds]
    return embedding.features(drawn_network(), np.array(images))


@functools.cache
def _nearest():
    """Return the five pictures nearest to each test picture, by features."""
    features = embedding.features(drawn_network(), drawn_world().test.images)
    return embedding.neighbours(features)


def _right_in_wrong_company(answer):
    world = drawn_world()
    images, labels = world.test.images, world.test.labels
    asked = row(answer, images)
    if int(predict(world.network, images[asked])[0].argmax()) != labels[asked]:
        return f"The network gets picture {asked} wrong; find one that it gets right."
    near = _nearest()[asked]
    others = int((labels[near] != labels[asked]).sum())
    if others < 3:
        return f"Of the 5 nearest to picture {asked}, only {others} are of the other class."
    return None


QUESTIONS = (
    Question(
        _width_on_the_map,
        (
            "t-SNE asks who the neighbours are. Does it ask how far away they are?",
            "Each point chooses its own yardstick, so that it has about 15 neighbours.",
        ),
        "answer = 1",
        "answer = 10",
    ),
    Question(
        _hidden_from_the_map,
        (
            "A map of neighbours follows the columns in which points differ most.",
            "Let one column tell the classes apart, and many others be noise, much wider.",
        ),
        "random, labels = np.random.default_rng(0), np.arange(100) % 2\n"
        "answer = np.column_stack([labels, 10 * random.normal(size=(100, 20))])",
        "random, labels = np.random.default_rng(0), np.arange(100) % 2\n"
        "answer = np.column_stack([100 * labels, random.normal(size=(100, 20))])",
    ),
    Question(
        _part_that_moves_most,
        (
            "It need not be what you would look at: the network has no idea of anatomy.",
            "Cats and dogs of this course look at you in different ways.",
        ),
        'answer = "eyes"',
        'answer = "ears"',
    ),
    Question(
        _right_in_wrong_company,
        (
            "Compute the features of all test pictures, and what the network says of each.",
            "embedding.neighbours(points) gives the 5 nearest of each: which labels do they have?",
            "At least 3 of the 5 labels must differ, where networks.predict is right.",
        ),
        "images, labels = truth.test.images, truth.test.labels\n"
        "near = embedding.neighbours(embedding.features(truth.network, images))\n"
        "others = (labels[near] != labels[:, None]).sum(axis=1)\n"
        "right = networks.predict(truth.network, images).argmax(axis=1) == labels\n"
        "answer = np.flatnonzero(right & (others >= 3))[0]",
        "images, labels = truth.test.images, truth.test.labels\n"
        "near = embedding.neighbours(embedding.features(truth.network, images))\n"
        "answer = np.flatnonzero((labels[near] == labels[:, None]).all(axis=1))[0]",
    ),
)
