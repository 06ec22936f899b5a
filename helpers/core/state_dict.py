"""Read the tensors out of a PyTorch file: without PyTorch, and nothing but tensors.

`torch.save` writes a Python pickle, and a pickle may run any code. The reader below knows ordered
dictionaries and tensors; a file with anything else in it is refused, and nothing in it is run.
"""

import collections
import io
import math
import pickle
import zipfile
from pathlib import Path

import numpy as np

_NUMBERS = {"FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4"}
_MAGIC = 0x1950A86A20F9469CFC6C  # opens every file that PyTorch wrote before version 1.6
_PROTOCOL = 1001
_Tensor = collections.namedtuple("_Tensor", "storage offset shape strides requires_grad hooks")
_Storage = collections.namedtuple("_Storage", "key dtype count")
_BROKEN = (EOFError, KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


def read(path):
    """Return the tensors in a file of `torch.save(state_dict)`: {name: array}.

    path: of either format, PyTorch's own of before version 1.6 or the zip of today. Raises
    ValueError for a file that is damaged, truncated or holds anything but tensors by name.
    """
    content = Path(path).read_bytes()
    try:
        state, storages = (_zipped if content.startswith(b"PK") else _plain)(content)
        arrays = {name: _array(tensor, storages) for name, tensor in state.items()}
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} is not a file of tensors: {error}.") from error
    except (*_BROKEN, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged or truncated: install or copy it again.") from error
    return arrays


class _Reader(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _NUMBERS:
            return np.dtype(_NUMBERS[name])
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which is not run")

    def persistent_load(self, saved):
        kind, dtype, key, _, count, *_ = saved
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"it holds a {kind!r}")
        return _Storage(key, dtype, count)


def _zipped(content):
    """Return tensors by name, and the numbers of each storage, out of today's format."""
    archive = zipfile.ZipFile(io.BytesIO(content))
    (inside,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
    state = _Reader(archive.open(inside)).load()
    place = inside.removesuffix("data.pkl") + "data/"
    return state, {
        key: np.frombuffer(archive.read(f"{place}{key}"), dtype, count)
        for key, dtype, count in _storages(state)
    }


def _plain(content):
    """Return the same out of the earlier format: five pickles, then the storages in a row."""
    stream = io.BytesIO(content)
    if (_Reader(stream).load(), _Reader(stream).load()) != (_MAGIC, _PROTOCOL):
        raise pickle.UnpicklingError("PyTorch did not write it")
    _Reader(stream).load()  # byte order and sizes of the machine that wrote it
    state, keys = _Reader(stream).load(), _Reader(stream).load()
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


def _array(tensor, storages):
    """Return a tensor as an array of its own; its axes may lie in any order in the storage."""
    numbers, (offset, shape, strides) = storages[tensor.storage.key], tensor[1:4]
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if min((offset, last, *strides)) < 0 or (math.prod(shape) and last >= len(numbers)):
        raise ValueError("a tensor lies outside its storage")
    steps = [step * numbers.itemsize for step in strides]
    view = np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False)
    return np.array(view, order="C")
