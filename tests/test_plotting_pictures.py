"""Known answers and properties of the display arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from helpers.plotting import pictures

finite = arrays_of.arrays(np.float64, (3, 4), elements=st.floats(-1e6, 1e6))
LUT = np.stack([np.arange(256), 255 - np.arange(256), np.full(256, 7)], axis=1).astype(np.uint8)


def test_rescale_keeps_zero_at_zero_and_takes_the_maximum_to_one():
    assert pictures.rescale([[0, 1], [2, 4]]).tolist() == [[0, 0.25], [0.5, 1]]


def test_rescale_from_the_lowest_value():
    assert pictures.rescale([[-2.0, 0.0], [1.0, 2.0]], low=None).tolist() == [[0, 0.5], [0.75, 1]]


def test_rescale_by_percentile_cuts_off_what_sticks_out():
    values = np.array([*range(100), 1e9])
    rescaled = pictures.rescale(values, percentile=99)
    assert rescaled[50] == pytest.approx(50 / 99) and rescaled[-1] == 1


def test_a_sparse_map_is_still_seen_when_its_percentile_is_zero():
    sparse = np.zeros((100, 100))
    sparse[3, 4] = 2
    assert pictures.rescale(sparse, percentile=99)[3, 4] == 1
    assert pictures.rescale_signed(-sparse, percentile=99)[3, 4] == -1


@pytest.mark.parametrize("function", [pictures.rescale, pictures.rescale_signed])
def test_a_map_of_zeros_stays_zeros(function):
    assert not function(np.zeros((4, 4))).any()


@given(finite)
def test_rescale_signed_keeps_signs_order_and_bounds(values):
    rescaled = pictures.rescale_signed(values)
    assert rescaled.dtype == np.float32 and np.abs(rescaled).max() <= 1
    assert (np.abs(rescaled[np.sign(rescaled) != np.sign(values)]) < 1e-30).all()
    order = values.ravel().argsort()
    assert (np.diff(rescaled.ravel()[order]) >= 0).all()


@given(finite)
def test_rescale_from_the_lowest_value_spans_0_to_1(values):
    rescaled = pictures.rescale(values, low=None)
    assert rescaled.min() == 0 and rescaled.max() == (1 if np.ptp(values) > 0 else 0)


@pytest.mark.parametrize("function", [pictures.rescale, pictures.rescale_signed])
@pytest.mark.parametrize(
    ("values", "percentile", "says"),
    [
        ([1.0, np.nan], 100, "1 values that are NaN or infinite, of 2"),
        ([np.inf, 1.0], 100, "NaN or infinite"),
        ([], 100, "empty"),
        ([1.0], 0, "percentile is 0"),
        ([1.0], 101, "percentile is 101"),
    ],
)
def test_rescale_names_what_is_wrong(function, values, percentile, says):
    with pytest.raises(ValueError, match=says):
        function(values, percentile)


def test_rescale_sends_signed_maps_elsewhere():
    with pytest.raises(ValueError, match=r"down to -1.*rescale_signed"):
        pictures.rescale([-1.0, 1.0])


def test_as_rgb_takes_every_usual_form_to_the_same_picture():
    grey = np.array([[0, 51], [102, 255]], np.uint8)
    expected = np.stack([grey] * 3, axis=2)
    for image in (grey, grey[..., None], expected, grey / 255, grey.astype(float), expected / 255):
        assert (pictures.as_rgb(image) == expected).all()


@pytest.mark.parametrize(
    "image", [np.zeros(3), np.zeros((2, 2, 4)), np.zeros((0, 2, 3)), np.full((2, 2), -1.0),
              np.full((2, 2), 300.0), np.full((2, 2), np.nan)]
)  # fmt: skip
def test_as_rgb_refuses_what_is_no_picture(image):
    with pytest.raises(ValueError, match="an image"):
        pictures.as_rgb(image)


def test_overlay_blends_by_heat():
    image = np.tile(np.uint8([60, 100, 140]), (1, 3, 1))
    heat = np.array([[0.0, 0.25, 1.0]])
    assert np.array_equal(pictures.overlay(image, heat, LUT, strength=0), image)
    laid = pictures.overlay(image, heat, LUT, strength=1)
    assert laid[0, 0].tolist() == [55, 55, 55]  # cold: the picture in dim grey
    assert laid[0, 2].tolist() == LUT[255].tolist()  # hot: the colour alone
    assert np.abs(laid[0, 1] - (55 + LUT[64].astype(float)) / 2).max() <= 0.5  # root of a quarter
    half = pictures.overlay(image, heat, LUT, strength=0.5)[0, 2]
    assert np.abs(half - (LUT[255] + (image[0, 0] + 55.0) / 2) / 2).max() <= 0.5


@pytest.mark.parametrize(
    ("image", "heat", "lut", "strength", "says"),
    [
        (np.zeros((2, 2, 3)), np.zeros((3, 2)), LUT, 0.5, "must be .H, W, 3. and .H, W."),
        (np.zeros((2, 2)), np.zeros((2, 2)), LUT, 0.5, "must be .H, W, 3. and .H, W."),
        (np.zeros((2, 2, 3)), np.ones((2, 2)) * 2, LUT, 0.5, "heat spans 2 to 2"),
        (np.zeros((2, 2, 3)), np.full((2, 2), np.nan), LUT, 0.5, "heat spans nan"),
        (np.zeros((2, 2, 3)), np.zeros((2, 2)), LUT[:3], 0.5, "must be .256, 3."),
        (np.zeros((2, 2, 3)), np.zeros((2, 2)), LUT, 1.5, "strength is 1.5"),
    ],
)
def test_overlay_names_what_is_wrong(image, heat, lut, strength, says):
    with pytest.raises(ValueError, match=says):
        pictures.overlay(image, heat, lut, strength)


def test_tile_lays_pictures_row_by_row():
    images = np.arange(1, 4, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    mosaic = pictures.tile(images, columns=2, gap=1, background=9)
    assert mosaic.tolist() == [
        [1, 1, 9, 2, 2],
        [1, 1, 9, 2, 2],
        [9, 9, 9, 9, 9],
        [3, 3, 9, 9, 9],
        [3, 3, 9, 9, 9],
    ]


def test_tile_of_colour_pictures_is_about_square():
    assert pictures.tile(np.zeros((9, 5, 4, 3)), gap=2).shape == (3 * 7 - 2, 3 * 6 - 2, 3)
    assert pictures.tile(np.zeros((2, 5, 4, 3)), columns=7).shape == (5, 4 + 2 + 4, 3)


def test_tile_names_what_is_wrong():
    with pytest.raises(ValueError, match=r"shape \(0, 2, 2\)"):
        pictures.tile(np.zeros((0, 2, 2)))
    with pytest.raises(ValueError, match="columns is 0"):
        pictures.tile(np.zeros((1, 2, 2)), columns=0)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("size", [(14, 14), (224, 96), (3, 5), (1, 1), (7, 9)])
@pytest.mark.parametrize("shape", [(7, 9, 3), (2, 7, 9, 1), (1, 1, 2)])
def test_resize_equals_tensorflow(shape, size, antialias):
    import tensorflow as tf

    images = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = tf.image.resize(images, size, antialias=antialias).numpy()
    resized = pictures.resize(images, *size, antialias=antialias)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, expected, atol=1e-5)


def test_a_hot_cell_stays_where_it_was():
    heat = np.zeros((7, 7))
    heat[1, 1] = 1
    big = pictures.resize_maps(heat, 224, 224)
    rows, columns = np.mgrid[:224, :224]
    assert (big * rows).sum() / big.sum() == pytest.approx(47.5, abs=1e-3)
    assert (big * columns).sum() / big.sum() == pytest.approx(47.5, abs=1e-3)


def test_resize_maps_treats_each_map_alone():
    maps = np.random.default_rng(1).normal(size=(3, 4, 5))
    together = pictures.resize_maps(maps, 9, 8)
    for one, resized in zip(maps, together, strict=True):
        np.testing.assert_array_equal(pictures.resize_maps(one, 9, 8), resized)


@pytest.mark.parametrize("function", [pictures.resize, pictures.resize_maps])
def test_resize_names_what_is_wrong(function):
    with pytest.raises(ValueError, match=r"shape \(5,\)"):
        function(np.zeros(5), 2, 2)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        function(np.zeros((5, 5, 1)), 2, 0)


@pytest.mark.parametrize("shape", [(7, 4, 5), (1, 3, 3), (5, 4, 6, 3)])
@pytest.mark.parametrize(("columns", "gap"), [(None, 2), (3, 0), (20, 1), (1, 5)])
def test_a_mosaic_is_each_picture_put_in_its_place_by_hand(shape, columns, gap):
    images = np.random.default_rng(0).integers(0, 200, shape, dtype=np.uint8)
    mosaic = pictures.tile(images, columns, gap)
    columns = min(columns or int(np.ceil(np.sqrt(len(images)))), len(images))
    height, width = shape[1] + gap, shape[2] + gap
    wanted = np.full_like(mosaic, 255)
    for number, image in enumerate(images):
        top, left = number // columns * height, number % columns * width
        wanted[top : top + shape[1], left : left + shape[2]] = image
    assert mosaic.dtype == np.uint8 and np.array_equal(mosaic, wanted)
    assert mosaic.shape[:2] == (-(-len(images) // columns) * height - gap, columns * width - gap)
