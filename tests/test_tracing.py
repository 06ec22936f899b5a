"""What is traced: once, again when the network changed, by this thread only, and not for ever."""

import gc
import threading
import weakref

import keras
import numpy as np
import pytest
from hand_made import Block, Calls, Subclassed, built, forms, fresh_forms, images, of, parts
from numpy.testing import assert_allclose, assert_array_equal

from helpers import cam, gradients, networks
from helpers.core import tracing


def names(network):
    return list(tracing.layers(network))


def test_layers_are_listed_in_every_form():
    inner = ["rescale", "conv1", "pool1", "conv2", "pool", "dropout", "scores"]
    for form, network in forms().items():
        blocks = {"nested": ["random_flip", "random_rotation"], "subclassed": ["base"]}.get(
            form, []
        )
        found = [name for name in names(network) if not name.startswith("random_")]
        assert [name for name in found if name not in blocks] == inner
        for name, layer in tracing.layers(network).items():
            assert layer.name == name


def test_shared_names_are_told_apart():
    def network(name):
        x = keras.Input((4, 4, 3))
        return keras.Model(x, keras.layers.Conv2D(3, 1, name="conv")(x), name=name)

    twins = keras.Sequential([keras.Input((4, 4, 3)), network("left"), network("right")])
    assert names(twins) == ["left/conv", "right/conv"]
    block = Block([keras.layers.ReLU(name="relu"), [keras.layers.ReLU(name="relu")][0]], name="b")
    assert names(Calls(None, block=block)) == ["b/relu", "b/relu#2", "b"]
    held = Calls(
        None, all={"one": [keras.layers.ReLU(name="a")], "two": (keras.layers.ReLU(name="b"),)}
    )
    assert names(held) == ["a", "b"]


def test_a_layer_with_a_layer_for_activation_is_one_layer():
    relu = keras.layers.ReLU(name="inner")
    assert names(of(keras.layers.Dense(1, activation=relu, name="dense"))) == ["dense"]


def test_watch_sees_every_form_and_restores_the_class_also_after_an_error():
    hook = keras.layers.Layer.__call__
    for network in forms().values():
        wanted = [networks.find_layer(network, "conv1"), networks.find_layer(network, "pool")]
        with tracing.watch(wanted) as outer, tracing.watch(wanted[:1]) as inner:
            network(images())
        assert [outer[layer].shape for layer in wanted] == [(3, 16, 16, 4), (3, 6)]
        assert inner[wanted[0]] is outer[wanted[0]]
        assert list(inner) == wanted[:1]
        assert keras.layers.Layer.__call__ is hook
    with pytest.raises(ZeroDivisionError), tracing.watch(wanted):
        1 / 0  # noqa: B018
    assert keras.layers.Layer.__call__ is hook


def test_watch_is_blind_to_other_threads():
    network = forms()["flat"]
    layer = network.get_layer("conv1")
    with tracing.watch([layer]) as outputs:
        thread = threading.Thread(target=network, args=(images(),))
        thread.start()
        thread.join()
        assert outputs == {}
        network(images())
    assert list(outputs) == [layer]


def test_one_trace_serves_all_batch_sizes():
    base, head = parts()
    network = Subclassed(base, head)
    counted = built(Calls(lambda n, x: n.inner(x), inner=network), (16, 16, 3))
    counted.traced = 0
    for count in (1, 2, 5):
        networks.predict(counted, images(count))
    assert counted.traced == 1
    for target in (0, [1] * 4, None):
        cam.grad_cam(counted, images(4), target, "conv2")
    assert counted.traced == 3  # and one for Grad-CAM, one for the number of classes


def test_training_on_needs_no_new_trace():
    base, head = parts()
    network = built(Calls(lambda n, x: n.inner(x), inner=Subclassed(base, head)), (16, 16, 3))
    before = gradients.scores(network, images())
    network.traced = 0
    networks.find_layer(network, "scores").bias.assign([1.0, 2.0, 3.0])
    assert_allclose(gradients.scores(network, images()), before + [1, 2, 3], atol=1e-5)
    assert network.traced == 0


def test_an_edited_network_is_traced_again():
    network = of(keras.layers.Dense(1, activation="relu", use_bias=False, name="dense"))
    network.set_weights([np.float32([[1]])])
    x = np.float32([[-2]])
    assert_array_equal(gradients.scores(network, x), [[0]])
    network.get_layer("dense").activation = keras.activations.linear
    assert_array_equal(gradients.scores(network, x), [[-2]])
    with pytest.raises(ValueError, match="no ReLU"):
        gradients.gradient(network, x, guided=True)


def test_within_a_block_that_promises_no_change_a_network_is_looked_at_once(monkeypatch):
    network = of(keras.layers.Dense(1, activation="relu", use_bias=False, name="dense"))
    looks, form = [], tracing._form
    monkeypatch.setattr(tracing, "_form", lambda one: looks.append(one.name) or form(one))
    made = iter(range(9))
    with tracing.unchanging(network):
        with tracing.unchanging(network):
            assert tracing.once(network, "number", lambda: next(made)) == 0
        network.get_layer("dense").activation = keras.activations.linear
        assert tracing.once(network, "number", lambda: next(made)) == 0  # as promised
    assert len(looks) == 1
    assert tracing.once(network, "number", lambda: next(made)) == 1
    other = of(keras.layers.Dense(1, name="dense"))
    with tracing.unchanging(network), tracing.unchanging(other):
        looks.clear()
        assert tracing.once(other, "number", lambda: next(made)) == 2
        assert tracing.once(network, "number", lambda: next(made)) == 1
    with pytest.raises(ZeroDivisionError), tracing.unchanging(network):
        1 / 0  # noqa: B018
    network.get_layer("dense").activation = keras.activations.tanh
    assert tracing.once(network, "number", lambda: next(made)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("form", ["flat", "subclassed"])
def test_a_network_can_be_collected_after_use(form):
    network = fresh_forms()[form]
    cam.guided_grad_cam(network, images())
    networks.predict(network, images())
    networks.record(network, images(), ["conv1"])
    reference = weakref.ref(network)
    assert network in tracing._compiled
    del network
    keras.backend.clear_session()
    gc.collect()
    assert reference() is None
    assert all(key is not None for key in tracing._compiled)
