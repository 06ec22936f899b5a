"""What the runs of lesson 10 are made of, and that those recorded are complete and repeatable."""

import gzip
import importlib.util
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import regularization, training
from helpers.core.paths import NETWORKS

ALL = json.loads(gzip.decompress((NETWORKS / "regularizers.json.gz").read_bytes()))["runs"]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("script", NETWORKS / "regularizers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("problem", regularization.PROBLEMS)
def test_all_that_the_script_measures_is_recorded_and_chosen_on_validation(script, problem):
    chosen = regularization.chosen(problem)
    tried = script.TRIED | (script.ON_PETS if problem == "pets" else {})
    assert list(chosen) == list(tried)
    for name, strengths in tried.items():
        runs = [regularization.recorded(problem, **options) for options in strengths]
        right = [run["validation"].mean(axis=0)[-1] for run in runs]
        assert right[strengths.index(chosen[name])] == max(right)
    for options in ({}, *script.FLIPS):
        regularization.recorded(problem, **options)
    found = [regularization.recorded(problem, *some) for some in script.combinations(problem)]
    best, names = regularization.best(problem)
    means = [run["validation"][:, -1].mean() for run in found]
    assert best["validation"][:, -1].mean() == max(means)
    assert np.array_equal(best["end"], regularization.recorded(problem, *names)["end"])
    several = sum(map(len, tried.values())) + len(script.FLIPS) + 1 + len(found)
    assert len([group for group in ALL if group["problem"] == problem]) == several


@pytest.mark.slow
def test_a_recorded_run_can_be_repeated():
    for problem, name in (("false labels", "L2 penalty"), ("true labels", "mixup")):
        kept = regularization.recorded(problem, name)
        run = regularization.experiment(problem, 1, **regularization.chosen(problem)[name])
        assert abs(run["end"] - kept["end"][1]) < 0.04
        assert np.abs(np.array(run["validation"]) - kept["validation"][1]).max() < 0.06
        assert kept["train"].shape == (3, 20) and kept["stopped"].shape == (3,)


@pytest.mark.slow
def test_pets_are_learned_in_the_same_way(script):
    options = {"shift": 2, "flip": "mirrored", "mixup": 0.2, "l2": 0.01, "normalized": True}
    run = regularization.experiment("pets", 0, steps=20, share=0.25, dropout=0.3, **options)
    assert len(run["train"]) == len(run["validation"]) == 20
    assert run["kept"] == regularization.keep(run["validation"])
    assert run["train"][-1] > 0.55


def test_what_is_not_recorded_is_named():
    with pytest.raises(ValueError, match="'sleep' is not recorded; choose from dropout, augm"):
        regularization.recorded("pets", "sleep")
    with pytest.raises(ValueError, match="with {'l2': 7} is not recorded"):
        regularization.recorded("pets", l2=7)
    with pytest.raises(ValueError, match="unknown problem 'x'; choose from true labels"):
        regularization.examples("x")


@pytest.mark.parametrize(
    "problem", [*regularization.PROBLEMS[:2], pytest.param("pets", marks=pytest.mark.slow)]
)
def test_more_examples_hold_the_usual_ones_and_the_same_tests(problem):
    few, tested = regularization.examples(problem, 1)
    more, again = regularization.examples(problem, 1, double=True)
    count = len(few.labels)
    assert len(more.labels) == 2 * count == len(more.images) and len(few.pictures) == count
    assert np.array_equal(more.images[:count], few.images)
    assert np.array_equal(more.labels[:count], few.labels)
    assert np.array_equal(tested[0], again[0]) and np.array_equal(tested[1], again[1])
    share = (more.labels != more.true_labels).mean()
    assert share == (0.2 if problem == "false labels" else 0)
    other, _ = regularization.examples(problem, 2)
    assert not np.array_equal(other.images, few.images)


def test_regularizers_change_neither_the_examples_nor_the_weights_at_the_start():
    plain = regularization.dense(seed=2)
    for options in ({"dropout": 0.5}, {"normalized": True}, {"l2": 0.1}):
        other = regularization.dense(seed=2, **options)
        kernels = [v.numpy() for v in other.trainable_variables if "kernel" in v.path]
        for one, two in zip(kernels, plain.get_weights()[::2], strict=True):
            assert np.array_equal(one, two)
    pets = regularization.pet_network(0.5, dropout=0.5, normalized=True)
    assert pets(np.zeros((1, 32, 32, 3), np.float32)).shape == (1, 2)
    assert pets.get_layer("hidden").units == 32


def test_a_moved_image_lets_blank_paper_in_or_repeats_its_edge():
    image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1) + 3
    moved = regularization.move(image, [1], [0]).numpy()
    assert np.array_equal(moved[:, 1:], image[:, :-1]) and (moved[:, 0] == 3).all()
    moved = regularization.move(image, [0], [-2], edge=True).numpy()
    assert np.array_equal(moved[:, :, :2], image[:, :, 2:])
    assert np.array_equal(moved[:, :, 3], image[:, :, 3])


def test_labels_are_smoothed_and_examples_mixed():
    soft = regularization.smoothed(np.array([1]), 0.3, classes=3)
    np.testing.assert_allclose(soft, [[0.1, 0.8, 0.1]])
    whole = np.array([[0.0, 8.0], [4.0, 0.0]])
    mixed, told = regularization.mix(whole, np.eye(2), [1, 1], [0.25, 0.5])
    np.testing.assert_allclose(mixed, [[3.0, 2.0], [4.0, 0.0]])
    np.testing.assert_allclose(told, [[0.25, 0.75], [0.0, 1.0]])


def test_changes_are_made_anew_for_each_key_and_labels_stay_distributions():
    assert regularization.changes() is None
    images = np.random.default_rng(0).random((40, 8, 8, 1)).astype(np.float32)
    labels = np.eye(10, dtype=np.float32)[np.arange(40) % 10]
    for options in ({"shift": 1}, {"flip": "mirrored"}, {"flip": "turned"}, {"mixup": 0.5}):
        change = regularization.changes(**options)
        assert change is regularization.changes(**options)
        seen = [change(tf.constant(images), tf.constant(labels), (0, key)) for key in (1, 1, 2)]
        assert np.array_equal(seen[0][0], seen[1][0]) and not np.array_equal(seen[0][0], seen[2][0])
        np.testing.assert_allclose(np.sum(seen[0][1], axis=1), 1, atol=1e-5)
    turned = np.asarray(regularization.changes(flip="turned")(images, labels, (0, 1))[0])
    as_was = [np.array_equal(one, two) for one, two in zip(turned, images, strict=True)]
    upside = [np.array_equal(one, two[::-1, ::-1]) for one, two in zip(turned, images, strict=True)]
    assert 5 < sum(as_was) < 35 and sum(as_was) + sum(upside) == 40


def test_early_stopping_keeps_what_keras_keeps():
    rng = np.random.default_rng(0)
    for patience in (1, 2, 5):
        for _ in range(20):
            curve = rng.integers(0, 12, 15) / 12
            stopper = keras.callbacks.EarlyStopping("val", patience=patience, mode="max")
            stopper.set_model(keras.Sequential())
            stopper.on_train_begin()
            stopper.model.stop_training = False
            for epoch, value in enumerate(curve):
                if not stopper.model.stop_training:
                    stopper.on_epoch_end(epoch, {"val": value})
            assert regularization.keep(curve, patience) == stopper.best_epoch


def test_a_network_learns_from_probabilities_as_from_labels():
    def network():
        return regularization.dense(hidden=8)

    data = regularization.load_digits(40, wrong=0.0)
    soft = np.eye(10)[data.labels]
    losses = [
        training.train(network(), data.images, told, 3, 0.01, augmented=False)
        for told in (data.labels, soft)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for wrong in (soft[:, :9], 2 * soft, soft[:5]):
        with pytest.raises(ValueError, match=r"probabilities must be \(40, 10\)"):
            training.train(network(), data.images, wrong, 1)
