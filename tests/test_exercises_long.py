"""The long exercises: hidden inputs tell what nearly works, and the message names the slip."""

import numpy as np
import pytest

from helpers.exercises import exercise as exercises

SLIPS = {
    "half the threshold": ("regularization.2", "- step * l1,", "- step * l1 / 2,", "0.5 times l1"),
    "half the gradient": ("regularization.2", "step * 2 * A", "step * A", "2 times l1"),
    "one round": ("regularization.2", "range(1000)", "range(1)", "should be"),
    "the test set's own mean": (
        "transfer_learning.1", "(new_features - mean) / deviation",
        "(new_features - new_features.mean(0)) / new_features.std(0)", "not by their own",
    ),
    "nothing standardized": (
        "transfer_learning.1", "(features - mean) / deviation, (new_features - mean) / deviation",
        "features, new_features", "agree on",
    ),
}  # fmt: skip
NAMES = {
    "regularization.2": "dot_in_the_diamond",
    "transfer_learning.1": "predict_with_new_head",
}


def written(name, code):
    known = {"np": np}
    exec(code, known)
    return known[NAMES[name]]


@pytest.mark.parametrize("slip", SLIPS)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_slip_is_seen_and_named(slip):
    name, right, wrong, says = SLIPS[slip]
    code = exercises.find(name).solution
    assert right in code
    outcome = exercises.check(name, written(name, code.replace(right, wrong)))
    assert outcome.state == "incorrect" and says in outcome.message, outcome


def test_a_weight_that_is_only_nearly_zero_is_no_soft_threshold():
    code = exercises.find("regularization.2").solution.replace("return w", "return w + 1e-6")
    outcome = exercises.check("regularization.2", written("regularization.2", code))
    assert outcome.state == "incorrect" and "exactly 0" in outcome.message, outcome
