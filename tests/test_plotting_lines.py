"""Sketches: what goes in as dicts is what is drawn, in one colour a label."""

import numpy as np
import pytest

from helpers import plotting


def drawn():
    x = np.arange(4)
    first = {"truth": (x, x), "a": (x, np.ones((12, 4))), "b": (x, x**2, "o")}
    return {"left": first, "right": {"b": (x, -x)}}


def test_each_panel_holds_its_lines_with_one_colour_a_label():
    figure = plotting.panels(drawn(), "two panels", display=False, xlabel="x", ylim=(-9, 9))
    left, right = figure.axes
    assert [axis.get_title() for axis in (left, right)] == ["left", "right"]
    assert left.get_xlabel() == "x" and left.get_ylim() == (-9, 9)
    assert figure.alt == "two panels"
    lines = {line.get_label(): line for line in left.get_lines()}
    assert np.array_equal(lines["truth"].get_ydata(), np.arange(4))
    assert lines["truth"].get_color() == "black"
    assert lines["b"].get_marker() == "o" and lines["b"].get_linestyle() == "None"
    assert len(left.get_lines()) == 12 + 3  # a bundle of twelve, and its entry in the legend
    (line,) = right.get_lines()
    assert line.get_color() == lines["b"].get_color() != lines["a"].get_color()
    assert left.get_legend() is None
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["b"]


def test_nothing_to_draw_and_no_alt_text_are_named():
    with pytest.raises(ValueError, match="nothing to draw"):
        plotting.panels({}, "empty")
    with pytest.raises(ValueError, match="alt must say"):
        plotting.panels(drawn(), "", display=False)


def test_histories_show_each_network_with_the_level_of_true_labels():
    history = {"loss": [3, 2], "accuracy": [0.5, 0.9], "val_accuracy": [0.4, 0.6]}
    figure = plotting.histories({"none": history, "L2": history}, "curves", truth=0.8)
    assert [axis.get_title() for axis in figure.axes] == ["none", "L2"]
    lines = {line.get_label(): line for line in figure.axes[1].get_lines()}
    assert lines["training labels"].get_ydata().tolist() == [0.5, 0.9]
    assert lines["new digits"].get_xdata().tolist() == [10, 20]
    assert lines["true labels"].get_ydata().tolist() == [0.8, 0.8]
