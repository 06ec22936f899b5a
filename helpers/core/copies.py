"""Copy a network: its structure, weights, random seeds, penalties and frozen layers.

Keras describes a network in a config and builds another from it, which loses what the config does
not know: classes and functions of one's own, lambdas, penalties and freezing that a custom
`get_config` leaves out. Here they are handed over by identity.
"""

import random
import types
import warnings

import keras

from helpers.core.tracing import layers as layers_of

_KERNELS = (  # names of a layer's penalties, and of the kernels that they apply to
    ("kernel_regularizer", "kernel"),
    ("depthwise_regularizer", "kernel"),
    ("depthwise_regularizer", "depthwise_kernel"),
    ("pointwise_regularizer", "pointwise_kernel"),
)
_OURS = "what_a_cnn_sees"  # before names that may not be taken for Keras' own, such as "Add"


def copied(network):
    """Return a copy of a network, not compiled: same weights, random seeds, penalties, freezing.

    Raises ValueError, with the reason, for a network that cannot be described or built again.
    """
    random_numbers = random.getstate()  # Keras seeds new layers from it
    try:
        with warnings.catch_warnings():
            # A lambda is unsafe in a file, but this is not saved.
            warnings.filterwarnings("ignore", "The object being serialized includes a `lambda`")
            copy = _built_again(network)
            if len(copy.variables) != len(network.variables):
                copy = keras.models.clone_model(network, recursive=True)  # keeps what is shared
            for own, twin in zip(network.variables, copy.variables, strict=True):
                twin.assign(own)
                twin.regularizer = own.regularizer
            _follow(network, copy)
    except Exception as error:  # whatever a config, a layer or a function of one's own may raise
        raise ValueError(_why_not(network, error)) from error
    finally:
        random.setstate(random_numbers)
    return copy


def kernels(layer):
    """Yield (layer, name of the penalty, kernel) for each kernel that a penalty may apply to."""
    for penalty, kernel in _KERNELS:
        if hasattr(layer, penalty) and isinstance(getattr(layer, kernel, None), keras.Variable):
            yield layer, penalty, getattr(layer, kernel)


def _built_again(network):
    """Build a network from its config, in which classes and functions of one's own are named."""
    known, lambdas = {}, {}
    for part in _parts(network, set()):
        if not isinstance(part, types.FunctionType):
            known[f"{_OURS}>{type(part).__name__}"] = type(part)
        elif part.__name__ == "<lambda>":
            name = f"{_OURS}>lambda{len(lambdas)}"
            dump = keras.saving.serialize_keras_object(part)["config"]["value"]
            dump = keras.saving.serialize_keras_object(dump)  # as within a layer's config
            known[lambdas.setdefault(repr(tuple(dump)), name)] = part
        else:
            known[part.__name__] = part
    config = _named(keras.saving.serialize_keras_object(network), lambdas)
    config.pop("compile_config", None)
    return keras.saving.deserialize_keras_object(config, known, safe_mode=False)


def _parts(value, met):
    """Yield what a network is made of that is not Keras' own: objects, and all functions."""
    if id(value) in met:
        return
    met.add(id(value))
    within = ()
    if isinstance(value, types.FunctionType):
        yield value
    elif isinstance(value, (list, tuple)):
        within = value
    elif isinstance(value, dict):
        within = value.values()
    elif hasattr(value, "get_config"):
        if not type(value).__module__.startswith("keras."):
            yield value
        within = vars(value).values() if isinstance(value, keras.Operation) else ()
    for one in within:
        yield from _parts(one, met)


def _named(entry, lambdas):
    """Return a config in which one's own classes and lambdas bear the names that are known."""
    if isinstance(entry, (list, tuple)):
        return type(entry)(_named(one, lambdas) for one in entry)
    if not isinstance(entry, dict):
        return entry
    inner = entry["config"] if entry.get("class_name") == "__lambda__" else entry
    if set(inner) in ({"value"}, {"code", "defaults", "closure"}):
        name = lambdas.get(repr(tuple(inner.get("value") or inner.values())))
        if name:
            return {"module": "builtins", "class_name": "function", "config": name}
    named = {key: _named(value, lambdas) for key, value in entry.items()}
    own = "module" in entry and not str(entry["module"]).startswith("keras.")
    if own and entry.get("class_name") == entry.get("registered_name"):
        named["registered_name"] = f"{_OURS}>{entry['class_name']}"
    return named


def _follow(network, copy):
    """Give a copy the functions, frozen layers and penalties that a config may leave out."""
    pairs = zip(layers_of(network).values(), layers_of(copy).values(), strict=True)
    for layer, twin in reversed(list(pairs)):  # parents before their children
        twin.trainable = layer.trainable
        for name, value in vars(layer).items():
            if isinstance(value, types.FunctionType) and name in vars(twin):
                setattr(twin, name, value)  # a function of one's own may be called "relu", too
        for _, penalty, _ in kernels(layer):
            setattr(twin, penalty, getattr(layer, penalty))


def _why_not(network, error):
    """Say why a network cannot be copied, in Keras' last words rather than its first."""
    reason = reason_of(error)
    own = sorted({
        type(part).__name__ for part in _parts(network, set())
        if not isinstance(part, types.FunctionType)
    })  # fmt: skip
    mend = ""
    if own:
        mend = (
            f" Classes of your own ({', '.join(own)}) need a get_config() that returns all "
            "arguments of their __init__."
        )
    return f"The network {network.name!r} cannot be copied: {reason}{mend}"


def reason_of(error):
    """Return the innermost reason of an error of Keras, in one line without its traceback."""
    text = str(error).strip()
    for before in ("Exception encountered:", "could not be deserialized properly."):
        text = text.rpartition(before)[2].strip() or text
    line = text.partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {line[:300]}."
