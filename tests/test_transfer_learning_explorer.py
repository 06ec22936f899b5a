"""The explorer of lesson 02: what is frozen is drawn as frozen, and the label counts right."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from test_explorers import shown

from helpers import explorers
from helpers.explorers import transfer_learning as module

FIXED = {"small": (0, 10, 30, 60), "large": (0, 100, 250, 500)}
TOTALS = {"small": 100, "large": 4000}
ACCURACY = (0.7, 0.93, 0.91, 0.84)


@pytest.fixture
def explorer():
    return explorers.freezing(FIXED, TOTALS, ACCURACY, "small")


def area(picture, color):
    """How many pixels have about that colour."""
    wanted = np.round(np.array(to_rgb(color)) * 255)
    return (np.abs(picture.astype(float) - wanted).max(axis=2) < 12).sum()


def test_every_control_changes_the_picture(explorer):
    before = shown(explorer)
    assert before.ndim == 3 and before.shape[0] >= 256
    for name, value in (("upto", 0), ("network", "large"), ("upto", 3)):
        explorer.set(**{name: value})
        after = shown(explorer)
        assert not np.array_equal(before, after), name
        before = after


def test_the_label_counts_what_learns_and_says_whose_accuracy_it_is(explorer):
    label = explorer.set(network="large", upto=2)
    assert label == (
        "large, blocks 1 to 2 frozen: 3,750 of 4,000 parameters learn, 250 are fixed; "
        "small, frozen as far, is right on 91%"
    )
    assert explorer.set(network="small", upto=0).startswith("small, nothing frozen: 100 of 100")
    label = explorer.set(upto=1)
    assert label.startswith("small, block 1 frozen: 90 of 100") and label.endswith("93%")


def test_the_bars_are_coloured_by_whether_they_learn(explorer):
    explorer.set(upto=0)
    none = shown(explorer)
    assert area(none, module.FROZEN) == 0 < area(none, module.LEARNS)
    explorer.set(upto=3)
    most = shown(explorer)
    assert 0 < area(most, module.FROZEN)
    assert area(most, module.LEARNS) < area(none, module.LEARNS)


def test_a_bar_is_as_long_as_its_share():
    assert np.allclose(module._shares(FIXED["small"], 100), [0.1, 0.2, 0.3, 0.4])
    even = explorers.freezing({"even": (0, 25, 50, 75)}, {"even": 100}, ACCURACY, "even")
    areas = [area((even.set(upto=upto), shown(even))[1], module.FROZEN) for upto in (1, 2, 3)]
    assert np.allclose(np.diff([0, *areas]), areas[0], rtol=0.05)


@pytest.mark.parametrize(
    ("fixed", "totals", "accuracy", "measured"),
    [
        (FIXED, {"small": 100}, ACCURACY, "small"),
        (FIXED, TOTALS, ACCURACY[:3], "small"),
        (FIXED, TOTALS, ACCURACY, "tiny"),
        ({**FIXED, "large": (0, 1)}, TOTALS, ACCURACY, "small"),
    ],
)
def test_numbers_that_do_not_fit_together_are_refused(fixed, totals, accuracy, measured):
    with pytest.raises(ValueError, match="must name the same networks"):
        explorers.freezing(fixed, totals, accuracy, measured)
