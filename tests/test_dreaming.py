"""Dreams: objectives rise, pictures can be anything, and the network stays as it was."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import drawn, dreaming, networks


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(4)
    return networks.build(3, size=32, widths=(4, 4, 8, 8, 8))


OBJECTIVES = {
    "class": dreaming.target_class(1),
    "margin": dreaming.margin(2),
    "channel": dreaming.channel("block2_conv1", 2),
    "sum": dreaming.target_class(0) + 2 * dreaming.channel("block1_conv2", 1),
}


def value_of(network, objective, picture):
    batch = tf.constant(picture[None], tf.float32)
    seen = (
        {n: v for n, v in networks.record(network, picture[None], objective.layers).items()}
        if objective.layers
        else {}
    )
    return float(objective.value(network(batch), seen)[0])


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("write", [dreaming.pixels, dreaming.spectrum])
def test_every_objective_rises_in_three_steps(network, name, write):
    start = drawn.draw("cat", 3).image[48:80, 48:80].astype(np.float32)
    before = value_of(network, OBJECTIVES[name], start)
    picture = dreaming.maximize(
        network, OBJECTIVES[name], start, steps=3, rate=0.01, parameterization=write, transform=None
    )
    assert picture.shape == start.shape and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 255
    assert value_of(network, OBJECTIVES[name], picture) > before


@pytest.mark.parametrize("write", [dreaming.pixels, dreaming.spectrum])
def test_every_parameterization_can_fit_a_picture(write):
    goal = tf.constant(drawn.draw("dog", 5).image[None, 32:96, 32:96] / 255, tf.float32)
    goal = tf.clip_by_value(goal, 0.02, 0.98)
    variables, picture = write(np.full(goal.shape, 0.5, np.float32))
    adam = keras.optimizers.Adam(0.05)
    adam.build(variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(variables)
            loss = tf.reduce_mean(tf.abs(picture(variables) - goal))
        adam.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    for number in range(600):
        adam.learning_rate = 0.05 * (1 - number / 600)
        loss = step()
    assert loss < 0.01


def test_the_picture_stays_within_its_radius(network):
    start = np.full((32, 32, 3), 127.5, np.float32)
    picture = dreaming.maximize(network, dreaming.target_class(0), start, steps=20, radius=1.5)
    length = np.linalg.norm((picture - start) / 255)
    assert length == pytest.approx(1.5, rel=0.02)


def test_pictures_are_made_together_as_they_are_alone(network):
    starts = np.stack([np.full((32, 32, 3), value, np.float32) for value in (90, 160)])
    options = dict(steps=4, parameterization=dreaming.pixels, transform=None)
    both = dreaming.maximize(network, dreaming.target_class(2), starts, **options)
    alone = dreaming.maximize(network, dreaming.target_class(2), starts[1], **options)
    np.testing.assert_allclose(both[1], alone, atol=0.05)


def test_the_same_seed_makes_the_same_picture(network):
    one, same, other = (
        dreaming.maximize(network, dreaming.target_class(1), steps=3, seed=seed)
        for seed in (7, 7, 8)
    )
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_the_network_is_not_changed(network):
    weights, probe = network.get_weights(), np.full((1, 32, 32, 3), 99, np.float32)
    before = network(probe).numpy()
    dreaming.maximize(network, dreaming.channel("block5_conv3", 0), steps=2)
    with pytest.raises(ValueError, match="No layer 'block9'"):
        dreaming.maximize(network, dreaming.channel("block9", 0), steps=2)
    for objective in (dreaming.target_class(7), dreaming.margin(-1)):
        with pytest.raises(ValueError, match="no class -?[17]: they are numbered 0 to 2"):
            dreaming.maximize(network, objective, steps=1)
    with pytest.raises(ValueError, match="no channel 9: they are numbered 0 to 7"):
        dreaming.maximize(network, dreaming.channel("block5_conv3", 9), steps=1)
    with pytest.raises(ValueError, match=r"it must be \(32, 32, 3\)"):
        dreaming.maximize(network, dreaming.target_class(0), np.zeros((16, 16, 3)))
    assert all(np.array_equal(*pair) for pair in zip(weights, network.get_weights(), strict=True))
    assert np.array_equal(before, network(probe).numpy())


def test_a_shaken_picture_keeps_its_shape_and_its_middle():
    picture = tf.constant(drawn.draw("cat", 1).image[None] / 255, tf.float32)
    still = dreaming.shaken(picture, tf.constant([1, 2]), jitter=0.001, turn=0.0, zoom=0.0)
    np.testing.assert_allclose(still, picture, atol=0.02)
    moved = dreaming.shaken(picture, tf.constant([1, 2]))
    assert moved.shape == picture.shape and np.abs(moved - picture).mean() > 0.02
