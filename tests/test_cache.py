"""The cache: kept once, whole or not at all, and done without where it cannot be had."""

import errno
import subprocess
import sys
import warnings

import numpy as np
import pytest

from helpers.core import cache
from helpers.core.paths import ROOT

VALUES = {"a": np.arange(5000.0), "b": np.array([[1, 2]], np.uint8)}


def unwanted():
    raise AssertionError("computed although it was kept")


def assert_values(kept):
    assert list(kept) == list(VALUES)
    for name, array in VALUES.items():
        assert np.array_equal(kept[name], array) and kept[name].dtype == array.dtype


def test_what_was_made_is_kept(tmp_path):
    path = tmp_path / "deep" / "folder" / "values.npz"
    assert_values(cache.arrays(path, lambda: VALUES))
    assert_values(cache.arrays(path, unwanted))
    assert [file.name for file in path.parent.iterdir()] == ["values.npz"]


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_file_cut_short_is_said_once_and_made_again(tmp_path, share):
    path = tmp_path / "values.npz"
    cache.arrays(path, lambda: VALUES)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.warns(UserWarning, match="values.npz is damaged; making it again") as said:
        assert_values(cache.arrays(path, lambda: VALUES))
    assert len(said) == 1
    assert_values(cache.arrays(path, unwanted))


def test_a_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "values.npz"
    cache.arrays(path, lambda: VALUES)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.warns(UserWarning, match="damaged"):
        assert_values(cache.arrays(path, lambda: VALUES))


def test_a_cache_that_cannot_be_written_to_is_done_without(tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "deeper"):
        with pytest.warns(UserWarning, match="taken.* cannot be written to.*COURSE_CACHE") as said:
            assert_values(cache.arrays(folder / "values.npz", lambda: VALUES))
        assert len(said) == 1
    assert (tmp_path / "taken").read_text() == "a file where the folder should be"


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(file, **_):
        file.write(b"PK half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        assert_values(cache.arrays(tmp_path / "values.npz", lambda: VALUES))
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_computing_is_passed_on_and_leaves_nothing(tmp_path):
    with pytest.raises(AssertionError, match="computed although"):
        cache.arrays(tmp_path / "values.npz", unwanted)
    assert list(tmp_path.iterdir()) == []


def test_processes_at_once_do_not_spoil_it(tmp_path):
    code = (
        "import sys, numpy as np; from helpers.core import cache\n"
        "make = lambda: {'a': np.arange(300_000.0)}\n"
        "for turn in range(20):\n"
        "    kept = cache.arrays(sys.argv[1] + f'/{turn % 4}.npz', make)\n"
        "    assert np.array_equal(kept['a'], make()['a'])"
    )
    root = ROOT
    run = [sys.executable, "-W", "error", "-c", code, str(tmp_path)]
    started = [subprocess.Popen(run, cwd=root, stderr=subprocess.PIPE) for _ in range(3)]
    for process in started:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said.decode()
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"{turn}.npz" for turn in range(4)]


def test_a_digest_stands_for_content(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"same")
    other.write_bytes(b"same")
    assert cache.digest(one) == cache.digest(other)
    other.write_bytes(b"changed")
    items = [one, other, np.zeros(4), np.zeros((2, 2)), np.zeros(4, int), "1", 1, (1, "a"), ("1a",)]
    assert len({cache.digest(item) for item in items}) == len(items)
    assert cache.digest("ab", "c") != cache.digest("a", "bc") != cache.digest("c", "ab")


def test_the_folder_is_the_one_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "course"))
    assert cache.folder(tmp_path / "given") == tmp_path / "given"
    assert cache.folder() == tmp_path / "course"
    monkeypatch.delenv("COURSE_CACHE")
    assert cache.folder().name == "what-a-cnn-sees"
    if sys.platform == "linux":
        assert cache.folder() == tmp_path / "xdg" / "what-a-cnn-sees"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not cache.folder().exists()  # asking creates nothing
