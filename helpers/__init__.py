"""The helpers of the course "What a CNN Sees": one module for each family of methods.

    from helpers import load_world, cam
    world = load_world()
    maps = cam.grad_cam(world.network, world.test.images[:8])

A module is loaded when it is first used, so `import helpers` is quick and leaves TensorFlow alone
until a method needs it.
"""

import os
from importlib import import_module
from pkgutil import iter_modules

# TensorFlow reads this once, when it is first imported: it must stand before any module does that.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"
_MODULES = frozenset(module.name for module in iter_modules(__path__))
__all__ = sorted({*_MODULES, "load_world"})


def __getattr__(name):
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name == "load_world":
        return import_module(f"{__name__}.worlds").load_world
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    raise AttributeError(f"helpers has no {name!r}; it has: {', '.join(__all__)}")


def __dir__():
    return [*__all__, "__version__"]
