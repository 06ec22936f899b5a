"""Fetch ahead of the day all that the photos world needs: `python -m helpers.prefetch`.

Downloads VGG16's weights (59 MB) and the Oxford-IIIT Pet archives (811 MB), makes the course's
subset of them, and lets the network learn it, so that on the day nothing is downloaded and nothing
takes long. What is there already is not fetched again, and what broke off goes on. Everything lies
in one folder, which may be copied to other computers (COURSE_CACHE names it there).

    python -m helpers.prefetch --keep              # and keep the archives, to serve them to others:
    python -m http.server --directory FOLDER/downloads
    COURSE_MIRROR=http://192.168.1.20:8000 python -m helpers.prefetch            # on the others
"""

import argparse
import logging
import sys

from helpers import cache, imagenet, oxford_pets


def main(arguments=None):
    """Fetch everything, say what was done, and return 0, or 1 with one line that says what to do.

    arguments: a list of words as on the command line; None takes those.
    """
    parser = argparse.ArgumentParser(
        prog="python -m helpers.prefetch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cache", metavar="FOLDER", help="where to keep it (COURSE_CACHE)")
    parser.add_argument("--mirror", help="address or folder that has the files (COURSE_MIRROR)")
    parser.add_argument("--keep", action="store_true", help="keep the archives")
    parser.add_argument("--inception", action="store_true", help="InceptionV3 too, for dreams")
    parser.add_argument("--only-download", action="store_true", help="do not train the network")
    given = parser.parse_args(arguments)
    try:
        for name in ("vgg16", *(["inception_v3"] if given.inception else [])):
            _say(f"weights of {name}", imagenet.weights(name, given.cache, given.mirror))
        subset = oxford_pets.fetch(given.cache, given.mirror, given.keep)
        _say(f"{sum(oxford_pets.COUNT.values()):,} photos", subset)
        if not given.only_download:
            _learn(given.cache)
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted: call it again, and it goes on.", file=sys.stderr)
        return 1
    print(f"Everything is there, in {cache.folder(given.cache)}")
    return 0


def _learn(folder):
    """Let the network of the photos world learn, where it has not yet, and say how well."""
    from helpers import networks, runtime, worlds  # here, as they load TensorFlow

    runtime.setup()
    world = worlds.load_world("photos", cache=folder)
    right = networks.predict(world.network, world.test.images).argmax(1) == world.test.labels
    print(f"network: {right.mean():.1%} of {len(right)} test photos right")


def _say(what, path):
    print(f"{what}: {path.stat().st_size / 1e6:,.0f} MB, {path}")


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    logging.getLogger("helpers").setLevel(logging.INFO)  # "Trying again", and the like
    sys.exit(main())
