"""The set-up check tells which world and network there are, and how to mend what is missing."""

import pytest

from helpers import check, imagenet, oxford_pets


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    for name in ("COURSE_WORLD", "COURSE_PHOTOS", "COURSE_NETWORK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))


def found(name=None):
    return {finding.subject: finding for finding in check.findings(name)}


def test_the_drawn_world_is_always_there(capsys):
    assert str(found()["world"]) == "world: drawn, it comes with the course"
    assert str(found()["network"]) == "network: pets, it comes with the course"
    assert {"Python", "tensorflow", "memory", "disk", "course data", "sliders"} <= set(found())
    assert check.main() == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "Everything is ready." and said[0].startswith("ok    Python: version 3")


def test_photos_that_are_not_there_yet_can_be_fetched(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COURSE_WORLD", "photos")
    for subject in ("world", "network"):
        assert not found()[subject].ok
        assert "run python -m helpers.prefetch" in str(found()[subject])
    assert check.main() == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2 to mend, see above."
    weights = tmp_path / "downloads" / imagenet.SOURCES["vgg16"].name
    weights.parent.mkdir()
    weights.touch()
    monkeypatch.setattr(oxford_pets, "is_whole", lambda path: path == oxford_pets.place())
    assert found()["world"].ok and found()["network"].ok


def test_what_the_variables_name_is_looked_for(monkeypatch, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "net.keras").touch()
    for name, path in (("COURSE_PHOTOS", "mine"), ("COURSE_NETWORK", "net.keras")):
        monkeypatch.setenv(name, str(tmp_path / path))
    assert found("photos")["world"].ok and found("photos")["network"].ok
    assert "pets" in str(found("drawn")["network"])
    monkeypatch.setenv("COURSE_PHOTOS", str(tmp_path / "gone"))
    monkeypatch.setenv("COURSE_NETWORK", str(tmp_path / "gone.keras"))
    assert "there is no folder" in str(found("photos")["world"])
    assert "COURSE_NETWORK name a .keras file" in str(found("photos")["network"])


def test_an_unknown_world_is_named():
    assert "there is none called 'moon'. To mend it: let COURSE_WORLD be" in str(
        found("moon")["world"]
    )
