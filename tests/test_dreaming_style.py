"""Style transfer: Gram matrices in closed form, content and style as objectives, known answers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hand_made import Calls
from numpy.testing import assert_allclose, assert_array_equal

from helpers import drawn, dreaming, networks

CHOICES = dict(parameterization=dreaming.pixels, transform=None)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(4)
    return networks.build(3, size=32, widths=(4, 4, 8, 8, 8))


@pytest.fixture(scope="module")
def pointwise():
    """A network whose first layer looks at single pixels: no edge of the picture is special."""
    keras.utils.set_random_seed(2)
    x = keras.Input((None, None, 3))
    y = keras.layers.Conv2D(5, 1, activation="relu", name="one")(x)
    return keras.Model(x, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(y)))


@pytest.fixture(scope="module")
def photo():
    return drawn.draw("cat", 3).image[40:72, 40:72]


@pytest.fixture(scope="module")
def painting():
    """Diagonal stripes of two colours."""
    rows, columns = np.mgrid[:32, :48]
    stripes = ((rows + columns) // 4 % 2)[..., None]
    return np.uint8(np.where(stripes, (230, 180, 40), (30, 60, 160)))


def test_a_gram_matrix_is_the_mean_product_of_channels():
    outputs = np.float32([[[[1, 2], [0, 3]], [[4, 0], [1, 1]]]])  # (1, 2, 2, 2)
    assert_allclose(dreaming.gram(tf.constant(outputs))[0], [[18 / 4, 3 / 4], [3 / 4, 14 / 4]])


@pytest.mark.slow
def test_the_value_is_the_relative_squared_distance(network, photo, painting):
    other = painting[:, :32]
    layers = ["block1_conv2", "block2_conv1"]
    found = {
        name: networks.record(network, np.stack([photo, other]), name)[name] for name in layers
    }
    (own, wanted) = found["block2_conv1"]
    by_hand = -((own - wanted) ** 2).sum() / (wanted**2).sum()
    content = dreaming.content_of(network, other, "block2_conv1")
    assert dreaming.value(network, content, photo) == pytest.approx(by_hand, rel=1e-4)
    apart = []
    for name in layers:
        one, two = (np.einsum("hwc,hwd->cd", a, a) / a[..., 0].size for a in found[name])
        apart.append(((one - two) ** 2).sum() / (two**2).sum())
    style = dreaming.style_of(network, other, layers)
    assert dreaming.value(network, style, photo) == pytest.approx(-np.mean(apart), rel=1e-4)


@pytest.mark.slow
def test_an_image_has_its_own_content_and_style(network, photo):
    layers = ["block1_conv2", "block3_conv2"]
    content = dreaming.content_of(network, photo, "block3_conv2")
    style = dreaming.style_of(network, photo, layers)
    assert dreaming.value(network, content, photo) == pytest.approx(0, abs=1e-6)
    assert dreaming.value(network, style, photo) == pytest.approx(0, abs=1e-6)
    assert dreaming.value(network, content + style, 255 - photo) < -0.01


def test_a_style_has_forgotten_the_places(pointwise, painting):
    style = dreaming.style_of(pointwise, painting, "one")
    shuffled = np.random.default_rng(0).permutation(painting.reshape(-1, 3)).reshape(painting.shape)
    for other in (np.roll(painting, (5, 11), (0, 1)), painting[::-1], shuffled):
        assert dreaming.value(pointwise, style, other) == pytest.approx(0, abs=1e-6)
    content = dreaming.content_of(pointwise, painting, "one")
    assert dreaming.value(pointwise, content, shuffled) < -0.1


def test_a_style_fits_pictures_of_any_size_and_content_is_enlarged(pointwise, painting):
    style = dreaming.style_of(pointwise, painting, "one")
    assert dreaming.value(pointwise, style, np.tile(painting, (2, 3, 1))) == pytest.approx(
        0, abs=1e-6
    )
    plain = np.full((6, 8, 3), 90, np.uint8)
    content = dreaming.content_of(pointwise, plain, "one")
    assert dreaming.value(pointwise, content, np.full((20, 10, 3), 90)) == pytest.approx(
        0, abs=1e-6
    )


def test_content_alone_gives_the_content_back(photo):
    x = keras.Input((None, None, 3))
    same = keras.layers.Rescaling(1 / 255, name="same")(x)
    seen = keras.Model(x, keras.layers.GlobalAveragePooling2D()(same))
    content = dreaming.content_of(seen, photo, "same")
    made = dreaming.maximize(seen, content, size=photo.shape[:2], steps=150, rate=0.03, **CHOICES)
    assert np.abs(made - photo).mean() < 255 * 0.01


@pytest.mark.slow
def test_the_styled_picture_is_nearer_to_the_style_and_keeps_its_content(network, photo, painting):
    weights = network.get_weights()
    content_layer, style_layers = "block3_conv2", ["block1_conv1", "block2_conv1"]
    style = dreaming.style_of(network, painting, style_layers)
    content = dreaming.content_of(network, photo, content_layer)
    how = dict(content_layer=content_layer, style_layers=style_layers, steps=30)
    made = dreaming.style_transfer(network, photo, painting, **how)
    assert made.shape == photo.shape and made.dtype == np.float32
    assert made.min() >= 0 and made.max() <= 255
    before, after = (dreaming.value(network, style, one) for one in (photo, made))
    assert after > before / 2
    strange = np.random.default_rng(0).uniform(0, 255, photo.shape)
    assert dreaming.value(network, content, made) > dreaming.value(network, content, strange)
    assert all(map(np.array_equal, weights, network.get_weights()))


@pytest.mark.slow
def test_more_weight_brings_the_style_nearer(network, photo, painting):
    layers = ["block1_conv1", "block2_conv1"]
    style = dreaming.style_of(network, painting, layers)
    how = dict(content_layer="block2_conv2", style_layers=layers, steps=30)
    made = [
        dreaming.style_transfer(network, photo, painting, style_weight=weight, **how)
        for weight in (0.01, 0.1, 10.0)
    ]
    reached = [dreaming.value(network, style, one) for one in made]
    assert reached[0] < reached[1] < reached[2]
    assert np.abs(made[0] - photo).mean() < np.abs(made[2] - photo).mean()


def test_two_styles_mix_and_compile_once(network, photo, painting):
    layers = ["block1_conv1", "block2_conv1"]
    styles = [dreaming.style_of(network, one, layers) for one in (painting, 255 - painting)]
    assert styles[0].form == styles[1].form
    mixed = 0.5 * styles[0] + 0.5 * styles[1]
    values = [dreaming.value(network, one, photo) for one in styles]
    assert dreaming.value(network, mixed, photo) == pytest.approx(np.mean(values), rel=1e-5)


def test_the_default_layers_go_from_the_first_convolution_upwards(network):
    content, styles = dreaming.default_layers(network)
    names = networks.layer_names(network)
    assert styles[0] == names[0] and content in names and len(styles) == 6
    assert [names.index(name) for name in styles] == sorted(names.index(name) for name in styles)


def test_depthwise_convolutions_are_passed_over_by_default():
    x = keras.Input((16, 16, 3))
    y = keras.layers.DepthwiseConv2D(3, name="depthwise")(x)
    y = keras.layers.Conv2D(4, 1, name="pointwise")(y)
    y = keras.layers.GlobalAveragePooling2D()(y)
    network = keras.Model(x, keras.layers.Dense(2)(y))
    assert dreaming.default_layers(network) == ("pointwise", ["pointwise"])
    bare = keras.Model(x, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    with pytest.raises(ValueError, match="no convolutions"):
        dreaming.default_layers(bare)


def test_colours_are_those_of_the_image_and_brightness_is_the_pictures():
    image, picture = np.full((2, 2, 3), (120, 80, 60)), np.full((2, 2, 3), 100)
    found = dreaming.with_colours_of(image, picture)
    grey = np.array([0.299, 0.587, 0.114])
    assert_allclose(found @ grey, 100, atol=0.1)
    assert_allclose(
        found - found.mean(-1, keepdims=True), image - image.mean(-1, keepdims=True), atol=0.5
    )
    assert_allclose(dreaming.with_colours_of(image, image), image, atol=0.01)
    with pytest.raises(ValueError, match="one size"):
        dreaming.with_colours_of(image, picture[:1])


def test_what_cannot_be_is_named_before_the_first_step(network, photo, painting):
    with pytest.raises(ValueError, match="No layer"):
        dreaming.content_of(network, photo, "block9")
    with pytest.raises(ValueError, match="no rows and columns"):
        dreaming.style_of(network, photo, "scores")
    with pytest.raises(ValueError, match="one layer or more"):
        dreaming.style_of(network, photo, [])
    with pytest.raises(ValueError, match=r"one image \(H, W, 3\)"):
        dreaming.content_of(network, photo[None], "block1_conv1")
    for weights in ({"style_weight": 0}, {"style_weight": np.nan}, {"smooth": -1}):
        with pytest.raises(ValueError, match=f"{next(iter(weights))} must be a number"):
            dreaming.style_transfer(network, photo, painting, **weights)
    with pytest.raises(ValueError, match="of 1x1 pixels. The smallest size that works is 16x16"):
        dreaming.content_of(network, photo[:1, :1], "block5_conv1")


@pytest.mark.slow
def test_a_subclassed_network_paints_as_well(photo, painting):
    conv = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")
    pool, dense = keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)
    network = Calls(
        lambda n, x: n.dense(n.pool(n.conv(x / 255))), conv=conv, pool=pool, dense=dense
    )
    network(photo[None].astype("float32"))
    made = dreaming.style_transfer(network, photo, painting, "conv", ["conv"], steps=5)
    assert made.shape == photo.shape and not np.array_equal(made, photo)
    assert_array_equal(network(photo[None].astype("float32")).shape, (1, 2))
