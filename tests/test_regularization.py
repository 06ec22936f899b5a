"""The small problems of lesson 01: what is solved exactly is held against other programs."""

import numpy as np
import pytest
from sklearn import linear_model

from helpers import regularization


def test_the_ball_lands_when_it_is_said_to_and_photographs_scatter_about_the_truth():
    assert (
        regularization.height(0) == 1.5
        and abs(regularization.height(regularization.LANDING)) < 0.02
    )
    seconds, heights = regularization.throws(5, noise=0.4, repeats=4000)
    assert heights.shape == (4000, 5) and (seconds[0], seconds[-1]) == (
        regularization.FIRST,
        regularization.LAST,
    )
    off = heights - regularization.height(seconds)
    assert abs(off.mean()) < 0.01 and abs(off.std() - 0.4) < 0.01
    assert np.array_equal(regularization.throws(seed=3)[1], regularization.throws(seed=3)[1])
    assert not np.array_equal(regularization.throws(seed=3)[1], regularization.throws(seed=4)[1])


@pytest.mark.parametrize("shape", [(30, 4), (6, 20)])
def test_ridge_agrees_with_scikit_learn_for_one_target_and_for_several(shape):
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=shape) + 5, rng.normal(size=(shape[0], 3))
    theirs = linear_model.Ridge(alpha=0.7, solver="svd").fit(features, targets)
    weights, offset = regularization.ridge(features, targets, 0.7)
    assert np.allclose(weights, theirs.coef_.T) and np.allclose(offset, theirs.intercept_)
    single, level = regularization.ridge(features, targets[:, 1], 0.7)
    assert np.allclose(single, weights[:, 1]) and np.isclose(level, offset[1])


def test_without_a_penalty_the_smallest_of_all_perfect_fits_is_found():
    rng = np.random.default_rng(1)
    features, targets = rng.normal(size=(6, 20)), rng.normal(size=6)
    weights, offset = regularization.ridge(features, targets)
    assert np.allclose(features @ weights + offset, targets)
    nearly = regularization.ridge(features, targets, 1e-7)[0]
    assert np.allclose(weights, nearly, atol=1e-5)
    with pytest.raises(ValueError, match="the penalty is -1; it must be 0 or more"):
        regularization.ridge(features, targets, -1)


def test_a_polynomial_of_degree_four_hits_five_points_and_a_parabola_is_found_exactly():
    seconds, heights = regularization.throws(5)
    assert np.allclose(regularization.polynomial(seconds, heights, 4)(seconds), heights)
    curve = regularization.polynomial(seconds, regularization.height(seconds), 2)
    assert np.allclose(regularization.errors(curve), 0, atol=1e-9)
    many = regularization.polynomial(*regularization.throws(5, repeats=7), 2)(np.linspace(0, 1, 11))
    assert many.shape == (7, 11)


def test_errors_count_in_metres_between_the_photographs_and_after_them():
    late = regularization.errors(
        lambda times: (
            regularization.height(times) + np.where(times > regularization.LAST, 2.0, -0.5)
        )
    )
    assert late[0] == pytest.approx(0.5)
    assert 1.9 < late[1] < 2.0  # the last photograph's own moment belongs to both
    assert regularization.distance([1, 2], np.array([4, -2])) == pytest.approx(np.sqrt(12.5))


def test_only_six_measurements_of_a_cat_matter_and_twins_are_as_alike_as_asked():
    cats = regularization.cats(4000, alike=0.9)
    assert (
        cats.measured.shape == (4000, 30)
        and (cats.matters != 0).tolist() == [True] * 6 + [False] * 24
    )
    alike = np.corrcoef(cats.measured.T)
    assert alike[8, 9] == pytest.approx(0.9, abs=0.02) and abs(alike[8, 10]) < 0.06
    assert np.allclose(cats.measured.std(0), 1, atol=0.05)
    rest = cats.purring - cats.measured @ cats.matters
    assert rest.std() == pytest.approx(3, abs=0.1)


def test_the_lowest_point_under_a_penalty_is_where_the_gradient_says():
    for turn in (-60, 0, 15, 40):
        matrix, lowest = regularization.valley(turn)
        ridge = regularization.penalized_minimum(matrix, lowest, l2=0.8)
        assert np.allclose(ridge, np.linalg.solve(matrix + 0.8 * np.eye(2), matrix @ lowest))
        lasso = regularization.penalized_minimum(matrix, lowest, l1=0.9)
        pull = 2 * matrix @ (lasso - lowest)
        kept = lasso != 0
        assert np.allclose(pull[kept], -0.9 * np.sign(lasso[kept]), atol=1e-8)
        assert (np.abs(pull) <= 0.9 + 1e-8).all()
    assert regularization.penalized_minimum(*regularization.valley(15), l1=1.2)[0] == 0
    assert np.allclose(regularization.penalized_minimum(*regularization.valley(15)), [1.2, 1.6])


def test_shrunk_stops_at_zero():
    assert regularization.soft_threshold(np.array([3.0, -0.5, 0.2]), 1.0).tolist() == [2, 0, 0]
