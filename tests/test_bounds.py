"""How much memory a file may ask for: honest files pass, and those that do harm are named."""

import io
import pickle
import stat
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import networks
from helpers.core import bounds, paths, state_dict


def zipped(*members, packed=True):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if packed else 0) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return zipfile.ZipFile(file)


def test_the_networks_of_the_course_are_within_their_bounds():
    for path in paths.NETWORKS.glob("*.keras"):
        with zipfile.ZipFile(path) as archive:
            bounds.check_zip(archive)


def test_a_zip_of_zeros_is_refused_and_one_of_numbers_is_not():
    numbers = np.random.default_rng(0).bytes(10**6)
    bounds.check_zip(zipped(("a", numbers), ("b/c", bytes(10**7))))
    with pytest.raises(ValueError, match=r"^unpacks to 80 MB, far more than its size allows for"):
        bounds.check_zip(zipped(("a", bytes(8 * 10**7))))


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/a", "C:\\a", "..\\a", "\\\\host\\a"])
def test_a_path_that_leads_out_is_refused(name):
    assert bounds.leads_outside(name)
    with pytest.raises(ValueError, match="holds a path that leads out of its folder"):
        bounds.check_zip(zipped((name, b"")))


def test_names_within_are_no_paths_that_lead_out():
    for name in ("a", "a/b.h5", "..a", "a..", "layers/conv2d..1/vars"):
        assert not bounds.leads_outside(name)


def test_links_and_passwords_in_a_zip_are_refused():
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(ValueError, match="leads out of its folder, link"):
        bounds.check_zip(zipped((link, b"/etc/passwd")))
    archive = zipped(("secret", b"x"))
    archive.infolist()[0].flag_bits |= 1
    with pytest.raises(ValueError, match="holds a file with a password, secret"):
        bounds.check_zip(archive)


def test_hdf5_that_says_to_be_huge_or_lies_elsewhere_is_refused(tmp_path):
    def check(add):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["x"] = np.zeros(9)
            file["g/y"] = np.zeros((2, 2))
            file["g/again"] = file["g"]  # a circle
            add(file)
            bounds.check_hdf5(file, 2000)

    check(lambda file: file.create_dataset("z", (10**6,), "f4", chunks=(100,)))
    with pytest.raises(ValueError, match=r"^says to hold 4,000,000 MB"):
        check(lambda file: file.create_dataset("z", (10**12,), "f4", chunks=(100,)))
    outside = [("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
    with pytest.raises(ValueError, match="an array that lies in another file, z"):
        check(lambda file: file.create_dataset("z", (9,), "u1", external=outside))
    for link in (h5py.ExternalLink("b.h5", "/x"), h5py.SoftLink("/x")):
        with pytest.raises(ValueError, match="holds a link to another place, z"):
            check(lambda file, link=link: file.__setitem__("z", link))


def test_a_variable_is_refused_before_it_is_made():
    with bounds.weights_within(10**6) as said:
        keras.layers.Dense(100).build((None, 1000))
        with pytest.raises(ValueError, match="describes a network of at least 40,000 MB"):
            keras.layers.Dense(100_000).build((None, 100_000))
    assert len(said) == 1 and said[0].startswith("describes a network of at least 40,000 MB")
    assert tf.Variable(np.zeros(2)).shape == (2,)  # outside, nothing is counted


def test_a_network_larger_than_its_weights_is_named(tmp_path):
    layers = [keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    networks.save(keras.Sequential(layers), tmp_path / "small.keras")
    with zipfile.ZipFile(tmp_path / "small.keras") as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts["config.json"] = parts["config.json"].replace(b'"units": 2', b'"units": 9000000')
    with zipfile.ZipFile(tmp_path / "large.keras", "w") as new:
        for name, content in parts.items():
            new.writestr(name, content)
    words = r"large\.keras describes a network of at least 1,728 MB, far more .* from somebody you"
    with pytest.raises(ValueError, match=words):
        networks.load(tmp_path / "large.keras")


def test_what_a_file_says_becomes_one_short_line():
    assert bounds.in_line("a\nb\0 \ud800c") == "a b c"
    assert bounds.in_line("x" * 99, 9) == "xxxxxxxx…" and bounds.in_line(b"") == "b''"


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x02r\xff\xff\xff\x0fN.",  # the last place of a memo of gigabytes
        b"\x80\x05\x96\xff\xff\xff\xff\xff\x0f\0\0.",  # bytes that the file does not have
        b"\x80\x02" + b"(" * 9 + b"\x8b\xff\xff\xff\x7f.",
    ],
)
def test_operations_that_ask_for_memory_are_refused(tmp_path, program):
    path = tmp_path / "net.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", program)
    with pytest.raises(ValueError, match=r"net\.pth is (damaged|not a file of tensors)"):
        state_dict.read(path)


def test_an_operation_that_no_tensor_needs_is_named(tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(pickle.dumps(bytearray(9), 5))
    with pytest.raises(ValueError, match="it holds BYTEARRAY8, which no tensor needs"):
        state_dict.read(path)
