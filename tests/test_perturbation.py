"""Occlusion and LIME against sums done by hand, part effects against drawings made by hand."""

import functools
import os

import keras
import numpy as np
import pytest
from cases import slow_but
from hand_made import forms, images, of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from helpers import drawn, gradients, load_world, networks, perturbation

EACH = perturbation.occlusion, perturbation.lime, functools.partial(perturbation.rise, masks=20)


@functools.cache
def linear(height, width, channels=3):
    """Return a network with two scores that are weighted sums of the picture, and the weights."""
    x = keras.Input((height, width, channels))
    network = keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    weights = np.random.default_rng(1).normal(size=(height * width * channels, 2))
    network.set_weights([weights, np.float32([3, -5])])
    return network, np.float32(weights).reshape(height, width, channels, 2)


def picture(height, width, dtype="uint8", seed=0):
    return np.random.default_rng(seed).integers(2, 256, (height, width, 3)).astype(dtype)


def contributions(image, weights, baseline=0.0):
    """Return what each pixel adds to a linear score, compared to the baseline: (H, W)."""
    return ((image - np.float32(baseline)) * weights).sum(axis=2)


def by_hand(image, window, stride, lost):
    """Return the occlusion map, where `lost(rows, columns)` is what covering a square costs."""
    total, count = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
    height, width = image.shape[:2]
    for top in range(0, height - window + stride, stride):
        for left in range(0, width - window + stride, stride):
            square = slice(top, top + window), slice(left, left + window)
            total[square] += lost(*square)
            count[square] += 1
    assert count.all()
    return total / count


def close(found, wanted, share=1e-4):
    assert found.dtype == np.float32
    assert np.abs(wanted).max() > 0
    assert_allclose(found, wanted, atol=share * np.abs(wanted).max())


# Occlusion


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_on_a_linear_network_it_is_the_sum_under_the_window(dtype):
    network, weights = linear(12, 20)
    image = picture(12, 20, dtype)
    found = perturbation.occlusion(network, image, 1, window=4, stride=4)
    sums = contributions(image, weights[..., 1]).reshape(3, 4, 5, 4).sum(axis=(1, 3))
    close(found, sums.repeat(4, axis=0).repeat(4, axis=1))


def test_squares_at_the_edge_end_with_the_picture():
    network, weights = linear(7, 11)
    image = picture(7, 11)
    found = perturbation.occlusion(network, image, 0, window=3, stride=3)
    each = contributions(image, weights[..., 0])
    wanted = np.empty((7, 11))
    for top in (0, 3, 6):
        for left in (0, 3, 6, 9):
            square = slice(top, top + 3), slice(left, left + 3)
            wanted[square] = each[square].sum()
    close(found, wanted)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.data())
def test_with_squares_that_overlap_it_is_their_mean(data):
    height, width = data.draw(st.sampled_from([(6, 9), (8, 8), (9, 5)]))
    window = data.draw(st.integers(1, min(height, width)))
    stride = data.draw(st.integers(1, window))
    baseline = data.draw(st.floats(0, 255, width=32))
    network, weights = linear(height, width)
    image = picture(height, width, data.draw(st.sampled_from(["uint8", "float32"])))
    each = contributions(image, weights[..., 1], baseline)
    wanted = by_hand(image, window, stride, lambda *square: each[square].sum())
    found = perturbation.occlusion(network, image, 1, window, stride, baseline)
    assert found.shape == image.shape[:2]
    assert_allclose(found, wanted, atol=0.05)  # of sums of thousands, in float32


def test_one_pixel_that_matters_is_at_the_centre_of_its_map():
    network, weights = linear(11, 15)
    one = keras.models.clone_model(network)
    alone = np.zeros_like(weights)
    alone[5, 7, :, 1] = weights[5, 7, :, 1]
    one.set_weights([alone.reshape(-1, 2), np.zeros(2)])
    found = perturbation.occlusion(one, picture(11, 15), 1, window=3, stride=1)
    wanted = contributions(picture(11, 15), alone[..., 1])[5, 7]
    close(found[5, 7], wanted)
    assert_allclose(found, found[::-1, ::-1], atol=1e-5 * abs(wanted))
    assert_array_equal(np.abs(found) > 1e-5 * abs(wanted), covered_near(5, 7, (11, 15)))


FORMS = ["flat", "sequential", "nested", "subclassed"]


def covered_near(row, column, shape, reach=2):
    near = np.zeros(shape, bool)
    near[row - reach : row + reach + 1, column - reach : column + reach + 1] = True
    return near


@pytest.mark.parametrize("head", [None, "softmax"])
@pytest.mark.parametrize("form", slow_but(FORMS, "flat", "nested"))
def test_every_form_and_head_loses_what_it_loses_by_hand(form, head):
    network = forms(head)[form]
    image = images(1)[0]
    whole = gradients.scores(network, image)[0]

    def lost(*square):
        covered = image.copy()
        covered[square] = 99
        return whole[2] - gradients.scores(network, covered)[0, 2]

    found = perturbation.occlusion(network, image, 2, window=5, stride=3, baseline=99)
    close(found, by_hand(image, 5, 3, lost))


def test_a_sigmoid_has_two_classes():
    x = keras.Input((8, 8, 3))
    y = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3, activation="relu")(x))
    network = keras.Model(x, keras.layers.Dense(1, activation="sigmoid")(y))
    against, speaks = (
        perturbation.occlusion(network, picture(8, 8), target, window=4, stride=2)
        for target in (0, 1)
    )
    close(against, -speaks)


def test_the_default_target_is_what_the_whole_picture_is_predicted_to_be():
    network, three = forms()["flat"], images(3)
    predicted = gradients.scores(network, three).argmax(axis=1)
    found = perturbation.occlusion(network, three)
    assert found.shape == (3, 16, 16)
    assert_array_equal(found, perturbation.occlusion(network, three, predicted))
    others = [perturbation.occlusion(network, three[1], target) for target in range(3)]
    assert_array_equal(found[1], others[predicted[1]])
    assert np.ptp([np.abs(other).sum() for other in others]) > 0


def test_a_batch_of_one_is_a_row_of_the_batch():
    network, five = forms()["nested"], images(5)
    options = {"window": 6, "stride": 4, "baseline": images(5, seed=1)}
    whole = perturbation.occlusion(network, five, 1, **options)
    options["baseline"] = options["baseline"][3]
    one = perturbation.occlusion(network, five[3:4], 1, **options)
    assert one.shape == (1, 16, 16)
    assert_allclose(one[0], whole[3], atol=1e-6)
    assert_allclose(perturbation.occlusion(network, five[3], 1, **options), whole[3], atol=1e-6)
    for batch_size in (1, 4, 1000):
        again = perturbation.occlusion(network, five[3], 1, **options, batch_size=batch_size)
        assert_allclose(again, whole[3], atol=1e-6)


def test_a_baseline_may_be_a_picture():
    network, weights = linear(8, 12)
    image, behind = picture(8, 12), picture(8, 12, "float32", seed=1)
    found = perturbation.occlusion(network, image, 0, 4, 4, behind)
    sums = contributions(image, weights[..., 0], behind).reshape(2, 4, 3, 4).sum(axis=(1, 3))
    close(found, sums.repeat(4, axis=0).repeat(4, axis=1))
    assert_array_equal(perturbation.occlusion(network, image, 0, 4, 4, image), np.zeros((8, 12)))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"window": 0}, "window must be a whole number, 1 to 6, the shorter side .*, not 0"),
        ({"window": 7}, "window must be .* not 7"),
        ({"window": 2.0, "stride": 1}, "window must be .* not 2.0"),
        ({"window": True, "stride": 1}, "window must be .* not True"),
        ({"window": 4, "stride": 5}, "stride must be a whole number, 1 to 4, the window, .*not 5"),
        ({"window": 4, "stride": 0}, "stride must be .* not 0"),
        ({"window": 4, "stride": 2, "batch_size": 0}, "batch_size must .*, 1 or more, not 0"),
        ({"window": 4, "stride": 2, "baseline": np.nan}, "baseline must be finite"),
        ({"window": 4, "stride": 2, "baseline": np.zeros((9, 6, 3))}, "not \\(9, 6, 3\\)"),
        ({"window": 4, "stride": 2, "target": 2}, "target must be 0 to 1"),
    ],
)
def test_what_occlusion_cannot_do_is_named(options, says):
    with pytest.raises(ValueError, match=says):
        perturbation.occlusion(linear(6, 9)[0], picture(6, 9), **options)


@pytest.mark.parametrize("method", EACH)
def test_pictures_that_do_not_fit_are_named(method):
    network = forms()["flat"]
    broken = images(1)[0].astype("float32")
    broken[3, 3] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        method(network, broken)
    with pytest.raises(ValueError, match=r"takes images \(N, 16, 16, 3\)"):
        method(network, images(1, size=15))
    with pytest.raises(ValueError, match=r"Images must be \(N, H, W, C\)"):
        method(of(lambda x: 5 * x, inputs=2), [[1.0, 2.0]])
    with pytest.warns(UserWarning, match="look like 0-1"):
        method(network, images(1)[0] / 255)


@pytest.mark.parametrize("method", EACH)
def test_the_network_is_the_same_afterwards(method):
    network = forms("softmax")["nested"]
    weights, before = network.get_weights(), network.predict(images(), verbose=0)
    method(network, images(), target=1)
    with pytest.raises(ValueError, match="target must be"):
        method(network, images(), target=7)
    with pytest.raises(ValueError, match="baseline must be"):
        method(network, images(), baseline=np.inf)
    assert_array_equal(network.predict(images(), verbose=0), before)
    for now, then in zip(network.get_weights(), weights, strict=True):
        assert_array_equal(now, then)


# LIME


def quarters(height, width):
    """Return labels of six blocks, numbered with gaps."""
    rows, columns = np.arange(height) * 2 // height, np.arange(width) * 3 // width
    return 10 * rows[:, None] + columns


def sums_over(regions, values):
    """Return a map in which every pixel has the sum of the values over its region."""
    wanted = np.empty(regions.shape)
    for label in np.unique(regions):
        wanted[regions == label] = values[regions == label].sum()
    return wanted


@pytest.mark.parametrize("baseline", [0.0, 127.5, "picture", None])
def test_lime_recovers_the_coefficients_of_a_linear_network(baseline):
    network, weights = linear(12, 18)
    image, regions = picture(12, 18), quarters(12, 18)
    behind = picture(12, 18, seed=1) if baseline == "picture" else baseline
    found = perturbation.lime(network, image, 1, regions, 200, baseline=behind)
    if baseline is None:
        behind = np.empty((12, 18, 3))
        for label in np.unique(regions):
            behind[regions == label] = image[regions == label].mean(axis=0)
    close(found, sums_over(regions, contributions(image, weights[..., 1], behind)), share=0.005)


def test_lime_recovers_what_its_own_superpixels_add():
    network, weights = linear(48, 32)
    image = np.zeros((48, 32, 3), np.uint8)
    blocks = np.arange(48)[:, None] // 16 * 2 + np.arange(32) // 16
    image[...] = np.random.default_rng(4).integers(20, 256, (6, 3))[blocks]
    found = perturbation.lime(network, image, 0, segments=6)
    assert_array_equal(np.unique(found, return_inverse=True)[1].reshape(48, 32) == 0,
                       blocks == blocks[np.unravel_index(found.argmin(), found.shape)])  # fmt: skip
    close(found, sums_over(blocks, contributions(image, weights[..., 0])), share=0.005)


def test_lime_is_the_weighted_ridge_regression_of_its_paper():
    network, image, regions = forms()["flat"], images(1)[0], quarters(16, 16)
    samples, target = 60, 1
    found = perturbation.lime(network, image, target, regions, samples, seed=5)

    counted = np.unique(regions, return_inverse=True)[1].reshape(16, 16)
    kept = np.random.default_rng(5).random((samples, 6)) < 0.5
    kept[0] = True
    covered = np.where(kept[:, counted][..., None], image, 0)
    scores = gradients.scores(network, covered)[:, target].astype(float)
    cosine = kept.sum(axis=1) / np.sqrt(np.maximum(kept.sum(axis=1), 1) * 6)
    weight = np.sqrt(np.exp(-((1 - cosine) ** 2) / 0.25**2))
    design = np.column_stack([np.ones(samples), kept])
    penalty = np.diag([0] + 6 * [0.01])
    normal = design.T @ (weight[:, None] * design) + penalty
    slopes = np.linalg.solve(normal, design.T @ (weight * scores))[1:]
    close(found, slopes[counted])


def test_lime_depends_on_the_seed_and_on_nothing_else():
    network, image = forms()["subclassed"], images(1)[0]
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    first = perturbation.lime(network, image, segments=6, samples=20)
    assert first.shape == (16, 16) and len(np.unique(first)) > 2
    assert_array_equal(perturbation.lime(network, image, segments=6, samples=20), first)
    assert_array_equal(np.random.get_state()[1], state)
    other = perturbation.lime(network, image, segments=6, samples=20, seed=1)
    assert np.abs(other - first).max() > 1e-6


def test_lime_of_a_batch_is_lime_of_each():
    network, three = forms("softmax")["sequential"], images(3)
    found = perturbation.lime(network, three, None, segments=8, samples=40)
    predicted = gradients.scores(network, three).argmax(axis=1)
    assert found.shape == (3, 16, 16) and found.dtype == np.float32
    for number in range(3):
        alone = perturbation.lime(network, three[number], predicted[number], 8, 40)
        assert_allclose(found[number], alone, atol=1e-5)
    regions = np.stack([quarters(16, 16), quarters(16, 16).T, quarters(16, 16)])
    found = perturbation.lime(network, three, 0, regions, 40)
    assert_allclose(found[1], perturbation.lime(network, three[1], 0, regions[1], 40), atol=1e-5)


def test_a_picture_of_one_colour_has_superpixels_too():
    network = forms()["flat"]
    found = perturbation.lime(network, np.full((16, 16, 3), 200, np.uint8), 0, 4, 30)
    assert np.isfinite(found).all() and np.abs(found).max() > 0


def test_what_lime_cannot_do_is_named():
    network, image = forms()["flat"], images(1)[0]
    for samples in (6, 2.5, True, 0):
        with pytest.raises(
            ValueError, match="samples must .*, 7 or more, .*the 6 superpixels, not"
        ):
            perturbation.lime(network, image, 0, quarters(16, 16), samples)
    for segments in (0, 1.5, False):
        with pytest.raises(ValueError, match="segments must be a whole number, 1 or more"):
            perturbation.lime(network, image, 0, segments)
    for segments in (quarters(16, 15), quarters(16, 16) / 2):
        with pytest.raises(ValueError, match=r"segments must be a number or ints .*\(16, 16\)"):
            perturbation.lime(network, image, 0, segments)
    grey, weights = linear(6, 6, 1)
    with pytest.raises(ValueError, match=r"need RGB images, or labels, not \(6, 6, 1\)"):
        perturbation.lime(grey, picture(6, 6)[..., :1])
    found = perturbation.lime(grey, picture(6, 6)[..., :1], 0, quarters(6, 6), 100)
    each = contributions(picture(6, 6)[..., :1], weights[..., 0])
    close(found, sums_over(quarters(6, 6), each), share=0.01)


# Part effects


@functools.cache
def animals():
    return [drawn.draw(kind, seed) for seed in range(3) for kind in drawn.PETS]


@pytest.mark.slow
def test_part_effects_are_the_scores_lost_when_drawn_without():
    network, weights = linear(128, 128)
    found = perturbation.part_effects(network, animals(), 1)
    assert tuple(found) == drawn.PART_NAMES[1:]
    absent = 0
    for name, effects in found.items():
        assert effects.shape == (6,) and effects.dtype == np.float32
        for drawing, effect in zip(animals(), effects, strict=True):
            if drawn.PART_NAMES.index(name) not in drawing.parts:
                assert np.isnan(effect)
                absent += 1
                continue
            bare = drawn.draw(drawing.kind, drawing.seed, without=(name,)).image
            change = contributions(drawing.image, weights[..., 1], bare)
            assert not change[drawing.parts != drawn.PART_NAMES.index(name)].any()
            assert_allclose(effect, change.sum(), atol=1.0)  # of scores of tens of thousands
            assert abs(effect) > 10
    assert absent > 0


def test_part_effects_of_one_drawing_are_single_numbers():
    network, _ = linear(128, 128)
    several = perturbation.part_effects(network, animals()[:2], None, ("ears", "eyes"))
    for number, drawing in enumerate(animals()[:2]):
        one = perturbation.part_effects(network, drawing, None, ("ears", "eyes"))
        assert list(one) == ["ears", "eyes"]
        for name, effect in one.items():
            assert np.ndim(effect) == 0
            assert_allclose(effect, several[name][number], rtol=1e-4)


def test_part_effects_are_about_the_class_that_the_whole_drawing_is_predicted_to_be():
    network, _ = linear(128, 128)
    images = np.stack([drawing.image for drawing in animals()])
    predicted = gradients.scores(network, images).argmax(axis=1)
    default = perturbation.part_effects(network, animals(), part_names=("ears",))["ears"]
    for targets in (predicted, 1 - predicted):
        found = perturbation.part_effects(network, animals(), targets, ("ears",))["ears"]
        assert_array_equal(found == default, targets == predicted)


def test_drawings_that_cannot_be_drawn_again_are_named():
    network, _ = linear(128, 128)
    whole = animals()[0]
    with pytest.raises(ValueError, match=r"'background' cannot be left out; choose from body, "):
        perturbation.part_effects(network, whole, 0, ("background",))
    with pytest.raises(ValueError, match="is a scene"):
        perturbation.part_effects(network, drawn.scene(1), 0)
    with pytest.raises(ValueError, match="is not a whole animal"):
        perturbation.part_effects(network, drawn.draw("cat", 0, without=("ears",)), 0)
    cloudy = drawn.draw("cat", 0, sky="cloudy")
    with pytest.raises(ValueError, match="not drawn with sky=None"):
        perturbation.part_effects(network, cloudy, 0)
    effects = perturbation.part_effects(network, cloudy, 0, ("ears",), sky="cloudy")
    assert np.isfinite(effects["ears"])
    for nothing in ([], whole.image, [whole.image]):
        with pytest.raises(TypeError, match="drawings must be a drawn.Drawing"):
            perturbation.part_effects(network, nothing, 0)
    with pytest.raises(ValueError, match=r"takes images \(N, 16, 16, 3\)"):
        perturbation.part_effects(forms()["flat"], whole, 0)
    with pytest.raises(ValueError, match="target must be 0 to 1"):
        perturbation.part_effects(network, whole, 2)


@pytest.mark.slow
def test_the_networks_eyes_are_on_the_eyes():
    """The shipped network, on animals that it has not seen: all that it knows is in the face."""
    world = load_world("drawn")
    drawings = [drawn.draw(kind, drawn.TEST_SEED + n) for n in range(4) for kind in drawn.PETS]
    pictures = np.stack([drawing.image for drawing in drawings])
    assert_array_equal(pictures, world.test.images[:8])
    before = networks.predict(world.network, pictures)
    effects = perturbation.part_effects(world.network, drawings, world.test.labels[:8])
    face = np.nansum([effects[name] for name in ("ears", "eyes", "muzzle")], axis=0)
    assert face.mean() > 1
    assert_array_equal(networks.predict(world.network, pictures), before)


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("COURSE_NETWORK"), reason="COURSE_NETWORK names no network")
def test_a_network_of_ones_own():
    network = networks.load(os.environ["COURSE_NETWORK"])
    size = [side or 96 for side in networks.input_shape(network)[:2]]
    image = picture(*size)
    side = min(size) // 3
    found = perturbation.occlusion(network, image, 0, window=side, stride=side)
    covered = image.copy()
    covered[:side, :side] = 0
    scores = gradients.scores(network, np.stack([image, covered]))[:, 0]
    assert_allclose(found[0, 0], scores[0] - scores[1], atol=1e-3)
    found = perturbation.lime(network, image, 0, segments=5, samples=20)
    assert found.shape == tuple(size) and np.isfinite(found).all()
