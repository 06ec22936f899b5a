"""Questions of lesson 08: relevance, from a shared taxi to a rule of LRP."""

import numpy as np

from helpers import relevance
from helpers.exercises.answers import Wrong, array, called, choice, quoted
from helpers.exercises.exercise import Question

FARES = {"Ann": 6.0, "Ben": 12.0, "Cleo": 42.0, "Dan": 6.0}  # alone, in euros
STATEMENTS = ("LRP", "KernelSHAP", "Score-CAM")  # in the order of the lesson's


def _fair(answer):
    shares = array(answer, (len(FARES),), "four numbers")
    whole = max(FARES.values())
    if abs(shares.sum() - whole) > 0.01 * whole:
        return f"Your shares add up to {shares.sum():.2f}, and the taxi costs {whole:.0f}."
    wanted = relevance.shapley_values(_fare, list(FARES))
    off = np.abs(shares - list(wanted.values())) > 0.01
    if not off.any():
        return None
    if abs(shares[0] - shares[3]) > 0.01:
        return "Ann and Dan get out at the same stop: twins pay the same."
    return f"The share of {list(FARES)[int(off.argmax())]} is another one. Who uses which stretch?"


def _fare(riders):
    """Return what a taxi costs that takes each of the riders home, on one way."""
    return max((FARES[rider] for rider in riders), default=0.0)


def _shares_by_zplus(function):
    rng = np.random.default_rng(4)
    for inputs, units in (3, 2), (5, 4):
        x, given = 0.5 + rng.random(inputs), rng.normal(size=units)
        weights = rng.normal(size=(inputs, units))
        weights[0] = 5 + np.abs(weights[0])  # so that all sums are positive
        got = array(called(function, x, weights, given), (inputs,), "one share for each input,")
        plus = np.maximum(weights, 0)
        if np.allclose(got, x * (plus @ (given / (x @ plus))), rtol=1e-3):
            continue
        if np.allclose(got, x * (weights @ (given / (x @ weights))), rtol=1e-3):
            return "That is the epsilon rule: here only positive weights count."
        if np.allclose(got, x * (plus @ (given / (x @ weights))), rtol=1e-3):
            return "Divide by the sum of what counts: by x @ positive weights, not by x @ weights."
        if np.allclose(got, plus @ (given / (x @ plus)), rtol=1e-3):
            return "What an input contributes is x times its weight: multiply by x as well."
        if np.allclose(got, x * (plus @ given), rtol=1e-3):
            return "Divide each unit's relevance by its sum first: shares are in proportion."
        return "The shares differ. Unit j hands input i the share x[i] w[i, j]+ / sum of all such."
    return None


def _matched(answer):
    if not isinstance(answer, list | tuple) or len(answer) != len(STATEMENTS):
        raise Wrong(f"Answer with three names in a list, not with {quoted(answer)}.")
    named = [choice(one, STATEMENTS) for one in answer]
    wrong = [
        n for n, (one, true) in enumerate(zip(named, STATEMENTS, strict=True), 1) if one != true
    ]
    return f"Statement {wrong[0]} is about another method." if wrong else None


QUESTIONS = (
    Question(
        _fair,
        (
            "Cut the way into stretches. Who is still in the taxi on each of them?",
            "Up to 6 euros, four share. From 6 to 12, Ben and Cleo do. The rest is Cleo's.",
            "Ann and Dan pay 6 / 4 each. Ben pays 6 / 4 + (12 - 6) / 2.",
        ),
        "answer = [6 / 4, 6 / 4 + 6 / 2, 6 / 4 + 6 / 2 + 30, 6 / 4]",
        "answer = [2, 5, 33, 2]",
    ),
    Question(
        _shares_by_zplus,
        (
            "First the weights that count. Then what each unit adds up, and what it hands on.",
            "plus = np.maximum(weights, 0), and the sums are x @ plus.",
            "Input i gets x[i] times the sum over j of plus[i, j] * relevance[j] / sums[j].",
        ),
        "def zplus_rule(x, weights, relevance):\n"
        "    plus = np.maximum(weights, 0)\n"
        "    return x * (plus @ (relevance / (x @ plus)))",
        "def zplus_rule(x, weights, relevance):\n"
        "    return x * (weights @ (relevance / (x @ weights)))",
    ),
    Question(
        _matched,
        (
            "Two of the three only ask the network; the other one goes back through its layers.",
            "Of the two that ask, one takes its masks from the network's own feature maps.",
        ),
        'answer = ["LRP", "KernelSHAP", "Score-CAM"]',
        'answer = ["KernelSHAP", "LRP", "Score-CAM"]',
    ),
)
