"""Questions of lesson 09: a Gram matrix, a guess, an objective, and one style in another place."""

import functools

import numpy as np

from helpers import dreaming
from helpers.exercises.answers import array, called, choice, instance, picture
from helpers.exercises.exercise import Question, drawn_network, drawn_world

LAYERS = ["block1_conv1", "block2_conv1"]  # of the networks of the drawn world
CONTENT = "block3_conv1"
SIZE = (128, 128)
CHANGES = {
    "shifted": lambda image: np.roll(image, (37, 50), (0, 1)),
    "mirrored": lambda image: image[:, ::-1],
    "negative": lambda image: 255 - image,
}
SAME_STYLE, OTHER_CONTENT = -0.02, -0.5  # for question 4: at least, and at most


def _gram_matrix(function):
    random = np.random.default_rng(9)
    for shape in ((4, 5, 3), (7, 2, 6)):
        cells = random.normal(1, 2, shape)
        wanted = np.einsum("hwc,hwd->cd", cells, cells) / (shape[0] * shape[1])
        got = array(
            called(function, cells),
            (shape[2], shape[2]),
            "a square matrix, one row for each channel,",
        )
        if np.allclose(got, wanted, rtol=1e-6, atol=1e-9):
            continue
        if np.allclose(got, wanted * shape[0] * shape[1], rtol=1e-6):
            return "That is the sum over the cells. Divide by their number to get the mean."
        if np.allclose(got, np.cov(cells.reshape(-1, shape[2]).T, bias=True), rtol=1e-6):
            return "Do not take off the channels' means: that would be their covariance."
        return (
            f"For cells of shape {shape}, G[0, 1] should be {wanted[0, 1]:.3f}, the mean over all "
            f"cells of A[0] * A[1]; yours is {got[0, 1]:.3f}."
        )
    return None


@functools.cache
def _distances():
    """Return how far each change takes a pattern from its own style, as `{change: distance}`."""
    image = dreaming.pattern("strokes", SIZE, seed=1)
    network = drawn_network("animals")
    style = dreaming.style_of(network, image, LAYERS)
    return {
        name: -float(dreaming.value(network, style, np.ascontiguousarray(change(image))))
        for name, change in CHANGES.items()
    }


def _most_changed(answer):
    answer = choice(answer, tuple(CHANGES))
    far = _distances()
    if far[answer] == max(far.values()):
        return None
    return (
        f"The {answer} pattern is {far[answer]:.3f} away from the style of the first one; another "
        "change takes it much farther. What has a Gram matrix forgotten, and what does it know?"
    )


def _two_styles(answer):
    instance(answer, dreaming.Objective, "an objective, made of those in `dreaming`")
    network = drawn_world().network
    photo = drawn_world().test.images[0]
    waves, mosaic = (dreaming.pattern(name, SIZE) for name in ("waves", "mosaic"))
    content = dreaming.content_of(network, photo, CONTENT)
    styles = [dreaming.style_of(network, image, LAYERS) for image in (waves, mosaic)]
    looked_at = drawn_world().test.images[:3]
    try:
        got = dreaming.value(network, answer, looked_at)
    except (ValueError, TypeError) as error:
        return f"Its value cannot be computed for test pictures: {str(error)[:120]}"
    whole = content + 15 * styles[0] + 15 * styles[1]
    if np.allclose(got, dreaming.value(network, whole, looked_at), rtol=1e-3, atol=1e-4):
        return None
    for one, name, other in (styles[0], "waves", "mosaic"), (styles[1], "mosaic", "waves"):
        if np.allclose(got, dreaming.value(network, content + 15 * one, looked_at), rtol=1e-3):
            return f"That asks for {name} alone: {other} is missing."
    if np.allclose(got, dreaming.value(network, whole - content, looked_at), rtol=1e-3):
        return "That has both styles, but it does not mind what becomes of the photo."
    return "Add three objectives: the content once, and each of the two styles 15 times."


def _same_style_elsewhere(answer):
    network, cat = drawn_world().network, drawn_world().test.images[0]
    made = np.float32(picture(answer, cat.shape))
    style = float(dreaming.value(network, dreaming.style_of(network, cat, LAYERS), made))
    if style < SAME_STYLE:
        return f"Its style is {-style:.3f} away from the cat's; at most {-SAME_STYLE:g} is allowed."
    content = float(dreaming.value(network, dreaming.content_of(network, cat, CONTENT), made))
    if content > OTHER_CONTENT:
        return (
            f"The style is the cat's, but so is much of the content: it is only {-content:.2f} "
            f"away, and {-OTHER_CONTENT:g} is wanted."
        )
    return None


QUESTIONS = (
    Question(
        _gram_matrix,
        (
            "A cell has one number for each channel. Which numbers are multiplied?",
            "Reshape to (cells, channels): the matrix is rows.T @ rows, divided by the cells.",
        ),
        "def gram_matrix(cells):\n"
        "    rows = cells.reshape(-1, cells.shape[2])\n"
        "    return rows.T @ rows / len(rows)",
        "def gram_matrix(cells):\n"
        "    rows = cells.reshape(-1, cells.shape[2])\n"
        "    return rows.T @ rows",
    ),
    Question(
        _most_changed,
        (
            "Two of the three changes move pixels to other places. The third leaves all in place.",
            "A Gram matrix has forgotten the places. It knows the colours.",
        ),
        'answer = "negative"',
        'answer = "shifted"',
    ),
    Question(
        _two_styles,
        (
            "Objectives can be added and scaled: 15 * style_of(...) is one.",
            "dreaming.content_of(network, photo, layer) + 15 * dreaming.style_of(...) + ...",
        ),
        "photo = truth.test.images[0]\n"
        'layers, size = ["block1_conv1", "block2_conv1"], (128, 128)\n'
        'answer = dreaming.content_of(truth.network, photo, "block3_conv1")\n'
        'for name in ("waves", "mosaic"):\n'
        "    image = dreaming.pattern(name, size)\n"
        "    answer += 15 * dreaming.style_of(truth.network, image, layers)",
        "photo = truth.test.images[0]\n"
        'answer = dreaming.content_of(truth.network, photo, "block3_conv1")\n'
        'image = dreaming.pattern("waves", (128, 128))\n'
        'answer += 15 * dreaming.style_of(truth.network, image, ["block1_conv1", "block2_conv1"])',
    ),
    Question(
        _same_style_elsewhere,
        (
            "You need no network for this, and no ascent.",
            "The same things in other places: what does np.roll do with a picture?",
        ),
        "answer = np.roll(truth.test.images[0], (64, 64), (0, 1))",
        "answer = truth.test.images[0]",
    ),
)
