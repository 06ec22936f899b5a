"""Read and rebuild the graph of a traced network: its operations, their axes, their precision."""

from pathlib import Path

import numpy as np
import tensorflow as tf

_HALF = (tf.float16, tf.bfloat16)
_TWINS = "float32 twins"  # names of a graph's collections
_OWN = "gradients of one's own in 16 bits"
_CALLS = "PartitionedCall", "If", "While"


def leading_to(tensor, through=lambda op: True):
    """Return the operations that a tensor depends on, in the order in which they were traced.

    Operations for which `through` is false are left out, with all that leads to them alone.
    """
    needed, waiting = set(), [tensor.op]
    while waiting:
        op = waiting.pop()
        if op not in needed and through(op):
            needed.add(op)
            waiting += [tensor.op for tensor in op.inputs]
    return [op for op in tensor.graph.get_operations() if op in needed]


def between(x, tensor):
    """Return the operations that a tensor depends on and that depend on x, in traced order.

    What depends on the shape of x alone is left out.
    """
    after = {x.op}
    leading = leading_to(tensor, lambda op: op.type not in ("Shape", "Size"))
    for op in leading:
        if any(given.op in after for given in op.inputs):
            after.add(op)
    return [op for op in leading if op in after and op is not x.op]


def again(op, inputs, dtypes=None, **changes):
    """Run a traced operation again, on other inputs; return its outputs."""
    dtypes = dtypes or [tensor.dtype for tensor in op.outputs]
    attributes = {**op.node_def.attr, **changes}
    return op.graph.create_op(op.type, inputs, dtypes, attrs=attributes, op_def=op.op_def).outputs


def _widened(attribute):
    """Return an operation's attribute with float32 for every type of 16 bits in it."""
    wide, half = tf.float32.as_datatype_enum, {dtype.as_datatype_enum for dtype in _HALF}
    if attribute.type in half:
        return tf.compat.v1.AttrValue(type=wide)
    if any(entry in half for entry in attribute.list.type):
        types = [wide if entry in half else entry for entry in attribute.list.type]
        return tf.compat.v1.AttrValue(list=tf.compat.v1.AttrValue.ListValue(type=types))
    return attribute


def in_float32(tensor):
    """Return the tensor as the graph would compute it in float32 where it has 16 bits.

    Small gradients become 0 in float16, so what has 16 bits is traced once more, with the same
    weights. The network itself stays as it is. `twin` finds what became of an inner tensor.
    """
    if not any(given.dtype in _HALF for op in leading_to(tensor) for given in op.outputs):
        return tensor
    twins = {}
    for op in leading_to(tensor):
        _rebuild(op, twins)
    tensor.graph.get_collection_ref(_TWINS)[:] = [twins]
    return twins.get(tensor.ref(), tensor)


def _rebuild(op, twins):
    given = [twins.get(tensor.ref(), tensor) for tensor in op.inputs]
    moved = any(one is not same for one, same in zip(given, op.inputs, strict=True))
    half = any(tensor.dtype in _HALF for tensor in (*op.inputs, *op.outputs))
    if not moved and not half:
        return
    if op.type == "Cast":
        target = tf.float32 if op.outputs[0].dtype in _HALF else op.outputs[0].dtype
        made = [tf.cast(given[0], target)]
    elif op.type.endswith(_CALLS) or all(tensor.dtype not in _HALF for tensor in op.inputs):
        narrow = [tf.cast(new, old.dtype) for new, old in zip(given, op.inputs, strict=True)]
        made = [_wide(tensor) for tensor in (again(op, narrow) if moved else op.outputs)]
    elif op.type == "IdentityN" and op.node_def.attr["_gradient_op_type"].s:
        made = given  # of `tf.custom_gradient`, as in tf.nn.silu: TensorFlow's own for its parts
        if not _tensorflows_own(op):
            op.graph.add_to_collection(_OWN, op.name)
    else:
        dtypes = [tf.float32 if tensor.dtype in _HALF else tensor.dtype for tensor in op.outputs]
        types = {name: _widened(attribute) for name, attribute in op.node_def.attr.items()}
        made = again(op, [_wide(tensor) for tensor in given], dtypes, **types)
    twins.update(zip((tensor.ref() for tensor in op.outputs), made, strict=True))


def _tensorflows_own(op):
    """Return whether TensorFlow itself, not a network's author, called a `tf.custom_gradient`."""
    files = [Path(frame.filename) for frame in op.traceback]
    inside = [file.name == "custom_gradient.py" for file in files]
    last = len(files) - 1 - inside[::-1].index(True)
    caller = next(n for n in range(last, -1, -1) if not inside[n])
    return "tensorflow" in files[caller].parts


def check_own_gradients(graph):
    """Raise ValueError where `in_float32` could not keep a gradient that the network defines."""
    own = graph.get_collection(_OWN)
    if own:
        raise ValueError(
            f"The network defines a gradient of its own, by tf.custom_gradient ({own[0]!r}), in 16 "
            "bits, where small gradients become 0. Build the network in float32 instead "
            '(dtype="float32") and give it the same weights.'
        )


def _wide(tensor):
    return tf.cast(tensor, tf.float32) if tensor.dtype in _HALF else tensor


def twin(tensor):
    """Return the float32 twin that `in_float32` made of a tensor, or the tensor itself."""
    (twins,) = tensor.graph.get_collection(_TWINS) or [{}]
    return twins.get(tensor.ref(), tensor)


def channels_first(tensor):
    """Return whether a layer's output is (N, channels, rows, columns), as its graph tells."""
    return _channels_last(tensor, {}) is False


def _channels_last(tensor, known):
    """Return True, False, or None where nothing tells."""
    if tensor.shape.rank != 4:
        return None
    if tensor.ref() in known:
        return known[tensor.ref()]
    op, found = tensor.op, None
    if op.node_def.attr["data_format"].s:
        found = op.node_def.attr["data_format"].s == b"NHWC"
    elif not op.inputs:
        _, channels, rows, columns = tensor.shape
        found = False if channels == 3 and min(rows or 0, columns or 0) > 4 else None
    else:
        inner = (_channels_last(given, known) for given in op.inputs)
        found = next((layout for layout in inner if layout is not None), None)
        if op.type == "Transpose":
            order = tf.get_static_value(op.inputs[1])
            found = _turned(found, tuple(np.ravel(order)))
    known[tensor.ref()] = found
    return found


def _turned(layout, order):
    if order == (0, 3, 1, 2):
        return False if layout is not False else None
    if order == (0, 2, 3, 1):
        return True if layout is not True else None
    return layout
