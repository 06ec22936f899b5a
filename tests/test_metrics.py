"""Marks counted by hand on small maps, and what must hold for all maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from helpers import metrics

NAMES = ("background", "head", "ears")
PARTS = np.uint8([[[0, 1], [2, 2]], [[0, 0], [1, 1]]])
MAPS = np.float32([[[1, -2], [3, 4]], [[0, 0], [0, 5]]])


def test_part_scores_are_shares_of_the_absolute_mass():
    scores = metrics.part_scores(MAPS, PARTS, NAMES)
    assert list(scores) == ["background", "head", "ears", "animal"]
    assert_allclose(scores["background"], [0.1, 0])
    assert_allclose(scores["head"], [0.2, 1])
    assert_allclose(scores["ears"], [0.7, 0])
    assert_allclose(scores["animal"], [0.9, 1])


def test_colours_are_added_up_and_single_maps_give_single_numbers():
    coloured = MAPS[..., None] * np.float32([0.5, -0.25, 0.25])
    for part, share in metrics.part_scores(MAPS, PARTS, NAMES).items():
        assert_allclose(metrics.part_scores(coloured, PARTS, NAMES)[part], share)
        single = metrics.part_scores(MAPS[0], PARTS[0], NAMES)[part]
        assert np.shape(single) == ()
        assert_allclose(single, share[0])


def test_a_map_of_zeros_says_nothing():
    scores = metrics.part_scores(np.zeros((2, 2, 2)), PARTS, NAMES)
    assert all(np.isnan(share).all() for share in scores.values())
    assert_array_equal(metrics.pointing_game(np.zeros((2, 2, 2)), PARTS, (0, 1, 2)), False)


def test_without_a_background_there_is_no_animal():
    assert list(metrics.part_scores(MAPS, PARTS, ("sky", "head", "ears"))) == [
        "sky",
        "head",
        "ears",
    ]


def test_pointing_game():
    assert_array_equal(metrics.pointing_game(MAPS, PARTS, 2), [True, False])
    assert_array_equal(metrics.pointing_game(MAPS, PARTS, [1, 2]), [True, True])
    assert_array_equal(metrics.pointing_game(MAPS, PARTS == 1), [False, True])
    assert metrics.pointing_game(MAPS[1], PARTS[1], 1)
    assert_array_equal(metrics.pointing_game(-MAPS[:1], PARTS[:1], 1), [True])  # the sign counts
    assert_array_equal(metrics.pointing_game(-MAPS[..., None], PARTS, 2), [True, False])


maps = arrays("float32", (3, 4, 5), elements=st.floats(-100, 100, width=16))
ids = arrays("uint8", (3, 4, 5), elements=st.integers(0, 2))


@settings(max_examples=60, deadline=None)
@given(maps, ids, st.floats(0.01, 100))
def test_shares_add_up_to_one_and_do_not_depend_on_scale(maps, parts, scale):
    scores = metrics.part_scores(maps, parts, NAMES)
    total = sum(scores[name] for name in NAMES)
    said = np.abs(maps).max(axis=(1, 2)) > 0
    assert_allclose(total[said], 1, atol=1e-9)
    assert np.isnan(total[~said]).all()
    scaled = metrics.part_scores(np.float64(maps) * scale, parts, NAMES)
    for name in scores:
        assert_allclose(scaled[name], scores[name], atol=1e-9)
    hits = [metrics.pointing_game(maps, parts, part) for part in range(3)]
    assert_array_equal(np.sum(hits, axis=0), maps.max(axis=(1, 2)) > 0)


@pytest.mark.parametrize(
    ("maps", "parts", "said"),
    [
        (MAPS[:1], PARTS, "must match"),
        (MAPS[0], PARTS, "must match"),
        (MAPS, PARTS[:, :1], "must match"),
        (np.zeros((0, 2, 2)), PARTS[:0], "must match"),
        (np.ones((2, 2, 2, 3, 1)), PARTS, "not \\(2, 2, 2, 3, 1\\)"),
        (np.where(MAPS == 5, np.nan, MAPS), PARTS, "NaN or infinity"),
        (MAPS, PARTS + 1, "parts must be ids 0 to 2"),
        (MAPS, PARTS / 1.0, "parts must be ids 0 to 2"),
    ],
)
def test_what_does_not_fit_is_named(maps, parts, said):
    with pytest.raises(ValueError, match=said):
        metrics.part_scores(maps, parts, NAMES)
    if "ids" not in said:
        with pytest.raises(ValueError, match=said):
            metrics.pointing_game(maps, parts, 1)
