"""Scores with a square covered: the same as the plain way, on networks of every make, and less."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import slow_but
from hand_made import Calls, built, forms
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from numpy.testing import assert_allclose

from helpers import gradients, networks
from helpers.core import locality
from helpers.core.tracing import compiled

HEIGHT, WIDTH = 36, 28
SQUARES = [(4, 4), (5, 3), (3, 1), (20, 20)]


def picture(seed=0, size=(HEIGHT, WIDTH)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype("float32")


def run_of(network, side, stride, size=(HEIGHT, WIDTH)):
    one = (None, *size, 3), "float32"
    signature = one, one, ((None, 2), "int32")
    return compiled(network, locality.covered_scores, side, stride, signature=signature)


def assert_as_by_hand(network, side, stride, size=(HEIGHT, WIDTH), atol=1e-5):
    """Assert that every covered square gives the scores of the picture covered by hand."""
    image, cover = picture(0, size), picture(1, size)
    begins = (np.arange(0, n - side + stride, stride, np.int32) for n in size)
    corners = np.stack(np.meshgrid(*begins, indexing="ij"), axis=-1).reshape(-1, 2)
    run = run_of(network, side, stride, size)
    found, whole = run(*map(tf.constant, (image[None], cover[None], corners)))
    covered = np.repeat(image[None], len(corners), axis=0)
    for out, (top, left) in zip(covered, corners, strict=True):
        square = slice(top, top + side), slice(left, left + side)
        out[square] = cover[square]
    wanted = gradients.scores(network, covered)
    scale = np.abs(wanted).max()
    assert np.ptp(wanted, axis=0).max() > 1e-3 * scale
    assert_allclose(found, wanted, atol=atol * scale)
    assert_allclose(whole, gradients.scores(network, image), atol=atol * scale)


def finished(x, y):
    """Return a network of x that ends in some scores; all its weights are random."""
    y = layers.Dense(3)(layers.Flatten()(y))
    network, rng = keras.Model(x, y), np.random.default_rng(2)
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    return network


def conv(*options, **more):
    return layers.Conv2D(*options, activation="relu", **more)


def plain(x):
    y = conv(4, 3, padding="same")(layers.Rescaling(1 / 127.5, offset=-1)(x))
    return conv(5, 3)(layers.MaxPooling2D()(y))


def strided(x):
    y = conv(4, 5, strides=2, padding="same")(x)
    y = conv(4, 2, padding="same")(layers.MaxPooling2D(3, 2)(y))
    return layers.MaxPooling2D(3, 2, padding="same")(y - 500)  # zeros at its edge would win


def averaged(x):
    y = layers.AveragePooling2D(2)(conv(4, (1, 5), padding="same")(x))
    return conv(4, 3)(layers.AveragePooling2D(3, 1, padding="same")(y))


def residual(x):
    y = layers.ZeroPadding2D(3)(x)
    y = layers.BatchNormalization()(layers.Conv2D(4, 7, strides=2)(y))
    y = layers.ZeroPadding2D(((0, 1), (1, 0)))(layers.ReLU()(y))
    y = layers.MaxPooling2D(3, 2)(y)
    z = conv(4, 3, padding="same")(y)
    return layers.Activation("gelu")(layers.Add()([y, z, conv(4, 1)(y)]))


def fire(x):
    y = conv(3, 3, strides=2)(x)
    y = layers.Concatenate()([conv(2, 1)(y), conv(3, 3, padding="same")(y)])
    return layers.Concatenate(axis=2)([conv(2, 1)(y), conv(2, 3, padding="same")(y)])


def separable(x):
    y = layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2)(x)
    y = layers.SeparableConv2D(4, 3, activation="relu6")(y)
    return layers.Conv2D(4, 3, dilation_rate=2, padding="same")(y)


def gated(x):
    y = conv(4, 3, padding="same")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    return layers.Multiply()([y, layers.Dense(4, activation="sigmoid")(gate)])


def broadcast(x):
    y = conv(4, 3, padding="same")(x)
    return layers.Multiply()([y, layers.MaxPooling2D((HEIGHT, 1))(y)])


def mean_subtracted(x):
    mean = np.random.default_rng(3).uniform(0, 255, (HEIGHT, WIDTH, 3)).astype("float32")
    return conv(4, 3)(layers.MaxPooling2D()(x - mean))


def enlarged(x):
    return conv(3, 3)(layers.UpSampling2D(2)(layers.MaxPooling2D(4)(x)))


def padded_twice(x):
    return conv(3, 3)(layers.ZeroPadding2D(2)(layers.ZeroPadding2D(1)(conv(3, 3)(x) + 1)))


def skipped(x):
    """The picture itself is joined to what was made of it, beside its shape."""
    y = conv(3, 3, padding="same")(x)
    return keras.ops.reshape(y - 0.3 * x, (-1, HEIGHT * WIDTH, 3))


def turned_round(x):
    """The colours in another order, then the picture upside down, which is not local."""
    y = conv(4, 3, padding="same")(x[..., ::-1])
    return conv(4, 3)(layers.MaxPooling2D()(y)[:, ::-1, ...])


MAKES = [plain, strided, averaged, residual, fire, separable, gated, broadcast, mean_subtracted,
         enlarged, padded_twice, skipped, turned_round]  # fmt: skip


@pytest.mark.parametrize("make", slow_but(MAKES, skipped), ids=lambda make: make.__name__)
def test_it_is_what_covering_by_hand_gives(make):
    keras.utils.set_random_seed(1)
    x = keras.Input((HEIGHT, WIDTH, 3))
    network = finished(x, make(x))
    for side, stride in SQUARES:
        assert_as_by_hand(network, side, stride)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.data())
def test_squares_of_any_size_on_pictures_of_any_size(data):
    height, width = (data.draw(st.integers(9, 40), label=axis) for axis in ("height", "width"))
    side = data.draw(st.integers(1, min(height, width)), label="side")
    stride = data.draw(st.integers(1, side), label="stride")
    stride = max(stride, min(height, width) // 6)  # few squares
    keras.utils.set_random_seed(1)
    x = keras.Input((None, None, 3))
    y = strided(x) if data.draw(st.booleans(), label="strided") else residual(x)
    network = keras.Model(x, layers.Dense(3)(layers.GlobalMaxPooling2D()(y)))
    assert_as_by_hand(network, side, stride, (height, width))


@pytest.mark.slow
@pytest.mark.parametrize("head", [None, "softmax"])
def test_every_form_of_network(head):
    for network in forms(head).values():
        assert_as_by_hand(network, 5, 3, (16, 16))


@pytest.mark.slow
def test_a_network_of_many_kinds_of_layers():
    keras.utils.set_random_seed(1)
    shape = (64, 48, 3)
    network = keras.applications.MobileNetV2(shape, alpha=0.35, weights=None, classes=4)
    assert_as_by_hand(network, 16, 16, shape[:2])


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("COURSE_NETWORK"), reason="COURSE_NETWORK names no network")
def test_a_network_of_ones_own():
    network = networks.load(os.environ["COURSE_NETWORK"])
    size = [side or 96 for side in networks.input_shape(network)[:2]]
    assert_as_by_hand(network, min(size) // 6, min(size) // 6, size)


def test_half_precision():
    x = keras.Input((HEIGHT, WIDTH, 3))
    y = layers.Conv2D(4, 3, activation="relu", dtype="mixed_float16")(x / 255)
    network = finished(x, layers.MaxPooling2D(dtype="mixed_float16")(y))
    assert_as_by_hand(network, 6, 4, atol=0.01)


@pytest.mark.slow
def test_operations_of_ones_own():
    """A dilated convolution by TensorFlow itself, odd padding, and what hides in a function."""
    keras.utils.set_random_seed(1)
    hidden, dense = layers.Conv2D(3, 3, activation="relu"), layers.Dense(2)
    kernel = tf.random.stateless_normal((3, 3, 3, 3), (1, 2))

    def forward(network, x):
        x = tf.nn.conv2d(x, kernel, strides=1, padding="SAME", dilations=2)
        x = tf.nn.max_pool2d(x, 2, 2, padding="VALID")
        x = tf.nn.conv2d(x, kernel, 1, [[0, 0], [2, 1], [0, 3], [0, 0]])
        return network.dense(tf.reduce_max(network.function_of(x), axis=(1, 2)))

    network = Calls(forward, hidden=hidden, dense=dense)
    network.function_of = tf.function(lambda x: hidden(x))
    built(network, (HEIGHT, WIDTH, 3))
    for side, stride in SQUARES:
        assert_as_by_hand(network, side, stride)


def test_a_score_that_does_not_depend_on_the_picture():
    x = keras.Input((HEIGHT, WIDTH, 3))
    y = layers.Dense(2, bias_initializer="ones")(layers.Flatten()(x * 0))
    image = tf.constant(picture()[None])
    constant = Calls(lambda network, x: tf.ones((1, 2)) * 4)
    built(constant, (HEIGHT, WIDTH, 3))
    for network, value in ((keras.Model(x, y), 1), (constant, 4)):
        found, whole = run_of(network, 4, 4)(image, image, tf.constant([[0, 0], [4, 8]]))
        assert (found.numpy() == value).all() and (whole.numpy() == value).all()


def three_blocks(x):
    for width in (4, 5, 6):
        x = layers.MaxPooling2D()(conv(width, 3, padding="same")(x))
    return x


def convolved(network):
    """Return the shapes that convolutions give: of the picture, then of covered pictures."""
    operations = run_of(network, 8, 8, (64, 64)).graph.get_operations()
    shapes = [tuple(op.outputs[0].shape[1:]) for op in operations if op.type == "Conv2D"]
    assert shapes[:3] == [(64, 64, 4), (32, 32, 5), (16, 16, 6)]
    return shapes[3:]


@pytest.mark.parametrize("first", [lambda x: x, lambda x: x[..., ::-1]], ids=["RGB", "BGR"])
def test_early_layers_are_computed_on_patches_only(first):
    x = keras.Input((64, 64, 3))
    # Each sees one cell beyond on both sides, of 8 pixels, then cells -1 to 4, then -1 to 2.
    patches = [(10, 10, 4), (8, 8, 5), (6, 6, 6)]
    assert convolved(finished(x, three_blocks(first(x)))) == patches


def test_what_is_not_local_makes_whole_layers():
    x = keras.Input((64, 64, 3))
    whole = [(64, 64, 4), (32, 32, 5), (16, 16, 6)]
    assert convolved(finished(x, three_blocks(x[:, ::-1]))) == whole
