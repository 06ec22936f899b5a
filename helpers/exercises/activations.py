"""Questions of lesson 03: from one neuron by hand to the crops that excite a channel most."""

import functools

import numpy as np

from helpers import activations, drawn
from helpers.exercises.answers import Wrong, array, called, choice, number, quoted, whole
from helpers.exercises.exercise import Question, drawn_network, drawn_world

LAYER = "block4_conv3"
COUNT, BARE = 100, 12  # test animals in the lesson, and those that are drawn again without a part


@functools.cache
def _detectors():
    """Return for each part of the face the channel that matches it best: `{part: channel}`."""
    split, names = drawn_world().test, drawn_world().part_names
    pictures, parts = split.images[:COUNT], split.parts[:COUNT]
    robust = drawn_network("pets_robust")
    iou = activations.dissect(robust, pictures, parts, names, LAYER, 0.98, batch_size=10)
    return {part: int(iou[part].argmax()) for part in drawn.FACE}


@functools.cache
def _whole():
    """Return how strongly each channel responds to the first test animals: (COUNT, channels)."""
    return _strengths(drawn_world().test.images[:COUNT])


def _strengths(images):
    return activations.strengths(drawn_network("pets_robust"), images, LAYER, batch_size=10)


def _neuron(function):
    rng = np.random.default_rng(3)
    for sign in (1, -1):
        patch, weights = rng.normal(size=(2, 3, 3, 3))
        product, bias = (patch * weights).sum(), 0.7 * sign
        weights *= sign * np.sign(product)
        total = (patch * weights).sum() + bias
        got = number(called(function, patch, weights, bias))
        if np.isclose(got, max(total, 0), atol=1e-4):
            continue
        if np.isclose(got, total, atol=1e-4):
            return "Below zero a neuron with a ReLU is silent; yours gives a negative number."
        if np.isclose(got, max(total - bias, 0), atol=1e-4):
            return "You have left out the bias: add it before the ReLU."
        return f"For one patch the neuron's activation is {max(total, 0):.2f}, yours is {got:.2f}."
    return None


@functools.cache
def _kept_without():
    """Return for each part which share of its answer the part's detector keeps without it."""
    animals, kept = [(drawn.PETS[i % 2], drawn.TEST_SEED + i // 2) for i in range(BARE)], {}
    whole = _strengths(drawn_world().test.images[:BARE])
    for part, channel in _detectors().items():
        bare = [drawn.draw(*animal, without=(part,)).image for animal in animals]
        left = _strengths(np.array(bare))[:, channel]
        kept[part] = left.mean() / whole[:, channel].mean()
    return kept


def _does_not_miss_its_part(answer):
    answer = choice(answer, drawn.FACE)
    kept = _kept_without()
    if kept[answer] == max(kept.values()):
        return None
    return (
        f"Without {answer} its detector keeps {kept[answer]:.0%} of its answer; one keeps more. "
        "Which match was the poorest to begin with?"
    )


def _lit_without_a_muzzle(answer):
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise Wrong(f'Answer with a kind and a seed, like ("cat", 3), not with {quoted(answer)}.')
    kind, seed = choice(answer[0], drawn.PETS), whole(answer[1])
    if not 0 <= seed < 2**32:
        raise Wrong("A seed is a whole number from 0 to 4294967295.")
    bare = drawn.draw(kind, seed, without=("muzzle",)).image
    channel = _detectors()["muzzle"]
    got = float(_strengths(bare)[0, channel])
    usual = float(np.median(_whole()[:, channel]))
    if got > usual:
        return None
    return (
        f"Without its muzzle, {kind} {seed} brings the channel to {got:.1f}; half of the whole "
        f"animals stay below {usual:.1f}. Look for one that brings it higher."
    )


def _crops(function):
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (6, 24, 36, 3), np.uint8)
    for shape, k, side in (((4, 6), 3, 10), ((8, 12), 6, 7), ((3, 3), 1, 24)):
        maps = rng.permutation(6 * shape[0] * shape[1]).reshape(6, *shape).astype(np.float32)
        got = array(called(function, images, maps, k, side), (k, side, side, 3), "patches")
        wanted = activations.crops(images, maps, k, side)
        right = np.isclose(got, wanted, atol=0.5).all(axis=(1, 2, 3))
        if right.all():
            continue
        if all(any(np.allclose(one, other) for other in wanted) for one in got):
            return "These are the right patches in another order: the strongest comes first."
        patch = int(np.flatnonzero(~right)[0])
        return (
            f"Maps of {shape[0]} x {shape[1]} cells, k={k}, side={side}: patch {patch} is not "
            "centred at its image's peak, or not moved inwards as it should be."
        )
    return None


QUESTIONS = (
    Question(
        _neuron,
        (
            "Multiply number by number, add up, and do not forget what is added at the end.",
            "(patch * weights).sum() + bias, and then the ReLU: nothing below zero gets through.",
        ),
        "def neuron(patch, weights, bias):\n    return max((patch * weights).sum() + bias, 0)",
        "def neuron(patch, weights, bias):\n    return (patch * weights).sum() + bias",
    ),
    Question(
        _does_not_miss_its_part,
        (
            "A detector that matches its part poorly may respond to what lies beside it.",
            "For which part is the best match poorest, and thinnest? What lies around it?",
        ),
        'answer = "whiskers"',
        'answer = "eyes"',
    ),
    Question(
        _lit_without_a_muzzle,
        (
            "Draw many animals without the muzzle; activations.strengths gives the responses.",
            "drawn.draw(kind, seed, without=('muzzle',)).image, for seeds 0 to 99, say; take the "
            "one with the strongest response of that channel.",
        ),
        'layer, judge = "block4_conv3", truth.load_network("pets_robust")\n'
        "images, parts = truth.test.images[:100], truth.test.parts[:100]\n"
        "iou = activations.dissect(judge, images, parts, truth.part_names, layer, 0.98)\n"
        'tries = [(kind, seed) for kind in ("cat", "dog") for seed in range(60)]\n'
        'bare = [drawn.draw(*one, without=("muzzle",)).image for one in tries]\n'
        "lit = activations.strengths(judge, np.array(bare), layer)\n"
        'answer = tries[lit[:, iou["muzzle"].argmax()].argmax()]',
        'answer = ("cat", 0)',
    ),
    Question(
        _crops,
        (
            "For each image, the highest value of its map; sort the images by it, highest first.",
            "np.unravel_index(map.argmax(), map.shape) gives row and column of the peak. Its "
            "centre lies at (row + 0.5) * H / h pixels.",
            "Subtract half the side, round, and np.clip the beginning to 0 ... H - side; the same "
            "for the column.",
        ),
        "def crops(images, maps, k, side):\n"
        "    found = []\n"
        "    for n in np.argsort(-maps.max(axis=(1, 2)))[:k]:\n"
        "        row, column = np.unravel_index(maps[n].argmax(), maps[n].shape)\n"
        "        height, width = images[n].shape[:2]\n"
        "        top = round((row + 0.5) * height / maps.shape[1] - side / 2)\n"
        "        left = round((column + 0.5) * width / maps.shape[2] - side / 2)\n"
        "        top, left = np.clip(top, 0, height - side), np.clip(left, 0, width - side)\n"
        "        found.append(images[n, top : top + side, left : left + side])\n"
        "    return np.array(found)",
        "def crops(images, maps, k, side):\n    return images[:k, :side, :side]",
    ),
)
