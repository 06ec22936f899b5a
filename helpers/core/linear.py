"""A traced network as linear layers and what lies between them: the ways that relevance goes back.

Relevance that arrives at an operation's output goes to its inputs in one of three ways:

    shared   among all that a linear layer adds up: a convolution, a dense layer, an average, a sum
    moved    to the one input that each output is: by a reshape, padding, concatenation, maximum
    passed   whole, to the one input that the output depends on: by an activation; and by a gate,
             a product with a factor that is never large, as in x * sigmoid(y), to the other factor

What scales and shifts the channels of a layer, its bias and batch normalization, is part of it.
"""

import re

import tensorflow as tf

from helpers.core.graphs import again, between, leading_to
from helpers.core.probabilities import within
from helpers.core.tracing import layers as layers_of

_KINDS = {
    "BatchMatMulV2": "dense", "Einsum": "dense", "MatMul": "dense",
    "Conv2D": "convolution", "Conv2DBackpropInput": "convolution",
    "DepthwiseConv2dNative": "convolution",
    "AddN": "sum", "AddV2": "sum", "AvgPool": "sum", "Mean": "sum", "ResizeBilinear": "sum",
    "Sum": "sum",
}  # fmt: skip
_SCALED = {"AddV2", "BiasAdd", "FusedBatchNormV3", "Mul", "Neg", "RealDiv", "Sub"}  # by constants
_SHIFTS = {"AddV2", "BiasAdd"}
_MOVED = {
    "BatchToSpaceND", "BroadcastTo", "ConcatV2", "DepthToSpace", "ExpandDims", "GatherV2", "Max",
    "MaxPool", "Maximum", "Min", "Minimum", "MirrorPad", "Pack", "Pad", "PadV2", "Reshape",
    "ResizeNearestNeighbor", "ReverseV2", "SelectV2", "Slice", "SpaceToBatchND", "SpaceToDepth",
    "Split", "SplitV", "Squeeze", "StridedSlice", "Tile", "Transpose", "Unpack",
}  # fmt: skip
_PASSED = {
    "Cast", "ClipByValue", "Elu", "Erf", "Erfc", "Identity", "LeakyRelu", "Maximum", "Minimum",
    "PreventGradient", "Relu", "Relu6", "Selu", "Sigmoid", "Softplus", "Softsign", "StopGradient",
    "Tanh",
}  # fmt: skip
_NO_DATA = {"OnesLike", "ZerosLike"}  # learn only a shape
_GATE = 2  # the largest size of a factor that is a gate: 1 + tanh(x) in GELU reaches it
_RULES = (
    "dense layers and convolutions with fixed kernels, sums, averages, pooling, padding, "
    "concatenation, batch normalization, activations of one value at a time (also swish and GELU), "
    "and gates such as x * sigmoid(y)"
)


class Layer:
    """A linear layer of a traced network: output = linear(inputs, kernel) + bias.

    Attributes:
        inputs: the tensors (N, ...) that it adds up, with weights; of an addition, several.
        kernel: the tensor of weights; None where they are all alike or positive, as in an average.
        output: the tensor (N, ...) with the bias, before any activation.
        kind: "dense", "convolution", "sum", or "scaled" for a scaling on its own.
    """

    def __init__(self, kind, op, inputs, kernel, scaling):
        self.kind, self.inputs, self.kernel = kind, inputs, kernel
        self.output = scaling[-1].outputs[0] if scaling else op.outputs[0]
        self._op, self._scaling = op, scaling
        self._slope = None

    def linear(self, inputs, kernel=None):
        """Return the output without its bias, for other inputs and another kernel."""
        others = {own.ref(): other for own, other in zip(self.inputs, inputs, strict=True)}
        if self.kernel is not None:
            others[self.kernel.ref()] = kernel
        z = inputs[0] if self.kind == "scaled" else _on(self._op, others)[0]
        return z if all(op.type in _SHIFTS for op in self._scaling) else z * self._scale()

    def _scale(self):
        """Return by what the scaling multiplies each value of an image: (1, ...)."""
        if self._slope is None:
            scaled = self.inputs[0] if self.kind == "scaled" else self._op.outputs[0]
            start = end = tf.zeros_like(scaled[:1])
            for op in self._scaling:
                end = _on(op, {scaled.ref(): end})[0]
                scaled = op.outputs[0]
            self._slope = tf.gradients(end, start)[0]
        return self._slope


class Flow:
    """The way back from values to the images x that they come from, in the graph of a network.

    operations: those in between, in traced order.
    """

    def __init__(self, network, x, values):
        self.operations = between(x, values)
        self._network, self._x, self._needed = network, x, set(leading_to(values))
        self._data = {x.ref()}  # of tensors that hold what became of the images
        for op in self.operations:
            if op.type not in _NO_DATA and self._data_of(op):
                self._data.update(out.ref() for out in op.outputs if out.dtype.is_floating)
        self._layers, self._parts = {}, set()  # parts: what scales the layer before it
        for op in self.operations:
            if op not in self._parts:
                self._read(op)

    def _data_of(self, op):
        """Return the inputs of an operation, each once, that hold what became of the images."""
        found = {tensor.ref(): tensor for tensor in op.inputs if tensor.ref() in self._data}
        return list(found.values())

    def _read(self, op):
        """Note an operation as a layer if it is one, with the scaling that alone follows it."""
        data, kind = self._data_of(op), _KINDS.get(op.type)
        fixed = [t for t in op.inputs if t.dtype.is_floating and t.ref() not in self._data]
        if kind in ("dense", "convolution") and len(data) == len(fixed) == 1:
            self._layers[op] = Layer(kind, op, data, fixed[0], self._scaling_after(op))
        elif kind == "sum" and data and not fixed:
            self._layers[op] = Layer(kind, op, data, None, self._scaling_after(op))
        elif self._scales(op):
            self._layers[op] = Layer("scaled", op, data, None, [op])

    def _scales(self, op):
        """Return whether an operation scales or shifts what came from the images, by constants."""
        if op.type not in _SCALED or sum(t.ref() in self._data for t in op.inputs) != 1:
            return False
        if op.type == "FusedBatchNormV3":
            return not op.get_attr("is_training")
        return op.type != "RealDiv" or op.inputs[0].ref() in self._data

    def _scaling_after(self, op):
        found = []
        while True:
            after = [one for one in op.outputs[0].consumers() if one in self._needed]
            if len(after) != 1 or not self._scales(after[0]):
                return found
            (op,) = after
            found.append(op)
            self._parts.add(op)

    def layer(self, op):
        """Return the `Layer` that an operation begins, None if it begins none."""
        return self._layers.get(op)

    def last_layers(self, values):
        """Return the outputs of the last layers with kernels before values, or x without one."""
        found, ahead, met = {}, [values], set()
        while ahead:
            tensor = ahead.pop()
            layer = self._layers.get(tensor.op)
            if tensor is self._x:
                found[tensor.ref()] = tensor
            elif layer is not None and layer.kernel is not None:
                found[layer.output.ref()] = layer.output
            elif tensor.ref() not in met:
                ahead += self._data_of(tensor.op)
            met.add(tensor.ref())
        return list(found.values())

    def limits(self, layer):
        """Return the least and largest inputs that pictures can give a layer: two tensors.

        Pictures hold 0-255, or what this one holds beyond. None for a layer that does not follow
        on the images and their preprocessing.
        """
        if layer.kernel is None or self._preprocessed(layer.inputs[0], self._x) is None:
            return None
        axes = list(range(1, self._x.shape.rank))
        black = tf.minimum(tf.reduce_min(self._x, axes, keepdims=True), 0.0)
        white = tf.maximum(tf.reduce_max(self._x, axes, keepdims=True), 255.0)
        plain = [tf.broadcast_to(grey, tf.shape(self._x)) for grey in (black, white)]
        ends = [self._preprocessed(layer.inputs[0], pictures) for pictures in plain]
        return tf.minimum(*ends), tf.maximum(*ends)

    def _preprocessed(self, tensor, images):
        """Return what preprocessing would make of other images; None if more led to the tensor."""
        if tensor is self._x:
            return images
        op, layer = tensor.op, self._layers.get(tensor.op)
        linear = op in self._parts or (layer is not None and layer.kernel is None)
        if not linear and op.type not in _MOVED and op.type not in ("Cast", "Identity"):
            return None
        others = {one.ref(): self._preprocessed(one, images) for one in self._data_of(op)}
        if any(other is None for other in others.values()):
            return None
        return _on(op, others)[tensor.value_index]

    def onward(self, op, arrived):
        """Return what the inputs of an operation that begins no layer get: [(tensor, relevance)].

        arrived: the relevance of each of its outputs, or None. Raises ValueError, naming the layer,
        for an operation without a rule.
        """
        data = self._data_of(op)
        if not data:
            return []
        if op.type == "IdentityN":  # around swish
            both = zip(op.inputs, arrived, strict=True)
            return [(tensor, relevance) for tensor, relevance in both if relevance is not None]
        if op in self._parts or (len(data) == 1 and op.type in _PASSED):
            return [passed(data[0], arrived[0])]
        if op.type in _MOVED:
            return _moved(op, data, arrived)
        signals = [tensor for tensor in data if not within(tensor, -_GATE, _GATE)]
        if op.type == "Mul" and len(data) == 2 and len(signals) == 1:
            return [passed(signals[0], arrived[0])]
        hidden = (
            " It is hidden in a tf.function, as grouped convolutions are: remove the @tf.function "
            "if it is your own."
        )
        raise ValueError(
            f"LRP has no rule for {op.type} in {self._place(op)} of {self._network.name!r}."
            f"{hidden if op.type.endswith('PartitionedCall') else ''} It has rules for {_RULES}."
        )

    def _place(self, op):
        """Return in which layer an operation is, in words."""
        named = layers_of(self._network)
        for part in reversed(op.name.split("/")[:-1]):
            for name in (part, re.sub(r"_\d+$", "", part)):
                if name in named:
                    return f"layer {name!r} ({type(named[name]).__name__})"
        return f"the operation {op.name!r}"


def passed(tensor, relevance):
    """Return a tensor and all the relevance, added up where the tensor was broadcast."""
    relevance = tf.cast(relevance, tensor.dtype)
    if tensor.shape[1:].is_fully_defined() and tensor.shape[1:] == relevance.shape[1:]:
        return tensor, relevance
    copy = tf.identity(tensor)
    return tensor, tf.gradients(copy + tf.zeros_like(relevance), copy, relevance)[0]


def _moved(op, data, arrived):
    copies = {tensor.ref(): tf.identity(tensor) for tensor in data}
    outputs, given = [], []
    for output, relevance in zip(_on(op, copies), arrived, strict=True):
        if relevance is not None:
            outputs.append(output)
            given.append(relevance)
    found = tf.gradients(outputs, list(copies.values()), given)
    return [pair for pair in zip(data, found, strict=True) if pair[1] is not None]


def _on(op, others):
    """Return the outputs of an operation with some of its inputs, given by ref, replaced."""
    return again(op, [others.get(tensor.ref(), tensor) for tensor in op.inputs])
