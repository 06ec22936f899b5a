"""VGG16 for other classes: features once, a head that learns them, block 5 where there is a GPU."""

import types

import keras
import numpy as np
import pytest
import stand_ins
from numpy.testing import assert_allclose, assert_array_equal

from helpers import networks, transfer, worlds

SIZE = 32


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def network():
    network = networks.vgg16(2, size=SIZE)
    stand_ins.pass_colours_on(network)
    return network


@pytest.fixture(scope="module")
def pictures():
    """Return 24 pictures, red and blue in turn, and their labels."""
    labels = np.arange(24) % 2
    colours = np.array([(220, 60, 60), (60, 60, 220)])[labels]
    noise = np.random.default_rng(0).normal(0, 20, (24, SIZE, SIZE, 3))
    return (colours[:, None, None] + noise).clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return stand_ins.vgg16_weights(tmp_path_factory.mktemp("weights") / "vgg16.h5")


def unwanted(*_, **__):
    raise AssertionError("computed although it was kept")


@pytest.mark.slow
def test_features_are_what_the_layer_gives_and_are_kept(network, pictures, monkeypatch, tmp_path):
    images, _ = pictures
    found = transfer.kept_features(network, images)
    wanted = networks.record(network, images, "block5_pool")["block5_pool"]
    assert found.dtype == np.float32 and found.shape == (24, 1, 1, 512)
    assert_allclose(found, wanted, rtol=2e-3, atol=1e-4)
    with monkeypatch.context() as patch:
        patch.setattr(networks, "record", unwanted)
        assert_array_equal(transfer.kept_features(network, images), found)
        for other in ((network, images[::-1]), (network, images, "block5_conv3")):
            with pytest.raises(AssertionError, match="computed although"):
                transfer.kept_features(*other)
    (file,) = (tmp_path / "cache").iterdir()
    assert file.stat().st_size < found.nbytes / 2 + 1000


def test_other_weights_are_other_features_but_not_those_of_later_layers(network, pictures):
    images, copy = pictures[0][:2], networks.frozen(network)
    before = transfer.kept_features(copy, images)
    copy.get_layer("fc1").bias.assign(np.ones(512))
    assert_array_equal(transfer.kept_features(copy, images), before)
    copy.get_layer("block5_conv3").bias.assign(np.ones(512))
    assert not np.array_equal(transfer.kept_features(copy, images), before)


def test_features_beyond_half_precision_keep_their_size(pictures):
    image = keras.Input((SIZE, SIZE, 3))
    large = keras.Model(image, keras.layers.Rescaling(1e4, name="large")(image))
    found = transfer.kept_features(large, pictures[0][:3], "large")
    assert_allclose(found, pictures[0][:3] * 1e4, rtol=1e-6)


def test_wrong_features_are_named_before_any_work(network, pictures, monkeypatch):
    monkeypatch.setattr(networks, "record", unwanted)
    with pytest.raises(ValueError, match="No layer 'block6_pool'"):
        transfer.kept_features(network, pictures[0], "block6_pool")
    with pytest.raises(ValueError, match=r"takes images \(N, 32, 32, 3\)"):
        transfer.kept_features(network, np.zeros((2, 8, 8, 3), np.uint8))


@pytest.mark.slow
def test_a_head_is_vgg16s_own_and_learns_the_same_each_time(network, pictures):
    images, labels = pictures
    found = transfer.kept_features(network, images)
    keras.utils.set_random_seed(1)
    first, losses = transfer.train_dense_layers(found, labels, 2, epochs=5, batch=10)
    keras.utils.set_random_seed(2)
    again, same = transfer.train_dense_layers(found, labels, 2, epochs=5, batch=10)
    assert losses == same and len(losses) == 5 and losses[-1] < losses[0]
    for one, other in zip(first.get_weights(), again.get_weights(), strict=True):
        assert_array_equal(one, other)
    theirs = [layer.name for layer in network.layers][-6:]
    assert [layer.name for layer in first.layers] == theirs
    full = transfer.dense_layers((7, 7, 512), 2)
    assert full.count_params() == 20_188_674 - 7_079_424 and full.output_shape == (None, 2)


@pytest.mark.slow
def test_a_head_learns_from_features_of_any_size_alike(network, pictures):
    images, labels = pictures
    found = transfer.kept_features(network, images)
    small, _ = transfer.train_dense_layers(found, labels, 2)
    large, _ = transfer.train_dense_layers(found * 1024, labels, 2)
    scores = small.predict_on_batch(found)
    assert (scores.argmax(1) == labels).all()
    assert_allclose(large.predict_on_batch(found * 1024), scores, rtol=1e-3, atol=1e-3)
    nothing, _ = transfer.train_dense_layers(found * 0, labels, 2, epochs=1)
    assert np.isfinite(nothing.predict_on_batch(found)).all()


def test_labels_that_do_not_fit_are_named():
    found = np.zeros((6, 1, 1, 4), np.float32)
    for labels in (np.arange(6), np.zeros(5, int), np.full(6, -1)):
        with pytest.raises(ValueError, match="one label, 0 to 1, for each of 6 inputs"):
            transfer.train_dense_layers(found, labels, 2)


@pytest.mark.slow
def test_fine_tuning_moves_block_5_and_the_head_and_nothing_before(network, pictures):
    images, labels = pictures
    before = {layer.name: layer.get_weights() for layer in network.layers}
    tuned = transfer.tune_block5(network, images[:8], labels[:8], epochs=1)
    for layer in tuned.layers:
        moved = [
            not np.array_equal(one, other)
            for one, other in zip(before[layer.name], layer.get_weights(), strict=True)
        ]
        assert any(moved) == layer.name.startswith(("block5_conv", "fc", "scores")), layer.name
    for layer in network.layers:
        for one, other in zip(before[layer.name], layer.get_weights(), strict=True):
            assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("gpu", [False, True])
def test_a_classifier_learns_once_then_is_kept(gpu, weights, pictures, monkeypatch, tmp_path):
    monkeypatch.setattr(transfer, "has_gpu", lambda: gpu)
    monkeypatch.setattr(transfer, "TUNING_EPOCHS", 1)
    images, labels = pictures
    world = types.SimpleNamespace(
        class_names=("red", "blue"), train=worlds.Split(images, labels.astype(np.int64))
    )
    first = transfer.classifier(weights, world, SIZE, "key")
    assert (networks.predict(first, images).argmax(1) == labels).mean() == 1.0
    kept = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "cache").iterdir())
    assert kept == ["features", "vgg16-head", *(["vgg16-tuned"] if gpu else [])]

    nothing = types.SimpleNamespace(class_names=("red", "blue"))  # no pictures are asked for
    again = transfer.classifier(weights, nothing, SIZE, "key")
    assert_array_equal(networks.predict(first, images), networks.predict(again, images))
    with pytest.raises(AttributeError, match="train"):  # other pictures are another network
        transfer.classifier(weights, nothing, SIZE, "other")
    assert first.count_params() == networks.vgg16(2, size=SIZE).count_params()


def test_a_gpu_is_seen_where_tensorflow_sees_one():
    import tensorflow as tf

    assert transfer.has_gpu() == bool(tf.config.list_physical_devices("GPU"))
