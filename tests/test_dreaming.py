"""Dreams: objectives rise, pictures may be of any size, and the network stays as it was."""

import base64
import html
import io
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import slow_but
from hand_made import forms
from PIL import Image

from helpers import drawn, dreaming, networks
from helpers.dreaming import film


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(4)
    return networks.build(3, size=32, widths=(4, 4, 8, 8, 8))


OBJECTIVES = {
    "class": dreaming.target_class(1),
    "margin": dreaming.margin(2),
    "channel": dreaming.channel("block2_conv1", 2),
    "neuron": dreaming.neuron("block3_conv1", 3),
    "energy": dreaming.energy("block3_conv2"),
    "even energy": dreaming.energy("block3_conv2", normalize=True),
    "sum": dreaming.target_class(0) + 2 * dreaming.channel("block1_conv2", 1),
    "difference": dreaming.target_class(0) - 0.1 * dreaming.total_variation(),
    "smooth": -dreaming.total_variation() - dreaming.l1() - dreaming.l2() - dreaming.blur(),
}


WRITE = [dreaming.pixels, dreaming.spectrum]


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("write", slow_but(WRITE, dreaming.pixels))
def test_every_objective_rises_in_three_steps(network, name, write):
    start = drawn.draw("cat", 3).image[48:80, 48:80].astype(np.float32)
    before = dreaming.value(network, OBJECTIVES[name], np.clip(start, 6, 249))
    choices = dict(steps=3, rate=0.01, parameterization=write, transform=None)
    picture = dreaming.maximize(network, OBJECTIVES[name], start, **choices)
    assert picture.shape == start.shape and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 255
    assert dreaming.value(network, OBJECTIVES[name], picture) > before


@pytest.mark.parametrize("write", WRITE)
@pytest.mark.parametrize("size", slow_but([(64, 64), (45, 63)], (45, 63)))
def test_every_parameterization_can_fit_a_picture(write, size):
    goal = drawn.draw("dog", 5).image[None, 32 : 32 + size[0], 32 : 32 + size[1]] / 255
    goal = tf.constant(np.clip(goal, 0.02, 0.98), tf.float32)
    start = tf.fill(goal.shape, 0.5)
    variable = tf.Variable(write.begin(start.numpy(), 0))
    adam = keras.optimizers.Adam(0.05)
    adam.build([variable])

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(write.reader(start)(variable) - goal))
        adam.apply_gradients([(tape.gradient(loss, variable), variable)])
        return loss

    for number in range(600):
        adam.learning_rate = 0.05 * (1 - number / 600)
        loss = step()
    assert loss < 0.01


def test_objectives_are_what_they_say(network):
    picture = drawn.draw("cat", 3).image[48:80, 48:80].astype(np.float32)
    scores = network(picture[None])[0].numpy()
    assert dreaming.value(network, dreaming.target_class(1), picture) == pytest.approx(
        scores[1], abs=1e-4
    )
    rest = np.log(np.exp(scores[:2]).sum())
    found = dreaming.value(network, dreaming.margin(2), picture)
    assert found == pytest.approx(scores[2] - rest, abs=1e-4)
    layer = networks.record(network, picture, "block3_conv2")["block3_conv2"][0]
    found = dreaming.value(network, dreaming.energy("block3_conv2"), picture)
    assert found == pytest.approx((layer**2).mean(), rel=1e-4)
    both = 3 * dreaming.target_class(0) - dreaming.target_class(1)
    assert dreaming.value(network, both, picture) == pytest.approx(
        3 * scores[0] - scores[1], abs=1e-3
    )


@pytest.mark.slow
def test_a_batch_of_channels_is_one_run_and_each_picture_has_its_own(network):
    objective = dreaming.channel("block2_conv2", range(4))
    made = dreaming.maximize(network, objective, steps=12)
    assert made.shape == (4, 32, 32, 3)
    maps = networks.record(network, made, "block2_conv2")["block2_conv2"].mean((1, 2))
    silent = networks.record(network, np.full((32, 32, 3), 127.5), "block2_conv2")
    assert (np.diag(maps) >= silent["block2_conv2"].mean((1, 2))[0]).all()
    assert np.abs(made[0] - made[1]).mean() > 5


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


@pytest.mark.slow
def test_the_same_seed_makes_the_same_picture(network):
    one, same, other = (
        dreaming.maximize(network, dreaming.target_class(1), steps=3, seed=seed)
        for seed in (7, 7, 8)
    )
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_an_ascent_shows_its_pictures_on_the_way_and_can_be_left(network):
    objective = dreaming.target_class(1)
    frames = list(dreaming.ascend(network, objective, steps=7, every=3))
    assert len(frames) == 3
    np.testing.assert_array_equal(frames[-1], dreaming.maximize(network, objective, steps=7))
    first = next(dreaming.ascend(network, objective, steps=7, every=3))
    np.testing.assert_array_equal(first, frames[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "head"),
    [("flat", None), ("sequential", None), ("nested", "softmax"), ("subclassed", "softmax")],
)
def test_networks_of_every_form_dream_at_their_own_size_and_others(form, head):
    network = forms(head)[form]
    own = dreaming.maximize(network, dreaming.target_class(2), steps=2)
    assert own.shape == (16, 16, 3)
    photo = np.random.default_rng(0).uniform(0, 255, (24, 37, 3))
    for layer in ("conv2", dreaming.channel("conv1", 1)):
        dream = dreaming.deep_dream(network, photo, layer, octaves=2, steps=2)
        assert dream.shape == photo.shape and np.isfinite(dream).all()
        assert np.abs(dream - photo).max() > 1


def test_a_dream_raises_what_the_layer_sees_and_keeps_the_photo(network):
    photo = drawn.draw("dog", 2).image[20:100, 10:120].astype(np.float32)
    before = dreaming.value(network, dreaming.energy("block3_conv1"), photo)
    dream = dreaming.deep_dream(network, photo, "block3_conv1", octaves=3, steps=5)
    assert dream.shape == photo.shape and dream.dtype == np.float32
    assert dreaming.value(network, dreaming.energy("block3_conv1"), dream) > before
    assert np.corrcoef(photo.ravel(), dream.ravel())[0, 1] > 0.8
    frames = list(
        dreaming.ascend_octaves(network, photo, "block3_conv1", octaves=3, steps=5, every=5)
    )
    assert [frame.shape for frame in frames] == [photo.shape] * 3
    np.testing.assert_array_equal(frames[-1], dream)


def test_a_picture_that_was_resized_may_be_a_rounding_beyond_255(network):
    photo = np.full((32, 32, 3), 255.00002, np.float32)
    assert photo.max() > 255
    made = dreaming.deep_dream(network, photo, "block2_conv1", octaves=1, steps=1)
    assert made.max() <= 255
    for beyond in (256.0, -1.0):
        with pytest.raises(ValueError, match="from 0 to 255"):
            dreaming.deep_dream(network, photo * 0 + beyond, "block2_conv1", octaves=1, steps=1)


def test_a_film_is_written_whole_or_not_at_all(tmp_path):
    frames = [drawn.draw("cat", seed).image for seed in range(3)]
    dreaming.save_gif(tmp_path / "dream.gif", frames)
    with Image.open(tmp_path / "dream.gif") as film:
        assert film.n_frames == 3 and film.size == (128, 128)
    for name, bad, says in (("a.png", frames, "saved as a .gif"), ("b.gif", [], "frame")):
        with pytest.raises(ValueError, match=says):
            dreaming.save_gif(tmp_path / name, bad)
    assert [path.name for path in tmp_path.iterdir()] == ["dream.gif"]


def test_a_film_is_played_below_the_cell(monkeypatch):
    shown = []
    monkeypatch.setattr(film.front_end, "notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda made: shown.append(made.data))
    frames = [np.full(shape, 40 * k) for k, shape in enumerate([(20, 30, 3), (26, 40, 3)])]
    dreaming.play(frames, 'a "dark" square', width=32)
    (words, code) = re.search(
        r'<img alt="([^"]+)" src="data:image/webp;base64,([^"]+)"', *shown
    ).groups()
    assert html.unescape(words) == 'a "dark" square'
    with Image.open(io.BytesIO(base64.b64decode(code))) as made:
        assert made.n_frames == 2 and made.size == (32, 21)
        made.seek(1)
        assert abs(np.asarray(made.convert("RGB"), float) - 40).max() < 4
    for bad, alt, says in (
        ([], "x", "one or more frames"),
        ([frames[0][..., 0]], "x", "20, 30"),
        (frames, "", "alt"),
    ):
        with pytest.raises(ValueError, match=says):
            dreaming.play(bad, alt)


@pytest.mark.slow
def test_the_network_is_not_changed(network):
    weights, probe = network.get_weights(), np.full((1, 32, 32, 3), 99, np.float32)
    before = network(probe).numpy()
    dreaming.maximize(network, dreaming.channel("block5_conv3", 0), steps=2)
    dreaming.deep_dream(network, np.zeros((40, 50, 3)), "block2_conv1", octaves=2, steps=1)
    with pytest.raises(ValueError, match="No layer 'block9'"):
        dreaming.maximize(network, dreaming.channel("block9", 0), steps=2)
    for objective in (dreaming.target_class(7), dreaming.margin(-1)):
        with pytest.raises(ValueError, match="no class -?[17].*, only 0 to 2"):
            dreaming.maximize(network, objective, steps=1)
    with pytest.raises(ValueError, match="no channel 9.*, only 0 to 7"):
        dreaming.maximize(network, dreaming.channel("block5_conv3", 9), steps=1)
    with pytest.raises(ValueError, match="NaN|finite|0-255"):
        dreaming.maximize(network, dreaming.target_class(0), np.full((32, 32, 3), np.nan))
    assert all(np.array_equal(*pair) for pair in zip(weights, network.get_weights(), strict=True))
    assert np.array_equal(before, network(probe).numpy())


def test_moved_pictures_keep_their_shape_and_their_middle():
    picture = tf.constant(drawn.draw("cat", 1).image[None] / 255, tf.float32)
    key = tf.constant([1, 2])
    still = dreaming.compose(dreaming.rotate(0.0), dreaming.scale(1.0, 1.0))(picture, key)
    np.testing.assert_allclose(still, picture, atol=0.02)
    for transform in (dreaming.shaken, dreaming.lucid, dreaming.Roll(16)):
        moved = transform(picture, key)
        assert moved.shape[0] == 1 and moved.shape[3] == 3
        assert np.abs(transform(picture, key + 5) - moved).mean() > 0.01
    rolled = dreaming.Roll(16)(picture, key)
    np.testing.assert_allclose(np.sort(rolled, axis=None), np.sort(picture, axis=None))


@pytest.mark.parametrize("name", slow_but(["channel", "neuron", "energy"], "neuron"))
def test_nothing_is_said_on_the_way_up(network, name, capfd):
    layer = dict(channel="block1_conv1", neuron="block1_conv1", energy="block3_conv2")[name]
    at = {} if name == "energy" else dict(index=3)
    objective = getattr(dreaming, name)(layer, **at)
    dreaming.maximize(network, objective, size=(24, 24), steps=2)
    assert "failed" not in capfd.readouterr().err
