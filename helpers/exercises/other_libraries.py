"""Questions of lesson 11: what changes on the way into another library."""

import numpy as np

from helpers.exercises.answers import array, called
from helpers.exercises.exercise import Question
from helpers.metrics import libraries

# A row of 7 cells on a picture of 224 pixels; cell 1 is hot.
CELLS, SIDE, HOT = 7, 224, 1


def _trapezoid(function):
    for steps in 5, 50:
        got = array(called(function, steps), (steps,), f"{steps} weights")
        if np.allclose(got, libraries.points("trapezoid", steps)[1], rtol=1e-4):
            continue
        if np.allclose(got, libraries.points("short", steps)[1], rtol=1e-4):
            return f"They add up to {got.sum():.3f}: {steps} points have {steps - 1} gaps."
        if np.allclose(got, 1 / steps, rtol=1e-4):
            return "That is the plain mean: the two ends have a gap on one side only."
        if abs(got.sum() - 1) > 1e-3:
            return f"For {steps} points, they add up to {got.sum():.3f}. What should it be?"
        return "They add up to 1, but the weights are others: two halves, and equal ones between."
    return None


def _hottest(answer):
    got = array(answer, (2,), "two numbers, by centres and by corners")
    wanted = (HOT + 0.5) * SIDE / CELLS - 0.5, HOT * (SIDE - 1) / (CELLS - 1)
    off = np.abs(got - wanted)
    if (off <= 1).all():
        return None
    if (np.abs(got[::-1] - wanted) <= 1).all():
        return "The other way round: by centres first."
    if off[0] > 1:
        return f"By centres, not at {got[0]:.1f}. Cell 1 covers pixels 32 to 63."
    return f"By corners, not at {got[1]:.1f}. The seven cells make six steps from 0 to 223."


def _kernel(function):
    rng = np.random.default_rng(3)
    for shape in (3, 3, 2, 4), (3, 5, 3, 3):
        kernel = rng.normal(size=shape)
        wanted = kernel.transpose(3, 2, 0, 1)
        got = array(called(function, kernel), wanted.shape, f"an array of shape {wanted.shape}")
        if np.allclose(got, wanted):
            continue
        if shape[0] == shape[1] and np.allclose(got, kernel.transpose(3, 2, 1, 0)):
            return "Height and width are exchanged: a filter that is turned on its side."
        if np.allclose(got, kernel.reshape(wanted.shape)):
            return "reshape keeps the order of the numbers, and so mixes up the filters: transpose."
        return "The shape is right, and the numbers are in other places."
    return None


def _flattened(function):
    rng = np.random.default_rng(5)
    for height, width, channels, units in (2, 3, 4, 2), (3, 3, 2, 5):
        weights = rng.normal(size=(height * width * channels, units))
        cells = weights.reshape(height, width, channels, units)
        wanted = cells.transpose(3, 2, 0, 1).reshape(units, -1)
        got = called(function, weights, height, width, channels)
        got = array(got, wanted.shape, f"an array of shape {wanted.shape}")
        if np.allclose(got, wanted):
            continue
        if np.allclose(got, weights.T):
            return "That is the transpose alone: its columns are still in the order of Keras."
        if np.allclose(got, cells.transpose(3, 2, 1, 0).reshape(units, -1)):
            return "Within a channel, rows come first, then columns."
        return "The shape is right, and the order is another: channels, then rows, then columns."
    return None


def _padding(function):
    for size, kernel, stride in (224, 3, 2), (225, 3, 2), (128, 3, 1), (56, 5, 2), (10, 1, 3):
        whole = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        got = called(function, size, kernel, stride)
        got = array(got, (2,), "two numbers, before and after")
        case = f"for {size} pixels, kernel {kernel} and stride {stride}"
        if abs(got.sum() - whole) > 1e-6:
            return f"Your padding has {got.sum():g} pixels {case}, and should have {whole}."
        if np.allclose(got, (whole // 2, whole - whole // 2)):
            continue
        if np.allclose(got[::-1], (whole // 2, whole - whole // 2)):
            return f"The other way round, {case}: an odd pixel comes after."
        return f"The sum is right {case}: share it as evenly as you can, in whole pixels."
    return None


QUESTIONS = (
    Question(
        _hottest,
        (
            "By centres: cell 0 covers pixels 0 to 31, so its centre is at 15.5.",
            "By corners: cell 0 stands at pixel 0 and cell 6 at pixel 223, with equal steps.",
            "By centres 15.5 + 32; by corners 223 / 6.",
        ),
        "answer = [15.5 + 32, 223 / 6]",
        "answer = [47.5, 47.5]",
    ),
    Question(
        _trapezoid,
        (
            "Between 50 points there are 49 gaps, each 1 / 49 wide.",
            "A gap counts its width times the mean of its two ends. How many gaps has a point?",
            "All weights are 1 / (steps - 1), but the first and the last have half of it.",
        ),
        "def trapezoid(steps):\n"
        "    weights = np.full(steps, 1 / (steps - 1))\n"
        "    weights[[0, -1]] /= 2\n"
        "    return weights",
        "def trapezoid(steps):\n"
        "    weights = np.full(steps, 1 / steps)\n"
        "    weights[[0, -1]] /= 2\n"
        "    return weights",
    ),
    Question(
        _kernel,
        (
            "kernel.transpose(...) puts the axes into another order.",
            "Axis 3 (out) comes first, then axis 2 (in), then height and width.",
        ),
        "def to_torch(kernel):\n    return kernel.transpose(3, 2, 0, 1)",
        "def to_torch(kernel):\n    return kernel.transpose(3, 2, 1, 0)",
    ),
    Question(
        _flattened,
        (
            "First give the rows their meaning back: weights.reshape(height, width, channels, -1).",
            "Then put the axes into the order units, channels, height, width.",
            "Then make one row of weights for each unit: .reshape(units, -1).",
        ),
        "def reordered(weights, height, width, channels):\n"
        "    cells = weights.reshape(height, width, channels, -1)\n"
        "    return cells.transpose(3, 2, 0, 1).reshape(weights.shape[1], -1)",
        "def reordered(weights, height, width, channels):\n    return weights.T",
    ),
    Question(
        _padding,
        (
            "How many outputs are there? Size divided by stride, rounded up: -(-size // stride).",
            "The last window begins at (outputs - 1) * stride. Where does it end?",
            "whole = max((outputs - 1) * stride + kernel - size, 0); half of it, rounded down, "
            "comes before.",
        ),
        "def padding(size, kernel, stride):\n"
        "    outputs = -(-size // stride)\n"
        "    whole = max((outputs - 1) * stride + kernel - size, 0)\n"
        "    return whole // 2, whole - whole // 2",
        "def padding(size, kernel, stride):\n    return kernel // 2, kernel // 2",
    ),
)
