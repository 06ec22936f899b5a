"""Training: it learns, an interruption costs nothing, the adversary stays in its ball."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import training


def tiny():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    labels = np.arange(48) % 2
    images = rng.uniform(0, 90, (48, 8, 8, 3)) + 120 * labels[:, None, None, None]
    return images.astype(np.uint8), labels


def test_losses_fall_and_come_out_the_same(examples):
    first = training.train(tiny(), *examples, epochs=4, rate=0.02, batch=16)
    assert first[-1] < 0.7 * first[0]
    assert first == training.train(tiny(), *examples, epochs=4, rate=0.02, batch=16)


@pytest.mark.slow
def test_an_interrupted_training_goes_on_to_the_same_end(examples, tmp_path, monkeypatch):
    kept = dict(
        epochs=3, rate=0.01, epsilon=0.5, ramp=2, batch=16, checkpoint=tmp_path / "state.npz"
    )
    whole = tiny()
    losses = training.train(whole, *examples, **kept | {"checkpoint": None})

    save, saved = training._save, []

    def interrupted(*arguments):
        save(*arguments)
        saved.append(1)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "_save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.train(tiny(), *examples, **kept)
    monkeypatch.setattr(training, "_save", save)
    resumed = tiny()
    assert training.train(resumed, *examples, **kept) == pytest.approx(losses, abs=1e-6)
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_frozen_layers_stay_as_they_are(examples):
    network = tiny()
    network.layers[1].trainable = False
    before = network.layers[1].get_weights()
    head = network.layers[-1].get_weights()
    training.train(network, *examples, epochs=1)
    assert all(
        np.array_equal(*pair) for pair in zip(before, network.layers[1].get_weights(), strict=True)
    )
    assert not np.array_equal(head[0], network.layers[-1].get_weights()[0])


def test_the_adversary_raises_the_loss_and_stays_in_its_ball(examples):
    network, images = tiny(), tf.constant(examples[0], tf.float32)
    labels = tf.constant(examples[1])

    @tf.function
    def attacked(radius):
        changed = training.attack(network, images, labels, tf.constant([0, 1]), radius, 3)
        return (
            changed,
            training._loss(network(images), labels),
            training._loss(network(changed), labels),
        )

    changed, before, after = attacked(tf.constant(100.0))
    length = np.sqrt(((changed - images).numpy() ** 2).sum((1, 2, 3)))
    assert length.max() <= 100.01 and length.min() > 50
    assert after > before + 0.1
    assert changed.numpy().min() >= 0 and changed.numpy().max() <= 255


def test_a_moved_picture_keeps_what_stays_inside():
    image = np.zeros((1, 40, 40, 3), np.float32)
    image[:, 18:22, 18:22] = 255
    still = training.moved(tf.constant(image), tf.constant([1, 2]), shift=0.0, zoom=0.0)
    np.testing.assert_allclose(still, image, atol=1e-3)
    places = []
    for key in range(20):
        spot = training.moved(tf.constant(image), tf.constant([1, key]), zoom=0.0).numpy()[
            0, :, :, 0
        ]
        assert spot.sum() == pytest.approx(16 * 255, rel=0.05)
        places.append(np.array(np.nonzero(spot > 60)).mean(axis=1) - 19.5)
    assert np.abs(places).max() <= 0.28 * 40 + 1
    assert np.ptp(places, axis=0).min() > 8


def test_images_and_labels_that_do_not_fit_are_named_before_training(examples):
    images, labels = examples
    with pytest.raises(ValueError, match=r"takes images \(N, 8, 8, 3\)"):
        training.train(tiny(), images[:, :6], labels, epochs=1)
    for wrong in (labels[:-1], labels + 1, labels - 1):
        with pytest.raises(ValueError, match="one label, 0 to 1, for each of 48 inputs"):
            training.train(tiny(), images, wrong, epochs=1)
