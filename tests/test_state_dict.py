"""State dicts of PyTorch's: tensors are read in either format, and nothing else ever is."""

import collections
import io
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from helpers.core import state_dict

ARRAYS = {
    "a.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "a.bias": np.array([1.5, -2.5], np.float16),
    "count": np.array(7, np.int64),
    "turned": np.arange(12, dtype=np.float32).reshape(3, 4).T,  # axes in another order
}
STORAGES = {"float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage"}


class Stored:
    """What torch.save writes for a tensor: a call of _rebuild_tensor_v2 on its storage."""

    def __init__(self, array, key, rebuild):
        self.array, self.key, self.rebuild = array, key, rebuild

    def __reduce__(self):
        steps = tuple(step // self.array.itemsize for step in self.array.strides)
        arguments = Storage(self), 0, self.array.shape, steps, False, collections.OrderedDict()
        return self.rebuild, arguments


class Storage:
    def __init__(self, tensor):
        self.key, self.array = tensor.key, tensor.array


class Pickler(pickle.Pickler):
    def persistent_id(self, one):
        if isinstance(one, Storage):
            kind = getattr(sys.modules["torch"], STORAGES[one.array.dtype.name])
            return "storage", kind, one.key, "cpu", one.array.size
        return None


@pytest.fixture
def torch(monkeypatch):
    """Classes and a function under PyTorch's names, so that a pickle refers to them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def rebuild(*_):
        raise AssertionError("run while it was read")

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return utils


def numbers(array):
    """The bytes of an array in the order in which they lie in memory."""
    return np.lib.stride_tricks.as_strided(array, (array.size,), (array.itemsize,)).tobytes()


def state_of(arrays, torch):
    stored = collections.OrderedDict()
    for place, (name, array) in enumerate(arrays.items()):
        stored[name] = Stored(array, str(place), torch._rebuild_tensor_v2)
    return stored


def written_before_1_6(state):
    file = io.BytesIO()
    about = {"protocol_version": 1001, "little_endian": True}
    for content in (0x1950A86A20F9469CFC6C, 1001, about, state):
        Pickler(file, 2).dump(content)
    Pickler(file, 2).dump([one.key for one in state.values()])
    for one in state.values():
        file.write(one.array.size.to_bytes(8, "little") + numbers(one.array))
    return file.getvalue()


def written_today(state):
    file, inside = io.BytesIO(), io.BytesIO()
    Pickler(inside, 2).dump(state)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("net/data.pkl", inside.getvalue())
        for one in state.values():
            archive.writestr(f"net/data/{one.key}", numbers(one.array))
    return file.getvalue()


every_format = pytest.mark.parametrize("write", [written_before_1_6, written_today])


@every_format
def test_tensors_come_back_by_name_to_the_bit(torch, tmp_path, write):
    path = tmp_path / "net.pth"
    path.write_bytes(write(state_of(ARRAYS, torch)))
    found = state_dict.read(path)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype and found[name].flags.c_contiguous


@every_format
@pytest.mark.parametrize("share", [0, 0.2, 0.6, 0.99])
def test_a_truncated_file_is_named(torch, tmp_path, write, share):
    path, whole = tmp_path / "net.pth", write(state_of(ARRAYS, torch))
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="net.pth is (damaged or truncated|not a file of tensors)"):
        state_dict.read(path)


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('the file has run code')",)


@every_format
def test_a_foreign_class_is_refused_and_never_run(torch, tmp_path, write):
    path, state = tmp_path / "net.pth", state_of(ARRAYS, torch)
    file = io.BytesIO()
    Pickler(file, 2).dump(Evil())
    (tmp_path / "bare.pth").write_bytes(file.getvalue())
    state["evil"] = types.SimpleNamespace(key="9", array=np.zeros(1, np.float32))
    path.write_bytes(write(state))
    for each in (path, tmp_path / "bare.pth"):
        with pytest.raises(ValueError, match=r"not a file of tensors: it holds \w+\.\w+, which"):
            state_dict.read(each)


@every_format
def test_a_tensor_outside_its_storage_is_an_error(torch, tmp_path, write):
    state = state_of({"a": np.arange(4, dtype=np.float32)}, torch)
    reach = np.lib.stride_tricks.as_strided(state["a"].array, (4,), (12,), writeable=False)
    state["a"].__class__ = type("Far", (Stored,), {"__reduce__": far})
    state["a"].far = reach
    (tmp_path / "net.pth").write_bytes(write(state))
    with pytest.raises(ValueError, match="damaged"):
        state_dict.read(tmp_path / "net.pth")


def far(self):
    return self.rebuild, (Storage(self), 0, (4,), (3,), False, collections.OrderedDict())


def test_what_pytorch_did_not_write_is_said(tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ValueError, match="not a file of tensors: PyTorch did not write it|damaged"):
        state_dict.read(path)
