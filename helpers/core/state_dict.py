"""Read the tensors out of a PyTorch file: without PyTorch, and nothing but tensors.

`torch.save` writes a Python pickle, and a pickle may run any code. The reader below knows ordered
dictionaries and tensors; a file with anything else in it is refused, and nothing in it is run.
"""

import collections
import io
import math
import pickle
import pickletools
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

from helpers.core import bounds

_NUMBERS = {"FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4"}
_MAGIC = 0x1950A86A20F9469CFC6C  # opens every file that PyTorch wrote before version 1.6
_PROTOCOL = 1001
_Tensor = collections.namedtuple("_Tensor", "storage offset shape strides requires_grad hooks")
_Storage = collections.namedtuple("_Storage", "key dtype count")
# What PyTorch writes for tensors by name. Other operations can ask for any amount of memory.
_OPERATIONS = set(
    "PROTO FRAME STOP MARK MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET GLOBAL "
    "STACK_GLOBAL REDUCE BUILD BINPERSID NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG1 "
    "BINUNICODE SHORT_BINUNICODE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_TUPLE EMPTY_LIST EMPTY_DICT "
    "APPEND APPENDS SETITEM SETITEMS".split()
)
_MOST = 64 * 2**20  # bytes of a pickle without the numbers
_BROKEN = (
    AssertionError, AttributeError, EOFError, IndexError, KeyError, MemoryError,
    NotImplementedError, OSError, OverflowError, RecursionError, RuntimeError, TypeError,
    ValueError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read(path):
    """Return the tensors in a file of `torch.save(state_dict)`: {name: array}.

    path: of either format, PyTorch's own of before version 1.6 or the zip of today. Raises
    ValueError for a file that is damaged, truncated, holds anything but tensors by name, or says to
    be far larger than it is.
    """
    content = Path(path).read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pickletools', of text that is not well formed
            state, storages = (_zipped if content.startswith(b"PK") else _plain)(content)
        claimed = sum(_size(name, tensor, storages) for name, tensor in state.items())
        bounds.check_room(claimed, bounds.WEIGHTS * len(content), "says to hold")
        arrays = {name: _array(tensor, storages) for name, tensor in state.items()}
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is not a file of tensors: {bounds.in_line(error, 160)}."
        ) from error
    except _BROKEN as error:
        raise ValueError(f"{path} is damaged or truncated: install or copy it again.") from error
    return arrays


def _loaded(stream):
    """Return what the next pickle of a stream holds, its operations checked before any is done."""
    start, memo = stream.tell(), 0
    for operation, argument, place in pickletools.genops(stream):
        if operation.name not in _OPERATIONS:
            raise pickle.UnpicklingError(f"it holds {operation.name}, which no tensor needs")
        memo += 1
        if "PUT" in operation.name and not 0 <= argument <= memo:
            raise ValueError("a place in the memo lies beyond all others")
        if place > _MOST:
            raise ValueError("the pickle is too long")
    stream.seek(start)
    return _Reader(stream).load()


class _Reader(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _NUMBERS:
            return np.dtype(_NUMBERS[name])
        raise pickle.UnpicklingError(
            f"it holds {bounds.in_line(f'{module}.{name}')}, which is not run"
        )

    def persistent_load(self, saved):
        kind, dtype, key, _, count, *_ = saved
        if kind != "storage" or not isinstance(dtype, np.dtype) or not isinstance(key, str):
            raise pickle.UnpicklingError(f"it holds a {bounds.in_line(kind)!r}")
        return _Storage(key, dtype, count)


def _zipped(content):
    """Return tensors by name, and the numbers of each storage, out of today's format."""
    archive = zipfile.ZipFile(io.BytesIO(content))
    bounds.check_zip(archive)
    (inside,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
    state = _loaded(io.BytesIO(archive.read(inside)))
    place = inside.removesuffix("data.pkl") + "data/"
    return state, {
        key: np.frombuffer(archive.read(f"{place}{key}"), dtype, count)
        for key, dtype, count in _storages(state)
    }


def _plain(content):
    """Return the same out of the earlier format: five pickles, then the storages in a row."""
    stream = io.BytesIO(content)
    if (_loaded(stream), _loaded(stream)) != (_MAGIC, _PROTOCOL):
        raise pickle.UnpicklingError("PyTorch did not write it")
    _loaded(stream)  # byte order and sizes of the machine that wrote it
    state, keys = _loaded(stream), _loaded(stream)
    forms, storages, start = {one.key: one for one in _storages(state)}, {}, stream.tell()
    for key in keys:
        _, dtype, count = forms[key]
        if int.from_bytes(content[start : start + 8], "little") != count:
            raise ValueError("a storage has another length than is written before it")
        storages[key] = np.frombuffer(content, dtype, count, start + 8)
        start += 8 + count * dtype.itemsize
    return state, storages


def _storages(state):
    return {tensor.storage for tensor in state.values()}


def _size(name, tensor, storages):
    """Return the bytes of a tensor, from what it says of itself."""
    if not (isinstance(name, str) and isinstance(tensor, _Tensor)):
        raise pickle.UnpicklingError(f"it holds a {type(tensor).__name__} among tensors by name")
    return math.prod(tensor.shape) * storages[tensor.storage.key].itemsize


def _array(tensor, storages):
    """Return a tensor as an array of its own; its axes may lie in any order in the storage."""
    numbers, (offset, shape, strides) = storages[tensor.storage.key], tensor[1:4]
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if min((offset, last, *strides)) < 0 or (math.prod(shape) and last >= len(numbers)):
        raise ValueError("a tensor lies outside its storage")
    steps = [step * numbers.itemsize for step in strides]
    view = np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False)
    return np.array(view, order="C")
