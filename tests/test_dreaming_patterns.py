"""Patterns: the same for the same seed, of any size, with smooth edges, and clear errors."""

import numpy as np
import pytest

from helpers import dreaming


@pytest.mark.parametrize("name", dreaming.PATTERNS)
def test_a_pattern_is_a_picture_that_its_seed_decides(name):
    first, again = (dreaming.pattern(name, (48, 70), seed=3) for _ in range(2))
    other = dreaming.pattern(name, (48, 70), seed=4)
    assert first.shape == (48, 70, 3) and first.dtype == np.uint8
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first.std(axis=(0, 1)).min() > 20  # not plain
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 12  # edges are mixed, not hard


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(name="stripes"), "no pattern 'stripes'; choose from waves, mosaic, rings, strokes"),
        (dict(name="waves", size=(8, 64)), "16 or more"),
        (dict(name="waves", size=64), r"\(height, width\)"),
        (dict(name="waves", size=(64, 64.5)), r"\(height, width\)"),
        (dict(name="waves", seed=-1), "seed"),
    ],
)
def test_what_is_no_pattern_is_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        dreaming.pattern(**arguments)
