"""Is everything ready? `python -m helpers.check` says what there is, in words, and the mend.

What `runtime.check` finds of the machine, and which world and network a lesson would open here.
Neither TensorFlow nor Keras is loaded, so that it answers at once, and where they do not work.
"""

import os
import sys
from pathlib import Path

from helpers import cache, imagenet, oxford_pets, runtime, worlds
from helpers.runtime import Finding

PREFETCH = "run python -m helpers.prefetch, where the network is good"
ONLY_IN_A_NOTEBOOK = "sliders"  # outside of one there is nobody to show them to


def findings(name=None):
    """Return what was found, a list of `runtime.Finding`: first the machine, then the course.

    name: the world that is meant, "drawn" or "photos"; None asks COURSE_WORLD.
    """
    name = name or os.environ.get("COURSE_WORLD") or worlds.NAMES[0]
    return [*runtime.check(), _world(name), _network(name)]


def _world(name):
    if name not in worlds.NAMES:
        mend = f"let COURSE_WORLD be one of {', '.join(worlds.NAMES)}"
        return Finding("world", False, f"there is none called {name!r}", mend)
    if name == "drawn":
        return Finding("world", True, "drawn, it comes with the course", "")
    folder = os.environ.get("COURSE_PHOTOS")
    if folder:
        there = Path(folder).expanduser().is_dir()
        found = f"photos in {folder}" if there else f"there is no folder {folder}"
        return Finding("world", there, found, "let COURSE_PHOTOS name a folder of photos")
    subset = oxford_pets.place()
    there = oxford_pets.is_whole(subset)
    found = f"photos of Oxford's pets, in {subset}" if there else "photos, not downloaded yet"
    return Finding("world", there, found, PREFETCH)


def _network(name):
    path = os.environ.get("COURSE_NETWORK")
    if name == "drawn" and (not path or os.environ.get("COURSE_PHOTOS")):
        return Finding("network", True, "pets, it comes with the course", "")
    if path:
        there = Path(path).expanduser().is_file()
        found = path if there else f"there is no file {path}"
        return Finding("network", there, found, "let COURSE_NETWORK name a .keras file")
    there = (cache.folder() / "downloads" / imagenet.SOURCES["vgg16"].name).is_file()
    found = "VGG16" if there else "VGG16, whose weights are not downloaded yet"
    return Finding("network", there, found, PREFETCH)


def main():
    """Print every finding; return 0, or 1 where something that a lesson needs is wrong."""
    found = [f for f in findings() if f.subject != ONLY_IN_A_NOTEBOOK]
    for finding in found:
        print(("ok    " if finding.ok else "MEND  ") + str(finding))
    wrong = [finding for finding in found if not finding.ok]
    print("Everything is ready." if not wrong else f"{len(wrong)} to mend, see above.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
