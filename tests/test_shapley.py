"""Shapley values against the axioms, sums by hand, and each other."""

import functools
import itertools
import math

import keras
import numpy as np
import pytest
from hand_made import forms, images
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from helpers import drawn, gradients, metrics, networks, perturbation, relevance

PLAYERS = "abcde"
METHODS = {
    "exact": relevance.shapley_values,
    "kernel": lambda value, players: relevance.kernel_shapley_values(value, players, 10**6),
}
exactly = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def game(seed, players=PLAYERS):
    """Return a game of random values: a function of a coalition."""
    known = np.random.default_rng(seed).normal(size=2 ** len(players))
    return lambda coalition: known[sum(2 ** players.index(player) for player in coalition)]


def in_all_orders(value, players):
    """Return the Shapley values from their definition: the mean gain over all orders."""
    shares = dict.fromkeys(players, 0.0)
    for order in itertools.permutations(players):
        for number, player in enumerate(order):
            before = frozenset(order[:number])
            shares[player] += value(before | {player}) - value(before)
    return {player: share / math.factorial(len(players)) for player, share in shares.items()}


def close(found, wanted, atol=1e-9):
    assert list(found) == list(wanted)
    assert_allclose(list(found.values()), list(wanted.values()), atol=atol)


@exactly
def test_three_friends_share_a_taxi(method):
    """Each lives farther out than the one before; who is in the taxi pays for the farthest."""
    alone = {"Ann": 6, "Ben": 12, "Cleo": 42}
    found = method(lambda friends: max((alone[name] for name in friends), default=0), alone)
    close(found, {"Ann": 2, "Ben": 2 + 3, "Cleo": 2 + 3 + 30})


@exactly
@pytest.mark.parametrize("count", range(1, 6))
def test_the_value_is_the_mean_gain_over_all_orders(method, count):
    players = PLAYERS[:count]
    close(method(game(count), players), in_all_orders(game(count), players))


@exactly
@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_the_axioms_hold(method, seed):
    value = game(seed)
    found = method(value, PLAYERS)
    whole, none = value(PLAYERS), value("")
    assert math.isclose(sum(found.values()), whole - none, abs_tol=1e-9)  # efficiency
    idle = method(lambda some: value([one for one in some if one != "c"]), PLAYERS)
    assert abs(idle["c"]) < 1e-9  # a player who changes nothing
    both = {"d": "b", "b": "b"}  # b and d stand for each other: how many of them counts
    twins = method(
        lambda some: value({both.get(p, p) for p in some}) + len({"b", "d"} & some), PLAYERS
    )
    assert math.isclose(twins["b"], twins["d"], abs_tol=1e-9)  # symmetry
    other = method(game(seed + 1), PLAYERS)
    mixed = method(lambda some: 3 * value(some) - game(seed + 1)(some), PLAYERS)
    close(mixed, {p: 3 * found[p] - other[p] for p in PLAYERS})  # linearity


def test_each_coalition_is_asked_for_once():
    for method, most in (
        (relevance.shapley_values, 32),
        (lambda *a: relevance.sampled_shapley_values(*a, orders=50), 32),
        (lambda *a: relevance.kernel_shapley_values(*a, samples=20), 22),
    ):
        asked = []
        method(lambda some, asked=asked: asked.append(some) or len(some), PLAYERS)
        assert all(isinstance(some, frozenset) for some in asked)
        assert len(asked) == len(set(asked)) <= most
        assert {frozenset(), frozenset(PLAYERS)} <= set(asked)


def test_random_orders_come_near_as_their_standard_errors_say():
    exact = np.array(list(relevance.shapley_values(game(3), PLAYERS).values()))
    away, errors = [], []
    for seed in range(40):
        found = relevance.sampled_shapley_values(game(3), PLAYERS, 50, seed)
        values, error = np.array(list(found.values())).T
        assert math.isclose(values.sum(), game(3)(PLAYERS) - game(3)(""), abs_tol=1e-9)
        away.append(values - exact)
        errors.append(error)
    assert 0.8 < np.std(away) / np.mean(errors) < 1.2
    assert np.abs(np.mean(away, axis=0)).max() < 4 * np.mean(errors) / np.sqrt(40)
    one = relevance.sampled_shapley_values(game(3), PLAYERS, 50, 7)
    assert one == relevance.sampled_shapley_values(game(3), PLAYERS, 50, 7)
    assert one["a"].value == one["a"][0] and one["a"].error == one["a"][1]


def additive(players, seed=0):
    each = dict(zip(players, np.random.default_rng(seed).normal(size=len(players)), strict=True))
    return lambda some: 5 + sum(each[player] for player in some), each


@pytest.mark.parametrize("samples", [50, 51, 200, 1000])
def test_with_any_number_of_samples_shares_that_add_up_are_found_exactly(samples):
    value, each = additive(range(25))
    close(relevance.kernel_shapley_values(value, range(25), samples), each)


def test_with_more_samples_kernel_shap_comes_nearer_and_always_adds_up():
    players = PLAYERS + "fghij"
    exact = np.array(list(relevance.shapley_values(game(1, players), players).values()))
    errors = {samples: [] for samples in (40, 160, 640)}
    for samples, seed in itertools.product(errors, range(5)):
        found = relevance.kernel_shapley_values(game(1, players), players, samples, seed)
        shares = np.array(list(found.values()))
        assert math.isclose(shares.sum(), exact.sum(), abs_tol=1e-9)
        errors[samples].append(np.abs(shares - exact).mean())
        again = relevance.kernel_shapley_values(game(1, players), players, samples, seed)
        assert again == found
    few, some, many = (np.mean(errors[samples]) for samples in errors)
    assert many < some / 2 < few / 4


def test_many_players_are_sampled():
    value, each = additive(range(40))
    with pytest.raises(ValueError, match="40 players have 1,099,511,627,776 coalitions.*sampled"):
        relevance.shapley_values(value, range(40))
    found = relevance.sampled_shapley_values(value, range(40), 2)
    close({player: share.value for player, share in found.items()}, each)
    close(relevance.kernel_shapley_values(value, range(40), 80), each)


def test_nobody_shares_nothing():
    assert relevance.shapley_values(lambda some: 3.0, []) == {}


@pytest.mark.parametrize(
    ("method", "options", "says"),
    [
        (relevance.sampled_shapley_values, {"orders": 1}, "orders must be .*, 2 or more, not 1"),
        (relevance.sampled_shapley_values, {"seed": -1}, "seed must be .*, 0 or more, not -1"),
        (relevance.kernel_shapley_values, {"samples": 9}, "samples must .*, 10 or more, as .* 5"),
        (relevance.kernel_shapley_values, {"samples": 1e3}, "samples must .* not 1000.0"),
        (relevance.kernel_shapley_values, {"seed": None}, "seed must be .* not None"),
    ],
)
def test_what_sampling_cannot_do_is_named(method, options, says):
    with pytest.raises(ValueError, match=says):
        method(game(0), PLAYERS, **options)


def test_players_are_different():
    for method in (
        relevance.shapley_values,
        relevance.sampled_shapley_values,
        relevance.kernel_shapley_values,
    ):
        with pytest.raises(ValueError, match="players must differ"):
            method(len, "aba")


def test_the_library_shap_finds_the_same():
    shap = pytest.importorskip("shap")
    value = game(2)

    def scores(kept):
        return np.array([value({PLAYERS[i] for i in np.flatnonzero(row)}) for row in kept])

    explainer = shap.KernelExplainer(scores, np.zeros((1, 5)))
    theirs = explainer.shap_values(np.ones((1, 5)), silent=True)[0]
    ours = relevance.kernel_shapley_values(value, PLAYERS, 30)
    assert_allclose(theirs, list(ours.values()), atol=1e-6)


# Parts of drawn animals

CAT = 8  # the seed of one with few parts


@functools.cache
def small():
    """Return a network of 128x128 pictures and three classes, in which parts act on each other."""
    x = keras.Input((128, 128, 3))
    y = keras.layers.Flatten()(keras.layers.AveragePooling2D(4)(x))
    network = keras.Model(x, keras.layers.Dense(3)(keras.layers.Dense(8, activation="relu")(y)))
    shapes, random = [weight.shape for weight in network.weights], np.random.default_rng(2)
    spreads = [0.003, 1, 1, 1]
    network.set_weights([random.normal(0, *both) for both in zip(spreads, shapes, strict=True)])
    return network


@functools.cache
def linear():
    """Return a network with two scores that are weighted sums of the picture, and the weights."""
    x = keras.Input((128, 128, 3))
    network = keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    weights = np.random.default_rng(1).normal(size=(128 * 128 * 3, 2)).astype(np.float32) / 1000
    network.set_weights([weights, np.float32([3, -5])])
    return network, weights.reshape(128, 128, 3, 2)


def quantity(network, without, target, **how):
    picture = drawn.draw("cat", CAT, without).image
    return float(gradients.quantity(network, picture, target, **how))


@pytest.mark.parametrize("how", [{}, {"against": "rest"}, {"against": 0}])
def test_two_parts_share_by_hand(how):
    found = relevance.shapley_parts(small(), "cat", CAT, 2, ("eyes", "ears"), **how)
    both, ears, eyes, none = (
        quantity(small(), without, 2, **how)
        for without in ((), ("eyes",), ("ears",), ("ears", "eyes"))
    )
    wanted = {
        "ears": (ears - none + both - eyes) / 2,
        "eyes": (eyes - none + both - ears) / 2,
    }
    close(found, wanted, atol=2e-4)
    assert min(map(abs, wanted.values())) > 0.01 and abs(both + none - ears - eyes) > 0.01


def test_all_parts_add_up_to_the_whole_less_the_bare_picture():
    drawing = drawn.draw("cat", CAT)
    shown = {drawn.PART_NAMES[number] for number in np.unique(drawing.parts)} - {"background"}
    scores = relevance.coalition_scores(small(), "cat", CAT)
    assert len(scores) == 2 ** len(shown) and set(max(scores, key=len)) == shown
    target = int(gradients.scores(small(), drawing.image).argmax())
    assert_allclose(scores[frozenset(shown)], quantity(small(), (), target), rtol=1e-5)
    assert_allclose(scores[frozenset()], quantity(small(), tuple(shown), target), rtol=1e-5)
    found = relevance.shapley_parts(small(), "cat", CAT)
    assert list(found) == [name for name in perturbation.PARTS if name in shown]
    whole, bare = scores[frozenset(shown)], scores[frozenset()]
    assert_allclose(sum(found.values()), whole - bare, atol=1e-9)
    assert all(type(value) is float for value in found.values())


def test_a_part_that_the_network_does_not_see_gets_nothing():
    network, weights = linear()
    blind = keras.models.clone_model(network)
    eyes = drawn.draw("cat", CAT).parts == drawn.PART_NAMES.index("eyes")
    blind.set_weights([np.where(eyes[..., None, None], 0, weights).reshape(-1, 2), np.zeros(2)])
    found = relevance.shapley_parts(blind, "cat", CAT, 0, ("ears", "eyes", "muzzle"))
    assert abs(found["eyes"]) < 1e-5 < 1e-2 < min(abs(found["ears"]), abs(found["muzzle"]))


def test_parts_that_are_not_drawn_have_no_share():
    seed = next(n for n in range(99) if drawn.PART_NAMES.index("tongue") not in
                drawn.draw("cat", n).parts)  # fmt: skip
    assert list(relevance.shapley_parts(small(), "cat", seed, 0, ("tongue", "ears"))) == ["ears"]
    assert relevance.shapley_parts(small(), "cat", seed, 0, ("tongue",)) == {}


def test_the_sky_is_that_of_the_drawing():
    cloudy = drawn.draw("cat", CAT, sky="cloudy")
    found = relevance.coalition_scores(small(), "cat", CAT, 1, ("ears",), sky="cloudy")
    wanted = gradients.quantity(small(), cloudy.image, 1)
    assert_allclose(found[frozenset({"ears"})], wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"kind": "unicorn"}, "unknown kind 'unicorn'"),
        ({"kind": ("cat", "dog")}, "unknown kind"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2.5}, "seed is 2.5"),
        ({"target": 3}, "target must be 0 to 2"),
        ({"target": [0, 1]}, "target must be"),
        ({"part_names": ("horn",)}, "'horn' cannot be left out; choose from body, head"),
        ({"part_names": ("background",)}, "'background' cannot be left out"),
        ({"sky": "green"}, "sky is 'green'"),
        ({"against": "all"}, "against must be"),
    ],
)
def test_what_cannot_be_shared_is_named_before_anything_is_redrawn(monkeypatch, given, says):
    monkeypatch.setattr("helpers.relevance.shapley.redrawn", lambda *_: pytest.fail("redrawn"))
    with pytest.raises(ValueError, match=says):
        relevance.shapley_parts(**{"network": small(), "kind": "cat", "seed": CAT} | given)
    with pytest.raises(ValueError, match=r"takes images \(N, 16, 16, 3\)"):
        relevance.shapley_parts(forms()["flat"], "cat", CAT)


# Superpixels of images


def blocks(height=12, width=18):
    """Return labels of six blocks, numbered with gaps."""
    rows, columns = np.arange(height) * 2 // height, np.arange(width) * 3 // width
    return 10 * rows[:, None] + columns


def sums(values, regions):
    return {int(label): values[regions == label].sum() for label in np.unique(regions)}


@pytest.mark.parametrize("samples", [12, 20, 1000])
@pytest.mark.parametrize("baseline", [0.0, "picture", None])
def test_kernel_shap_of_a_linear_network_is_what_its_superpixels_add(samples, baseline):
    x = keras.Input((12, 18, 3))
    network = keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    weights = np.random.default_rng(1).normal(size=(12 * 18 * 3, 2)).astype(np.float32)
    network.set_weights([weights, np.float32([3, -5])])
    image, behind = np.float32(images(2, 18)[:, :12])
    behind = behind if baseline == "picture" else baseline
    regions = blocks()
    found = relevance.kernel_shap(network, image, 1, regions, samples, baseline=behind)
    if baseline is None:
        behind = np.empty_like(image)
        for label in np.unique(regions):
            behind[regions == label] = image[regions == label].mean(axis=0)
    own = ((image - behind) * weights.reshape(12, 18, 3, 2)[..., 1]).sum(axis=2)
    assert found.shape == (12, 18) and found.dtype == np.float32
    each, wanted = sums(found, regions), sums(own, regions)
    largest = max(map(abs, wanted.values()))
    assert_allclose(list(each.values()), list(wanted.values()), atol=1e-5 * largest)
    assert all(np.ptp(found[regions == label]) == 0 for label in np.unique(regions))


def test_with_all_coalitions_kernel_shap_is_exact():
    network, image, regions = forms()["nested"], np.float32(images(1)[0]), blocks(16, 16)

    def value(kept):
        seen = np.where(np.isin(regions, list(kept))[..., None], image, 33)
        return float(gradients.scores(network, seen)[0, 2])

    wanted = relevance.shapley_values(value, np.unique(regions).tolist())
    found = relevance.kernel_shap(network, image, 2, regions, 2**6 - 2, baseline=33)
    close(sums(found, regions), wanted, atol=1e-5)
    assert max(map(abs, wanted.values())) > 1e-3


@pytest.mark.parametrize("against", [None, "rest", 0])
@pytest.mark.parametrize("baseline", [0.0, 127.0])
def test_maps_add_up_to_the_score_less_that_of_the_baseline(baseline, against):
    network, three = forms("softmax")["flat"], images(3)
    options = {"baseline": baseline, "against": against}
    found = relevance.kernel_shap(network, three, 2, 8, 40, **options)
    assert found.shape == (3, 16, 16)
    gaps = metrics.completeness_gap(network, three, found[..., None] / 3 * np.ones(3), 2, **options)
    assert gaps.max() < 1e-3


def test_kernel_shap_of_a_batch_is_that_of_each_in_portions_of_any_size_and_in_any_form(
    monkeypatch,
):
    network, three = forms()["flat"], images(3)
    whole = relevance.kernel_shap(network, three, None, 6, 30)
    close_to = {"atol": 1e-4 * np.abs(whole).max()}
    predicted = gradients.scores(network, three).argmax(axis=1)
    for n in range(3):
        alone = relevance.kernel_shap(network, three[n], predicted[n], 6, 30)
        assert_allclose(alone, whole[n], **close_to)
    assert_array_equal(relevance.kernel_shap(network, three, None, 6, 30), whole)
    for form in ("nested", "subclassed", "sequential"):
        again = relevance.kernel_shap(forms()[form], three, None, 6, 30)
        assert_allclose(again, whole, **close_to)
    monkeypatch.setattr(perturbation, "PIXELS", 3 * 16 * 16)
    assert_allclose(relevance.kernel_shap(network, three, None, 6, 30), whole, **close_to)


def test_an_image_of_one_superpixel_gets_everything():
    network, image = forms()["flat"], images(1)[0]
    found = relevance.kernel_shap(network, image, 1, np.zeros((16, 16), int), 0)
    whole, black = gradients.scores(network, np.stack([image, 0 * image]))[:, 1]
    assert_allclose(found, (whole - black) / 256, rtol=1e-3)


def test_what_kernel_shap_cannot_do_is_named_and_the_network_stays_as_it_is():
    network, image = forms("softmax")["nested"], images(1)[0]
    weights, before = network.get_weights(), networks.predict(network, images())
    for samples in (11, 2.5, True):
        with pytest.raises(ValueError, match="samples must .*, 12 or more, as .* 6 players or sup"):
            relevance.kernel_shap(network, image, 0, blocks(16, 16), samples)
    with pytest.raises(ValueError, match="seed must be"):
        relevance.kernel_shap(network, image, 0, blocks(16, 16), seed=-1)
    with pytest.raises(ValueError, match="segments must be a number or ints"):
        relevance.kernel_shap(network, image, 0, blocks(16, 15))
    with pytest.raises(ValueError, match="target must be"):
        relevance.kernel_shap(network, image, 7, blocks(16, 16))
    assert_array_equal(networks.predict(network, images()), before)
    for now, then in zip(network.get_weights(), weights, strict=True):
        assert_array_equal(now, then)
