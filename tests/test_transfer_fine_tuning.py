"""Few examples: chosen fairly, trained on kept features as if on pictures, and as measured."""

import json
import math

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from helpers import embedding, networks, training, transfer
from helpers.core import paths

RUNS = json.loads((paths.NETWORKS / "transfer_curves.json").read_text("utf-8"))["runs"]


@pytest.fixture(scope="module")
def base():
    keras.utils.set_random_seed(1)
    return networks.build(3, size=32, widths=(4, 4, 6, 6, 8), name="base")


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 2
    images = rng.integers(0, 120, (24, 32, 32, 3)) + 120 * labels[:, None, None, None]
    return images.astype(np.uint8), labels


def test_choose_takes_turns_and_a_smaller_choice_begins_a_larger_one():
    labels = np.repeat([5, 7, 9], 20)
    rows = transfer.choose(labels, 6, seed=3)
    assert_array_equal(labels[rows], [5, 7, 9] * 6)
    assert len(set(rows)) == 18
    assert_array_equal(transfer.choose(labels, 2, seed=3), rows[:6])
    assert not np.array_equal(transfer.choose(labels, 6, seed=4), rows)
    for count in (0, 21):
        with pytest.raises(ValueError, match="count must be 1 to 20"):
            transfer.choose(labels, count)


def test_halves_give_what_the_whole_gives_and_share_its_weights(base, pictures):
    lower, upper = transfer.halves(base, "block3_pool")
    between = transfer.outputs(lower, pictures[0], batch_size=7)
    assert_allclose(
        transfer.outputs(upper, between), transfer.outputs(base, pictures[0]), atol=1e-5
    )
    assert upper.trainable_weights[0] is base.get_layer("block4_conv1").kernel
    with pytest.raises(ValueError, match="No layer 'block9_pool'"):
        transfer.halves(base, "block9_pool")


@pytest.mark.slow
def test_headed_begins_where_a_frozen_base_ends_and_leaves_the_base_alone(base, pictures):
    images, labels = pictures
    before = base.get_weights()
    features = embedding.features(base, images)
    network = transfer.headed(base, features, labels, upto=4)
    head = transfer.fit_head(features, labels)
    assert_allclose(
        transfer.outputs(network, images), features @ head["kernel"] + head["bias"], atol=1e-4
    )
    learns = {weight.path.split("/")[0] for weight in network.trainable_weights}
    assert learns == {"block5_conv1", "block5_conv2", "block5_conv3", "head_scores"}
    transfer.fine_tune(network, images, labels, steps=4, enough=0)
    for old, new in zip(before, base.get_weights(), strict=True):
        assert_array_equal(old, new)


@pytest.mark.slow
def test_training_the_upper_half_on_kept_features_is_training_the_frozen_network(base, pictures):
    images, labels = pictures
    features = embedding.features(base, images)
    whole, cut = (transfer.headed(base, features, labels, upto=3) for _ in range(2))
    lower, upper = transfer.halves(cut, "block3_pool")
    kept = transfer.fine_tune(upper, transfer.outputs(lower, images), labels, steps=10, enough=0)
    full = transfer.fine_tune(whole, images, labels, steps=10, enough=0)
    assert_allclose(kept, full, rtol=1e-3)
    assert_allclose(transfer.outputs(cut, images), transfer.outputs(whole, images), atol=1e-2)


@pytest.mark.slow
def test_fit_stops_at_enough_or_before_too_many_steps(base, pictures):
    images, labels = pictures  # 24 of them: two batches an epoch
    network = transfer.headed(base, embedding.features(base, images), labels)
    begin = network.get_weights()

    def losses(**options):
        network.set_weights(begin)
        return transfer.fine_tune(network, images, labels, **options)

    assert len(losses(steps=7, enough=0)) == 3
    assert len(losses(steps=1, enough=0)) == 1
    assert len(losses(steps=20, enough=100)) == 1
    assert_array_equal(losses(steps=6, seed=5, enough=0), losses(steps=6, seed=5, enough=0))
    assert losses(steps=2, rate=1e-2, enough=0) != losses(steps=2, rate=1e-4, enough=0)
    with pytest.raises(ValueError, match="one label, 0 to 2, for each of 24 inputs, not 3 labels"):
        transfer.fine_tune(base, images, labels[:3])


@pytest.mark.slow
def test_fine_tuning_begins_anew_each_time_and_traces_once(base, pictures, monkeypatch):
    images, labels = pictures
    network = networks.frozen(base)
    begin, traced, step = network.get_weights(), [], training._step
    monkeypatch.setattr(training, "_step", lambda *args: traced.append(1) or step(*args))

    def losses(rate, fresh=False):
        used = networks.frozen(base) if fresh else network
        used.set_weights(begin)
        return transfer.fine_tune(used, images, labels, rate, steps=4, enough=0)

    first, other, again = losses(3e-4), losses(3e-3), losses(3e-4)
    assert traced == [1]
    assert first == again == losses(3e-4, fresh=True)
    assert other == losses(3e-3, fresh=True)
    assert first != other
    traced.clear()
    for layer in network.layers[:-1]:
        layer.trainable = False
    losses(3e-4)
    assert traced == [1]
    for old, new in zip(begin[:-2], network.get_weights()[:-2], strict=True):
        assert_array_equal(old, new)


def test_accuracy_counts_the_highest_scores(base, pictures):
    images = pictures[0]
    said = transfer.outputs(base, images).argmax(axis=1)
    assert transfer.accuracy(base, images, said) == 1
    assert transfer.accuracy(base, images, np.where(np.arange(24) < 6, said, -1)) == 0.25


def test_block_features_are_the_means_of_the_maps(base, pictures):
    found = transfer.block_features(base, pictures[0])
    assert [block.shape for block in found] == [(24, n) for n in (4, 4, 6, 6, 8)]
    for number, block in enumerate(found, 1):
        wanted = embedding.features(base, pictures[0], f"block{number}_pool")
        assert_allclose(block, wanted, atol=1e-5)


def test_head_accuracy_and_curve_count_alike():
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(40) % 2)
    clue = np.where(labels, 3.0, -3.0)[:, None] + rng.normal(size=(40, 4))
    assert transfer.head_accuracy(clue, labels, clue, labels) == 1
    assert transfer.head_accuracy(clue, labels, -clue, labels) == 0
    noise = rng.normal(size=(40, 4))
    curve = transfer.head_curve(clue, labels, noise, labels, counts=[3, 20], seeds=(0, 5))
    assert curve.shape == (2, 2, 2) and (curve[0] == 1).all() and (curve[1] < 0.9).all()
    rows = transfer.choose(labels, 3, seed=5)
    alone = transfer.head_accuracy(clue[rows], labels[rows], noise, labels)
    assert curve[1, 0, 1] == alone


def test_frozen_counts_are_those_of_freezing(base):
    wanted = [networks.parameter_counts(networks.frozen(base, k)).frozen for k in range(6)]
    assert transfer.frozen_counts(base) == wanted and wanted[0] == 0 < wanted[5]


@pytest.mark.slow
def test_a_shrinking_rate_makes_the_last_steps_small(base, pictures):
    def change_in_the_last_epoch(shrink):
        network = transfer.headed(base, embedding.features(base, pictures[0]), pictures[1])
        seen = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "_save", lambda *_: seen.append(network.get_weights()))
            transfer.fine_tune(network, *pictures, rate=1e-2, steps=20, enough=0, shrink=shrink)
        return max(np.abs(b - a).max() for a, b in zip(*seen[-2:], strict=True))

    assert change_in_the_last_epoch(True) < 0.1 * change_in_the_last_epoch(False)


def test_measured_gives_what_the_file_says_and_names_what_it_does_not():
    found = transfer.measured("fine-tuned", 4, [10, 50], seeds=[0, 2])
    assert found.shape == (2, 2, 2)
    (run,) = [r for r in RUNS if (r["frozen"], r["count"], r["seed"]) == (4, 50, 2)]
    assert_array_equal(found[:, 1, 1], [run["train"], run["test"]])
    with pytest.raises(ValueError, match="no run has been measured for .*'count': 11"):
        transfer.measured("from scratch", 0, [10, 11])


def test_the_measured_runs_are_all_there_and_each_reads_sensibly():
    found = {(run["how"], run["frozen"], run["count"], run["seed"]) for run in RUNS}
    counts, seeds = (10, 20, 50, 100, 200), (0, 1, 2)
    wanted = {("from scratch", 0, count, seed) for count in counts for seed in seeds}
    wanted |= {("fine-tuned", k, count, seed) for k in (0, 4) for count in counts for seed in seeds}
    wanted |= {("fine-tuned", k, 50, seed) for k in (1, 2, 3) for seed in seeds}
    assert found == wanted and len(RUNS) == len(wanted)
    for run in RUNS:
        assert 0.4 < run["test"] <= 1 and 0.5 <= run["train"] <= 1
        assert run["test"] * 400 == pytest.approx(round(run["test"] * 400)), "of 400 test pictures"
        steps = len(run["losses"]) * math.ceil(2 * run["count"] / transfer.BATCH)
        assert run["losses"][-1] <= transfer.ENOUGH or 570 < steps <= 600


def test_a_head_on_the_imagenet_network_was_measured_on_photographs():
    how, counts = "head on imagenet, photographs", [10, 20, 50, 100, 200, 300]
    own, tested = transfer.measured(how, 5, counts)
    assert own.shape == (6, 3) and (own == 1).all()
    assert (tested[-1] == 0.9875).all() and tested[0].mean() > 0.95
    about = json.loads((paths.NETWORKS / "photo_curves.json").read_text("utf-8"))
    assert about["photographs"].endswith(": 600 to train on, 240 to test on")
