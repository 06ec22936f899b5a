"""The projector's files read back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_array_equal
from PIL import Image

from helpers import embedding

FILES = ["metadata.tsv", "projector_config.pbtxt", "sprite.png", "vectors.tsv"]
NAMES = ("cat", "dog")


def rows(path):
    """Return a TSV file's lines as lists of cells, its lines parted as the projector parts them."""
    *lines, last = path.read_bytes().decode().split("\n")
    assert last == ""
    return [line.split("\t") for line in lines]


def points(count=7, dimensions=3, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimensions)).astype("float32")


def sprite(folder):
    """Return the thumbnails' sprite as an array (H, W, 4)."""
    with Image.open(folder / "sprite.png") as picture:
        return np.asarray(picture)


def coloured(count, height=8, width=8):
    """Return pictures of one colour each, all different."""
    colours = np.random.default_rng(1).integers(0, 256, (count, 1, 1, 3), np.uint8)
    return np.broadcast_to(colours, (count, height, width, 3))


shapes = array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6)
numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=60, deadline=None)
@given(arrays("float32", shapes, elements=numbers))
def test_vectors_can_be_read_back_to_the_bit(tmp_path_factory, features):
    folder = tmp_path_factory.mktemp("vectors")
    embedding.export_projector(folder, features, range(len(features)))
    # As TensorBoard reads them: into doubles first.
    found = np.array([[float(cell) for cell in row] for row in rows(folder / "vectors.tsv")])
    assert_array_equal(found.astype("float32").view("int32"), features.view("int32"))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(), min_size=3, max_size=3), st.lists(st.text(), min_size=3, max_size=3))
def test_any_text_keeps_one_line_for_each_point(tmp_path_factory, labels, others):
    folder = tmp_path_factory.mktemp("labels")
    embedding.export_projector(folder, points(3), labels)
    single = rows(folder / "metadata.tsv")
    assert all(len(row) == 1 and row[0].strip() for row in single)
    embedding.export_projector(folder, points(3), labels, columns={"other": others})
    both = rows(folder / "metadata.tsv")
    assert both[0] == ["label", "other"]
    assert [row[:1] for row in both[1:]] == single
    assert all(len(row) == 2 and row[1].strip() for row in both[1:])


def test_labels_are_cleaned_and_nothing_else(tmp_path):
    labels = ["tab\there", "two\nlines\r\n", " ", "größer als 3 & <b>", 4, "\udcff", "plain"]
    embedding.export_projector(tmp_path, points(), labels)
    wanted = ["tab here", "two lines", "?", "größer als 3 & <b>", "4", "?", "plain"]
    assert rows(tmp_path / "metadata.tsv") == [[label] for label in wanted]


def test_one_column_has_no_head_and_several_have_one(tmp_path):
    labels = np.array([0, 1, 1, 0, 1, 0, 0])
    folder = embedding.export_projector(tmp_path / "a" / "b", points(), labels, class_names=NAMES)
    assert folder == tmp_path / "a" / "b"
    assert rows(folder / "metadata.tsv")[:3] == [["cat"], ["dog"], ["dog"]]
    more = {"fur": list("abcdefg"), "right\tor wrong": labels == 1}
    embedding.export_projector(folder, points(), labels, class_names=NAMES, columns=more)
    head, first, *_ = rows(folder / "metadata.tsv")
    assert head == ["label", "fur", "right or wrong"]
    assert first == ["cat", "a", "False"]


@pytest.mark.parametrize("count", [1, 2, 4, 5, 9, 10])
def test_the_sprite_is_a_square_grid_in_reading_order(tmp_path, count):
    pictures, grid = coloured(count), int(np.ceil(np.sqrt(count)))
    embedding.export_projector(tmp_path, points(count), range(count), pictures, side=6)
    found = sprite(tmp_path)
    assert found.shape == (6 * grid, 6 * grid, 4)
    cells = found.reshape(grid, 6, grid, 6, 4).swapaxes(1, 2).reshape(grid**2, 6, 6, 4)
    for cell, picture in zip(cells, pictures, strict=False):
        assert_array_equal(cell[..., :3], np.broadcast_to(picture[0, 0], (6, 6, 3)))
        assert_array_equal(cell[..., 3], 255)
    assert_array_equal(cells[count:], 0)  # transparent


def test_oblong_pictures_keep_their_form(tmp_path):
    embedding.export_projector(tmp_path, points(1), ["a"], coloured(1, 8, 16), side=8)
    opaque = np.repeat([0, 255, 0], [2, 4, 2])[:, None] * np.ones(8)
    assert_array_equal(sprite(tmp_path)[..., 3], opaque)


def test_pictures_may_be_floats(tmp_path):
    half = np.full((1, 4, 4, 3), 127.6, np.float32)
    for pictures in (half, half / 255):
        embedding.export_projector(tmp_path, points(1), ["a"], pictures, side=4)
        assert_array_equal(sprite(tmp_path)[..., :3], 128)


def test_thumbnails_shrink_until_the_sprite_is_small_enough(tmp_path, monkeypatch):
    assert embedding.SPRITE == 8192
    monkeypatch.setattr(embedding, "SPRITE", 40)
    embedding.export_projector(tmp_path, points(10), range(10), coloured(10), side=48)
    assert sprite(tmp_path).shape == (40, 40, 4)
    assert "single_image_dim: 10 " in (tmp_path / "projector_config.pbtxt").read_text()
    monkeypatch.setattr(embedding, "SPRITE", 3)
    with pytest.raises(ValueError, match="10 thumbnails"):
        embedding.export_projector(tmp_path, points(10), range(10), coloured(10))


def test_other_files_stay_and_nothing_is_left_half_written(tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    embedding.export_projector(tmp_path, points(), range(7), coloured(7))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, "notes.txt"])
    assert (tmp_path / "notes.txt").read_text() == "mine"
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def full(self, content):
        with self.open("wb") as file:
            file.write(content[:10])
        if "metadata" in self.name:
            raise OSError("No space left on device")

    monkeypatch.setattr(type(tmp_path), "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        embedding.export_projector(tmp_path, points(seed=1), range(7), coloured(7))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_without_pictures_there_is_no_sprite(tmp_path):
    embedding.export_projector(tmp_path, points(), range(7))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({*FILES} - {"sprite.png"})
    assert "sprite" not in (tmp_path / "projector_config.pbtxt").read_text()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"features": points(7, 1)}, "D >= 2"),
        ({"features": np.full((7, 2), np.nan)}, "no NaN"),
        ({"labels": range(6)}, "'label' must have 7 values"),
        ({"labels": np.zeros((7, 2))}, "'label' must have 7 values"),
        ({"labels": np.full(7, 2), "class_names": NAMES}, "labels must index class_names"),
        ({"labels": np.full(7, -1), "class_names": NAMES}, "labels must index class_names"),
        ({"labels": ["cat"] * 7, "class_names": NAMES}, "labels must index class_names"),
        ({"images": coloured(6)}, "6 images for 7 points"),
        ({"images": coloured(7), "side": 0}, "side must be 1 or more"),
        ({"columns": {"fur": "abc"}}, "'fur' must have 7 values"),
        ({"columns": {"label": range(7)}}, 'column "label" is taken'),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_written(tmp_path, wrong, says):
    arguments = {"features": points(), "labels": range(7), **wrong}
    with pytest.raises(ValueError, match=says):
        embedding.export_projector(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()
