"""The activations of a traced network: of which kinds, how many, and which of them are ReLUs.

What Keras calls an activation may be several operations, and the same operation may belong to
different activations: PReLU is made of two ReLUs, and so are a leaky ReLU with a maximum, and a
hard swish of one. They are told apart by what they are connected to.
"""

import collections

from helpers.core.graphs import between
from helpers.core.probabilities import LOGS, number_of

_NAMES = {
    "Abs": "abs", "Elu": "ELU", "Erf": "GELU", "Erfc": "GELU", "LeakyRelu": "leaky ReLU",
    "Selu": "SELU", "Softmax": "softmax", "Softsign": "softsign",
}  # fmt: skip
_RELUS = "Relu", "Relu6"
_SCALING = {"Cast", "ClipByValue", "Identity", "Maximum", "Minimum", "Mul", "Neg", "RealDiv"}


def activations(x, values):
    """Return the activations between x and other values, `{operation: name}`, such as "ReLU".

    For each activation one operation, in traced order: a Relu or Relu6 for every ReLU.
    """
    found = {}
    for op in between(x, values):
        name = _name(op)
        if name and LOGS not in op.name:  # else the network does not have it
            found[op] = name
    partners = {op: _mirrored(op) for op, name in found.items() if name == "ReLU"}
    for op, partner in partners.items():
        if partner in found:
            found[op] = "PReLU"
            del found[partner]
    return found


def parts_of_others(x, values):
    """Return the Relu operations between x and other values that are not ReLUs on their own."""
    alone = {op for op, name in activations(x, values).items() if name == "ReLU"}
    return [op for op in between(x, values) if op.type in _RELUS and op not in alone]


def listed(names):
    """Return how often each name occurs, as text: "34 swish, 17 sigmoid"."""
    counts = collections.Counter(names).most_common()
    return ", ".join(f"{count} {name}" for name, count in counts)


def _name(op):
    """Return the name of the activation that an operation stands for, None for none."""
    if op.type in _RELUS:
        return None if _below_threshold(op) else _hard(op) or "ReLU"
    if op.type == "Sigmoid":
        return "swish" if _times_own_input(op) else "sigmoid"
    if op.type == "Softplus":
        return None if "Tanh" in _types_after(op) else "softplus"
    if op.type == "Tanh":
        if op.inputs[0].op.type == "Softplus":
            return "mish"
        return "GELU" if any(_adds(after, 1) for after in _after(op)) else "tanh"
    if op.type == "Greater":  # keras.layers.ReLU(threshold=1): x * (x > 1), or where(x > 1, x, 0)
        keeps = "Cast" in _types_after(op) or any(map(_keeps_above, _after(op)))
        return "thresholded ReLU" if keeps else None
    if op.type in ("ClipByValue", "Maximum"):
        inner = [given.op for given in op.inputs if number_of(given) is None]
        capped = inner and inner[0].type in ("Minimum", *_RELUS)
        return None if len(inner) != 1 or capped else {"Maximum": "maximum"}.get(op.type, "clip")
    if op.type == "SelectV2":
        before = {given.op.type for part in op.inputs for given in (part, *part.op.inputs)}
        return None if before & {"Elu"} or _keeps_above(op) else "where"
    return _NAMES.get(op.type)


def _after(op):
    return [after for tensor in op.outputs for after in tensor.consumers()]


def _types_after(op):
    return [after.type for after in _after(op)]


def _adds(op, number):
    return op.type == "AddV2" and number in map(number_of, op.inputs)


def _times_own_input(op):
    """Return whether sigmoid(x), or sigmoid(beta x), is multiplied by x."""
    own = op.inputs[0]
    before = list(own.op.inputs) if own.op.type == "Mul" else []
    return any(
        after.type == "Mul" and any(given is x for given in after.inputs for x in (own, *before))
        for after in _after(op)
    )


def _hard(op):
    """Return "hard swish" or "hard sigmoid" for the Relu6 of relu6(x + 3) / 6, else None."""
    inner = op.inputs[0].op
    if op.type != "Relu6" or not _adds(inner, 3):
        return None
    x = next((given for given in inner.inputs if number_of(given) != 3), None)
    products = [*_after(op), *(later for after in _after(op) for later in _after(after))]
    products = [product for product in products if product.type == "Mul"]
    back = any(x is given for product in products for given in product.inputs)
    return "hard swish" if back else "hard sigmoid"


def _keeps_above(op):
    """Return whether an operation is where(x > t, x, 0), as Keras 3.15 makes it."""
    if op.type != "SelectV2":
        return False
    asked, x, other = op.inputs
    return asked.op.type == "Greater" and asked.op.inputs[0] is x and number_of(other) == 0


def _below_threshold(op):
    """Return whether a ReLU is the relu(t - x) in keras.layers.ReLU(slope, threshold=t)."""
    parts = [op.inputs[0], *op.inputs[0].op.inputs]
    negated = [part.op.inputs[0] for part in parts if part.op.type == "Neg"]
    return any(after.type == "Greater" for x in negated for after in x.consumers())


def _mirrored(op):
    """Return the operation relu(-x) to a relu(x) that a sum joins with it again, else None."""
    for negated in op.inputs[0].consumers():
        if negated.type != "Neg":
            continue
        for after in (*_after(negated), *(late for one in _after(negated) for late in _after(one))):
            if after.type in _RELUS and _sums_after(op) & _sums_after(after):
                return after
    return None


def _sums_after(op):
    """Return the sums that an operation's output reaches by being scaled or clipped alone."""
    found, waiting = set(), [op]
    while waiting:
        for after in _after(waiting.pop()):
            if after.type in ("AddV2", "Sub"):
                found.add(after)
            elif after.type in _SCALING:
                waiting.append(after)
    return found
