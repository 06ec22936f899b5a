"""The misfit of shares: closed forms, and what was measured beforehand."""

import importlib.util

import numpy as np
import pytest
from numpy.testing import assert_allclose

from helpers import drawn, metrics, perturbation, relevance
from helpers.core import paths


@pytest.mark.parametrize(
    ("shares", "misfit"),
    [
        ([3, 4], 0),  # the truth itself
        ([6, 8], 0),  # in another unit
        ([-3, -4], 1),  # upside down: nothing would be as good
        ([0, 0], 1),
        ([4, -3], 1),  # at a right angle
        ([1, 0], 0.8),  # 3 of (3, 4) are explained
        ([7, 1], 0.5**0.5),  # 45 degrees away
    ],
)
def test_the_misfit_is_the_sine_of_the_angle(shares, misfit):
    assert_allclose(metrics.misfit(shares, [3.0, 4.0]), misfit, atol=1e-6)


def test_many_at_once():
    found = metrics.misfit([[1, 0], [3, 4]], [[3, 4], [3, 4]])
    assert found.dtype == np.float32
    assert_allclose(found, [0.8, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("shares", "truth", "match"),
    [
        ([1, 2, 3], [1, 2], "must match"),
        (1.0, 2.0, "must match"),
        ([np.nan, 1], [1, 2], "finite"),
        ([1, 2], [np.inf, 2], "finite"),
        ([1, 2], [0, 0], "all zeros"),
    ],
)
def test_impossible_shares_are_refused(shares, truth, match):
    with pytest.raises(ValueError, match=match):
        metrics.misfit(shares, truth)


def test_what_was_measured_is_whole():
    stored = metrics.measured_misfits()
    assert len(set(stored.animals)) == len(stored.animals) == len(stored.parts) >= 20
    for runs in stored.methods.values():
        for run in runs:
            assert len(run.each) == len(stored.animals)
            assert 0 <= run.misfit.mean <= 1 and -1 <= np.nan_to_num(run.rank.mean) <= 1
    assert stored.methods["exact, parts"][0].misfit == (0, 0)
    assert {name for family in stored.families.values() for name in family} < set(stored.methods)
    for until in stored.until.values():
        assert (until <= 2.0**stored.parts).all()


@pytest.mark.slow
def test_the_program_measures_an_animal_as_it_is_stored(monkeypatch):
    path = paths.NETWORKS / "shapley_errors.py"
    spec = importlib.util.spec_from_file_location("shapley_errors", path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    monkeypatch.setattr(program, "ASKING", {"occlusion": (program.squares, (32,), None)})
    monkeypatch.setattr(program, "FOLLOWING", {"SmoothGrad": (program.smooth, (4,))})
    stored = metrics.measured_misfits()
    number = int(stored.parts.argmin())
    found = program.measure(program.load_world("drawn").network, *stored.animals[number])
    for method, runs in stored.methods.items():
        for run in runs:
            if (setting := str(run.setting)) in found["found"].get(method, {}):
                misfit = found["found"][method][setting][0]
                assert_allclose(misfit, run.each[number], atol=0.02, err_msg=method)
    assert found["parts"] == stored.parts[number]
    assert found["until"]["KernelSHAP"][1] == stored.until["KernelSHAP"][number]


def test_exact_shares_have_no_misfit():
    def game(some):
        return float(len(some & {"eyes", "ears"}) ** 2 + ("muzzle" in some))

    players = list(perturbation.PARTS)
    exact = relevance.shapley_values(game, players)
    fitted = relevance.kernel_shapley_values(game, players, 10**6)
    shares = [list(one.values()) for one in (fitted, exact)]
    assert_allclose(metrics.misfit(*shares), 0, atol=1e-6)
    assert set(players) < set(drawn.PART_NAMES)
