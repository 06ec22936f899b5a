"""What the layers of a network give for images of any size, and which sizes they can take.

A convolution takes images of any size, but Keras only accepts the size that a network was built
for. It can check only a size that it knows, so other sizes are left unknown while tracing. From
the trace, TensorFlow works out each layer's shape for a given size without computing any pixel.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from helpers.core.graphs import in_float32
from helpers.core.heads import read
from helpers.core.tracing import compiled, layers, once, seen, watch
from helpers.dreaming.objectives import PICTURE, SCORES
from helpers.networks import find_layer, input_shape

LARGEST = 2048  # pixels; a network that takes nothing up to this size takes nothing


class Plan(NamedTuple):
    """What leads to some places of a network: the graph, its input, variables and outputs."""

    graph: object
    image: str
    variables: dict
    outputs: list  # or a dict, {place: name}


def outputs_at(network, pictures, places):
    """Return the outputs of places for images in 0-1, `{place: float32 tensor (N, ...)}`.

    What a network computes in 16 bits is computed in float32, or small gradients would be lost.
    """
    found = {place: find_layer(network, place) for place in places if place != SCORES}
    x, outputs, output = _called(network, pictures, found.values())
    given = {place: in_float32(seen(outputs, layer, x)) for place, layer in found.items()}
    if SCORES in places:
        given[SCORES] = read(network, x, output).logits
    return {place: tf.cast(tensor, tf.float32) for place, tensor in given.items()}


def _called(network, pictures, watched):
    """Return a network's input for traced images in 0-1, what `watch` found, and its output."""
    x = pictures * 255.0
    if not tf.TensorShape((None, *input_shape(network))).is_compatible_with(x.shape):
        x = tf.raw_ops.PlaceholderWithDefault(input=x, shape=(None, None, None, 3))
    with watch(watched) as outputs:
        output = network(x, training=False)
    return x, outputs, output


def shape_known(network, size):
    """Return the shape of images that is known while tracing: only the network's own size."""
    shape = input_shape(network)
    fits = all(n in (None, m) for n, m in zip(shape, size, strict=False))
    return (None, *shape[:2], 3) if fits else (None, None, None, 3)


def check(network, objective, height, width, advice=""):
    """Raise ValueError where an objective cannot be computed for images of this size.

    That is for an unknown layer, class, channel or cell, and where a layer cannot take the size;
    the error then names the smallest size that it can take, and ends with `advice`.
    """
    places = tuple(sorted({t.place for t in objective.terms} - {PICTURE}))
    if not places:
        return
    found = cells(network, places, height, width)
    if found is None:
        named = " and ".join("the scores" if p == SCORES else repr(p) for p in places)
        raise ValueError(
            f"The network {network.name!r} cannot compute {named} for images of "
            f"{height}x{width} pixels. {_what_fits(network, places)} {advice}".strip()
        )
    shapes = dict(zip(places, found, strict=True))
    for term in objective.terms:
        if term.place != PICTURE:
            _check_numbers(term, shapes[term.place])


def fits(network, objective, height, width):
    """Return whether all layers of an objective have cells for images of this size."""
    places = tuple(sorted({t.place for t in objective.terms} - {PICTURE}))
    return not places or cells(network, places, height, width) is not None


def cells(network, places, height, width):
    """Return the shapes (1, ...) of places for an image of this size, None where one is empty."""
    key = "cells", places, height, width
    return once(network, key, lambda: _cells(network, places, height, width))


def _cells(network, places, height, width):
    shape = shape_known(network, (height, width))
    try:
        plan = once(network, ("plan", places, shape), lambda: _plan(network, places, shape))
    except TypeError:  # calculates with lengths that are only known for its own size
        if None not in shape[1:]:
            raise
        return None
    try:
        found = _inferred(plan, height, width)
    except ValueError:  # a length would be negative, or does not fit the weights
        return None
    if None in found:  # not to be known without computing it
        run = compiled(network, _shapes, places, signature=((shape, "float32"),))
        try:
            found = [tuple(s.numpy()) for s in run(tf.zeros((1, height, width, 3)))]
        except tf.errors.OpError:
            return None
    return None if any(0 in s or s[0] != 1 for s in found) else found


def _shapes(network, pictures, places):
    outputs = outputs_at(network, pictures, places)
    return [tf.shape(outputs[place]) for place in places]


def _plan(network, places, shape):
    """Return the `Plan` of what leads to places, without any reference to the network."""
    scores = SCORES in places
    whole, wrong = once(network, ("whole", scores, shape), lambda: _whole(network, scores, shape))
    for place in places:
        if place in wrong:
            raise ValueError(wrong[place])
        if place not in whole.outputs:
            find_layer(network, place)  # raises ValueError: there is none
    outputs = [whole.outputs[place] for place in places]
    nodes = {node.name: node for node in whole.graph.node}
    needed, coming = set(), [_node(tensor) for tensor in outputs]
    while coming:
        name = coming.pop()
        if name not in needed:
            needed.add(name)
            coming += [_node(tensor) for tensor in nodes[name].input]
    graph = tf.compat.v1.GraphDef(versions=whole.graph.versions, library=whole.graph.library)
    graph.node.extend(nodes[name] for name in nodes if name in needed)
    variables = {name: v for name, v in whole.variables.items() if _node(name) in needed}
    return Plan(graph, whole.image, variables, outputs)


def _whole(network, scores, shape):
    """Return the `Plan` of all layers, whose outputs are a dict, and what is wrong with others.

    One trace serves all places, as tracing takes much longer than leaving things out.
    """
    named, found, wrong = layers(network, operations=True), {}, {}

    def outputs(pictures):
        x, recorded, output = _called(network, pictures, named.values())
        for place, layer in named.items():
            try:
                found[place] = seen(recorded, layer, x).name
            except ValueError as error:
                wrong[place] = str(error)
        if scores:
            found[SCORES] = read(network, x, output).logits.name
        return pictures

    spec = tf.TensorSpec(shape, tf.float32)
    traced = tf.function(outputs, autograph=False).get_concrete_function(spec)
    graph = traced.graph.as_graph_def()
    for node in graph.node:
        data = [name for name in node.input if not name.startswith("^")]
        del node.input[:]
        node.input.extend(data)
    operations = traced.graph.get_operations()
    values = [op.outputs[0] for op in operations if op.type == "ReadVariableOp"]
    variables = {tensor.name: (tensor.dtype, tensor.shape) for tensor in values}
    return Plan(graph, traced.inputs[0].name, variables, found), wrong


def _node(tensor):
    """Return the name of the operation that gives a tensor of this name."""
    return tensor.partition(":")[0]


def _inferred(plan, height, width):
    """Return the shapes of a plan's outputs for an image of this size, None where not known."""
    with tf.Graph().as_default():
        known = {
            name: tf.compat.v1.placeholder(dtype, shape)
            for name, (dtype, shape) in plan.variables.items()
        }
        known[plan.image] = tf.compat.v1.placeholder(tf.float32, (1, height, width, 3))
        found = tf.graph_util.import_graph_def(
            plan.graph, input_map=known, return_elements=plan.outputs, name=""
        )
        return [tuple(t.shape) if t.shape.is_fully_defined() else None for t in found]


def _what_fits(network, places):
    """Return in a sentence which sizes a network can take for places."""

    def takes(height, width):
        return cells(network, places, height, width) is not None

    own = input_shape(network)[:2]
    start = 1
    while not takes(*(n or start for n in own)) and start < LARGEST and None in own:
        start *= 2
    largest = [n or start for n in own]
    if not takes(*largest):
        return "It takes no size that was tried."
    if not takes(*(2 * n for n in largest)):
        return f"It is made for {largest[0]}x{largest[1]}, and takes no others."
    least = [
        _least(lambda n: takes(n, largest[1]), largest[0]),
        _least(lambda n: takes(largest[0], n), largest[1]),
    ]
    earlier = "" if SCORES in places else " An earlier layer takes smaller ones."
    return f"The smallest size that works is {least[0]}x{least[1]}.{earlier}"


def _least(takes, most):
    """Return the least number from 1 to `most` that is taken, by halving."""
    least = 1
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if takes(middle) else (middle + 1, most)
    return most


def _check_numbers(term, shape):
    """Raise ValueError for a class, channel, row or column that a place of this shape lacks."""
    _, *places, last = shape
    if term.place == SCORES:
        limits = [("class", last)] * len(term.at)
    elif len(term.at) > 1 and len(places) != 2:
        raise ValueError(f"{term.place!r} has no rows and columns")
    else:
        limits = zip(("channel", "row", "column"), (last, *places), strict=False)
    for numbers, (name, limit) in zip(term.at, limits, strict=False):
        least = -1 if name in ("row", "column") else 0  # -1 is the centre
        for number in np.unique(numbers):
            if not least <= number < limit:
                raise ValueError(
                    f"there is no {name} {number} in {term.place!r}, only 0 to {limit - 1}"
                )
