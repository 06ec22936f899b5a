"""Questions of lesson 07: votes of neighbours, widths on a map, and a way of hiding two classes."""

import functools

import numpy as np

from helpers import drawn, embedding
from helpers.exercises.answers import Wrong, array, called, choice, number
from helpers.exercises.exercise import Question, drawn_network

COLUMNS = 1000  # of a table that is to hide its classes, at most


def _share_of_right_votes(function):
    rng = np.random.default_rng(7)
    for count, classes, k in ((30, 2, 5), (40, 3, 4), (25, 4, 1), (24, 2, 6)):
        labels = rng.integers(0, classes, count)
        points = rng.normal(size=(count, 3)) + 0.8 * labels[:, None]
        got = number(called(function, points, labels, k))
        wanted = embedding.neighbourhood_accuracy(points, labels, k)
        if np.isclose(got, wanted, atol=1e-6):
            continue
        if np.isclose(got, _own_votes(points, labels, k), atol=1e-6):
            return "Every point votes for itself: leave it out of its own neighbours."
        if np.isclose(got, _ties_to_the_first_label(points, labels, k), atol=1e-6):
            return "Nearly: of labels with equally many votes, the one with the nearest voter wins."
        return (
            f"For {count} points, {classes} classes and k={k} the share is {wanted:.3f}, "
            f"yours is {got:.3f}."
        )
    return None


def _own_votes(points, labels, k):
    """Return the share of right votes if every point is its own nearest neighbour."""
    own = np.arange(len(points))[:, None]
    near = labels[np.hstack([own, embedding.neighbours(points, k)[:, : k - 1]])]
    votes = (near[:, :, None] == near[:, None, :]).sum(axis=2)
    return np.mean(near[range(len(near)), votes.argmax(axis=1)] == labels)


def _ties_to_the_first_label(points, labels, k):
    """Return the share of right votes if the smallest of tied labels wins."""
    near = labels[embedding.neighbours(points, k)]
    return np.mean([np.bincount(row).argmax() for row in near] == labels)


def _width_on_the_map(answer):
    width = number(answer)
    if width <= 0:
        return "A ratio of two widths is above 0."
    if abs(np.log(width / _found_width())) < np.log(2):
        return None
    return f"It is not {width:g} times as wide. Each point looks for 15 neighbours, near or far."


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


QUESTIONS = (
    Question(
        _share_of_right_votes,
        (
            "All distances at once: points[:, None] - points[None] has shape (N, N, D).",
            "Fill the diagonal of the distances with np.inf, so that no point is its own "
            "neighbour; then distances.argsort(axis=1)[:, :k].",
            "Go through the k labels, nearest first, and keep the label whose count is highest; "
            "replace it only by a label with *more* votes.",
        ),
        "def accuracy(points, labels, k):\n"
        "    distances = np.linalg.norm(points[:, None] - points[None], axis=2)\n"
        "    np.fill_diagonal(distances, np.inf)\n"
        "    right = 0\n"
        "    for row, label in zip(distances, labels):\n"
        "        near = labels[row.argsort()[:k]]\n"
        "        votes = [(near == other).sum() for other in near]\n"
        "        right += near[np.argmax(votes)] == label\n"
        "    return right / len(points)",
        "def accuracy(points, labels, k):\n"
        "    distances = np.linalg.norm(points[:, None] - points[None], axis=2)\n"
        "    near = labels[distances.argsort(axis=1)[:, :k]]\n"
        "    return np.mean(near == labels[:, None])",
    ),
    Question(
        _width_on_the_map,
        (
            "t-SNE asks who the neighbours are. Does it ask how far away they are?",
            "Each point chooses its own width of the curve, so that it has about 15 neighbours.",
        ),
        "answer = 1",
        "answer = 10",
    ),
    Question(
        _hidden_from_the_map,
        (
            "Neighbours are decided by the columns in which points differ most.",
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
            "Compare the faces of a cat and a dog of this course: what differs most?",
        ),
        'answer = "eyes"',
        'answer = "ears"',
    ),
)
