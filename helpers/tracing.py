"""Look inside a network while TensorFlow traces it, and keep what was traced.

A Keras network may be flat, nested, `Sequential` or a class of its own. They have one thing in
common: when the network is called, each of its layers is called. So we do not cut networks into
sub-models; we call them once inside a `tf.function` and note, in the graph that this draws, the
tensors that we want: the output of a layer (`watch`), the logits behind a softmax (`logits`).
The network itself is never changed.
"""

import collections
import contextlib
import functools
import threading
import weakref

import keras
import numpy as np
import tensorflow as tf

_lock = threading.RLock()
_compiled = weakref.WeakKeyDictionary()
_PASSED_THROUGH = {"Identity", "Cast", "Reshape", "Squeeze"}
_HEADS = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Sigmoid": "sigmoid"}


def layers(network):
    """Return every layer of a network, those inside nested networks and lists too, by unique name.

    A dict `{name: layer}` in order of definition. A layer is called by its own name, or by
    "parent/name" where two share one. Networks within are looked into and not listed, blocks
    (layers of one's own that hold layers) are both, input layers are left out.
    """
    found = list(_walk(network, "", {id(network)}))
    shared = collections.Counter(layer.name for _, layer in found)
    named = {}
    for parent, layer in found:
        name = plain = layer.name if shared[layer.name] == 1 else parent + layer.name
        copy = 2
        while name in named:
            name, copy = f"{plain}#{copy}", copy + 1
        named[name] = layer
    return named


def _walk(parent, path, met):
    """Yield (path of the parent, layer), children before the block that holds them."""
    network = isinstance(parent, keras.Model)
    for layer in parent.layers if network else _held(vars(parent).values()):
        if id(layer) in met or isinstance(layer, keras.layers.InputLayer):
            continue
        met.add(id(layer))
        within = isinstance(layer, keras.Model)
        if within or not type(layer).__module__.startswith("keras."):  # Keras' own are one layer
            yield from _walk(layer, f"{path}{layer.name}/", met)
        if not within:
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
    """Record what each of these layers returns while a network is called: `{layer: output}`.

    For use while tracing. Within the block the class method `keras.layers.Layer.__call__` is
    wrapped, for this thread's eyes only; no layer or network is touched. A layer that is called
    twice leaves its last output, one that is not called leaves nothing. Blocks may be nested.
    """
    watched, outputs, thread = {id(layer) for layer in layers}, {}, threading.get_ident()
    with _lock:
        original = keras.layers.Layer.__call__

        @functools.wraps(original)
        def call(layer, *args, **kwargs):
            output = original(layer, *args, **kwargs)
            if id(layer) in watched and threading.get_ident() == thread:
                outputs[layer] = output
            return output

        keras.layers.Layer.__call__ = call
        try:
            yield outputs
        finally:
            keras.layers.Layer.__call__ = original


def seen(outputs, layer, x):
    """Return a layer's tensor out of what `watch` recorded in the graph of x, or a ValueError."""
    output = outputs.get(layer)
    if output is None:
        raise ValueError(f"The network does not call its layer {layer.name!r}.")
    if not tf.is_tensor(output) or output.graph is not x.graph:
        raise ValueError(f"Layer {layer.name!r} does not give one tensor of the network's graph.")
    return output


def head(output):
    """Return a traced network's logits (N, classes) and its kind of head, found in the graph.

    From `output` we walk back to a softmax, log-softmax or sigmoid and take what went in. The kind
    is "softmax", "log_softmax", "sigmoid", or "linear" where the outputs are logits already.
    Raises ValueError where the network does not give one row of scores for each image.
    """
    if not tf.is_tensor(output) or output.shape.rank != 2 or not output.shape[1]:
        shape = tuple(output.shape) if tf.is_tensor(output) else type(output).__name__
        raise ValueError(f"The network's output must be (images, classes), but it is {shape}.")
    tensor = output
    while tensor.op.type in _PASSED_THROUGH:
        tensor = tensor.op.inputs[0]
    if "PartitionedCall" in tensor.op.type:
        raise ValueError(
            "The network ends inside a tf.function of its own, which hides its logits: remove the "
            "@tf.function from its call method (Keras compiles it anyway)."
        )
    kind = _HEADS.get(tensor.op.type, "linear")
    if kind == "linear":
        return tf.cast(output, tf.float32), kind
    return tf.cast(tf.reshape(tensor.op.inputs[0], tf.shape(output)), tf.float32), kind


def logits(output):
    """Return one column of logits per class, (N, classes), for the output of a traced network.

    A single sigmoid z stands for two classes: its columns are -z and z.
    """
    values, kind = head(output)
    if kind == "sigmoid" and values.shape[1] == 1:
        values = tf.concat([-values, values], axis=1)
    return values


def once(network, key, make):
    """Return `make()`, made once for each network and hashable key, and again if layers change.

    What is kept does not keep the network alive: `make` must not return anything that refers to it.
    """
    form = tuple(
        (weakref.ref(layer), id(getattr(layer, "activation", None)))
        for _, layer in _walk(network, "", {id(network)})
    )
    known_form, made = _compiled.get(network, (None, None))
    if form != known_form:
        made = {}
        _compiled[network] = form, made
    if key not in made:
        made[key] = make()
    return made[key]


def compiled(network, function, *options, signature):
    """Return `function(network, *tensors, *options)` compiled once for this network and options.

    `function` and `options` must be hashable (a module's function, names of layers), `signature` is
    a tuple of `(shape, dtype)`, one for each tensor. Training on needs no new compilation: weights
    are variables.
    """
    reference = weakref.ref(network)

    def make():
        def run(*tensors):
            return function(reference(), *tensors, *options)

        specs = [tf.TensorSpec(shape, dtype) for shape, dtype in signature]
        return tf.function(run, autograph=False).get_concrete_function(*specs)

    return once(network, (function, options, signature), make)


def in_batches(function, *arrays, batch_size):
    """Run a compiled function over slices of arrays (N, ...); return its outputs whole.

    A slice is turned into the type that the function takes, so that bytes can wait as bytes.
    """
    parts = []
    for start in range(0, len(arrays[0]), batch_size):
        slices = (
            tf.constant(array[start : start + batch_size], taken.dtype)
            for array, taken in zip(arrays, function.inputs, strict=False)  # then its variables
        )
        parts.append([part.numpy() for part in function(*slices)])
    return [
        whole[0] if len(whole) == 1 else np.concatenate(whole) for whole in zip(*parts, strict=True)
    ]
