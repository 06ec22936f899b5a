"""Heads: put on every kind of network, equal to scikit-learn's, and nothing below them changed."""

import keras
import numpy as np
import pytest
from cases import slow_but
from keras import layers
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from helpers import networks, transfer

SIZE = 16


def an_image():
    return keras.Input((SIZE, SIZE, 3))


@keras.saving.register_keras_serializable("test_heads")
class Subclassed(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.convolution = layers.Conv2D(6, 3, activation="relu", name="convolution")
        self.pool = layers.GlobalAveragePooling2D()
        self.dense = layers.Dense(5, name="dense")

    def call(self, images):
        return self.dense(self.pool(self.convolution(images / 255)))


def stack():
    return [
        layers.Rescaling(1 / 255),
        layers.Conv2D(6, 3, activation="relu", name="convolution"),
        layers.MaxPooling2D(name="reduced"),
    ]


def chain(x, *parts):
    for part in parts:
        x = part(x)
    return x


def flat(top, size=SIZE):
    image = keras.Input((size, size, 3))
    return keras.Model(image, chain(image, *stack(), *top))


def nested(top):
    base = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *stack()], name="base")
    image = keras.Input((SIZE, SIZE, 3))
    return keras.Model(image, chain(image, layers.RandomFlip(seed=0), base, *top))


def within(*more, layer=None):
    """Return a whole classifier within a network, behind another nested network."""
    inner = flat(pooled(layers.Dense(7, activation="relu"), layer or layers.Dense(5, name="old")))
    mirrored = keras.Sequential([an_image(), layers.RandomFlip(seed=0)])
    return keras.Sequential([an_image(), mirrored, inner, *more])


def nested_head():
    """Return a base and a head, each a network of its own, in a graph."""
    base = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *stack()], name="base")
    head = keras.Sequential([keras.Input((7, 7, 6)), *pooled(layers.Dense(5, name="old"))])
    image = keras.Input((SIZE, SIZE, 3))
    return keras.Model(image, head(base(image)))


def deferred(top):
    network = keras.Sequential([*stack(), *top])
    network(np.zeros((2, SIZE, SIZE, 3)))
    return network


def subclassed(top):
    network = Subclassed()
    network(np.zeros((2, SIZE, SIZE, 3)))
    return network


def scores():
    return layers.Dense(5, name="scores")


def pooled(*more):
    return [layers.GlobalAveragePooling2D(), *more]


# How the network is built, and how many features it has for a head.
BASES = {
    "dense": (lambda: flat(pooled(layers.Dense(7, activation="relu"), layers.Dense(5))), 7),
    "softmax": (lambda: flat(pooled(layers.Dense(5, activation="softmax"))), 6),
    "flatten": (lambda: flat([layers.Flatten(), layers.Dense(5)]), 294),
    "convolutional": (lambda: flat([layers.Conv2D(5, 1), layers.GlobalMaxPooling2D()]), 6),
    "headless": (lambda: flat([layers.Conv2D(4, 1)]), 4),
    "tokens": (lambda: flat([layers.Reshape((-1, 6))]), 6),
    "any size": (lambda: flat(pooled(layers.Dense(5)), size=None), 6),
    "names taken": (lambda: flat(pooled(layers.Dense(9, name="pool"), scores())), 9),
    "one layer": (lambda: flat(pooled()), 6),
    "nested": (lambda: nested(pooled(layers.Dense(5))), 6),
    "nested headless": (lambda: nested(pooled()), 6),
    "classifier within": (lambda: within(), 7),
    "classifier within, softmax": (lambda: within(layers.Softmax()), 7),
    "classifier twice within": (lambda: keras.Sequential([an_image(), within()]), 7),
    "nested head": (nested_head, 6),
    "features, no head": (lambda: flat([layers.Conv2D(4, 3), *pooled()]), 4),
    "features, normalized": (lambda: flat([layers.BatchNormalization(), *pooled()]), 6),
    "sequential": (lambda: deferred(pooled(layers.Dense(5))), 6),
    "subclassed": (lambda: subclassed(None), 5),
}  # fmt: skip
QUICK = (
    "dense", "flatten", "headless", "any size", "nested", "classifier within", "sequential",
    "subclassed",
)  # fmt: skip


@pytest.fixture(scope="module")
def pictures():
    """Return 36 pictures of three classes, told apart by their colour, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(36) % 3
    colours = np.array([(220, 60, 60), (60, 220, 60), (60, 60, 220)])[labels]
    images = colours[:, None, None] + rng.normal(0, 20, (36, SIZE, SIZE, 3))
    return images.clip(0, 255).astype(np.uint8), labels


@pytest.mark.parametrize("kind", slow_but(BASES, *QUICK))
def test_a_head_on_any_network(kind, pictures, tmp_path):
    keras.utils.set_random_seed(1)
    build, width = BASES[kind]
    base, (images, labels) = build(), pictures
    networks.save(base, tmp_path / "base.keras")
    base = networks.load(tmp_path / "base.keras")
    before = [*map(np.copy, base.get_weights())], base.get_config(), base.predict_on_batch(images)

    head = transfer.fit_head(transfer.head_features(base, images), labels)
    network = transfer.attach_head(base, **head)
    assert head["kernel"].shape == (width, 3) and head["bias"].shape == (3,)
    assert (networks.predict(network, images).argmax(1) == labels).mean() > 0.9
    assert networks.layer_names(network, "dense")[-1].endswith("scores")
    if "nested" not in kind and "within" not in kind:
        assert "convolution" in networks.layer_names(network)

    weights, config, outputs = before
    assert all(map(np.array_equal, weights, base.get_weights()))
    assert config == base.get_config()
    assert np.array_equal(outputs, base.predict_on_batch(images))

    again = transfer.fit_head(transfer.head_features(base, images), labels)
    assert all(np.array_equal(again[name], head[name]) for name in head)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_head_gives_what_scikit_learn_gives(classes, pictures):
    keras.utils.set_random_seed(2)
    images, labels = pictures
    base, labels = BASES["dense"][0](), labels % classes
    features = networks.record(base, images, base.layers[-2].name)[base.layers[-2].name]
    scaler = StandardScaler().fit(features.astype(float))
    line = LogisticRegression(C=0.1, solver="newton-cg", class_weight="balanced")
    expected = line.fit(scaler.transform(features), labels).predict_proba(
        scaler.transform(features)
    )
    network = transfer.attach_head(
        base, **transfer.fit_head(transfer.head_features(base, images), labels)
    )
    assert np.abs(networks.predict(network, images) - expected).max() < 1e-4


def test_a_head_can_be_saved_and_loaded(pictures, tmp_path):
    images, labels = pictures
    base = BASES["convolutional"][0]()
    network = transfer.attach_head(
        base, **transfer.fit_head(transfer.head_features(base, images), labels)
    )
    networks.save(network, tmp_path / "mine.keras")
    loaded = networks.load(tmp_path / "mine.keras")
    assert np.array_equal(networks.predict(network, images), networks.predict(loaded, images))


def test_a_kernel_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"has 7 features; a kernel \(4, 2\) and a bias \(2,\)"):
        transfer.attach_head(BASES["dense"][0](), np.zeros((4, 2)), np.zeros(2))


def test_outputs_without_one_tensor_are_refused():
    image = keras.Input((SIZE, SIZE, 3))
    many = keras.Model(image, [layers.Flatten()(image), layers.GlobalAveragePooling2D()(image)])
    assert transfer.class_count(many) is None
    volume = flat([layers.Reshape((7, 7, 3, 2))])
    with pytest.raises(ValueError, match="do not fit a head"):
        transfer.attach_head(volume, np.zeros((4, 2)), np.zeros(2))


@pytest.mark.parametrize(
    ("build", "path"),
    [
        (lambda: flat(pooled(layers.Dense(5, name="old"))), ["old"]),
        (lambda: within(), ["functional", "old"]),
        (lambda: within(layers.Softmax()), ["functional", "old"]),
        (nested_head, ["sequential", "old"]),
        (lambda: flat([layers.Conv2D(5, 1, name="old"), layers.GlobalMaxPooling2D()]), ["old"]),
        (lambda: flat([layers.Conv2D(5, 3), layers.GlobalMaxPooling2D()]), []),
        (lambda: flat([layers.BatchNormalization(), *pooled()]), []),
        (lambda: flat([layers.Conv2D(5, 1)]), []),
        (lambda: subclassed(None), []),
    ],
)
def test_the_layer_that_a_head_replaces_is_named(build, path):
    found = [layer.name for layer in transfer.head_path(build())]
    assert found[-1:] == path[-1:] and (len(found) > 1) == (len(path) > 1)


def test_the_features_of_a_classifier_within_are_those_below_its_last_layer(pictures):
    network = within(layers.Softmax())
    inner = network.layers[-2]
    below = keras.Model(inner.inputs, inner.layers[-2].output)
    expected = below.predict_on_batch(pictures[0])
    np.testing.assert_allclose(transfer.head_features(network, pictures[0]), expected, atol=1e-5)


def test_a_head_needs_examples_of_every_class():
    with pytest.raises(ValueError, match=r"the labels \[1\] have no examples"):
        transfer.fit_head(np.zeros((4, 2)), np.array([0, 2, 2, 0]))


@pytest.mark.parametrize(
    ("top", "count"),
    [
        (pooled(layers.Dense(5)), 5),
        (pooled(layers.Dense(2, activation="softmax")), 2),
        (pooled(layers.Dense(1, activation="sigmoid")), 2),
        (pooled(layers.Dense(1)), None),
        ([layers.Conv2D(5, 1)], None),
    ],
)
def test_classes_are_counted(top, count):
    assert transfer.class_count(flat(top)) == count


def test_the_size_of_pictures_is_the_networks_own():
    assert transfer.image_size(flat(pooled())) == (SIZE, SIZE)
    assert transfer.image_size(flat(pooled(), size=None)) == (224, 224)
    assert transfer.image_size(flat(pooled(), size=None), free=128) == (128, 128)
    assert transfer.image_size(subclassed(None)) == (SIZE, SIZE)
    for shape in ((SIZE, SIZE, 1), (12,)):
        image = keras.Input(shape)
        with pytest.raises(ValueError, match=r"must take RGB pictures \(height, width, 3\)"):
            transfer.image_size(keras.Model(image, layers.Flatten()(image), name="grey"))
