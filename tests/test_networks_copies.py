"""VGG16 to the parameter, copies with penalties in closed form, layers that do not learn."""

import functools
import random

import keras
import numpy as np
import pytest
from cases import slow_but
from hand_made import Subclassed, built, forms, images, of, parts, two_two_one
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from helpers import cam, networks
from helpers.core.copies import copied
from helpers.photos import imagenet


class Described(Subclassed):
    """The subclassed network of these tests, which can say what it was made of."""

    def __init__(self, activation=None, **options):
        super().__init__(*parts(activation))
        self.activation = activation

    def get_config(self):
        return {"activation": self.activation}


def copyable(activation=None):
    """Return one network in every form that can be copied."""
    found = forms(activation)
    described = built(Described(activation), (16, 16, 3))
    described.set_weights(found["flat"].get_weights())
    return found | {"subclassed": described}


FORMS = ["flat", "sequential", "nested", "subclassed"]


@functools.cache
def vgg16():
    keras.utils.set_random_seed(0)
    return networks.vgg16()


def test_vgg16_is_the_photo_courses_to_the_parameter():
    network = vgg16()
    assert networks.parameter_counts(network) == (27_823_938, 27_823_938, 0)
    assert networks.parameter_counts(networks.frozen(network, 4)) == (
        27_823_938,
        20_188_674,
        7_635_264,
    )
    theirs = keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3))
    wanted = [n.name for n in theirs.layers if not isinstance(n, keras.layers.InputLayer)]
    head = ["flatten", "fc1", "dropout1", "fc2", "dropout2", "scores"]
    assert networks.layer_names(network, "all") == ["minus_mean", *wanted, *head]
    assert network.output_shape == (None, 2)
    assert network.get_layer("scores").activation is keras.activations.linear


@pytest.mark.slow
def test_vgg16_takes_rgb_and_prepares_it_as_vgg_does_also_from_a_file(tmp_path):
    network, picture = networks.vgg16(3, size=32), images(2, 32).astype("float32")
    networks.save(network, tmp_path / "vgg16.keras")
    loaded = networks.load(tmp_path / "vgg16.keras")
    assert_array_equal(loaded(picture), network(picture))
    wanted = keras.applications.vgg16.preprocess_input(picture.copy())
    assert_array_equal(networks.record(loaded, picture, "minus_mean")["minus_mean"], wanted)


@pytest.mark.slow
def test_vgg16_can_be_looked_into():
    picture = images(1, 224)
    heat = cam.grad_cam(vgg16(), picture, 0)
    assert heat.shape == (1, 224, 224)
    assert cam.default_layer(vgg16()) == "block5_conv3"


@pytest.mark.slow
def test_vgg16_takes_weights_for_its_convolutions(tmp_path, monkeypatch):
    theirs = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    theirs.save_weights(tmp_path / "vgg16.weights.h5")
    ours = networks.vgg16(size=32, weights=tmp_path / "vgg16.weights.h5")
    for mine, wanted in zip(ours.get_weights()[:26], theirs.get_weights(), strict=True):
        assert_array_equal(mine, wanted)

    monkeypatch.setattr(imagenet, "weights", lambda name: tmp_path / f"{name}.weights.h5")
    again = networks.vgg16(size=32, weights="imagenet")
    assert_array_equal(again.get_weights()[0], theirs.get_weights()[0])


def test_vgg16_names_what_is_wrong(tmp_path):
    for wrong in ({"classes": 0}, {"size": 16}, {"dropout": 1}):
        with pytest.raises(ValueError, match="vgg16 needs classes >= 1"):
            networks.vgg16(**wrong)
    with pytest.raises(FileNotFoundError, match="No weights file .*gone"):
        networks.vgg16(weights=tmp_path / "gone.h5")
    with pytest.raises(FileNotFoundError, match="No weights file imagnet"):
        networks.vgg16(weights="imagnet")


def kernels(network, names):
    return [networks.find_layer(network, name).get_weights()[0] for name in names]


def closed_form(weights, l1, l2):
    flat = np.concatenate([w.ravel() for w in weights]).astype("f8")
    return l1 * np.abs(flat).sum() + l2 * (flat**2).sum()


@pytest.mark.parametrize("form", slow_but(FORMS, "flat", "subclassed"))
def test_a_penalty_is_the_closed_form_and_nothing_else_changes(form):
    network = copyable("softmax")[form]
    before = network.predict(images(), verbose=0)
    copy = networks.penalized(network, l1=0.01, l2=0.1)
    assert type(copy) is type(network)
    assert_array_equal(copy.predict(images(), verbose=0), before)
    assert_array_equal(networks.predict(copy, images()), networks.predict(network, images()))
    wanted = closed_form(kernels(network, ["conv1", "conv2", "scores"]), 0.01, 0.1)
    assert_allclose(sum(copy.losses), wanted, rtol=1e-5)
    two = networks.penalized(copy, l2=0.5, layers=["conv2", "scores"])  # conv1 keeps its own
    wanted = closed_form(kernels(network, ["conv2", "scores"]), 0, 0.5)
    wanted += closed_form(kernels(network, ["conv1"]), 0.01, 0.1)
    assert_allclose(sum(two.losses), wanted, rtol=1e-5)
    assert len(two.losses) == 3
    assert networks.penalized(two).losses == []
    assert network.losses == []
    assert_array_equal(network.predict(images(), verbose=0), before)
    copy.set_weights([0 * w for w in copy.get_weights()])
    assert_array_equal(network.predict(images(), verbose=0), before)


@given(st.floats(0, 10), st.floats(0, 10), st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_any_penalty_is_the_closed_form(l1, l2, seed):
    network = of(keras.layers.Dense(3, name="scores"), inputs=2)
    kernel = np.random.default_rng(seed).normal(size=(2, 3)).astype("float32")
    network.set_weights([kernel, np.ones(3, "float32")])
    losses = networks.penalized(network, l1, l2, layers="scores").losses
    assert_allclose(sum(losses), closed_form([kernel], l1, l2), rtol=1e-5, atol=1e-30)


def test_every_kind_of_kernel_is_penalized_and_no_bias():
    x = keras.Input((8, 8, 3))
    y = keras.layers.DepthwiseConv2D(3, name="depthwise")(x)
    y = keras.layers.SeparableConv2D(4, 3, name="separable")(y)
    y = keras.layers.Conv2DTranspose(2, 3, name="transposed")(y)
    y = keras.layers.BatchNormalization(name="normalized")(y)
    network = keras.Model(x, keras.layers.Dense(2, name="scores")(keras.layers.Flatten()(y)))
    network.set_weights([w + 0.5 for w in network.get_weights()])
    w = dict(zip([v.path for v in network.weights], network.get_weights(), strict=True))
    wanted = [
        w["depthwise/kernel"],
        w["separable/depthwise_kernel"],
        w["separable/pointwise_kernel"],
        w["transposed/kernel"],
        w["scores/kernel"],
    ]
    copy = networks.penalized(network, l1=0.3, l2=0.2)
    assert_allclose(sum(copy.losses), closed_form(wanted, 0.3, 0.2), rtol=1e-5)


def test_penalties_are_saved_with_the_network(tmp_path):
    copy = networks.penalized(forms()["nested"], l1=0.01, l2=0.1, layers=["conv1", "scores"])
    networks.save(copy, tmp_path / "penalized.keras")
    loaded = networks.load(tmp_path / "penalized.keras")
    assert len(loaded.losses) == 2
    assert_allclose(sum(loaded.losses), sum(copy.losses))


def test_penalties_work_in_training():
    network = of(keras.layers.Dense(3, use_bias=False, name="scores"), inputs=2)
    kernel = np.float32([[1, -2, 0.5], [3, 0.25, -1]])
    network.set_weights([kernel])
    for l1, l2 in ((0.1, 0.0), (0.0, 0.1), (0.2, 0.3)):
        copy = networks.penalized(network, l1, l2)
        copy.compile(keras.optimizers.SGD(0.5), "mse")
        copy.fit(np.zeros((4, 2)), np.zeros((4, 3)), batch_size=4, verbose=0)
        wanted = kernel - 0.5 * (l1 * np.sign(kernel) + 2 * l2 * kernel)
        assert_allclose(copy.get_weights()[0], wanted, rtol=1e-6)


def test_wrong_penalties_are_named():
    network = forms()["flat"]
    for wrong in ({"l1": -1}, {"l2": float("nan")}, {"l2": float("inf")}):
        with pytest.raises(ValueError, match="Penalties must be 0 or more, not l1="):
            networks.penalized(network, **wrong)
    with pytest.raises(ValueError, match="No layer 'conv3' with a kernel.*Did you mean 'conv2'"):
        networks.penalized(network, l2=1, layers=["conv1", "conv3"])
    with pytest.raises(ValueError, match="'pool' with a kernel .* has: conv1, conv2, scores"):
        networks.penalized(network, l2=1, layers="pool")


@pytest.mark.parametrize("form", slow_but(FORMS, "nested", "subclassed"))
def test_frozen_layers_do_not_learn_and_the_others_do(form):
    network = copyable("softmax")[form]
    weights, before = network.get_weights(), network.predict(images(), verbose=0)
    copy = networks.frozen(network, "pool1")
    assert_array_equal(copy.predict(images(), verbose=0), before)
    assert networks.parameter_counts(copy) == (112 + 222 + 21, 222 + 21, 112)
    copy.compile("sgd", "sparse_categorical_crossentropy")
    copy.fit(images(), np.int32([0, 1, 2]), epochs=2, verbose=0)
    for name, same in (("conv1", True), ("conv2", False), ("scores", False)):
        now, then = kernels(copy, [name])[0], kernels(network, [name])[0]
        assert np.array_equal(now, then) == same, name
    assert networks.parameter_counts(network) == (355, 355, 0)
    for now, then in zip(network.get_weights(), weights, strict=True):
        assert_array_equal(now, then)


def narrow():
    return networks.build(2, size=32, widths=(2, 2, 3, 3, 4))


def trainable(network):
    names = networks.layer_names(network)
    return [name for name in names if networks.find_layer(network, name).trainable]


@pytest.mark.slow
def test_freezing_goes_up_to_the_last_layer_of_a_block():
    network = narrow()
    names = networks.layer_names(network)
    for block, count in ((0, 0), (1, 2), (2, 4), (3, 7), (4, 10), (5, 13)):
        found = networks.frozen(network, block)
        assert trainable(found) == names[count:]
        if block:
            assert trainable(networks.frozen(network, f"block{block}")) == names[count:]
            assert not networks.find_layer(found, f"block{block}_pool").trainable
        assert networks.find_layer(found, "scores").trainable
    assert trainable(networks.frozen(network, np.int64(2))) == names[4:]
    assert trainable(networks.frozen(network, "block2_conv1")) == names[3:]
    assert trainable(networks.frozen(network, "scores")) == []
    counts = networks.parameter_counts(networks.frozen(network, "scores"))
    assert counts == (network.count_params(), 0, network.count_params())


def test_layers_after_the_frozen_ones_learn_whatever_they_did_before():
    once = networks.frozen(narrow(), 4)
    names = networks.layer_names(once)
    assert trainable(networks.frozen(once, 2)) == names[4:]
    assert trainable(networks.frozen(once)) == names
    assert trainable(once) == names[10:]
    base = keras.Sequential([keras.Input((32, 32, 3)), narrow()])
    base.layers[0].trainable = False
    assert trainable(networks.frozen(base, "block4")) == names[10:]


def test_a_frozen_layer_is_not_penalized_and_stays_frozen(tmp_path):
    copy = networks.penalized(networks.frozen(forms()["nested"], "conv1"), l2=0.1)
    assert trainable(copy) == ["conv2"]
    wanted = closed_form(kernels(copy, ["conv2", "scores"]), 0, 0.1)
    assert_allclose(sum(copy.losses), wanted, rtol=1e-5)
    networks.save(copy, tmp_path / "frozen.keras")
    assert trainable(networks.load(tmp_path / "frozen.keras")) == ["conv2"]
    wanted = closed_form(kernels(copy, ["conv1", "conv2", "scores"]), 0, 0.1)
    assert_allclose(sum(networks.frozen(copy).losses), wanted, rtol=1e-5)  # thawed, it counts


def test_blocks_that_are_not_there_are_named():
    with pytest.raises(ValueError, match="No layer 'block7' in network.*It has: rescale, block1_c"):
        networks.frozen(narrow(), 7)
    with pytest.raises(ValueError, match="No layer 'block3_con1'.*Did you mean 'block3_conv1'"):
        networks.frozen(narrow(), "block3_con1")
    with pytest.raises(ValueError, match="No layer '-1'"):
        networks.frozen(narrow(), -1)


def test_statistics_that_no_gradient_changes_count_as_frozen():
    shared = keras.layers.Dense(4)
    x = keras.Input((4,))
    network = keras.Model(x, shared(keras.layers.BatchNormalization()(shared(x))))
    assert networks.parameter_counts(network) == (20 + 16, 20 + 8, 8)
    assert networks.parameter_counts(network).trainable == 28


def test_copies_take_no_random_numbers_and_go_on_with_the_same_seeds():
    keras.utils.set_random_seed(1)
    x = keras.Input((50,))
    network = keras.Model(x, keras.layers.Dropout(0.5)(keras.layers.Dense(9)(x)))
    states = random.getstate(), np.random.get_state()[1].copy()
    copies = [networks.penalized(network, l2=1), networks.frozen(network, "dense")]
    assert random.getstate() == states[0]
    assert_array_equal(np.random.get_state()[1], states[1])
    wanted = network(np.ones((1, 50), "float32"), training=True)
    for copy in copies:
        assert_array_equal(copy(np.ones((1, 50), "float32"), training=True), wanted)


def test_a_network_may_be_compiled_and_hold_what_no_file_may():
    x = keras.Input((2,))
    doubled = keras.layers.Lambda(lambda x: 2 * x)
    network = keras.Model(x, keras.layers.Dense(2)(doubled(x)))
    network.compile("sgd", loss=lambda wanted, found: (wanted - found) ** 2)
    network.fit(np.ones((2, 2)), np.ones((2, 2)), verbose=0)
    copy = networks.frozen(network)
    assert not copy.compiled
    assert network.compiled
    assert_array_equal(copy(np.ones((1, 2))), network(np.ones((1, 2))))


class Add(keras.layers.Layer):
    """A layer of one's own that bears the name of one of Keras', and of the operator."""

    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, x):
        return self.factor * x

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


class Sum(keras.regularizers.Regularizer):
    def __call__(self, weights):
        return keras.ops.sum(weights)

    def get_config(self):
        return {}


def relu(x):
    """No ReLU at all."""
    return 3 * x - 1


def mixtures():
    """Return networks of four numbers whose layers and operators share their names."""
    layers, ops, k = keras.layers, keras.ops, np.float32(2.5)
    x = keras.Input((4,), name="numbers")
    dense, shared = layers.Dense(4), layers.Dense(4, activation=relu)
    both = layers.Add()([dense(x), x]) + x
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.Dropout(0.5)])
    outputs = {
        "Add and +": both,
        "all operators": layers.Multiply()([both, x]) * 2
        - x / 3
        + (-x) ** 2
        + abs(1 - x) @ ops.eye(4),
        "functions": ops.where(both > 0.5, ops.relu(both), -both)[:, ::2],
        "arguments": ops.concatenate([x, ops.clip(x, 0.2, x_max=0.7)], axis=-1),
        "an own Add": Add(5)(x) + layers.Add()([x, x]),
        "a function called relu": shared(shared(x)),
        "lambdas": layers.Lambda(lambda x: k * ops.relu(x))(layers.Dense(3, lambda x: x + k)(x)),
        "two lambdas": layers.Lambda(lambda x: x + 1)(layers.Lambda(lambda x: 2 * x)(x)),
        "a named function": layers.Lambda(relu)(x),
        "called twice": inner(inner(x)) + x,
        "shared by two networks": inner(x) + inner.layers[0](x),
        "an own penalty": layers.Dense(2, kernel_regularizer=Sum())(x),
        "an own layer within": layers.TimeDistributed(Add(2))(layers.Reshape((2, 2))(x)),
        "nested": keras.Sequential([keras.Input((4,)), keras.Model(x, both), layers.Dense(2)])(x),
    }
    return {name: keras.Model(x, y) for name, y in outputs.items()}


def shaken(network):
    """Give a network weights that differ everywhere, so that no two outputs are alike by chance."""
    random = np.random.default_rng(0)
    for weight in network.weights:
        if weight.dtype == "float32":
            weight.assign(weight + random.uniform(0.01, 0.1, weight.shape))
    return network


def test_copies_of_every_mixture_of_layers_and_operators_are_equal():
    x = np.random.default_rng(0).uniform(0, 1, (3, 4)).astype("float32")
    for name, network in mixtures().items():
        shaken(network)
        network.layers[-1].trainable = False
        before, frozen = np.asarray(network(x)), [v.trainable for v in network.variables]
        copy = networks.penalized(network, l2=0.0) if name == "an own penalty" else copied(network)
        assert_array_equal(copy(x), before, err_msg=name)
        assert np.ptp(before) > 0, name
        assert [v.trainable for v in copy.variables] == frozen, name
        assert not {id(v) for v in copy.variables} & {id(v) for v in network.variables}, name
        assert networks.layer_names(copy, "all") == networks.layer_names(network, "all"), name
        copy.set_weights([0 * w for w in copy.get_weights()])
        assert_array_equal(network(x), before, err_msg=name)


def test_an_own_penalty_is_copied_and_replaced():
    network = mixtures()["an own penalty"]
    assert_array_equal(copied(network).losses[0], network.losses[0])
    assert networks.penalized(network).losses == []
    assert len(network.losses) == 1


@pytest.mark.slow
def test_a_family_of_keras_applications_that_adds_in_two_ways_is_copied():
    make = keras.applications.MobileNetV3Small
    network = shaken(make(weights=None, classes=2, input_shape=(32, 32, 3)))
    copy = networks.frozen(network, networks.layer_names(network)[3])
    assert_array_equal(copy(images(2, 32)), network(images(2, 32)))
    assert 0 < networks.parameter_counts(copy).trainable < network.count_params()


class Nameless(keras.Model):
    """A network of one's own without a get_config: nothing says how to make another."""

    def __init__(self, width):
        super().__init__()
        self.dense = keras.layers.Dense(width)

    def call(self, x):
        return self.dense(x)


def test_networks_that_cannot_be_copied_are_named():
    with pytest.raises(
        ValueError, match=r"cannot be copied.*of your own \(Calls\) need a get_conf"
    ):
        networks.frozen(two_two_one("subclassed, ops"))
    own = keras.Sequential([keras.Input((4,)), built(Nameless(3), (4,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"cannot be copied: .*Classes of your own \(Nameless\)"):
        networks.frozen(own)
    with pytest.raises(ValueError, match="is not built yet"):
        networks.penalized(keras.Sequential([keras.layers.Dense(2)]), l2=1)
    with pytest.raises(ValueError, match="is not built yet"):
        networks.parameter_counts(keras.Sequential([keras.layers.Dense(2)]))
    with pytest.raises(TypeError, match=r"A network must be a keras\.Model, not a str"):
        networks.frozen("pets")
