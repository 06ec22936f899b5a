"""Download everything that the photos world needs in advance: `python -m helpers.prefetch`.

Downloads the Oxford-IIIT Pet archives (811 MB), extracts the course's subset and fits the network
to it, so that nothing is left to download or train later. With --vgg16 or COURSE_NETWORK=vgg16,
that is VGG16 (59 MB more). Finished files are not downloaded again, and an interrupted download
resumes. All files are in one folder, which can be copied to other computers (set COURSE_CACHE to it
there).

    python -m helpers.prefetch --keep                       # keep the archives, to serve them:
    python -m http.server --directory FOLDER/downloads
    COURSE_MIRROR=http://192.168.1.20:8000 python -m helpers.prefetch    # on other computers
"""

import argparse
import logging
import os
import sys

from helpers.core import cache
from helpers.photos import imagenet, oxford_pets


def main(arguments=None):
    """Download everything and print a summary; return 0, or 1 after one line that says what to do.

    arguments: a list of command-line words; None reads the command line.
    """
    parser = argparse.ArgumentParser(
        prog="python -m helpers.prefetch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cache", metavar="FOLDER", help="where to keep the files (COURSE_CACHE)")
    parser.add_argument("--mirror", help="address or folder to download from (COURSE_MIRROR)")
    parser.add_argument("--keep", action="store_true", help="keep the archives")
    parser.add_argument("--vgg16", action="store_true", help="VGG16 as the network")
    parser.add_argument("--inception", action="store_true", help="also InceptionV3, for dreams")
    parser.add_argument("--only-download", action="store_true", help="do not train the network")
    given = parser.parse_args(arguments)
    vgg16 = given.vgg16 or os.environ.get("COURSE_NETWORK") == "vgg16"
    try:
        for name in ["vgg16"] * vgg16 + ["inception_v3"] * given.inception:
            _say(f"weights of {name}", imagenet.weights(name, given.cache, given.mirror))
        subset = oxford_pets.fetch(given.cache, given.mirror, given.keep)
        _say(f"{sum(oxford_pets.COUNT.values()):,} photos", subset)
        if not given.only_download:
            _learn("vgg16" if vgg16 else None, given.cache)
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted: run it again to resume.", file=sys.stderr)
        return 1
    print(f"Everything is ready in {cache.folder(given.cache)}")
    return 0


def _learn(name, folder):
    """Train the network of the photos world, unless that is done, and print its accuracy."""
    from helpers import networks, worlds  # here: they load TensorFlow
    from helpers.core import runtime

    runtime.setup()
    world = worlds.load_world("photos", name, cache=folder)
    right = networks.predict(world.network, world.test.images).argmax(1) == world.test.labels
    print(f"network: {right.mean():.1%} of {len(right)} test photos correct")


def _say(what, path):
    print(f"{what}: {path.stat().st_size / 1e6:,.0f} MB, {path}")


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    logging.getLogger("helpers").setLevel(logging.INFO)  # such as "Retrying"
    sys.exit(main())
