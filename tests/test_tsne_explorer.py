"""The explorer of t-SNE maps: every control counts, and its line of text tells the truth."""

import itertools

import numpy as np
import pytest
from test_explorers import shown

from helpers import embedding, explorers, plotting
from helpers.explorers import explorer as pattern
from helpers.plotting import points as dots


@pytest.fixture(scope="module")
def pictures():
    """Return 30 pictures in two classes, features that part them and features that do not."""
    random, labels = np.random.default_rng(0), np.arange(30) % 2
    images = random.integers(0, 256, (30, 12, 10, 3), np.uint8)
    parted = np.float32(random.normal(size=(30, 4)) + 20 * labels[:, None])
    mixed = np.float32(random.normal(size=(30, 4)))
    said = np.where(np.arange(30) == 3, 1 - labels, labels)
    return {"parted": parted, "mixed": mixed}, images, labels, said


@pytest.fixture
def explorer(pictures):
    features, images, labels, said = pictures
    return explorers.tsne_maps(features, images, labels, ("cat", "dog"), said, (5, 10, 14))


def test_every_control_changes_the_picture(explorer):
    assert explorer.values() == {"layer": "parted", "perplexity": 14, "form": "dots", "picture": 0}
    before = shown(explorer)
    for name, value in (
        ("picture", 7),
        ("form", "pictures"),
        ("form", "grid"),
        ("perplexity", 5),
        ("layer", "mixed"),
    ):
        explorer.set(**{name: value})
        after = shown(explorer)
        assert after.shape == before.shape and not np.array_equal(before, after), name
        before = after


def test_the_label_says_what_is_seen(explorer, pictures):
    features, _, labels, _ = pictures
    label = explorer.set(picture=3, perplexity=10)
    assert label.startswith("picture 3: dog, the network says cat; its 5 nearest, parted: 5 of its")
    label = explorer.set(layer="mixed", picture=8)
    near = embedding.neighbours(features["mixed"])[8]
    on_map = embedding.neighbours(embedding.tsne(features["mixed"], 10))[8]
    assert label.startswith("picture 8: cat, the network says cat; ")
    assert f"mixed: {(labels[near] == 0).sum()} of its class; " in label
    assert label.endswith(f"on the map, perplexity 10: {(labels[on_map] == 0).sum()}")


def test_maps_are_turned_but_not_changed(pictures):
    from helpers.explorers.tsne import _maps

    features = pictures[0]
    maps = _maps(features, [5, 10], 0)
    assert list(maps) == [("parted", 5), ("parted", 10), ("mixed", 5), ("mixed", 10)]
    found, wanted = maps["mixed", 10], embedding.tsne(features["mixed"], 10)
    assert np.array_equal(embedding.neighbours(found), embedding.neighbours(wanted))


def test_one_set_of_features_without_verdicts_is_enough(pictures):
    features, images, labels, _ = pictures
    explorer = explorers.tsne_maps(features["parted"], images, labels, ("a", "b"), None, [10])
    label = explorer.set(picture=29, form="grid")
    assert label.startswith("picture 29: b; its 5 nearest, features: 5 of its class")


def test_what_is_drawn_is_kept(explorer, monkeypatch):
    explorer.set(picture=2)
    monkeypatch.setattr(pattern, "png", None)
    explorer.set(picture=0)
    with pytest.raises(ValueError, match="not callable"):
        explorer.set(picture=4)
    assert explorer.notice.text.startswith("Not drawn: ")
    monkeypatch.undo()
    assert explorer.set(picture=6).startswith("picture 6") and not explorer.notice.text


@pytest.mark.slow
def test_a_click_selects_the_point_or_the_neighbour_below_it(explorer, pictures):
    from helpers.explorers import tsne

    field = explorer.box.children[1].children[-1]
    size, count = np.array([tsne.MAP[0] + tsne.PANEL, tsne.MAP[1]]), itertools.count()

    def click(spot):
        field.value = " ".join(map(str, (*(spot / size), next(count))))
        return explorer.values()["picture"]

    for form in tsne.FORMS:
        explorer.set(form=form, picture=2)
        layer, perplexity = (explorer.values()[name] for name in ("layer", "perplexity"))
        points = tsne._maps(pictures[0], [5, 10, 14], 0)[layer, perplexity]
        points = plotting.to_grid(points) if form == "grid" else points
        side = {"dots": dots.DOT, "pictures": dots.THUMBNAIL}.get(form) or tsne._grid_side(
            len(points)
        )
        spots = dots.places(points, tsne.MAP, side, dots.LEGEND)
        for number in (0, 7, 3):
            assert click(spots[number]) == number
    explorer.set(form="dots", layer="parted", picture=5)
    nearest = embedding.neighbours(pictures[0]["parted"], 5)[5]
    assert click(np.add(tsne._centre(0, 3), (tsne.MAP[0], 0))) == nearest[3]
    assert click(np.array([size[0] - 4, 4])) == nearest[3]  # nothing lies there


@pytest.mark.slow
def test_buttons_walk_to_the_nearest_picture_in_their_direction(explorer, pictures):
    from helpers.explorers.tsne import _maps

    points = _maps(pictures[0], [5, 10, 14], 0)["parted", 14]
    buttons = explorer.box.children[0].children[-1].children
    assert [button.description for button in buttons] == ["← left", "↑ up", "↓ down", "right →"]
    for button, direction in zip(buttons, ("left", "up", "down", "right"), strict=True):
        before = explorer.set(picture=5)
        wanted = dots.step(points, 5, direction)
        button.click()
        assert explorer.values()["picture"] == wanted
        assert (explorer.label.text == before) == (wanted == 5)
    assert len({dots.step(points, 5, way) for way in ("left", "up", "down", "right")}) > 1


def test_without_verdicts_nothing_is_ringed(pictures):
    features, images, labels, said = pictures
    one, other = (
        explorers.tsne_maps(features["parted"], images, labels, ("a", "b"), verdict, [10])
        for verdict in (None, said)
    )
    assert not np.array_equal(shown(one), shown(other))
    assert np.array_equal(shown(one)[:, 620:], shown(other)[:, 620:])


def test_what_does_not_fit_together_is_named(pictures):
    features, images, labels, _ = pictures
    points = features["mixed"]
    for call, says in (
        (lambda: (points[:9], images, labels, "ab"), "30 images, .*features has 9"),
        (lambda: (points, images, labels[:9], "ab"), r"30 images, labels \(9,\)"),
        (lambda: (points, images, labels + 1, "ab"), "labels go to 2, but there are 2 class names"),
        (lambda: (points[:2], images[:2], labels[:2], "ab"), "at least 3 images, not 2"),
        (lambda: (points[:0], images[:0], labels[:0], "ab"), "no images to show"),
        (lambda: (points[:2], [images[0], images[1][:3]], labels[:2], "ab"), "one size"),
    ):
        with pytest.raises(ValueError, match=says):
            explorers.tsne_maps(*call())


def test_few_pictures_leave_perplexities_out_and_say_so(pictures):
    features, images, labels, _ = pictures
    few = features["mixed"][:4], images[:4], labels[:4], ["Ba$$in", "<b>two\nlines"]
    with pytest.warns(UserWarning, match="4 images: perplexity 5, 10 is left out"):
        explorer = explorers.tsne_maps(*few, perplexities=(2, 5, 10))
    assert explorer.set(picture=3).startswith("picture 3: <b>two\nlines; its 3 nearest")
    with pytest.warns(UserWarning, match="perplexity 5 is left out"):
        assert explorers.tsne_maps(*few, perplexities=(5,)).values()["perplexity"] == 1


def test_toy_clouds_need_no_new_map_where_only_the_perplexity_changes(monkeypatch):
    toys = explorers.toy_clouds(perplexities=(2, 5))
    monkeypatch.delattr(embedding, "tsne")
    assert "perplexity 2;" in toys.set(perplexity=2)
    assert "perplexity 5;" in toys.set(perplexity=5)


@pytest.mark.slow
def test_toy_clouds_show_the_truth_beside_the_map_and_measure_both():
    toys = explorers.toy_clouds()
    label = toys.set(data="few and many points", perplexity=15)
    assert label.startswith("few and many points, perplexity 15; true: the last is 1.0 times as")
    assert float(label.rpartition("the last is ")[2].split()[0]) > 2.5  # width follows the count
    label = toys.set(data="one wide and far")
    true, found = label.split("; ")[1:]
    assert true.startswith("true: the last is 10.") or true.startswith("true: the last is 9.")
    assert float(true.split()[-8]) == pytest.approx(15, abs=1)
    assert float(found.split("the last is ")[1].split()[0]) == pytest.approx(1, abs=0.3)
    before = shown(toys)
    assert not np.array_equal(before, (toys.set(perplexity=2), shown(toys))[1])
    assert toys.set(data="noise, one cloud").endswith(
        "perplexity 2; true: one cloud; on the map: count the clumps"
    )
