"""RISE against its definition, its expectation on a linear network, and its own standard errors."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hand_made import forms, images
from numpy.testing import assert_allclose, assert_array_equal

from helpers import gradients, perturbation


def linear(height, width, seed=1):
    """Return a network with two scores that are weighted sums of the picture, and the weights."""
    x = keras.Input((height, width, 3))
    network = keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    weights = np.random.default_rng(seed).normal(size=(height * width * 3, 2)) / 1000
    network.set_weights([weights, np.float32([3, -5])])
    return network, np.float32(weights).reshape(height, width, 3, 2)


def enlarged(grids, height, width):
    """Return grids (n, c, c) enlarged as the paper says, by TensorFlow: one cell too large."""
    cells = grids.shape[1]
    sizes = [(cells + 1) * -(-side // cells) for side in (height, width)]
    return tf.image.resize(np.float32(grids)[..., None], sizes).numpy()[..., 0]


def crops(large, height, width, cells):
    """Yield what masks show of their enlarged grids at every place that they may be moved to."""
    for top in range(-(-height // cells)):
        for left in range(-(-width // cells)):
            yield large[:, top : top + height, left : left + width]


@pytest.mark.parametrize(("height", "width", "cells"), [(12, 18, 3), (9, 7, 4)])
def test_on_a_linear_network_the_map_is_its_expectation(height, width, cells):
    network, weights = linear(height, width)
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    own = (image - 20.0).astype("float32") * weights[..., 1]
    units = enlarged(np.eye(cells**2).reshape(-1, cells, cells), height, width)
    wanted, share, places = 0, 0.3, 0
    for each in crops(units, height, width, cells):  # cells are independent: variances add up
        flat = each.reshape(cells**2, -1)
        wanted = wanted + share * (1 - share) * flat.T @ (flat @ own.sum(axis=2).ravel())
        places += 1
    wanted = wanted.reshape(height, width) / places / share
    found, errors = perturbation.rise(
        network, image, 1, 3000, cells=cells, share=share, baseline=20, errors=True
    )
    assert found.dtype == errors.dtype == np.float32 and found.shape == errors.shape == wanted.shape
    away = (found - wanted) / errors
    assert np.abs(away).max() < 5 and 0.3 < np.sqrt(np.mean(away**2)) < 2
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.9


def test_it_is_the_papers_sum_over_masks_less_a_constant():
    network, image, masks, cells, share = forms()["flat"], images(1)[0], 50, 5, 0.4
    found = perturbation.rise(network, image, 2, masks, 7, cells, share, baseline=9.0)

    random = np.random.default_rng(7)
    grids = random.random((masks, cells, cells)) < share
    corners = random.integers(0, 4, (masks, 2))  # 16 pixels in 5 cells are at most 4 each
    large = enlarged(grids, 16, 16)
    seen = np.stack([m[y : y + 16, x : x + 16] for m, (y, x) in zip(large, corners, strict=True)])
    shown = 9 + seen[..., None] * (image - 9.0)
    scores = gradients.scores(network, shown)[:, 2].astype(float)
    paper = np.einsum("n,nhw->hw", scores, seen) / (share * masks)
    constant = scores.mean() * seen.mean(axis=0) / share
    assert np.abs(found).max() > 0.001
    assert_allclose(found, paper - constant, atol=1e-3 * np.abs(found).max())


def test_a_score_that_no_pixel_changes_gives_zeros_however_high_it_is():
    network, weights = linear(8, 8)
    network.set_weights([0 * weights.reshape(-1, 2), np.float32([1000, -5])])
    with pytest.warns(UserWarning, match="0 everywhere"):
        found = perturbation.rise(network, images(1, 8)[0], 0, 20, cells=3)
    assert_array_equal(found, 0)


def test_the_standard_error_is_that_of_maps_from_other_seeds():
    network, image = forms()["nested"], images(1)[0]
    pairs = [perturbation.rise(network, image, 1, 60, seed, 4, errors=True) for seed in range(24)]
    maps, errors = map(np.stack, zip(*pairs, strict=True))
    assert 0.75 < maps.std(axis=0, ddof=1).mean() / errors.mean() < 1.25
    more = perturbation.rise(network, image, 1, 960, 0, 4, errors=True)[1]
    assert 3.3 < errors.mean() / more.mean() < 4.8  # sixteen times as many, a quarter of the error


def test_it_depends_on_the_seed_alone_and_not_on_portions_or_the_way_the_network_is_written(
    monkeypatch,
):
    three, options = images(3), {"masks": 25, "cells": 4}
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    whole = perturbation.rise(forms()["flat"], three, **options)
    assert whole.shape == (3, 16, 16)
    assert_array_equal(np.random.get_state()[1], state)
    assert_array_equal(perturbation.rise(forms()["flat"], three, **options), whole)
    close = {"atol": 1e-4 * np.abs(whole).max()}
    predicted = gradients.scores(forms()["flat"], three).argmax(axis=1)
    one = perturbation.rise(forms()["flat"], three[2], predicted[2], **options)
    assert_allclose(one, whole[2], **close)
    assert_allclose(perturbation.rise(forms()["nested"], three, **options), whole, **close)
    assert_allclose(perturbation.rise(forms()["subclassed"], three, **options), whole, **close)
    monkeypatch.setattr(perturbation, "PIXELS", 3 * 16 * 16)
    assert_allclose(perturbation.rise(forms()["flat"], three, **options), whole, **close)
    assert np.abs(perturbation.rise(forms()["flat"], three, seed=1, **options) - whole).max() > 1e-3


def test_a_batch_gives_standard_errors_of_each():
    found, errors = perturbation.rise(forms()["flat"], images(2), 0, 20, cells=3, errors=True)
    assert found.shape == errors.shape == (2, 16, 16) and (errors > 0).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"masks": 1}, "masks must be a whole number, 2 or more, not 1"),
        ({"masks": 2.0}, "masks must be .* not 2.0"),
        ({"seed": -1}, "seed must be a whole number, 0 or more, not -1"),
        ({"cells": 0}, "cells must be a whole number, 1 to 16, the shorter side .*, not 0"),
        ({"cells": 17}, "cells must be .* not 17"),
        ({"share": 0}, "share must be above 0 and below 1, not 0"),
        ({"share": 1.0}, "share must be .* not 1.0"),
        ({"share": np.nan}, "share must be .* not nan"),
        ({"baseline": np.inf}, "baseline must be finite"),
        ({"target": 3}, "target must be 0 to 2"),
        ({"target": 1, "against": 1}, "is the target itself"),
    ],
)
def test_what_rise_cannot_do_is_named(options, says):
    with pytest.raises(ValueError, match=says):
        perturbation.rise(forms()["flat"], images(1)[0], **options)
