"""Activations: known maps, strengths against what is recorded, dissection against brute force."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hand_made import forms, images, of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from helpers import activations, networks


@functools.cache
def colours():
    """Return a network whose layer "conv" gives the colours themselves, and minus their sum."""
    x = keras.Input((None, None, 3))
    conv = keras.layers.Conv2D(4, 1, use_bias=False, name="conv")
    pool = keras.layers.GlobalAveragePooling2D(name="pool")
    network = keras.Model(x, keras.layers.Dense(2, name="scores")(pool(conv(x))))
    conv.set_weights([np.float32([[[[1, 0, 0, -1], [0, 1, 0, -1], [0, 0, 1, -1]]]])])
    return network


def test_record_gives_any_layers_in_one_pass():
    for network in forms().values():
        found = activations.record(network, images(), ["conv1", "pool1", "scores"])
        assert [maps.shape for maps in found.values()] == [(3, 16, 16, 4), (3, 8, 8, 4), (3, 3)]
        assert activations.record(network, images()[0], "conv2")["conv2"].shape == (1, 8, 8, 6)


@pytest.mark.parametrize("form", ["flat", "sequential", "nested", "subclassed"])
@pytest.mark.parametrize("head", [None, "softmax"])
def test_strengths_are_those_of_the_recorded_maps(form, head):
    network = forms(head)[form]
    maps = activations.record(network, images(7), "conv2")["conv2"]
    most = activations.strengths(network, images(7), "conv2", batch_size=3)
    assert most.dtype == np.float32
    assert_array_equal(most, maps.max(axis=(1, 2)))
    mean = activations.strengths(network, images(7), "conv2", over="mean")
    assert_allclose(mean, maps.mean(axis=(1, 2)), rtol=1e-5)
    assert_array_equal(activations.strengths(network, images(7)[2], "conv2"), most[2:3])
    assert_array_equal(activations.strengths(network, images(7).astype("f8"), "conv2"), most)
    for channel in range(6):
        best = activations.strongest_images(network, images(7), "conv2", channel, k=7)
        assert_array_equal(best, np.argsort(-most[:, channel], kind="stable"))
    best = activations.strongest_channels(network, images(7), "conv2", k=4)
    assert_array_equal(best, np.argsort(-most.mean(axis=0), kind="stable")[:4])
    assert len(activations.strongest_channels(network, images(7), "conv2")) == 6


def test_strengths_of_several_layers_take_one_pass():
    network = forms()["nested"]
    found = activations.strengths(network, images(5), ["conv1", "pool"], batch_size=2)
    assert list(found) == ["conv1", "pool"]
    for layer, strong in found.items():
        assert_array_equal(strong, activations.strengths(network, images(5), layer))
    with pytest.raises(ValueError, match="No layer 'conv3'"):
        activations.strengths(network, images(), ["conv1", "conv3"])


def test_strongest_images_are_known_and_equal_ones_stay_in_order():
    pictures = np.zeros((5, 4, 4, 3), np.uint8)
    pictures[0, 0, 0, 1] = 200  # one bright point of green
    pictures[1, :, :, 1] = 100  # much of it, but dimmer
    pictures[3, 2, 3, 1] = 200
    best = activations.strongest_images(colours(), pictures, "conv", 1, k=4)
    assert_array_equal(best, [0, 3, 1, 2])
    best = activations.strongest_images(colours(), pictures, "conv", 1, k=4, over="mean")
    assert_array_equal(best, [1, 0, 3, 2])
    assert_array_equal(activations.strongest_images(colours(), pictures[1], "conv", 1, k=1), [0])
    assert_array_equal(activations.strongest_channels(colours(), pictures, "conv"), [1, 0, 2, 3])
    assert len(activations.strongest_images(colours(), np.repeat(pictures, 3, 0), "conv", 1)) == 9


def test_layers_and_networks_without_places_have_strengths_too():
    found = activations.strengths(forms()["nested"], images(), "pool")
    assert_array_equal(found, activations.record(forms()["nested"], images(), "pool")["pool"])
    toy = of(keras.layers.Dense(3, name="scores"), inputs=2)
    toy.set_weights([np.float32([[1, 0, -1], [0, 1, 0]]), np.zeros(3, "float32")])
    points = np.float32([[5, 0], [2, 2], [3, 9]])
    assert_array_equal(activations.strongest_images(toy, points, "scores", 0, k=2), [0, 2])
    assert_array_equal(activations.strengths(toy, points[0], "scores"), [[5, 0, -5]])


def test_wrong_input_is_named():
    network = forms()["flat"]
    with pytest.raises(ValueError, match="No layer 'conv3'.*Did you mean 'conv2'.*It has: rescale"):
        activations.strongest_images(network, images(), "conv3", 0, k=1)
    with pytest.raises(ValueError, match="channel must be 0 to 5 in 'conv2', not 6"):
        activations.strongest_images(network, images(), "conv2", 6, k=1)
    with pytest.raises(ValueError, match="channel must be 0 to 5 in 'conv2', not -1"):
        activations.strongest_images(network, images(), "conv2", -1, k=1)
    with pytest.raises(ValueError, match="k must be 1 to 3, the number of images, not 9"):
        activations.strongest_images(network, images(), "conv2", 0)
    with pytest.raises(ValueError, match="k must be 1 or more, not 0"):
        activations.strongest_channels(network, images(), "conv2", k=0)
    with pytest.raises(ValueError, match='over must be "max" or "mean", not \'sum\''):
        activations.strengths(network, images(), "conv2", over="sum")
    for wrong in (images(size=8), images()[:0], images()[..., :1]):
        with pytest.raises(ValueError, match=r"takes images \(N, 16, 16, 3\)"):
            activations.strengths(network, wrong, "conv2")
    with pytest.raises(ValueError, match="NaN"):
        activations.strengths(network, np.full((40, 16, 16, 3), np.nan), "conv2")
    with pytest.warns(UserWarning, match="look like 0-1"):
        activations.strengths(network, images() / 255, "conv2")


def faded(picture):
    """Return what is left of a picture where a channel is silent: float64, in its shape."""
    grey = np.float64(picture).mean(axis=-1, keepdims=True)
    kept = activations.FADED
    return np.broadcast_to(kept * grey + (1 - kept) * activations.GREY, picture.shape)


def test_a_mask_has_its_colours_where_the_neuron_fires_and_is_grey_elsewhere():
    white, hot = np.full((224, 224, 3), 255, np.uint8), np.zeros((7, 7), np.float32)
    hot[1, 1] = 3
    masked = activations.mask_image(white, hot)
    assert masked.shape == (224, 224, 3)
    assert masked.dtype == np.uint8
    ground = faded(white)[0, 0, 0]
    light = masked[..., 0] - round(ground)
    for axis in (0, 1):  # it lands where it is: the second cell of seven is centred at 47.5
        profile = light.sum(axis=axis)
        assert_allclose(profile @ np.arange(224) / profile.sum(), 47.5, atol=1e-3)
    assert set(masked[47:49, 47:49].ravel()) == {255}
    assert set(masked[100:].ravel()) == {round(ground)}


def test_a_silent_neuron_leaves_the_picture_faded_never_black_or_white():
    picture = images(1)[0]
    for activation in (np.zeros((4, 4)), np.full((4, 4), -2.0)):
        assert_allclose(activations.mask_image(picture, activation), faded(picture), atol=0.501)
    below = activations.mask_image(picture, np.float32([[1, -5], [0, 0]]))
    assert_array_equal(below, activations.mask_image(picture, np.float32([[1, -5], [0, 0]]) * 7))
    assert_allclose(below[12:], faded(picture)[12:], atol=0.501)
    assert_array_equal(below[0, 0], picture[0, 0])
    for value in (0, 255):  # the darkest and the lightest picture: neither black nor white is left
        plain = np.full((8, 8, 3), value, np.uint8)
        assert 90 < activations.mask_image(plain, np.zeros((2, 2))).mean() < 210


def test_masks_of_one_scale_are_comparable():
    red, ones = np.zeros((8, 8, 3), np.uint8), np.ones((4, 4))
    red[..., 0] = 100
    assert_array_equal(activations.mask_image(red, ones), red)
    half = (red + faded(red)) / 2
    assert_allclose(activations.mask_image(red, ones, full=2), half, atol=0.501)
    assert_array_equal(activations.mask_image(red, 5 * ones, full=2), red)


def test_many_masks_at_once_are_those_one_by_one():
    pictures, maps = images(3), np.random.default_rng(0).normal(size=(3, 5, 4))
    each = [activations.mask_image(p, m) for p, m in zip(pictures, maps, strict=True)]
    assert_array_equal(activations.mask_image(pictures, maps), each)
    over_one = [activations.mask_image(pictures[0], m) for m in maps]
    assert_array_equal(activations.mask_image(pictures[0], maps), over_one)
    assert activations.mask_image(pictures[0] / 255, maps[0]).shape == (16, 16, 3)


@pytest.mark.parametrize(
    ("image", "activation", "options", "says"),
    [
        (np.zeros((8, 8, 3)), np.zeros(4), {}, "do not fit"),
        (np.zeros((2, 8, 8, 3)), np.zeros((3, 4, 4)), {}, "do not fit"),
        (np.zeros((8, 8, 3)), np.full((4, 4), np.nan), {}, "must be finite"),
        (np.zeros((8, 8, 3)), np.zeros((4, 4)), {"full": 0}, "full None or above 0, not 0"),
    ],
)
def test_masks_that_do_not_fit_are_named(image, activation, options, says):
    with pytest.raises(ValueError, match=says):
        activations.mask_image(image, activation, **options)


def brute_force(maps, parts, count, quantile):
    """Return the IoU (channels, parts), from all enlarged maps at once, as the paper says it."""
    threshold = np.quantile(maps, quantile, axis=(0, 1, 2)).astype("float32")
    large = tf.image.resize(maps, parts.shape[1:]).numpy()
    fires = (large >= threshold) & (large > maps.min(axis=(0, 1, 2)))
    found = np.full((maps.shape[-1], count), np.nan)
    for part in np.unique(parts):
        there = (parts == part)[..., np.newaxis]
        both, either = (fires & there).sum((0, 1, 2)), (fires | there).sum((0, 1, 2))
        found[:, part] = both / either
    return found


@given(
    arrays(np.uint8, (3, 4, 5, 3), elements=st.integers(0, 9)),
    arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 3)),
    st.floats(0.001, 0.999),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_dissection_is_the_brute_force_one(pictures, parts, quantile, batch_size):
    names = ["a", "b", "c", "d"]
    found = activations.dissect(colours(), pictures, parts, names, "conv", quantile, batch_size)
    maps = activations.record(colours(), pictures, "conv")["conv"]
    assert list(found) == names
    assert all(iou.dtype == np.float32 and iou.shape == (4,) for iou in found.values())
    wanted = brute_force(maps, parts, 4, quantile)
    assert_allclose(np.transpose(list(found.values())), wanted, rtol=1e-6)


@pytest.mark.parametrize("form", ["flat", "sequential", "nested", "subclassed"])
@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_dissection_enlarges_small_maps(form, layer, monkeypatch):
    monkeypatch.setattr(activations, "_AT_ONCE", 1000)  # so that few maps are in memory at a time
    network, pictures = forms()[form], images(9)
    parts = np.random.default_rng(1).integers(0, 3, (9, 16, 16))
    parts[:, :5] = 4
    maps = activations.record(network, pictures, layer)[layer]
    found = activations.dissect(network, pictures, parts, list("abcde"), layer, 0.9, batch_size=4)
    wanted = brute_force(maps, parts, 5, 0.9)
    assert_allclose(np.transpose(list(found.values())), wanted, rtol=1e-6)
    assert np.isnan(found["d"]).all()
    assert found["e"].max() > 0.05


@pytest.mark.parametrize("share", [0.001, 0.005, 0.02, 0.3])
def test_a_channel_that_is_a_part_detects_it_perfectly(share):
    parts = (np.random.default_rng(0).random((10, 40, 30)) < share).astype(np.uint8)
    pictures = np.stack([parts * 200, 0 * parts, 255 - parts], axis=-1)
    found = activations.dissect(colours(), pictures, parts, ["rest", "part"], "conv")
    assert found["part"][0] == 1
    assert found["rest"][0] == 0
    assert found["part"][1] == 0  # a silent channel detects nothing
    assert found["rest"][2] == 1


def test_a_constant_channel_detects_nothing():
    pictures, parts = np.full((2, 6, 6, 3), 7, np.uint8), np.ones((2, 6, 6), int)
    found = activations.dissect(colours(), pictures, parts, ["rest", "part"], "conv")
    assert_array_equal(found["part"], 0)
    assert_array_equal(found["rest"], np.full(4, np.nan))


def test_one_picture_and_its_parts_will_do():
    parts = np.random.default_rng(1).integers(0, 2, (16, 16))
    one = activations.dissect(forms()["flat"], images()[0], parts, "ab", "conv2", 0.9)
    batch = activations.dissect(forms()["flat"], images()[:1], parts[None], "ab", "conv2", 0.9)
    assert_array_equal(one["b"], batch["b"])


def test_the_scale_of_iou_is_that_of_masks_thrown_at_random_and_laid_at_best():
    parts = np.zeros((200, 50, 50), np.uint8)
    parts[:, :, :5], parts[:, 0, 5] = 1, 2  # a tenth, and one pixel of 2,500
    found = activations.iou_range(parts, ["rest", "large", "small", "none"], quantile=0.96)
    assert found["large"][1] == pytest.approx(0.04 / 0.1)
    assert found["small"][1] == pytest.approx(1 / 2500 / 0.04)
    assert np.isnan(found["none"]).all()
    mask = np.random.default_rng(0).random(parts.shape) < 0.04
    for number, name in enumerate(["rest", "large"]):
        there = parts == number
        thrown = (mask & there).sum() / (mask | there).sum()
        assert found[name][0] == pytest.approx(thrown, rel=0.02)


def test_a_fixed_mask_knows_the_usual_place_and_nothing_of_the_picture():
    others, parts = np.zeros((4, 10, 10), int), np.zeros((2, 10, 10), int)
    others[:, :2, :5] = 1  # always there, except in one picture
    others[3] = 0
    parts[0, :2, :5], parts[1, 8:, :5] = 1, 1  # once in its usual place, once elsewhere
    found = activations.iou_range(parts, ["rest", "part"], 0.9, others=others)
    assert found["part"] == (pytest.approx(10 / 30), pytest.approx(1))
    low, _ = activations.iou_range(parts[:1], ["rest", "part"], 0.9, others=others)["part"]
    assert low == pytest.approx(1)
    low, _ = activations.iou_range(parts[1], ["rest", "part"], 0.9, others=others)["part"]
    assert low == pytest.approx(0)
    absent = activations.iou_range(parts, ["rest", "part", "none"], 0.9, others=others, grid=(5, 5))
    assert np.isnan(absent["none"]).all()
    with pytest.raises(ValueError, match="parts must be indices .* 0 to 1, not 1 to 2"):
        activations.iou_range(parts, ["rest", "part"], 0.9, others=others + 1)


def test_dissection_is_the_same_where_maps_are_not_kept(monkeypatch):
    parts = np.random.default_rng(1).integers(0, 3, (3, 16, 16))
    given = forms()["flat"], images(), parts, ["a", "b", "c"], "conv2", 0.9
    kept = activations.dissect(*given)
    monkeypatch.setattr(activations, "_KEPT", 0)
    for part, iou in activations.dissect(*given).items():
        assert_array_equal(iou, kept[part])


def test_a_coarse_map_cannot_trace_a_thin_part():
    parts = np.zeros((1, 32, 32), int)
    parts[0, 8:16, 8:24] = 1  # as large as whole cells of 8 pixels
    parts[0, 20, :] = 2  # one pixel thin
    names, share = ["rest", "block", "line"], 1 - 128 / 1024
    _, block = activations.iou_range(parts, names, share, grid=(4, 4))["block"]
    assert 0.7 < block <= 1
    assert activations.iou_range(parts, names, share, grid=(32, 32))["block"][1] == pytest.approx(1)
    _, line = activations.iou_range(parts, names, 1 - 32 / 1024, grid=(4, 4))["line"]
    assert 1 / 9 <= line <= 1 / 2  # a band of several pixels, one of which is the line
    _, sharp = activations.iou_range(parts, names, 1 - 32 / 1024, grid=(32, 32))["line"]
    assert sharp == pytest.approx(1)


def test_no_map_of_a_network_does_better_than_the_ceiling_of_its_grid():
    parts = np.zeros((3, 16, 16), int)
    parts[:, 3:9, 4:11], parts[:, 12, 2:14] = 1, 2
    names = ["rest", "block", "line"]
    maps = np.random.default_rng(0).normal(size=(3, 4, 4, 200))
    found = brute_force(np.float32(maps), parts, 3, 0.9)
    for number, (_, best) in enumerate(
        activations.iou_range(parts, names, 0.9, grid=(4, 4)).values()
    ):
        assert np.nanmax(found[:, number]) <= best


def test_crops_are_cut_where_the_channel_is_most_active():
    pictures, maps = np.zeros((4, 40, 60, 3), np.uint8), np.zeros((4, 4, 6), np.float32)
    for number, (row, column, strength) in enumerate([(1, 2, 5), (0, 0, 9), (3, 5, 7), (2, 2, -1)]):
        pictures[number, 10 * row : 10 * row + 10, 10 * column : 10 * column + 10] = 50 + number
        maps[number], maps[number, row, column] = -2, strength
    found = activations.crops(pictures, maps, k=3, side=10)
    assert found.dtype == np.uint8 and found.shape == (3, 10, 10, 3)
    for patch, number in zip(found, (1, 2, 0), strict=True):  # the strongest first
        assert set(patch.ravel()) == {50 + number}
    wide = activations.crops(pictures, maps, k=2, side=30)  # moved inwards at two corners
    assert_array_equal(wide[0], pictures[1, :30, :30])
    assert_array_equal(wide[1], pictures[2, 10:, 30:])
    assert_array_equal(activations.crops(pictures, 0 * maps, 2, 40)[1], pictures[1, :, :40])


def test_an_image_gives_several_crops_that_hardly_overlap():
    pictures, maps = np.zeros((2, 40, 40, 3), np.uint8), np.zeros((2, 4, 4), np.float32)
    peaks = {(0, 0, 0): 9, (0, 0, 1): 8, (0, 3, 3): 7, (1, 2, 2): 5}  # the second touches the first
    for number, (place, strength) in enumerate(peaks.items()):
        image, row, column = place
        pictures[image, 10 * row : 10 * row + 10, 10 * column : 10 * column + 10] = 50 + number
        maps[place] = strength
    found = activations.crops(pictures, maps, k=3, side=20, each=2)
    assert [int(patch.max()) for patch in found] == [51, 52, 53]
    assert_array_equal(found[0], pictures[0, :20, :20])
    assert_array_equal(found[1], pictures[0, 20:, 20:])
    with pytest.raises(ValueError, match="k must be 1 to 2 for each of 2, not 5"):
        activations.crops(pictures, maps, k=5, side=20, each=2)
    with pytest.raises(ValueError, match="k=4, but patches of 40 pixels leave 2 peaks"):
        activations.crops(pictures, np.zeros((2, 1, 1)), k=4, side=40, each=2)


@pytest.mark.parametrize(
    ("maps", "k", "side", "says"),
    [
        (np.zeros((2, 4, 4)), 1, 4, r"\(N, h, w\), for 3 images, not \(2, 4, 4\)"),
        (np.zeros((3, 4, 4, 2)), 1, 4, "must be finite"),
        (np.full((3, 4, 4), np.nan), 1, 4, "must be finite"),
        (np.zeros((3, 4, 4)), 4, 4, "k must be 1 to 3, the number of images, not 4"),
        (np.zeros((3, 4, 4)), 1, 17, "side must be 1 to 16 pixels, not 17"),
        (np.zeros((3, 4, 4)), 1, 0, "side must be 1 to 16 pixels, not 0"),
    ],
)
def test_crops_that_cannot_be_cut_are_named(maps, k, side, says):
    with pytest.raises(ValueError, match=says):
        activations.crops(images(), maps, k, side)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"layer": "conv3"}, "No layer 'conv3'.*Did you mean 'conv2'"),
        ({"layer": "pool"}, "'pool' has no spatial axes.*Convolutions have: conv1, conv2"),
        ({"parts": np.zeros((2, 16, 16), int)}, r"parts \(2, 16, 16\) do not fit"),
        ({"parts": np.zeros((3, 8, 8), int)}, r"parts \(3, 8, 8\) do not fit"),
        ({"parts": np.zeros((3, 16, 16))}, "parts must be ints .* not float64"),
        ({"parts": np.full((3, 16, 16), 2)}, "parts must be indices .* 0 to 1, not 2 to 2"),
        ({"parts": np.full((3, 16, 16), -1)}, "parts must be indices .* 0 to 1, not -1 to -1"),
        ({"quantile": 99.5}, "quantile must be between 0 and 1, not 99.5"),
        ({"images": images(size=8)}, "takes images"),
    ],
)
def test_what_cannot_be_dissected_is_named(changed, says):
    options = {"images": images(), "parts": np.zeros((3, 16, 16), int), "layer": "conv2"} | changed
    with pytest.raises(ValueError, match=says):
        activations.dissect(forms()["flat"], part_names=["rest", "part"], **options)


def test_the_network_is_the_same_afterwards():
    network = forms("softmax")["nested"]
    weights, before = network.get_weights(), network.predict(images(), verbose=0)
    activations.strongest_images(network, images(), "conv2", 0, k=2)
    activations.dissect(network, images(), np.zeros((3, 16, 16), int), ["rest"], "conv1")
    with pytest.raises(ValueError, match="no spatial axes"):
        activations.dissect(network, images(), np.zeros((3, 16, 16), int), ["rest"], "pool")
    assert_array_equal(network.predict(images(), verbose=0), before)
    for now, then in zip(network.get_weights(), weights, strict=True):
        assert_array_equal(now, then)
    assert networks.layer_names(network) == ["conv1", "conv2"]
