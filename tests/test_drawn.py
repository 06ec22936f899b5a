"""The drawn world: the same on every machine, and what it says of parts is true."""

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from helpers import drawn
from helpers.drawn.canvas import PART_IDS as ID


@pytest.mark.parametrize("kind", drawn.KINDS)
def test_every_kind_can_be_drawn_and_seeds_differ(kind):
    first, again, other = drawn.draw(kind, 3), drawn.draw(kind, 3), drawn.draw(kind, 4)
    assert first.image.shape == (128, 128, 3) and first.image.dtype == np.uint8
    assert first.parts.shape == (128, 128) and first.parts.dtype == np.uint8
    assert np.array_equal(first.image, again.image) and np.array_equal(first.parts, again.parts)
    assert (first.image != other.image).mean() > 0.3
    for part in ("background", "head", "ears"):
        assert (first.parts == ID[part]).sum() > 20, part


@pytest.mark.slow
def test_the_shipped_test_set_is_what_the_program_draws():
    images, labels, parts = drawn.load_test()
    assert images.shape == (400, 128, 128, 3) and np.bincount(labels).tolist() == [200, 200]
    again, same_labels, same_parts = drawn.dataset(drawn.PETS, 200, drawn.TEST_SEED)
    assert np.array_equal(labels, same_labels)
    assert np.array_equal(parts, same_parts)
    assert np.array_equal(images, again)


@pytest.mark.slow
@pytest.mark.parametrize("part", drawn.PART_NAMES[1:])
def test_taking_a_part_away_changes_no_other_pixel(part):
    changed = 0
    for kind in ("cat", "dog", "lion", "rabbit"):
        for seed in range(12):
            whole, without = drawn.draw(kind, seed), drawn.draw(kind, seed, without=(part,))
            moved = (whole.image != without.image).any(axis=-1)
            assert (whole.parts[moved] == ID[part]).all()
            assert not (without.parts == ID[part]).any()
            elsewhere = whole.parts != ID[part]
            assert np.array_equal(whole.parts[elsewhere], without.parts[elsewhere])
            changed += moved.sum()
    assert changed > 100


def test_several_parts_can_go_at_once():
    whole = drawn.draw("cat", 5)
    bare = drawn.draw("cat", 5, without=("ears", "whiskers"))
    moved = (whole.image != bare.image).any(axis=-1)
    assert set(np.unique(whole.parts[moved])) == {ID["ears"], ID["whiskers"]}


def test_the_sky_changes_and_the_animal_stays():
    for seed in range(8):
        sunny, cloudy = drawn.draw("dog", seed, sky="sunny"), drawn.draw("dog", seed, sky="cloudy")
        assert np.array_equal(sunny.parts, cloudy.parts)
        inside = binary_erosion(sunny.parts > 0, iterations=6)
        moved = (sunny.image != cloudy.image).any(axis=-1)
        assert moved[inside].mean() < 0.01  # the sky may peep through between ear and head
        assert moved[sunny.parts == 0].mean() > 0.6
        top = sunny.parts[:24] == 0
        blue = [d.image[:24][top].astype(int) @ (-1, 0, 1) for d in (sunny, cloudy)]
        assert blue[0].mean() > blue[1].mean() + 30
    assert not np.array_equal(drawn.draw("dog", 1, sky=0.5).image, drawn.draw("dog", 1).image)


def test_a_scene_shows_two_animals_each_with_its_mask():
    for seed in range(6):
        scene = drawn.scene(seed)
        assert scene.kind == ("cat", "dog")
        assert np.array_equal(scene.animals > 0, scene.parts > 0)
        columns = [np.nonzero(scene.animals == n)[1].mean() for n in (1, 2)]
        assert columns[0] < 55 and columns[1] > 73
        assert (scene.animals == 1).sum() > 500 and (scene.animals == 2).sum() > 500
    assert drawn.scene(0, "fox", "owl").kind == ("fox", "owl")


def test_a_dataset_takes_the_kinds_in_turn():
    images, labels, parts = drawn.dataset(("owl", "pig"), 3, first_seed=9, sky=("sunny", 1.0))
    assert labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert np.array_equal(images[3], drawn.draw("pig", 10, sky=1.0).image)
    assert np.array_equal(parts[2], drawn.draw("owl", 10, sky="sunny").parts)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: drawn.draw("unicorn", 1), "unicorn.*choose from cat, dog"),
        (lambda: drawn.draw("cat", -1), "whole number, 0 or more"),
        (lambda: drawn.draw("cat", 1.5), "whole number, 0 or more"),
        (lambda: drawn.draw("cat", 1, without=("tail",)), "tail.*choose from body, head"),
        (lambda: drawn.draw("cat", 1, without="ears"), "must be a tuple"),
        (lambda: drawn.draw("cat", 1, without=("background",)), "background"),
        (lambda: drawn.draw("cat", 1, sky="rainy"), "'sunny', 'cloudy'"),
        (lambda: drawn.draw("cat", 1, sky=2), "0 .clear. to 1"),
        (lambda: drawn.scene(1, right="cow "), "choose from cat, dog"),
    ],
)
def test_what_cannot_be_drawn_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_shipped_set_can_be_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.drawn.drawing.DRAWN", tmp_path / "drawn")
    with pytest.raises(FileNotFoundError, match="clone the whole course again"):
        drawn.load_test()
    drawn.save_test(count=10)
    images, labels, parts = drawn.load_test()
    assert images.shape == (20, 128, 128, 3) and labels.tolist() == [0, 1] * 10
    assert np.array_equal(parts[1], drawn.draw("dog", drawn.TEST_SEED).parts)
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == [
        "test_images.png",
        "test_parts.png",
    ]
