"""Small networks with known answers, and one network written in every way that Keras allows."""

import functools

import keras
import numpy as np

HIDDEN, OUT = np.float32([[-1, 1], [-1, 1]]), np.float32([[-1], [1]])


class Calls(keras.Model):
    """A subclassed network that is one function of its input, and counts how often it is traced."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function, self.traced = function, 0
        for name, layer in layers.items():
            setattr(self, name, layer)

    def call(self, x):
        self.traced += 1
        return self.function(self, x)


def built(network, shape):
    """Return a subclassed network after the first call, which builds it."""
    network(np.zeros((1, *shape), np.float32))
    return network


def of(function, inputs=1):
    """Return a functional network that is a function of `inputs` numbers."""
    x = keras.Input((inputs,))
    return keras.Model(x, function(x))


def two_two_one(spelling):
    """Return the 2-2-1 ReLU network of the guided gradient, its ReLU in one of many spellings."""
    layers, ops = keras.layers, keras.ops
    hidden, out = layers.Dense(2, use_bias=False), layers.Dense(1, use_bias=False)
    x = keras.Input((2,))
    if spelling == "activation":
        hidden = layers.Dense(2, activation="relu", use_bias=False)
        network = keras.Model(x, out(hidden(x)))
    elif spelling == "activation layer in activation":
        hidden = layers.Dense(2, activation=layers.ReLU(), use_bias=False)
        network = keras.Model(x, out(hidden(x)))
    elif spelling == "subclassed, ops":
        network = Calls(lambda n, x: n.out(ops.relu(n.hidden(x))), hidden=hidden, out=out)
        built(network, (2,))
    elif spelling == "nested":
        base = keras.Model(x, layers.ReLU()(hidden(x)))
        network = keras.Sequential([keras.Input((2,)), keras.Sequential([base]), out])
    else:
        relu = {
            "Activation": layers.Activation("relu"),
            "ReLU": layers.ReLU(),
            "relu6": layers.ReLU(max_value=6),
            "ops": ops.relu,
        }[spelling]
        network = keras.Model(x, out(relu(hidden(x))))
    hidden.set_weights([HIDDEN])
    out.set_weights([OUT])
    return network


SPELLINGS = [
    "activation",
    "activation layer in activation",
    "Activation",
    "ReLU",
    "relu6",
    "ops",
    "subclassed, ops",
    "nested",
]


def parts(activation=None):
    """Return the layers of a small network, 16x16x3 to three classes, from seeded weights."""
    keras.utils.set_random_seed(3)
    conv = keras.layers.Conv2D
    base = [
        keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescale"),
        conv(4, 3, padding="same", activation="relu", name="conv1"),
        keras.layers.MaxPooling2D(name="pool1"),
        conv(6, 3, padding="same", activation="relu", name="conv2"),
    ]
    head = [
        keras.layers.GlobalAveragePooling2D(name="pool"),
        keras.layers.Dropout(0.5, name="dropout"),
        keras.layers.Dense(3, activation=activation, name="scores"),
    ]
    return base, head


class Block(keras.layers.Layer):
    """A layer of one's own that holds layers."""

    def __init__(self, inner, **options):
        super().__init__(**options)
        self.inner = inner

    def call(self, x):
        for layer in self.inner:
            x = layer(x)
        return x


class Subclassed(keras.Model):
    def __init__(self, base, head):
        super().__init__(name="subclassed")
        self.stages = [Block(base, name="base"), *head]

    def call(self, x, training=False):
        for stage in self.stages:
            x = stage(x)
        return x


@functools.cache
def forms(activation=None, size=16):
    """Return one network, with the same weights, in every form: `{name of the form: network}`.

    Tests share them, so that each is traced once for each method: do not change them.
    """

    def chain(layers):
        x = y = keras.Input((size, size, 3), name="image")
        for layer in layers:
            y = layer(y)
        return keras.Model(x, y)

    base, head = parts(activation)
    flat = chain(base + head)
    networks = {"flat": flat}
    base, head = parts(activation)
    networks["sequential"] = keras.Sequential([keras.Input((size, size, 3)), *base, *head])
    base, head = parts(activation)
    augment = keras.Sequential([keras.layers.RandomFlip(), keras.layers.RandomRotation(0.1)])
    networks["nested"] = keras.Sequential(
        [keras.Input((size, size, 3)), augment, chain(base), keras.Sequential(head)]
    )
    base, head = parts(activation)
    networks["subclassed"] = built(Subclassed(base, head), (size, size, 3))
    for network in networks.values():
        network.set_weights(flat.get_weights())
    return networks


fresh_forms = forms.__wrapped__  # for a test that changes networks, or asks what is new to them


def images(count=3, size=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
