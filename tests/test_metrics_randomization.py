"""The randomization check: a method that does not ask the network is found out."""

import numpy as np
import pytest
import scipy.stats
from hand_made import forms, images
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from helpers import cam, gradients, metrics, networks, saliency
from helpers.metrics import rank_correlation, similarity
from helpers.metrics.sanity import Forgetful, own_weights

FORMS = ["flat", "sequential", "nested", "subclassed"]


def edges(_network, pictures, _target):
    """Return a map that looks at the picture alone."""
    grey = np.asarray(pictures, float).mean(axis=3)
    return np.hypot(*np.gradient(grey, axis=(1, 2)))


def test_a_method_that_ignores_the_network_is_found_out():
    found = metrics.randomization_check(forms()["flat"], images(), edges)
    assert found.layers == ("scores", "conv2", "conv1")
    assert_allclose(found.rank_correlation, np.ones((3, 3)), atol=1e-6)
    assert_allclose(found.ssim, np.ones((3, 3)), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_method_that_asks_the_network_is_not(form):
    network = forms("softmax")[form]
    weights, before = network.get_weights(), network.predict(images(), verbose=0)
    for method in (saliency.gradient, cam.grad_cam):
        found = metrics.randomization_check(network, images(8), method, seed=1)
        assert found.layers == ("scores", "conv2", "conv1")
        assert found.rank_correlation.shape == found.ssim.shape == (3, 8)
        assert np.nanmean(found.rank_correlation[-1]) < 0.6
        assert np.nanmean(found.ssim[-1]) < 0.8
    for one, same in zip(weights, network.get_weights(), strict=True):
        assert_array_equal(one, same)
    assert_array_equal(before, network.predict(images(), verbose=0))


def test_the_network_is_unchanged_when_the_method_fails():
    network, calls = forms()["nested"], []

    def fails_later(_network, pictures, _target):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("enough")
        return np.ones(pictures.shape)

    weights = network.get_weights()
    with pytest.raises(RuntimeError, match="enough"):
        metrics.randomization_check(network, images(), fails_later)
    for one, same in zip(weights, network.get_weights(), strict=True):
        assert_array_equal(one, same)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_forgotten_is_shuffled_from_the_top_down(form):
    network = forms()[form]
    forgetful, rng = Forgetful(network), np.random.default_rng(0)
    pictures = images()
    wanted = gradients.scores(network, pictures)
    assert_array_equal(gradients.scores(forgetful, pictures), wanted)
    assert networks.layer_names(forgetful) == networks.layer_names(network)
    maps = networks.record(network, pictures, "conv2")["conv2"]
    forgetful.forget(own_weights(network)["scores"], rng)
    assert_array_equal(networks.record(forgetful, pictures, "conv2")["conv2"], maps)
    assert np.abs(gradients.scores(forgetful, pictures) - wanted).max() > 1e-3
    for variable in own_weights(network)["scores"]:
        copy = forgetful.copies[id(variable)].numpy()
        assert_array_equal(np.sort(copy, axis=None), np.sort(variable.numpy(), axis=None))
    assert_array_equal(gradients.scores(network, pictures), wanted)


def test_the_target_is_what_the_whole_network_predicts():
    network, asked = forms()["flat"], []

    def method(network, pictures, target):
        asked.append(np.asarray(target))
        return saliency.gradient(network, pictures, target)

    metrics.randomization_check(network, images(), method)
    assert len(asked) == 4
    for target in asked:
        assert_array_equal(target, networks.predict(network, images()).argmax(1))


@pytest.mark.slow
def test_the_method_is_asked_for_the_margin():
    network = forms()["flat"]
    found = metrics.randomization_check(network, images(), saliency.gradient, against="rest")
    before = saliency.gradient(network, images(), against="rest")
    forgetful, rng = Forgetful(network), np.random.default_rng(0)
    forgetful.forget(own_weights(network)["scores"], rng)
    target = gradients.scores(network, images()).argmax(1)
    after = saliency.gradient(forgetful, images(), target, against="rest")
    one, other = (np.abs(maps[0]).sum(-1) for maps in (before, after))
    assert found.rank_correlation[0, 0] == pytest.approx(rank_correlation(one, other), abs=1e-6)


def test_a_map_that_does_not_depend_on_the_class_is_found_out():
    network = forms()["flat"]

    def blind(*_):
        return edges(network, images(), None)

    assert_allclose(metrics.random_logit_check(network, images(), blind), 1, atol=1e-6)
    found = metrics.random_logit_check(network, images(6), saliency.gradient, 0, seed=3)
    other = np.random.default_rng(3).integers(1, 3, 6)
    maps = (saliency.gradient(network, images(6), target) for target in (0, other))
    wanted = [rank_correlation(a.sum(-1), b.sum(-1)) for a, b in zip(*maps, strict=True)]
    assert_allclose(found, wanted, atol=1e-6)
    assert found.max() < 0.99


def test_maps_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"return maps \(3, 16, 16\), not \(3, 5, 5\)"):
        metrics.randomization_check(forms()["flat"], images(), lambda *_: np.ones((3, 5, 5)))


maps = hnp.arrays(np.float32, (6, 5), elements=st.integers(0, 9).map(float))


@given(maps, maps)
def test_the_rank_correlation_is_spearmans(one, other):
    found = rank_correlation(one, other)
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        assert np.isnan(found)
    else:
        ranks = [scipy.stats.rankdata(array, axis=None) for array in (one, other)]
        assert found == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-9)


@given(maps)
def test_a_map_is_like_itself_at_any_strength(one):
    if one.max() == 0:
        assert np.isnan(similarity(one, one))
    else:
        assert similarity(one, 7 * one) == pytest.approx(1, abs=1e-5)
