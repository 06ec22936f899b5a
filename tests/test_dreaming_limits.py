"""Dreams that cannot be: too small, asleep, not finite. Each is said, with a way out."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import slow_but
from keras import layers as L

from helpers import dreaming, networks

GREY = np.full((16, 16, 3), 127.5, np.float32)
QUICK = dict(parameterization=dreaming.pixels, transform=None, rate=0.05)


@pytest.fixture(scope="module")
def vgg():
    keras.utils.set_random_seed(4)
    return networks.build(3, size=32, widths=(4, 4, 8, 8, 8), name="small")


def network(*layers, size=(16, 16)):
    return keras.Sequential([keras.Input((*size, 3)), L.Rescaling(1 / 127.5, -1), *layers])


def sleeping(*after, bias=-0.5, activation="relu"):
    """A network whose three channels are inactive everywhere on grey: 1, 2 and 3 times a colour."""
    kernel = np.zeros((1, 1, 3, 3), np.float32)
    kernel[0, 0, range(3), range(3)] = 1, 2, 3
    made = network(L.Conv2D(3, 1, activation=activation, name="conv"), *after)
    made.get_layer("conv").set_weights([kernel, np.full(3, bias, np.float32)])
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "size", "least"),
    [
        ("block5_conv3", (10, 10), "16x16"),
        ("block5_conv3", (15, 15), "16x16"),
        ("block5_conv3", (10, 200), "16x16"),
        ("block4_conv1", (7, 9), "8x8"),
        ("block2_conv1", (1, 1), "2x2"),
    ],
)
def test_a_size_that_is_too_small_is_named_with_the_smallest_that_works(vgg, layer, size, least):
    objective = dreaming.channel(layer, 0)
    with pytest.raises(
        ValueError, match=f"{size[0]}x{size[1]} pixels.* size that works is {least}"
    ):
        dreaming.maximize(vgg, objective, size=size, steps=1)
    smallest = tuple(map(int, least.split("x")))
    assert dreaming.maximize(vgg, objective, size=smallest, steps=1).shape == (*smallest, 3)


@pytest.mark.slow
def test_scores_too_need_a_size_that_leaves_a_cell(vgg):
    for run in (
        lambda: dreaming.maximize(vgg, dreaming.target_class(0), size=(31, 40), steps=1),
        lambda: dreaming.value(vgg, dreaming.target_class(0), np.full((31, 40, 3), 9.0)),
    ):
        with pytest.raises(ValueError, match="the scores for .* 31x40 .* works is 32x32"):
            run()


@pytest.mark.parametrize("size", slow_but([(1, 1), (1, 7), (5, 1), (2, 3)], (1, 7)))
def test_a_layer_without_strides_dreams_at_any_size(vgg, size):
    made = dreaming.maximize(vgg, dreaming.channel("block1_conv1", 0), size=size, steps=2)
    assert made.shape == (*size, 3) and np.isfinite(made).all()


@pytest.mark.slow
def test_each_side_has_its_own_smallest_size():
    made = network(
        L.Conv2D(2, (7, 1)), L.AveragePooling2D((1, 4)), L.DepthwiseConv2D((3, 2), name="last"),
        size=(24, 40),
    )  # fmt: skip
    with pytest.raises(ValueError, match="works is 9x8"):
        dreaming.maximize(made, dreaming.channel("last", 0), size=(9, 7), steps=1)
    assert dreaming.maximize(made, dreaming.channel("last", 0), size=(9, 8), steps=1).ndim == 3


@pytest.mark.slow
def test_a_network_that_flattens_takes_its_own_size_only():
    made = network(L.Conv2D(2, 3, name="conv"), L.Flatten(), L.Dense(2))
    with pytest.raises(ValueError, match="made for 16x16, and takes no others"):
        dreaming.maximize(made, dreaming.target_class(0), size=(17, 16), steps=1)
    assert dreaming.maximize(made, dreaming.channel("conv", 1), size=(17, 5), steps=1).ndim == 3
    assert dreaming.maximize(made, dreaming.target_class(1), steps=1).shape == (16, 16, 3)


def test_a_network_of_any_size_says_what_is_too_small():
    made = network(L.Conv2D(2, 5), L.MaxPooling2D(3, name="pool"), size=(None, None))
    with pytest.raises(ValueError, match="works is 7x7"):
        dreaming.maximize(made, dreaming.channel("pool", 0), size=(6, 90), steps=1)
    with pytest.raises(ValueError, match="size must be"):
        dreaming.maximize(made, dreaming.channel("pool", 0), steps=1)


@pytest.mark.slow
def test_too_many_octaves_are_counted(vgg):
    photo = np.full((40, 60, 3), 99.0)
    with pytest.raises(ValueError, match="11x16 .* smallest of 6 octaves; 4 of them would work"):
        dreaming.deep_dream(vgg, photo, "block5_conv3", octaves=6, steps=1)
    assert dreaming.deep_dream(vgg, photo, "block5_conv3", octaves=4, steps=1).shape == photo.shape


@pytest.mark.parametrize(
    "size", [5, (5,), (5, 5, 3), (5.5, 3), ("a", 3), (0, 5), (-3, 5), [True] * 2]
)
def test_a_size_is_two_whole_numbers(vgg, size):
    with pytest.raises(ValueError, match=r"size must be \(height, width\)"):
        dreaming.maximize(vgg, dreaming.channel("block1_conv1", 0), size=size, steps=1)


def test_what_cannot_be_meant_is_said_before_any_step(vgg):
    channel = dreaming.channel("block1_conv1", 0)
    photo = np.full((32, 32, 3), 99.0)
    for says, run in {
        "not both": lambda: dreaming.maximize(vgg, channel, photo, size=(32, 32)),
        "steps must be": lambda: dreaming.maximize(vgg, channel, steps=0),
        "every must be": lambda: dreaming.ascend(vgg, channel, every=1.5),
        "finite rate": lambda: dreaming.maximize(vgg, channel, rate=np.nan),
        "radius above 0": lambda: dreaming.maximize(vgg, channel, radius=0),
        "no rows and columns": lambda: dreaming.maximize(vgg, dreaming.neuron("scores", 0)),
        "no row 8": lambda: dreaming.maximize(vgg, dreaming.neuron("block3_conv1", 0, (8, 0))),
        "no channel -1": lambda: dreaming.maximize(vgg, dreaming.channel("block1_conv1", -1)),
        "No layer 'conv'": lambda: dreaming.maximize(vgg, dreaming.channel("conv", 0), size=(9, 9)),
        "no class 3": lambda: dreaming.value(vgg, dreaming.target_class(0, against=3), photo),
    }.items():
        with pytest.raises(ValueError, match=says):
            run()
    for wrong in (0.5, "cat", None, [0, 1.5]):
        with pytest.raises(TypeError, match="whole number"):
            dreaming.target_class(wrong)
    with pytest.raises(TypeError, match="objective"):
        dreaming.maximize(vgg, "block1_conv1", steps=1)


BEHIND = {
    "max pooling": lambda: L.MaxPooling2D(name="x"),
    "average pooling": lambda: L.AveragePooling2D(2, name="x"),
    "batch normalization": lambda: L.BatchNormalization(name="x"),
    "layer normalization": lambda: L.LayerNormalization(name="x"),
    "convolution": lambda: L.DepthwiseConv2D(3, depthwise_initializer="ones", name="x"),
    "global pooling": lambda: L.GlobalAveragePooling2D(name="x"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", BEHIND)
def test_a_sleeping_channel_is_woken_behind_other_layers(what):
    made, wish = sleeping(BEHIND[what]()), dreaming.channel("x", 1)
    before = networks.record(made, GREY, "conv")["conv"]
    assert not before.any()
    picture = dreaming.maximize(made, wish, GREY, steps=12, **QUICK)
    assert networks.record(made, picture, "conv")["conv"][..., 1].mean() > 0.1
    assert dreaming.value(made, wish, picture) > dreaming.value(made, wish, GREY)
    assert picture[..., 1].max() > 200  # the second channel sees green, and nothing else
    if what != "layer normalization":  # which makes the other channels count, too
        np.testing.assert_array_equal(picture[..., ::2], GREY[..., ::2])


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu6", L.ReLU(4.0)])
def test_every_kind_of_relu_is_woken(activation):
    made = sleeping(L.AveragePooling2D(2, name="x"), activation=activation)
    picture = dreaming.maximize(made, dreaming.channel("x", 0), GREY, steps=20, **QUICK)
    assert picture[..., 0].min() > 200


@pytest.mark.slow
def test_waking_leaves_other_images_and_the_number_of_frames_alone():
    made = sleeping(L.MaxPooling2D(name="x"))
    bright = np.full_like(GREY, 200.0)
    wish = dreaming.channel("x", (1, 2))
    both = list(dreaming.ascend(made, wish, np.stack([GREY, bright]), steps=9, every=2, **QUICK))
    assert len(both) == 5
    for number, start in enumerate((GREY, bright)):
        alone = dreaming.maximize(made, dreaming.channel("x", number + 1), start, steps=9, **QUICK)
        np.testing.assert_allclose(both[-1][number], alone, atol=0.01)


@pytest.mark.slow
def test_what_stays_asleep_is_said():
    made = sleeping(L.MaxPooling2D(name="x"), bias=-1e4)
    with pytest.warns(UserWarning, match="Images 0 of 1 .* still inactive: they show nothing"):
        dreaming.maximize(made, dreaming.channel("x", 1), GREY, steps=3, **QUICK)
    smooth = dreaming.channel("x", 1) - dreaming.total_variation()  # moves, but not by the channel
    with pytest.warns(UserWarning, match="still inactive"):
        dreaming.maximize(made, smooth, steps=3, **QUICK)


@pytest.mark.slow
def test_what_cannot_be_woken_is_an_error_and_in_a_batch_a_warning():
    made = sleeping(L.MaxPooling2D(name="x"))
    for still in (
        dreaming.energy("x"),  # the square of 0 has no slope
        dreaming.measured("conv", lambda output: tf.reduce_mean(output * 0, (1, 2, 3))),
    ):
        with pytest.raises(ValueError, match="does not move: in 16 steps its gradient was 0"):
            dreaming.maximize(made, still, GREY, steps=40, **QUICK)
    weights = made.get_layer("conv").get_weights()
    weights[0][..., 2] = 0
    made.get_layer("conv").set_weights(weights)
    with pytest.warns(UserWarning, match="Images 1 of 2 have not changed"):
        made = dreaming.maximize(made, dreaming.channel("x", (0, 2)), GREY, steps=12, **QUICK)
    np.testing.assert_array_equal(made[1], GREY)


@pytest.mark.slow
def test_an_objective_that_has_arrived_may_stop():
    made = sleeping(L.MaxPooling2D(name="x"))
    bright = np.full_like(GREY, 200.0)
    dark = dreaming.maximize(made, -dreaming.energy("x"), bright, steps=30, **QUICK)
    assert dreaming.value(made, dreaming.energy("x"), dark) == 0


@pytest.mark.parametrize("where", ["weights", "measure", "rate", "last step"])
def test_nan_and_infinity_end_an_ascent_with_an_error(where):
    made, wish, choices = sleeping(bias=0.1), dreaming.channel("conv", 0), dict(steps=5)
    says = "objective of image 0 is nan"
    if where == "weights":
        weights = made.get_layer("conv").get_weights()
        made.get_layer("conv").set_weights([weights[0] * np.nan, weights[1]])
        with pytest.raises(ValueError, match="objective is nan"):
            dreaming.value(made, wish, GREY)
    elif where == "measure":
        wish = dreaming.measured("conv", lambda x: tf.math.log(tf.reduce_mean(x * 0, (1, 2, 3))))
        says = "At step 1 the objective of image 0 is -inf"
    else:
        choices = dict(steps=1 if where == "last step" else 5, rate=3e38)
        says = "picture" if where == "last step" else says
    with pytest.raises(ValueError, match=says):
        dreaming.maximize(made, wish, GREY, transform=None, **choices)


def test_a_class_against_others_is_the_same_as_by_hand(vgg):
    photo = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
    scores = vgg(photo.astype(np.float32)).numpy()
    for index, against, right in (
        (1, None, scores[:, 1]),
        (1, 2, scores[:, 1] - scores[:, 2]),
        (2, "rest", scores[:, 2] - np.log(np.exp(scores[:, :2]).sum(1))),
        ((0, 1), (1, 2), np.array([scores[0, 0] - scores[0, 1], scores[1, 1] - scores[1, 2]])),
    ):
        found = dreaming.value(vgg, dreaming.target_class(index, against=against), photo)
        np.testing.assert_allclose(found, right, atol=1e-5)
    for index, against in ((1, 1), ((0, 1), 1), (0, "all")):
        with pytest.raises(ValueError, match="against"):
            dreaming.target_class(index, against=against)
    alone = network(L.GlobalAveragePooling2D(), L.Dense(1))
    with pytest.raises(ValueError, match="no other class"):
        dreaming.value(alone, dreaming.target_class(0, against="rest"), GREY)


def test_a_network_of_float16_dreams_as_in_float32():
    made = []
    for policy in ("float32", "mixed_float16"):
        keras.utils.set_random_seed(4)
        conv = dict(padding="same", activation="relu", dtype=policy)
        layers = L.Conv2D(8, 3, **conv), L.Conv2D(8, 3, name="x", **conv)
        made.append(network(L.Rescaling(0.1, dtype=policy), *layers, size=(224, 224)))
    photo = np.random.default_rng(0).uniform(0, 255, (224, 224, 3)).astype(np.float32)
    choices = dict(QUICK, steps=1, rule=dreaming.Normalized())
    one, other = (
        dreaming.maximize(net, 1e-3 * dreaming.channel("x", 2), photo, **choices) - photo
        for net in made
    )
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99
