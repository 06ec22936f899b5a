"""Build the course as a website: `make book`, or python .ci/book.py

    --output FOLDER        where it goes, by default build/book
    --only NAME ...        explorers to play, such as 01_regularization.2; without names, none

Pages are made of the committed lessons; nothing is executed again. Explorers are played once and
kept in build/played, until a helper or a network changes: that takes minutes, the rest less than
one. The book is checked before it takes the place of the one before: links, size, and that no page
asks anything of another server.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / ".ci" / "book"
PACKAGES = ROOT / ".venv" / "book"  # where `make book` installs `.ci/book.txt`
sys.path[:0] = [str(HERE), str(PACKAGES)]

import sources  # noqa: E402

MOST = 60_000_000  # bytes
PLACE = re.compile(re.escape(sources.PLACE).replace(r"\{\}", r"([\w.]+)"))
# What a browser fetches by itself, and not when somebody follows a link.
FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
STYLED = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])(https?:)?//""")


def played(only):
    """Return the folder of played explorers; play those that are missing there."""
    digest = hashlib.sha256()
    files = [HERE / "played.py", *(ROOT / "helpers").rglob("*"), *(ROOT / "data").rglob("*")]
    for path in sorted(files):
        if path.is_file() and path.suffix in (".py", ".js", ".css", ".keras", ".json", ".gz"):
            digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    folder = ROOT / "build" / "played" / digest.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    names = [] if only is None else ["--only", *only]
    subprocess.run([sys.executable, HERE / "played.py", folder, *names], check=True)
    return folder


class Page(HTMLParser):
    """What a page links to, what it fetches, and the places on it that can be linked to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.fetched, self.places = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        traits = dict(attrs)
        self.places |= {traits.get("id"), traits.get("name")}
        if tag == "a" and traits.get("href"):
            self.links.append(traits["href"])
        if (to := traits.get(FETCHED.get(tag))) and not to.startswith(("data:", "#")):
            self.fetched.append(to)


def faults(folder, most=MOST):
    """Return what is wrong with finished pages, in sentences; they may take `most` bytes."""
    pages = {path.name: Page(path.read_text("utf-8")) for path in sorted(folder.glob("*.html"))}
    found = []
    for name, page in pages.items():
        for to in page.fetched:
            if re.match(r"(https?:)?//", to):
                found.append(f"{name} fetches {to}")
            elif not (folder / unquote(re.split("[?#]", to)[0])).is_file():
                found.append(f"{name} lacks {to}")
        for to in page.links:
            if re.match(r"[a-z]+:|//", to):
                continue
            file, _, spot = unquote(to).partition("#")
            file = file or name
            if not (folder / file).is_file():
                found.append(f"{name} links to {to}, which is not there")
            elif spot and file in pages and spot not in pages[file].places:
                found.append(f"{name} links to {to}, and {file} has no such place")
    for path in folder.rglob("*.css"):
        if STYLED.search(path.read_text("utf-8")):
            found.append(f"{path.relative_to(folder)} fetches from elsewhere")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > most:
        found.append(f"all takes {size / 1e6:.0f} MB; the limit is {most / 1e6:.0f} MB")
    return found


def still(folder):
    """Return which explorers of a finished book are not played, in sentences."""
    found = []
    for path in sorted(folder.glob("*.html")):
        if count := path.read_text("utf-8").count('<div class="course-explorer"><img'):
            found.append(f"{path.name}: {count} explorers are still pictures; see played.py")
    return found


def filled(text, folder):
    """Return a page with the played explorers in their places."""
    return PLACE.sub(lambda match: (folder / f"{match[1]}.html").read_text("utf-8"), text)


def build(output, folder, whole):
    """Build the book in a folder beside `output`, check it, and put it in place.

    `whole` asks for every explorer to be played.
    """
    work = output.with_name(f".{output.name}.{os.getpid()}")
    laid, new = work / "sources", work / "html"
    try:
        lessons = sources.lay_out(laid, folder)
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
        jobs = ["-j", str(min(2, os.cpu_count() or 1)), "-d", work / "doctrees"]
        paths = filter(None, [str(PACKAGES), os.environ.get("PYTHONPATH")])
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        if subprocess.run([*command, *jobs, laid, new], env=environment).returncode:
            sys.exit("The book is not built: Sphinx warned of what stands above.")
        for name in lessons:
            path = new / f"{name}.html"
            path.write_text(filled(path.read_text("utf-8"), folder), encoding="utf-8")
        (new / ".buildinfo").unlink(missing_ok=True)
        put(new, output, "The book is not built", faults(new) + (still(new) if whole else []))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def put(new, output, failed, wrong):
    """Put finished pages in the place of earlier ones, or exit with what is wrong with them."""
    if wrong:
        sys.exit("\n".join([f"{failed}:", *wrong]))
    shutil.rmtree(output, ignore_errors=True)
    new.rename(output)


def command(about, name, build, clock, took):
    """Build pages as the command line asks; print their size, and by `clock` how long it took.

    name: of the folder in build/. build: a function of the folder, that of what is played, and
    whether every explorer must be played. took: a text with a place for the seconds.
    """
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "build" / name)
    parser.add_argument("--only", nargs="*", metavar="NAME")
    options = parser.parse_args()
    folder, started = played(options.only), clock()
    build(options.output.resolve(), folder, whole=options.only is None)
    files = [path for path in options.output.rglob("*") if path.is_file()]
    size, seconds = sum(path.stat().st_size for path in files), clock() - started
    print(f"{options.output}/index.html: {size / 1e6:.1f} MB, {took.format(round(seconds))}")


if __name__ == "__main__":
    command(__doc__, "book", build, time.monotonic, "built in {} s")
