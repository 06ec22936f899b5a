"""Explorers of lesson 01: every control changes the picture, and the label tells the truth."""

import pytest
from test_explorers import assert_moves_change_the_picture

from helpers import explorers, regularization


@pytest.mark.parametrize(
    ("build", "moves"),
    [
        (
            explorers.polynomial,
            {"degree": 7, "penalty": 0.01, "noise": 0.9, "count": 12, "throw": 5, "others": True},
        ),
        (explorers.penalties, {"penalty": 2.0, "turn": -40}),
    ],
)
def test_every_control_changes_the_picture_and_going_back_restores_it(build, moves):
    explorer = build()
    assert set(moves) == set(explorer.controls)
    assert all(control.description for control in explorer.controls.values())
    assert_moves_change_the_picture(explorer, moves)


def test_the_label_of_the_polynomial_says_how_wrong_it_is():
    explorer = explorers.polynomial()
    label = explorer.set(degree=9, penalty=0.01, noise=0.6, count=7, throw=4)
    seconds, heights = regularization.throws(7, 0.6, seed=4)
    between, after = regularization.errors(regularization.polynomial(seconds, heights, 9, 0.01))
    assert label == (
        "degree 9, lambda 0.01, 7 photographs off by 0.6 m: "
        f"wrong by {between:.2f} m between them, by {after:.2f} m after the last"
    )
    assert "lambda none" in explorer.set(penalty=0.0)
    assert "lambda 0.00001," in explorer.set(penalty=1e-5)
    assert "lambda 3.2," in explorer.set(penalty=10**0.5)


def test_the_label_of_the_penalties_says_where_the_weights_end():
    explorer = explorers.penalties()
    matrix, lowest = regularization.valley(15)
    first, second = regularization.penalized_minimum(matrix, lowest, l2=1.2)
    label = explorer.set(penalty=1.2, turn=15)
    assert f"L2 gives {first:.2f} and {second:.2f}" in label and "L1 gives exactly 0 and" in label
    label = explorer.set(penalty=0.0)
    assert "L2 gives 1.20 and 1.60" in label and "L1 gives 1.20 and 1.60" in label
    assert "L2 gives 0" in explorer.set(penalty=4.0) and "exactly 0 and exactly 0" in label_of(
        explorer
    )


def label_of(explorer):
    return explorer.label.text
