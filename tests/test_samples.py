"""The photographs that come with scikit-image and scikit-learn."""

import numpy as np

from helpers import photos


def test_all_are_there_as_they_are_in_their_packages():
    found = photos.samples()
    assert list(found) == list(photos.SAMPLES)
    for picture in found.values():
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    assert found["chelsea"].shape == (300, 451, 3) and found["temple"].shape == (427, 640, 3)


def test_each_has_a_credit_and_a_licence():
    for sample in photos.SAMPLES.values():
        assert sample.shows and sample.credit
        assert sample.licence in {"CC0", "CC BY 2.0", "public domain"}


def test_they_come_in_the_size_asked_for():
    assert {p.shape for p in photos.samples((96, 128)).values()} == {(96, 128, 3)}


def test_one_that_its_package_no_longer_has_is_left_out_and_said(monkeypatch, caplog):
    gone = photos.SAMPLES["coffee"]._replace(file="data/gone.png")
    nowhere = photos.SAMPLES["rocket"]._replace(package="no_such_package")
    monkeypatch.setitem(photos.SAMPLES, "coffee", gone)
    monkeypatch.setitem(photos.SAMPLES, "rocket", nowhere)
    with caplog.at_level("WARNING", "helpers"):
        assert list(photos.samples(32)) == ["chelsea", "temple", "astronaut", "flower"]
    assert "coffee (skimage), rocket (no_such_package)" in caplog.text
