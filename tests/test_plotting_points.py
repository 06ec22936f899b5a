"""Maps of points drawn: who is near, how a map lies, what is where in the picture."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from scipy.spatial.distance import cdist, pdist

from helpers import embedding
from helpers.plotting import points as dots


def rgb(color):
    return np.round(np.array(to_rgb(color)) * 255).astype(np.uint8)


def pixels(picture, color):
    """Return how many pixels of a picture have a colour, smooth edges not counted."""
    return int((picture == rgb(color)).all(axis=-1).sum())


def points(count=12, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 2))


def test_no_two_classes_look_alike():
    styles = [dots.marker(label) for label in range(32)]
    assert len(set(styles)) == 32
    assert styles[0][0] != styles[1][0] and styles[0][1] != styles[1][1]


def test_neighbours_by_hand():
    near = embedding.neighbours([[0.0], [1], [3], [7]], k=2)
    assert_array_equal(near, [[1, 2], [0, 2], [1, 0], [2, 1]])


def test_neighbours_are_scikit_learns():
    from sklearn.neighbors import NearestNeighbors

    cloud = np.random.default_rng(1).normal(size=(50, 7))
    wanted = NearestNeighbors(n_neighbors=5).fit(cloud).kneighbors(return_distance=False)
    assert_array_equal(embedding.neighbours(cloud), wanted)


def test_of_neighbours_equally_far_away_the_first_comes_first_and_nobody_is_his_own():
    assert_array_equal(embedding.neighbours(np.zeros((4, 2)), 3)[2], [0, 1, 3])


@pytest.mark.parametrize("k", [0, 12, -1])
def test_too_many_neighbours_are_named(k):
    with pytest.raises(ValueError, match="k must be 1 to 11 for 12 points"):
        embedding.neighbours(points(), k)


def test_a_step_goes_to_the_nearest_in_its_quarter_or_stays():
    cross = np.array([[0.0, 0], [2, 1], [1, 3], [-5, 0], [-1, -2], [3, 0]])
    found = [dots.step(cross, 0, way) for way in ("right", "up", "left", "down")]
    assert found == [1, 2, 3, 4]
    assert dots.step(cross, 3, "left") == 3
    assert dots.step(np.zeros((2, 2)), 1, "up") == 1
    with pytest.raises(ValueError, match="direction must be left, right, up, down, not 'north'"):
        dots.step(cross, 0, "north")


@pytest.mark.parametrize("mirror", [1, -1])
def test_a_map_is_turned_back(mirror):
    here, angle = points(), 2.1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    there = here * (1, mirror) @ turn + 5
    found = embedding.turned(there, here)
    assert found.dtype == np.float32
    assert_allclose(found, here - here.mean(axis=0), atol=1e-5)


def test_no_other_turn_brings_two_maps_closer_together():
    one, other = points(), points(seed=1)
    here, there = one - one.mean(axis=0), other - other.mean(axis=0)
    found = np.linalg.norm(embedding.turned(one, other) - there)
    turns = np.exp(2j * np.pi * np.arange(3600) / 3600)
    ways = [np.outer(turns, np.array([1, sign * 1j]) @ here.T) for sign in (1, -1)]
    distances = np.abs(np.concatenate(ways) - there @ [1, 1j])
    assert found == pytest.approx(np.linalg.norm(distances, axis=1).min(), rel=1e-5)


def test_turning_keeps_distances_and_wants_the_same_points():
    one, other = points(), points(seed=1)
    assert_allclose(pdist(embedding.turned(one, other)), pdist(one), atol=1e-5)
    with pytest.raises(ValueError, match="maps of 12 and 3 points cannot be matched"):
        embedding.turned(one, other[:3])


def test_what_lies_on_a_grid_stays_there():
    cells = np.array(list(itertools.product(range(4), range(3))), float)
    order = np.random.default_rng(0).permutation(12)
    found = dots.to_grid(7 * cells[order] + 2, columns=4)
    assert_array_equal(found, cells[order])


def test_a_grid_has_one_point_in_each_cell_and_no_shorter_ways():
    cloud = points(6, seed=3)
    found = dots.to_grid(cloud, columns=3)
    cells = np.array(list(itertools.product(range(3), range(2))), float)
    assert {tuple(cell) for cell in found} == {tuple(cell) for cell in cells}
    wanted = (cloud - cloud.min(axis=0)) / np.ptp(cloud, axis=0) * (2, 1)
    ways = cdist(wanted, cells, "sqeuclidean")
    least = min(ways[range(6), list(order)].sum() for order in itertools.permutations(range(6)))
    assert_allclose(np.sum((wanted - found) ** 2), least)


def test_a_grid_of_any_number_of_points():
    for count in (1, 2, 7, 100):
        found = dots.to_grid(points(count))
        assert found.dtype == np.float32 and len(np.unique(found, axis=0)) == count
        assert found.max() < np.ceil(np.sqrt(count))
    assert_array_equal(dots.to_grid(points(3), columns=9)[:, 1], 0)
    with pytest.raises(ValueError, match="columns is 0"):
        dots.to_grid(points(), columns=0)


def test_dots_are_where_the_points_are_in_the_colour_of_their_class():
    square = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    picture = dots.draw_map(square, np.arange(4), side=20, size=(200, 100))
    assert picture.shape == (100, 200, 3) and picture.dtype == np.uint8
    for label, (x, y) in enumerate(((72, 78), (128, 78), (72, 22), (128, 22))):  # up is up
        assert_array_equal(picture[y, x], rgb(dots.COLORS[label]))
    assert_array_equal(picture[50, 100], 255)


def test_both_axes_have_one_scale():
    picture = dots.draw_map([[0.0, 0], [4, 0], [2, 1]], np.zeros(3, int), side=10)
    rows, columns = np.nonzero((picture == rgb(dots.COLORS[0])).all(axis=-1))
    assert_allclose((columns.max() - columns.min() - 10) / (rows.max() - rows.min() - 10), 4, 0.1)


def test_thumbnails_are_round_for_the_first_class_and_square_for_others():
    images = np.full((2, 16, 16, 3), 90, np.uint8)
    picture = dots.draw_map([[0, 0], [1, 0]], [0, 1], images, side=60, size=(300, 100))
    shown = (picture == 90).all(axis=-1)
    round_one, square_one = shown[:, :150].sum(), shown[:, 150:].sum()
    assert_allclose(square_one, 50**2, rtol=0.06)
    assert_allclose(round_one / square_one, np.pi / 4, rtol=0.05)


def test_rings_lines_and_names_are_drawn():
    line, labels = np.array([[0.0, 0], [1, 0], [2, 0]]), np.zeros(3, int)
    images = np.full((3, 8, 8, 3), 90, np.uint8)
    for each in (None, images):
        plain = dots.draw_map(line, labels, each)
        ringed = dots.draw_map(line, labels, each, ringed=[1])
        picked = dots.draw_map(line, labels, each, ringed=[0], picked=0)
        joined = dots.draw_map(line, labels, each, picked=0, joined=[2])
        assert pixels(plain, dots.INK) == pixels(plain, dots.PICKED) == 0
        assert pixels(ringed, dots.INK) > 20 and pixels(ringed, dots.PICKED) == 0
        assert pixels(picked, dots.PICKED) > 20
        assert pixels(joined, dots.INK) > pixels(picked, dots.INK) + 300
    named = dots.draw_map(line, labels, names=["cat", "nobody's name"])
    assert pixels(named, dots.INK) > 20
    assert_array_equal(named, dots.draw_map(line, labels, names=["cat"]))


def test_one_point_and_identical_points_lie_in_the_middle():
    for count in (1, 3):
        picture = dots.draw_map(np.full((count, 2), 7.0), np.zeros(count, int), size=(90, 90))
        assert_array_equal(picture[45, 45], rgb(dots.COLORS[0]))


def test_a_map_does_not_change_what_it_is_given():
    cloud, labels = points(), np.arange(12) % 3
    images = np.random.default_rng(0).integers(0, 256, (12, 9, 7, 3), np.uint8)
    for array in (cloud, labels, images):
        array.setflags(write=False)
    one, other = (dots.draw_map(cloud, labels, images, picked=3) for _ in range(2))
    assert_array_equal(one, other)


def test_what_does_not_fit_is_named():
    cloud, labels = points(), np.zeros(12, int)
    for bad in (cloud[:, :1], cloud[0], np.full((3, 2), np.nan), np.zeros((0, 2))):
        with pytest.raises(ValueError, match=r"a map must be finite numbers \(N, 2\)"):
            dots.draw_map(bad, labels)
    with pytest.raises(
        ValueError, match=r"one label, and one image, for each of 12 points, not \(3,\)"
    ):
        dots.draw_map(cloud, labels[:3])
    with pytest.raises(ValueError, match="for each of 12 points, not .* and 2"):
        dots.draw_map(cloud, labels, np.zeros((2, 8, 8, 3), np.uint8))
    for wrong in ({"ringed": [12]}, {"picked": -1}, {"picked": 0, "joined": [99]}):
        with pytest.raises(ValueError, match="there is no point .*, only 0 to 11"):
            dots.draw_map(cloud, labels, **wrong)
    with pytest.raises(ValueError, match="joined points need a picked point"):
        dots.draw_map(cloud, labels, joined=[3])


def test_a_mark_is_drawn_onto_a_picture_of_ones_own():
    picture = Image.new("RGB", (40, 40), "white")
    dots.draw_marker(picture, (20, 20), 1, 12)
    assert_array_equal(np.asarray(picture)[20, 20], rgb(dots.COLORS[1]))
