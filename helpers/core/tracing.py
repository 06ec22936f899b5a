"""Look inside a network while TensorFlow traces it, and cache the traced functions.

A Keras network may be flat, nested, `Sequential` or subclassed, but calling it always calls its
layers. So instead of building sub-models, we call the network once inside a `tf.function` and pick
tensors from the graph, such as a layer's output (`watch`). The network itself is never changed.
"""

import collections
import contextlib
import functools
import threading
import weakref

import keras
import numpy as np
import tensorflow as tf

from helpers.core.arguments import check_count
from helpers.core.graphs import channels_first, twin

_lock = threading.RLock()
_compiled = weakref.WeakKeyDictionary()
_unwatched = threading.local()
_unchanging = threading.local()


class Repeated(int):
    """How often a layer was called, in place of its output, where that is more than once."""


def layers(network, operations=False):
    """Return all layers of a network by unique name, `{name: layer}`, in order of definition.

    Layers that share a name are listed as "parent/name". Nested networks are replaced by their
    layers, custom layers that hold other layers are listed with them, input layers are left out.
    With `operations`, what functional networks compute without a layer follows, such as the `+` of
    two outputs; its names (add, add_1, ...) come from Keras, which calls it an operation.
    """
    named = {}
    for kind in (False, True) if operations else (False,):
        found = list(_walk(network, "", {id(network)}, kind))
        shared = collections.Counter(layer.name for _, layer in found)
        for parent, layer in found:
            plain = layer.name if shared[layer.name] == 1 else parent + layer.name
            name, copy = plain, 2
            while name in named:
                name, copy = f"{plain}#{copy}", copy + 1
            named[name] = layer
    return named


def _walk(parent, path, met, operations=False):
    """Yield (path of the parent, layer), children before the layer that holds them.

    With `operations`, those of functional networks that are no layers are yielded instead.
    """
    network = isinstance(parent, keras.Model)
    if operations and isinstance(parent, keras.Function):
        for operation in parent.operations:
            if not isinstance(operation, keras.layers.Layer):
                yield path, operation
    for layer in parent.layers if network else _held(vars(parent).values()):
        if id(layer) in met or isinstance(layer, keras.layers.InputLayer):
            continue
        met.add(id(layer))
        within = isinstance(layer, keras.Model)
        if within or not type(layer).__module__.startswith("keras."):  # not into Keras' own
            yield from _walk(layer, f"{path}{layer.name}/", met, operations)
        if not within and not operations:
            yield path, layer


def _held(values):
    for value in values:
        if isinstance(value, keras.layers.Layer):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _held(value)
        elif isinstance(value, dict):
            yield from _held(value.values())


@contextlib.contextmanager
def watch(layers):
    """Record the outputs of layers while a network is called; yields `{layer: output}`.

    For use while tracing; `with` blocks may be nested. `keras.Operation.__call__`, through which
    Keras calls layers and other operations, is wrapped for this thread; layers and networks are not
    changed. A layer that is called more than once has no one output: it gets a `Repeated`. One that
    is never called has none.
    """
    watched, outputs, counts = {id(layer) for layer in layers}, {}, {}
    thread = threading.get_ident()
    with _lock:
        original = keras.Operation.__call__

        @functools.wraps(original)
        def call(layer, *args, **kwargs):
            output = original(layer, *args, **kwargs)
            here = threading.get_ident() == thread and not getattr(_unwatched, "now", False)
            if here and id(layer) in watched:
                counts[layer] = counts.get(layer, 0) + 1
                outputs[layer] = output if counts[layer] == 1 else Repeated(counts[layer])
            return output

        keras.Operation.__call__ = call
        try:
            yield outputs
        finally:
            keras.Operation.__call__ = original


@contextlib.contextmanager
def unwatched():
    """Hide from `watch` what this thread calls within the block."""
    _unwatched.now = True
    try:
        yield
    finally:
        _unwatched.now = False


def seen(outputs, layer, x):
    """Return the tensor (N, ...) that `watch` recorded for a layer in x's graph.

    Raises ValueError for a layer that the network does not call or calls more than once, and for
    one whose output is not one tensor of the graph or has its channels before rows and columns.
    """
    output = outputs.get(layer)
    if output is None:
        raise ValueError(f"The network does not call its layer {layer.name!r}.")
    if isinstance(output, Repeated):
        raise ValueError(
            f"The network calls its layer {layer.name!r} {output} times in one pass, so the layer "
            f"has {output} outputs, not one: look at a layer that is called once."
        )
    if not tf.is_tensor(output) or output.graph is not x.graph:
        raise ValueError(f"Layer {layer.name!r} does not return one tensor of the network's graph.")
    if channels_first(output):
        raise ValueError(
            f"Layer {layer.name!r} puts channels first: it gives {tuple(output.shape)}, but "
            '(N, rows, columns, channels) is needed. Build it with data_format="channels_last", or '
            "choose a layer behind a Permute((2, 3, 1))."
        )
    return twin(output)


def _form(network):
    """Return what changes when a layer of a network is replaced, or a layer's activation."""
    return tuple(
        (weakref.ref(layer), id(getattr(layer, "activation", None)))
        for _, layer in _walk(network, "", {id(network)})
    )


@contextlib.contextmanager
def unchanging(network):
    """Let `once` look for changes of a network now, and no more within the block."""
    before = getattr(_unchanging, "now", (None, None))
    if before[0] is not network:
        _unchanging.now = network, _form(network)
    try:
        yield
    finally:
        _unchanging.now = before


def once(network, key, make):
    """Return `make()`, cached per network and hashable key until the network's layers change.

    `make` must not return anything that refers to the network, or it is never freed.
    """
    one, form = getattr(_unchanging, "now", (None, None))
    if one is not network:
        form = _form(network)
    known_form, made = _compiled.get(network, (None, None))
    if form != known_form:
        made = {}
        _compiled[network] = form, made
    if key not in made:
        made[key] = make()
    return made[key]


def compiled(network, function, *options, signature):
    """Return `function(network, *tensors, *options)` compiled once for this network and options.

    function, options: hashable, such as a module-level function and names of layers. signature: a
    tuple of (shape, dtype) pairs, one per tensor. Training needs no new compilation.
    """
    reference = weakref.ref(network)

    def make():
        def run(*tensors):
            return function(reference(), *tensors, *options)

        specs = [tf.TensorSpec(shape, dtype) for shape, dtype in signature]
        return tf.function(run, autograph=False).get_concrete_function(*specs)

    return once(network, (function, options, signature), make)


def in_batches(function, *arrays, batch_size):
    """Run a compiled function over batches of arrays (N, ...); return its concatenated outputs.

    Each batch is cast to the function's input type, so uint8 images need not be cast beforehand.
    Raises ValueError for a batch size below 1.
    """
    check_count("batch_size", batch_size, 1)
    parts = []
    for start in range(0, len(arrays[0]), batch_size):
        slices = (
            tf.constant(array[start : start + batch_size], taken.dtype)
            for array, taken in zip(arrays, function.inputs, strict=False)  # variables follow
        )
        parts.append([part.numpy() for part in function(*slices)])
    return [
        whole[0] if len(whole) == 1 else np.concatenate(whole) for whole in zip(*parts, strict=True)
    ]
