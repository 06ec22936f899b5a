"""Bottlenecks of a traced network: the tensors that every path from images to score goes through.

A branch of a residual network is no bottleneck, because the shortcut goes around it; the sum of
both is one. In graph theory such a tensor is called a *dominator* of the score.
"""

import collections

import tensorflow as tf

# What these give was there before, in more places or in the same ones.
SUMMARIES = {
    "AvgPool", "Cast", "Identity", "MaxPool", "MirrorPad", "Pad", "PadV2", "Reshape",
    "ResizeBilinear", "ResizeNearestNeighbor", "Slice", "Squeeze", "StridedSlice", "Transpose",
}  # fmt: skip
_ONLY_SHAPES = {"OnesLike", "ZerosLike"}


def bottlenecks(x, score):
    """Return the tensors that every path from x to the score goes through, from x to the score.

    A path is what a gradient could follow: it consists of floating-point tensors. What an operation
    learns from a shape, an index or a comparison makes no path. Empty if there is no path.
    """
    needed, ahead = {score.name}, [score]
    while ahead:
        for source in _sources(ahead.pop().op):
            if source.name not in needed:
                needed.add(source.name)
                ahead.append(source)
    operations = [
        op for op in x.graph.get_operations() if any(o.name in needed for o in op.outputs)
    ]
    uses = collections.Counter(source.name for op in operations for source in _sources(op))
    uses[score.name] += 1
    waiting, found = {}, []  # waiting: what has been computed from x and has uses to come
    for op in operations:  # each comes after its inputs
        used = [source.name for source in _sources(op) if source.name in waiting]
        if not used and x.op is not op:
            continue
        for name, times in collections.Counter(used).items():
            uses[name] -= times
            if not uses[name]:
                del waiting[name]
        waiting |= {output.name: output for output in op.outputs if output.name in needed}
        if len(waiting) == 1 and (not found or found[-1].name not in waiting):
            found += waiting.values()
    return found if found and found[-1].name == score.name else []


def _sources(op):
    if op.type in _ONLY_SHAPES:
        return []
    return [tensor for tensor in op.inputs if tensor.dtype.is_floating or tensor.dtype.is_complex]


def has_kernel(tensor):
    """Return whether a tensor was computed with a kernel: a variable with two axes or more.

    What has only been rescaled or normalized is still the image itself.
    """
    ahead, met = [tensor.op], set()
    while ahead:
        op = ahead.pop()
        if op.type == "ReadVariableOp":
            if (op.outputs[0].shape.rank or 0) >= 2:
                return True
        elif any(source.dtype == tf.resource for source in op.inputs):
            return True  # a function of the network's own that has variables
        else:
            ahead += [source.op for source in op.inputs if source.op.name not in met]
            met.update(source.op.name for source in op.inputs)
    return False
