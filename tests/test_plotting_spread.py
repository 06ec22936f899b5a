"""Charts with spread: what is drawn is what was given."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from helpers import plotting


def drawn(lines, **options):
    return plotting.with_spread(
        [10, 20, 50], lines, "examples", "accuracy", "what it shows", display=False, **options
    )


def test_means_and_spread_are_drawn_and_named():
    values = np.array([[0.4, 0.6, 0.5], [0.7, 0.9, 0.8], [0.9, 0.9, 0.9]])
    figure = drawn({"frozen": values, "scratch": [0.5, 0.6, 0.7]}, log=True, level=("coin", 0.5))
    (axis,) = figure.axes
    first, second = axis.containers
    assert list(first[0].get_xdata()) == [10, 20, 50]
    assert_allclose(first[0].get_ydata(), [0.5, 0.8, 0.9])
    (bars,) = first[2]
    assert_allclose([s[:, 1] for s in bars.get_segments()], [[0.4, 0.6], [0.7, 0.9], [0.9, 0.9]])
    assert_allclose(second[0].get_ydata(), [0.5, 0.6, 0.7])
    assert second[2] == ()  # one value for each point has no spread
    assert [text.get_text() for text in axis.get_legend().get_texts()][-2:] == ["frozen", "scratch"]
    assert axis.get_xscale() == "log" and figure.alt == "what it shows"
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["10", "20", "50"]
    assert axis.get_xlabel() == "examples" and axis.get_ylabel() == "accuracy"


def test_lines_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="'short' has 2 points, x has 3"):
        drawn({"short": [1, 2]})
    for lines in ({}, {str(k): [0, 0, 0] for k in range(7)}):
        with pytest.raises(ValueError, match="draws 1 to 6 lines"):
            drawn(lines)
