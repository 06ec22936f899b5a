"""Stamps by their pixels: where they are, how wide, in which colour."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.testing import assert_array_equal
from PIL import Image

from helpers.plotting import points as dots


def blank(size=(60, 40)):
    return Image.new("RGB", size, "white")


def rgb(color):
    return np.round(np.array(to_rgb(color)) * 255).astype(np.uint8)


def box(picture):
    """Return left, top, right and lower edge of what is not white."""
    rows, columns = np.nonzero((np.asarray(picture) != 255).any(axis=-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize("label", range(4))
def test_a_mark_lies_around_its_centre(label):
    picture = blank()
    dots.draw_marker(picture, (30, 20), label, 20)
    assert_array_equal(np.asarray(picture)[20, 30], rgb(dots.COLORS[label]))
    left, top, right, low = box(picture)
    assert 18 <= left <= 22 and 8 <= top <= 12 and 38 <= right <= 42 and 26 <= low <= 32
    assert abs((left + right) / 2 - 30) <= 1


def test_an_image_of_the_inner_size_is_shown_as_it_is():
    side = 48
    inner = dots.inner(side)
    image = np.random.default_rng(0).integers(0, 256, (inner, inner, 3), np.uint8)
    picture = blank((60, 60))
    dots.thumbnail(picture, (30, 30), 1, side, image)
    edge = 30 - inner // 2
    pixels = np.asarray(picture)
    assert_array_equal(pixels[edge : edge + inner, edge : edge + inner], image)
    assert_array_equal(pixels[30, 30 - side // 2], rgb(dots.COLORS[1]))
    assert box(picture) == (6, 6, 54, 54)


def test_of_class_0_only_the_disc_is_shown():
    picture = blank((60, 60))
    dots.thumbnail(picture, (30, 30), 0, 48, np.zeros((9, 9, 3), np.uint8))
    pixels = np.asarray(picture)
    assert_array_equal(pixels[30, 30], 0)
    assert_array_equal(pixels[8, 8], 255)


def test_frames_grow_with_the_side_up_to_a_limit():
    assert [dots.inner(side) for side in (12, 36, 60, 200)] == [10, 30, 50, 190]


def test_lines_have_their_width_and_go_to_every_end():
    picture = blank()
    dots.lines(picture, (10, 20), [(50, 20), (10, 35)], 4, "#D81B60")
    pixels = (np.asarray(picture) == rgb("#D81B60")).all(axis=-1)
    assert 3 <= pixels[:, 30].sum() <= 5 and pixels[20, 30]
    assert 3 <= pixels[30].sum() <= 5 and pixels[30, 10]


def test_words_are_as_wide_as_is_said():
    picture = blank((120, 40))
    width = dots.write(picture, (10, 20), "cats")
    left, top, right, low = box(picture)
    assert 10 <= left <= 12 and right <= 10 + width <= right + 3
    assert top > 8 and low < 32
