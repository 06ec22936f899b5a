"""Marks counted by hand on small maps, and what must hold for all maps."""

import keras
import numpy as np
import pytest
from hand_made import forms, images
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from skimage.filters import gaussian

from helpers import gradients, metrics, networks, saliency

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


def test_pixels_that_are_equally_high_share_the_point():
    level = np.ones((2, 2, 2))
    assert_allclose(metrics.pointing_game(level, PARTS, 2), [0.5, 0])
    assert_allclose(metrics.pointing_game(level, PARTS, [0, 1]), [0.5, 1])
    two = np.float32([[3, 1], [3, 0]])
    assert metrics.pointing_game(two, PARTS[0], 0) == 0.5
    assert metrics.pointing_game(-two, PARTS[0], 2) == 0


def test_signed_sums_are_what_a_part_contributes():
    sums = metrics.part_scores(MAPS, PARTS, NAMES, signed=True)
    assert list(sums) == ["background", "head", "ears", "animal"]
    assert_allclose(sums["background"], [1, 0])
    assert_allclose(sums["head"], [-2, 5])
    assert_allclose(sums["ears"], [7, 0])
    assert_allclose(sums["animal"], [5, 5])
    coloured = MAPS[..., None] * np.float32([1, -0.5, 0.25])
    for part, found in metrics.part_scores(coloured, PARTS, NAMES, signed=True).items():
        assert_allclose(found, 0.75 * sums[part])
    nothing = metrics.part_scores(np.zeros((2, 2)), PARTS[0], NAMES, signed=True)
    assert nothing["animal"] == nothing["ears"] == 0


maps = arrays("float32", (3, 4, 5), elements=st.floats(-100, 100, width=16))
ids = arrays("uint8", (3, 4, 5), elements=st.integers(0, 2))


@settings(max_examples=60, deadline=None)
@given(maps, ids, st.floats(0.01, 100))
def test_shares_add_up_to_one_and_do_not_depend_on_scale(maps, parts, scale):
    scores = metrics.part_scores(maps, parts, NAMES)
    total = sum(scores[name] for name in NAMES)
    said = np.abs(maps).max(axis=(1, 2)) > 0
    assert_allclose(total[said], 1, atol=1e-6)
    assert np.isnan(total[~said]).all()
    scaled = metrics.part_scores(np.float64(maps) * scale, parts, NAMES)
    for name in scores:
        assert_allclose(scaled[name], scores[name], atol=1e-6)
    hits = [metrics.pointing_game(maps, parts, part) for part in range(3)]
    assert_allclose(np.sum(hits, axis=0), maps.max(axis=(1, 2)) > 0, atol=1e-6)


@pytest.mark.parametrize(
    ("maps", "parts", "said"),
    [
        (MAPS[:1], PARTS, "must match"),
        (MAPS[0], PARTS, "must match"),
        (MAPS, PARTS[:, :1], "must match"),
        (np.zeros((0, 2, 2)), PARTS[:0], "must match"),
        (np.ones((2, 2, 2, 3, 1)), PARTS, "not \\(2, 2, 2, 3, 1\\)"),
        (np.where(MAPS == 5, np.nan, MAPS), PARTS, "NaN or infinity"),
        (MAPS, PARTS + 1, "parts must be indices of part_names, 0 to 2"),
        (MAPS, PARTS / 1.0, "parts must be indices of part_names, 0 to 2"),
    ],
)
def test_what_does_not_fit_is_named(maps, parts, said):
    with pytest.raises(ValueError, match=said):
        metrics.part_scores(maps, parts, NAMES)
    if "indices" not in said:
        with pytest.raises(ValueError, match=said):
            metrics.pointing_game(maps, parts, 1)


def brightness():
    """Return a network whose probability of class 1 is sigmoid of the picture's mean, less 100."""
    x = keras.Input((8, 8, 3))
    y = keras.layers.GlobalAveragePooling2D()(x)
    network = keras.Model(x, keras.layers.Dense(1, activation="sigmoid")(y))
    network.set_weights([np.full((3, 1), 1 / 30, "float32"), np.float32([-10])])
    return network


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_attributions_that_miss_by_a_quarter_have_a_gap_of_a_quarter():
    network, pictures = brightness(), images(3, 8)
    whole = saliency.integrated_gradients(network, pictures, 1, baseline=20.0)
    gap = metrics.completeness_gap(network, pictures, whole, 1, baseline=20.0)
    assert gap.shape == (3,) and gap.max() < 1e-4
    gap = metrics.completeness_gap(network, pictures, 0.75 * whole, 1, baseline=20.0)
    assert_allclose(gap, 0.25, atol=1e-4)
    one = metrics.completeness_gap(network, pictures[0], whole[0], 1, baseline=20.0)
    assert one.shape == () and one == pytest.approx(0, abs=1e-4)
    grey = np.full((8, 8, 3), 99, np.uint8)
    nothing = np.zeros((8, 8, 3))
    assert metrics.completeness_gap(network, grey, nothing, 1, baseline=99.0) == 0
    assert metrics.completeness_gap(network, grey, nothing + 1, 1, baseline=99.0) == np.inf
    with pytest.raises(ValueError, match=r"\(3, 8, 8, 3\) like images, not \(3, 8, 8\)"):
        metrics.completeness_gap(network, pictures, np.zeros((3, 8, 8)), 1)


@pytest.mark.parametrize("steps", [1, 7, 64])
def test_the_curves_of_a_network_that_sees_brightness_alone(steps):
    network = brightness()
    picture = np.repeat(np.random.default_rng(1).permutation(64).reshape(8, 8, 1) * 4, 3, 2)
    heat = picture[..., 0].astype(np.float32)
    values = np.sort(heat, axis=None)[::-1]
    gone = np.round(np.linspace(0, 64, steps + 1)).astype(int)
    left = np.array([values[n:].sum() + 50 * n for n in gone]) / 64
    wanted = sigmoid(left / 10 - 10)
    found = metrics.deletion_curve(network, picture, heat, 1, steps, baseline=50.0)
    assert_allclose(found, wanted, atol=1e-5)
    there = np.array([values[:n].sum() + 50 * (64 - n) for n in gone]) / 64
    found = metrics.insertion_curve(network, picture, heat, 1, steps, baseline=50.0)
    assert_allclose(found, sigmoid(there / 10 - 10), atol=1e-5)


def test_a_true_map_deletes_faster_and_inserts_sooner_than_its_opposite():
    network, pictures = brightness(), images(4, 8)
    heat = pictures.astype(np.float32)
    for curve, sign in ((metrics.deletion_curve, -1), (metrics.insertion_curve, 1)):
        right = curve(network, pictures, heat, 1, baseline=0.0)
        wrong = curve(network, pictures, 1 / (1 + heat), 1, baseline=0.0)
        assert right.shape == (4, 33)
        assert_allclose(right[:, [0, -1]], wrong[:, [0, -1]], atol=1e-6)
        assert (sign * (metrics.area(right) - metrics.area(wrong)) > 0).all()


def test_the_area_is_that_of_the_trapezoids():
    assert metrics.area([1.0, 0.0]) == 0.5
    assert_allclose(metrics.area([[0, 1, 2], [2, 2, 2], [1, 0, 0]]), [1, 2, 0.25])


@pytest.mark.parametrize("curve", [metrics.deletion_curve, metrics.insertion_curve])
def test_with_against_a_curve_is_of_the_margin(curve):
    network, pictures = brightness(), images(2, 8)
    heat = pictures.astype(np.float32)
    odds = curve(network, pictures, heat, 1, 5, 0.0)
    margin = curve(network, pictures, heat, 1, 5, 0.0, against="rest")
    log_odds = np.log(odds) - np.log1p(-odds)  # of one sigmoid: its logit
    assert_allclose(margin, log_odds, rtol=2e-2, atol=1e-2)


def test_removed_pixels_are_filled_in_from_their_neighbours():
    rows, columns = np.mgrid[:9, :11]
    plane = np.stack([20 * rows, 10 * columns, 5 * rows + 5 * columns], axis=-1)
    removed = np.zeros((9, 11), bool)
    removed[2:6, 3:8] = True
    filled = metrics.impute(plane, removed)
    assert_array_equal(filled[~removed], plane[~removed])
    # A plane is its own mean, so what is filled in is the plane, up to the noise.
    assert_allclose(filled, plane, atol=8)
    assert np.ptp(filled[removed] - plane[removed]) > 1
    assert_array_equal(filled, metrics.impute(plane, removed))
    assert (filled != metrics.impute(plane, removed, seed=1)).any()


def test_a_corner_is_filled_in_by_hand():
    picture, removed = np.full((3, 3, 1), 90.0), np.zeros((3, 3), bool)
    picture[0, 1], picture[1, 0], picture[1, 1] = 30, 60, 120
    removed[0, 0] = True
    wanted = (30 / 6 + 60 / 6 + 120 / 12) / (1 / 6 + 1 / 6 + 1 / 12)
    found = [metrics.impute(picture, removed, seed)[0, 0, 0] for seed in range(200)]
    assert np.mean(found) == pytest.approx(wanted, abs=0.5)
    with pytest.raises(ValueError, match="leaves a pixel"):
        metrics.impute(picture, np.ones((3, 3), bool))


def test_road_ranks_a_true_map_above_its_opposite():
    network, picture = brightness(), np.full((8, 8, 3), 20, np.uint8)
    picture[2:4, 2:6] = 250
    heat = picture[..., 0].astype(np.float32)
    right, wrong = (
        metrics.road_curve(network, picture, map_, 1, 9, against="rest") for map_ in (heat, -heat)
    )
    assert right.shape == (10,)
    assert right[0] == wrong[0] == gradients.quantity(network, picture, 1, against="rest")
    assert metrics.area(right) < metrics.area(wrong)
    assert metrics.road_curve(network, picture[None], heat[None], 1, 9, against=0).shape == (1, 10)
    with pytest.raises(ValueError, match="steps must be a whole number, 1 to 63"):
        metrics.road_curve(network, picture, heat, 1, 64)


def test_an_insertion_begins_with_the_blurred_picture_and_ends_with_the_picture():
    network, picture = forms("softmax")["nested"], images(1)[0]
    curve = metrics.insertion_curve(network, picture, np.ones((16, 16)), steps=4)
    own = networks.predict(network, picture)[0]
    assert curve[-1] == pytest.approx(own.max(), abs=1e-6)
    blurred = gaussian(picture.astype(np.float32), 1, channel_axis=-1)
    first = networks.predict(network, blurred)[0, own.argmax()]
    assert curve[0] == pytest.approx(first, abs=1e-6)


def test_maps_and_steps_that_do_not_fit_are_named():
    network = brightness()
    with pytest.raises(ValueError, match=r"must match parts .* \(3, 5, 5\) and \(3, 8, 8\)"):
        metrics.deletion_curve(network, images(3, 8), np.ones((3, 5, 5)))
    with pytest.raises(ValueError, match="steps must be 1 to 64, the number of pixels, not 65"):
        metrics.insertion_curve(network, images(1, 8), np.ones((1, 8, 8)), steps=65)
    with pytest.raises(ValueError, match="no NaN"):
        metrics.deletion_curve(network, images(1, 8), np.full((1, 8, 8), np.nan))
