"""Conventions of other libraries: known answers, and what is said where a library is missing."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from helpers import cam, drawn, exercises, perturbation, saliency
from helpers.metrics import libraries
from helpers.worlds import World


@pytest.fixture(scope="module")
def pets():
    return World.load_network("pets"), drawn.draw("cat", drawn.TEST_SEED + 8).image


@pytest.mark.parametrize("rule", ["midpoint", "trapezoid", "mean", "gauss"])
def test_rules_of_integration_have_weights_that_add_up_to_one(rule):
    where, weights = libraries.points(rule, 7)
    assert len(where) == 7 and weights.sum() == pytest.approx(1)
    assert where @ weights == pytest.approx(1 / 2), "the integral of t from 0 to 1"


def test_the_errors_of_the_rules_are_those_of_textbooks():
    """The integral of t**2 is 1/3: midpoints are 1/12n^2 low, trapezoids 1/6(n-1)^2 high."""
    errors = {}
    for rule in "midpoint", "trapezoid", "mean", "gauss", "short":
        where, weights = libraries.points(rule, 10)
        errors[rule] = where**2 @ weights - 1 / 3
    assert errors["midpoint"] == pytest.approx(-1 / 1200)
    assert errors["trapezoid"] == pytest.approx(1 / 486)
    assert errors["mean"] > 5 * errors["trapezoid"]
    assert errors["gauss"] == pytest.approx(0, abs=1e-12)
    assert libraries.points("short", 10)[1].sum() == pytest.approx(0.9)


def test_midpoints_are_our_integrated_gradients(pets):
    found = libraries.integrated_gradients(*pets, 0, steps=10)
    wanted = saliency.integrated_gradients(*pets, 0, steps=10, tolerance=None)
    assert libraries.apart(found, wanted) < 2e-3
    assert libraries.apart(libraries.integrated_gradients(*pets, steps=10), found) == 0


def test_one_hot_cell_lies_where_the_convention_says():
    cells = np.zeros((7, 7))
    cells[1, 1] = 1
    centre = {}
    for how in "centres", "mirrored", "corners", "cubic", "blocks":
        large = np.maximum(libraries.enlarge(cells, (224, 224), how), 0)
        assert large.shape == (224, 224) and large.dtype == np.float32
        centre[how] = (large.sum(1) @ np.arange(224)) / large.sum()
    assert centre["centres"] == pytest.approx(47.5, abs=0.1)
    assert centre["blocks"] == pytest.approx(47.5)
    assert centre["corners"] == pytest.approx(223 / 6, abs=0.1)


def test_a_constant_map_stays_constant_however_it_is_enlarged():
    for how in "centres", "mirrored", "corners", "cubic", "blocks":
        assert libraries.enlarge(np.ones((4, 4)), (64, 64), how) == pytest.approx(1, abs=1e-5)


def test_mirroring_changes_the_outer_half_cells_only():
    cells = np.random.default_rng(0).random((4, 4))
    ours, theirs = (libraries.enlarge(cells, (64, 64), how) for how in ("centres", "mirrored"))
    assert ours[8:-8, 8:-8] == pytest.approx(theirs[8:-8, 8:-8], abs=1e-5)
    assert np.abs(ours - theirs).max() > 0.1


def test_cells_enlarged_our_way_are_our_grad_cam(pets):
    layer = cam.default_layer(pets[0])
    cells = libraries.grad_cam_cells(*pets, 0)
    assert cells.shape == (8, 8)
    assert np.allclose(
        libraries.enlarge(cells, (128, 128)), cam.grad_cam(*pets, 0, layer), atol=1e-4
    )
    assert libraries.grad_cam_cells(*pets, 0, relu=False).min() < 0 == cells.min()


def test_windows_are_counted():
    count = libraries.windows_over((32, 48), 16, 8)
    assert count.shape == (32, 48) and count[0, 0] == 1 and count[16, 24] == 4
    assert count.sum() == 3 * 5 * 16 * 16


@pytest.mark.slow
def test_every_convention_gives_a_map(pets):
    network, image = pets
    for method, ours in libraries.OURS.items():
        assert ours(network, image, 0).shape == (128, 128)
        for library, known in libraries.THEIRS.items():
            if method in known:
                words, theirs = known[method]
                same = np.allclose(theirs(network, image, 0), ours(network, image, 0), atol=1e-5)
                assert same == (words == "the same"), (library, method)


def test_occlusion_summed_is_the_mean_times_the_windows(pets):
    network, image = pets
    summed = libraries.THEIRS["xplique"]["occlusion"][1](network, image, 0)
    mean = perturbation.occlusion(network, image, 0)
    assert np.allclose(summed, mean * libraries.windows_over((128, 128)), atol=1e-4)


def test_apart():
    assert libraries.apart([1, 2], [1, 2]) == 0
    assert libraries.apart([0, 0], [3, 4]) == 1
    with pytest.raises(ValueError, match="shapes"):
        libraries.apart([1], [1, 2])
    with pytest.raises(ValueError, match="0 everywhere"):
        libraries.apart([1], [0])


def test_a_comparison_is_one_line(capsys):
    libraries.compare("a and b", [1.0001, 2], [1, 2])
    libraries.compare("a and b", [1.5, 2], [1, 2])
    assert capsys.readouterr().out == "a and b: equal within 0.001\na and b: apart by 22%\n"


def test_a_missing_part_is_said_in_one_sentence(monkeypatch, capsys):
    monkeypatch.setitem(libraries.PARTS, "torch", {"json": "json", "no_such_module": "no-such"})
    assert libraries.missing("torch") == ["no-such"]
    assert not libraries.have("torch")
    assert capsys.readouterr().out.count("\n") == 1
    monkeypatch.setitem(libraries.PARTS, "torch", {"json": "json"})
    assert libraries.have("torch") and not capsys.readouterr().out


def test_what_is_unknown_is_refused(pets):
    with pytest.raises(ValueError, match="libraries, torch"):
        libraries.have("jax")
    with pytest.raises(ValueError, match="midpoint"):
        libraries.points("simpson")
    with pytest.raises(ValueError, match="2 or more"):
        libraries.points("mean", 1)
    with pytest.raises(ValueError, match="corners"):
        libraries.enlarge(np.ones((2, 2)), (4, 4), "lanczos")


def test_what_is_named_is_what_the_extras_install():
    path = Path(__file__).resolve().parent.parent / "pyproject.toml"
    extras = tomllib.loads(path.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for part, packages in libraries.PARTS.items():
        named = {Requirement(package) for package in packages.values()}
        assert {one.name for one in named} == {Requirement(line).name for line in extras[part]}
        assert {str(one) for one in named if one.specifier} <= set(extras[part])


@pytest.mark.parametrize(
    ("number", "answer", "said"),
    [
        (1, [223 / 6, 47.5], "other way round"),
        (1, [40.0, 37.2], "By centres"),
        (1, [47.5, 32.0], "By corners"),
        (2, lambda n: libraries.points("short", n)[1], "have 4 gaps"),
        (2, lambda n: np.full(n, 1 / n), "plain mean"),
        (3, lambda kernel: kernel.reshape(kernel.shape[3], kernel.shape[2], *kernel.shape[:2]),
         "reshape keeps"),
        (4, lambda weights, *sizes: weights.T, "transpose alone"),
        (5, lambda size, kernel, stride: (kernel // 2, kernel // 2), "should have"),
        (5, lambda n, k, s: (max((-(-n // s) - 1) * s + k - n, 0), 0), "other way round"),
    ],
)  # fmt: skip
def test_an_exercise_says_what_is_wrong(number, answer, said):
    outcome = exercises.check(f"other_libraries.{number}", answer)
    assert outcome.state == "incorrect" and said in outcome.message, outcome
