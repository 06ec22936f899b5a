"""Make a fork's links its own: `make repo URL=https://github.com/you/your-course`.

Rewrites the badges, the set-up cells and the links of all committed text files from the address
that stands in them to yours. Colab and Binder open notebooks from GitHub, so it must be one there.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?")
CLONE = re.compile(r"COURSE_REPO:-https://github\.com/([\w.-]+/[\w.-]+)\}")


def current():
    """Return "owner/name" as it stands in the set-up cell of the first lesson."""
    first = (ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8")
    return CLONE.search(first)[1]


def rewritten(text, old, new):
    """Return a text in which every address of the old repository is that of the new one."""
    old_name, new_name = old.split("/")[1], new.split("/")[1]
    text = re.sub(rf"(git clone \S+\ncd ){re.escape(old_name)}\b", rf"\g<1>{new_name}", text)
    places = rf"(github\.com/|/github/|/gh/){re.escape(old)}(?![\w-])"
    return re.sub(places, rf"\g<1>{new}", text)


def main(url):
    match = ADDRESS.fullmatch(url)
    if match is None:
        sys.exit(f"URL={url!r} is no repository: give URL=https://github.com/OWNER/NAME.")
    old, new, changed = current(), "/".join(match.groups()), 0
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    for path in (ROOT / name for name in listed.stdout.split("\0") if name):
        content = path.read_bytes() if path.is_file() else b"\0"
        if b"\0" in content:
            continue  # a picture, a network
        text = content.decode("utf-8")
        renamed = rewritten(text, old, new)
        if renamed != text:
            unfinished = path.with_name(f".{path.name}.unfinished")
            unfinished.write_bytes(renamed.encode("utf-8"))
            os.replace(unfinished, path)
            changed += 1
    print(f"{changed} files now point to {new} instead of {old}.")


if __name__ == "__main__":
    main(*sys.argv[1:] or [""])
