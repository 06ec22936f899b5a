"""Write the course as one zip for a workshop without a network: `make bundle`.

    python .ci/bundle.py                    what-a-cnn-sees.zip, in this folder
    python .ci/bundle.py --with-cache       the photos and weights that this machine has, too

In it: the lessons (without their outputs, which come back when they are run), the helpers, the
drawn world and the networks, that of ImageNet among them where its package is installed. Put it
beside a notebook, or into your Drive, where the set-up cell finds it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from helpers.core import cache  # noqa: E402
from helpers.photos import imagenet  # noqa: E402

NAME = "what-a-cnn-sees.zip"
LEFT_OUT = (
    "tests/",
    ".ci/book",
    ".ci/slides",
    ".github/",
    "data/picture.",
    "data/explorer.",
    "data/film.py",
    "data/networks/make.py",
)
MOST = 50_000_000  # bytes, without photos: what thirty people can share over bad Wi-Fi


def course():
    """Return the files of the course that a lesson may need, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = (name for name in listed.stdout.split("\0") if name)
    return [n for n in names if not n.startswith(LEFT_OUT) and (ROOT / n).is_file()]


def content(name):
    """Return a file's bytes; of a notebook, without outputs."""
    if not name.endswith(".ipynb"):
        return (ROOT / name).read_bytes()
    notebook = nbformat.read(ROOT / name, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return nbformat.writes(notebook).encode()


def real_network():
    """Return the files of the ImageNet network and of its classes' names: [(name, bytes)]."""
    network, names = (place.relative_to(ROOT).as_posix() for place in imagenet.BUNDLED)
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "imagenet.keras")
            imagenet.network(folder).save(file)  # not through the cache, which may go along
            content = file.read_bytes()
        listed = [(one.wordnet_id, ", ".join(one.names)) for one in imagenet.classes()]
    except OSError as error:
        print(f"Without the ImageNet network, and lessons say so: {error}", file=sys.stderr)
        return []
    return [(network, content), (names, json.dumps(listed).encode())]


def bundle(path, with_cache=False):
    """Write the zip, whole or not at all, and return its size in bytes."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, data in [*((name, content(name)) for name in course()), *real_network()]:
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data,
                                 zipfile.ZIP_DEFLATED, 9)  # fmt: skip
            folder = cache.folder()
            for file in sorted(folder.rglob("*")) if with_cache and folder.is_dir() else ():
                if file.is_file() and not file.name.startswith((".", "imagenet-")):
                    archive.write(file, f"cache/{file.relative_to(folder).as_posix()}")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path.stat().st_size


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--with-cache", action="store_true", help="photos and weights, too")
    parser.add_argument("--output", type=Path, default=ROOT / NAME)
    options = parser.parse_args()
    size = bundle(options.output, options.with_cache)
    print(f"{options.output}: {size / 1e6:.1f} MB")
    if size > MOST and not options.with_cache:
        sys.exit(f"That is more than {MOST / 1e6:.0f} MB: what has grown?")


if __name__ == "__main__":
    main()
