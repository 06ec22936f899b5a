"""The helpers of the course "What a CNN Sees".

    from helpers import load_world, cam
    world = load_world()
    maps = cam.grad_cam(world.network, world.test.images[:8])

Each name is loaded when it is first used, so `import helpers` is quick and leaves TensorFlow alone
until a method needs it.
"""

import os
from importlib import import_module

# TensorFlow reads this once, when it is first imported: it must be set before any module does that.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"
_MODULES = {
    # pictures, labels, parts, and a network that tells them apart
    "worlds": "helpers.worlds",
    "drawn": "helpers.drawn",
    "photos": "helpers.photos",
    "networks": "helpers.networks",
    "training": "helpers.training",
    "transfer": "helpers.transfer",
    "regularization": "helpers.regularization",
    # the methods, and how right they are
    "activations": "helpers.activations",
    "cam": "helpers.cam",
    "dreaming": "helpers.dreaming",
    "embedding": "helpers.embedding",
    "gradients": "helpers.gradients",
    "metrics": "helpers.metrics",
    "perturbation": "helpers.perturbation",
    "relevance": "helpers.relevance",
    "saliency": "helpers.saliency",
    # what a lesson shows and asks
    "check": "helpers.check",
    "exercises": "helpers.exercises",
    "explorers": "helpers.explorers",
    "plotting": "helpers.plotting",
    "runtime": "helpers.core.runtime",
}
__all__ = sorted({*_MODULES, "load_world"})


def __getattr__(name):
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name == "load_world":
        return import_module("helpers.worlds").load_world
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    raise AttributeError(f"helpers has no {name!r}; it has: {', '.join(__all__)}")


def __dir__():
    return [*__all__, "__version__"]
