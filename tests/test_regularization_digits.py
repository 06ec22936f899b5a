"""The digits of lesson 01: false labels are as many as said, networks fit, penalties count."""

import keras
import numpy as np
import pytest

from helpers import regularization


@pytest.fixture(scope="module")
def data():
    return regularization.load_digits(count=60, wrong=0.25)


def test_as_many_labels_are_false_as_was_said_and_none_of_the_new_ones(data):
    assert (data.labels != data.true_labels).sum() == 15
    assert data.images.shape == (60, 8, 8, 1) and data.images.dtype == np.float32
    assert (
        data.new_images.shape == (regularization.TESTED, 8, 8, 1) and len(data.new_labels) == 1000
    )
    assert set(data.labels) <= set(range(10))
    assert abs(data.images.mean()) < 1e-5 and np.abs(data.images).max() < 10
    assert data.pictures.shape == (60, 8, 8)
    assert data.pictures.min() == 0 and data.pictures.max() == 1
    again, other = (
        regularization.load_digits(60, 0.25),
        regularization.load_digits(60, 0.25, seed=1),
    )
    assert np.array_equal(again.labels, data.labels)
    assert not np.array_equal(other.images, data.images)


BUILDERS = (
    regularization.dense,
    regularization.linear,
    regularization.convolutional,
    regularization.recurrent,
)


@pytest.mark.parametrize("build", BUILDERS, ids=[build.__name__ for build in BUILDERS])
def test_every_kind_of_network_gives_ten_scores_and_its_penalty_counts_every_kernel(build, data):
    network = build()
    assert network(data.images[:2]).shape == (2, 10) and not network.losses
    priced = build(l2=0.1)
    priced(data.images[:2])
    kernels = [v.numpy() for v in priced.trainable_variables if "kernel" in v.name]
    expected = 0.1 * sum((kernel**2).sum() for kernel in kernels)
    assert float(sum(priced.losses)) == pytest.approx(expected, rel=1e-5)
    twin, other = build(), build(seed=1)
    assert np.array_equal(twin.weights[0], network.weights[0])
    assert not np.array_equal(other.weights[0], network.weights[0])


def test_the_weights_come_from_the_seed_alone_and_no_other_seed_is_set():
    np.random.seed(5)
    expected = np.random.random()
    keras.utils.set_random_seed(5)
    first = regularization.dense(seed=3).get_weights()
    assert np.random.random() == expected
    keras.utils.set_random_seed(6)
    assert all(map(np.array_equal, first, regularization.dense(seed=3).get_weights()))


def test_the_dense_network_has_the_parameters_that_the_lesson_counts():
    assert regularization.dense(hidden=100).count_params() == 64 * 100 + 100 + 100 * 10 + 10


@pytest.mark.slow
def test_learning_lowers_the_loss_and_a_penalty_keeps_false_labels_from_being_known(data):
    false = data.labels != data.true_labels
    repeated = []
    for l2 in (0.0, 0.05):
        network = regularization.dense(l2=l2)
        history = regularization.learn(network, data, steps=150)
        assert {len(values) for values in history.values()} == {15}
        assert history["loss"][-1] < history["loss"][0]
        said = network(data.images).numpy().argmax(axis=1)
        assert history["accuracy"][-1] == pytest.approx((said == data.labels).mean())
        repeated.append((said == data.labels)[false].mean())
    assert repeated[0] == 1 and repeated[1] < 0.7


@pytest.mark.slow
def test_learning_follows_keras_step_by_step(data):
    """The loop is what `fit` does with one batch of everything, for a few steps."""
    ours, theirs = regularization.dense(l2=0.01), regularization.dense(l2=0.01)
    regularization.learn(ours, data, steps=3, every=1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rate = keras.optimizers.schedules.CosineDecay(0.01, 3)
    theirs.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
    theirs.fit(data.images, data.labels, batch_size=60, epochs=3, verbose=0)
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        assert np.allclose(mine, other, atol=1e-5)


def test_a_random_layer_is_the_same_for_old_and_new_images_and_never_negative(data):
    both = np.concatenate([data.images, data.new_images[:5]])
    whole = regularization.random_layer(both, 70)
    assert np.array_equal(whole[:60], regularization.random_layer(data.images, 70))
    assert whole.shape == (65, 70) and whole.min() == 0
    weights, offset = regularization.ridge(whole[:60], np.eye(10)[data.labels])
    assert ((whole[:60] @ weights + offset).argmax(axis=1) == data.labels).all()
