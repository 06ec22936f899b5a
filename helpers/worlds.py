"""A world: pictures, their labels and parts, and a network that classifies them.

`load_world()` opens the drawn world that comes with the course, or photographs. Every lesson runs
in either. Whatever takes time is computed on first use and cached.
"""

import functools
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from helpers import drawn
from helpers import photos as photographs
from helpers.core import cache
from helpers.core.paths import NETWORKS
from helpers.core.progress import progress

NAMES = ("drawn", "photos")
BASES = ("imagenet", "vgg16")  # for photographs, where no file is given
PER_CLASS, PER_OTHER_KIND = 600, 400  # drawn pictures to train on
CHECKED = 40  # test pictures that tell whether a network's outputs stand for the classes
NAMED = 20  # classes that a message names
log = logging.getLogger("helpers")  # runtime.setup prints these messages


@dataclass(frozen=True, eq=False)
class Split:
    """Pictures uint8 (N, H, W, 3), labels int (N,), and part ids uint8 (N, H, W) or None.

    The arrays are read-only: copy one to change it.
    """

    images: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    parts: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self):
        for name in ("images", "labels", "parts"):
            if (array := getattr(self, name)) is not None:
                array = array.view()
                array.setflags(write=False)
                object.__setattr__(self, name, array)

    def __len__(self):
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class World:
    """Everything a lesson needs, read-only: splits `train` and `test`, names and a `network`.

    `class_names` are in the order of the labels and of the network's outputs, `part_names` in the
    order of the part ids, empty if parts are unknown. Splits and network are loaded on first use.
    """

    name: str
    class_names: tuple[str, ...]
    part_names: tuple[str, ...]
    _split: Callable = field(repr=False)
    _network: Callable = field(repr=False)

    @functools.cached_property
    def train(self):
        """The `Split` to train on."""
        return self._split("train")

    @functools.cached_property
    def test(self):
        """The `Split` to test on: no network of this world has seen it."""
        return self._split("test")

    @functools.cached_property
    def network(self):
        """The network that classifies this world's pictures, a `keras.Model`."""
        return self._network(self)

    @staticmethod
    def load_network(name, needed=True):
        """Load another network, such as "pets_robust"; ValueError lists them all.

        "imagenet" is a real network of 1,000 classes (`photos.imagenet.network`), "inception_v3",
        for deep dreams, is downloaded on first use (88 MB).
        needed: whether it is an error if the network cannot be had on this machine (OSError). If
        False, a message says so, and the result is None; so it is where "imagenet" is here, but the
        names of its classes are not.
        """
        from helpers import networks  # here: it loads TensorFlow

        real = {
            "imagenet": photographs.imagenet.network,
            "inception_v3": photographs.imagenet.inception_v3,
        }
        if name in real:
            try:
                network = real[name]()
                if name == "imagenet" and not needed:
                    photographs.imagenet.classes()  # lessons say by name what it sees
                return network
            except OSError as error:
                if needed:
                    raise
                log.warning("%s What needs it is left out.", error)
                return None
        there = sorted(path.stem for path in NETWORKS.glob("*.keras"))
        if not there:
            raise FileNotFoundError(f"{NETWORKS} has no networks; clone the whole course again")
        if name not in there:
            known = ", ".join(dict.fromkeys([*there, *real]))
            raise ValueError(f"unknown network {name!r}; choose one of {known}")
        return networks.load(NETWORKS / f"{name}.keras")


def load_animals(cache=None):
    """Return a `Split` of the ten kinds that are neither cat nor dog, for pre-training.

    400 pictures of each of `drawn.OTHERS`, alternating, drawn on first use and cached.
    """
    return Split(**_drawn_train(cache, drawn.OTHERS, PER_OTHER_KIND))


def load_world(name=None, network=None, photos=None, cache=None, mirror=None):
    """Open the drawn world or photographs: a `World` of pictures, labels, parts and a network.

    Arguments, with the environment variable that sets the default:
        name: "drawn" or "photos"; COURSE_WORLD, else "drawn".
        network: a `.keras` file to use instead of the world's own network; for photographs also
            "imagenet" or "vgg16"; COURSE_NETWORK, which the drawn world ignores if it names one of
            these, or if COURSE_PHOTOS is set.
        photos: a folder of labelled pictures, laid out as described in `helpers.photos.folder`;
            COURSE_PHOTOS, else the photos world downloads the Oxford-IIIT pets.
        cache: a folder for downloaded and computed files; COURSE_CACHE.
        mirror: an address or a folder to download from; COURSE_MIRROR.

    The photos world uses "imagenet", which needs no download, unless another network is given;
    "vgg16" is downloaded on first use. If a network has another number of classes, a new head is
    fitted on its features (`transfer.fit_head`), in seconds. VGG16's is trained. What is
    found, left out, replaced or guessed is logged once, with counts (`photos.find`).
    Raises ValueError for an unknown name, a network that does not fit or a folder without labels,
    FileNotFoundError for a missing network file, and DownloadError for a failed download.
    """
    name = name or os.environ.get("COURSE_WORLD") or NAMES[0]
    if name not in NAMES:
        raise ValueError(f"unknown world {name!r}; choose one of {', '.join(NAMES)}")
    network = network or network_asked(name)
    if network in BASES and name == "drawn":
        raise ValueError(
            f"{network} does not know the classes of the drawn world; unset COURSE_NETWORK, or use "
            "it in the photos world (COURSE_WORLD=photos)"
        )
    if network is not None and network not in BASES:
        network = Path(network).expanduser()
        if not network.exists():
            raise FileNotFoundError(
                f"there is no network file {network}; check COURSE_NETWORK, which is a file, "
                f"{' or '.join(BASES)}"
            )
    if name == "drawn":
        return _drawn_world(network, cache)
    network = network or BASES[0]
    return _photo_world(network, photos or os.environ.get("COURSE_PHOTOS"), cache, mirror)


def network_asked(name):
    """Return what COURSE_NETWORK names for a world, or None.

    If it names one of `BASES`, or if COURSE_PHOTOS is set, it is meant for photographs alone.
    """
    asked = os.environ.get("COURSE_NETWORK") or None
    for_photos = os.environ.get("COURSE_PHOTOS") or asked in BASES
    return None if name == "drawn" and for_photos else asked


def _drawn_world(path, cache_folder):
    given = path and _fitting_the_drawn(path)

    def split(part):
        if part == "test":
            return Split(*drawn.load_test())
        return Split(**_drawn_train(cache_folder, drawn.PETS, PER_CLASS))

    def network(world):
        return given or world.load_network("pets")

    return World("drawn", drawn.PETS, drawn.PART_NAMES, split, network)


def _fitting_the_drawn(path):
    """Load a network; ValueError if it does not fit the drawn pictures and classes."""
    from helpers import networks, transfer  # here: they load TensorFlow

    network, side = networks.load(path), drawn.SIZE
    height, width = transfer.image_size(network, free=side)
    if (height, width) != (side, side):
        raise ValueError(
            f"{path} takes pictures of {height}x{width} pixels, but the drawn world has "
            f"{side}x{side}; unset COURSE_NETWORK, or use this network in the photos world"
        )
    count, names = transfer.class_count(network), ", ".join(drawn.PETS)
    if count != len(drawn.PETS):
        raise ValueError(f"{path} has {count or 'no'} classes; the drawn world has {names}")
    return network


def _drawn_train(cache_folder, kinds, count):
    """Return images, labels and parts of drawings to train on: drawn once, then cached."""

    def draw(number, bar=None):
        columns = drawn.dataset(kinds, number, progress=bar)
        return dict(zip(("images", "labels", "parts"), columns, strict=True))

    bar = functools.partial(progress, label="drawing the training set")
    key = cache.digest(draw(3)["images"], count)  # another way of drawing is another file
    file = cache.folder(cache_folder) / f"drawn-train-{key}.npz"
    return cache.arrays(file, lambda: draw(count, bar))


def _photo_world(given, folder, cache_folder, mirror):
    """Return the world of a folder's photos, or Oxford's, and of a network: a file or a base.

    Downloads happen here, the smaller first; everything else is computed on first use.
    """
    from helpers import transfer  # here: it loads TensorFlow

    listing = photographs.find(folder) if folder else None
    vgg16 = given == "vgg16"
    weights = photographs.imagenet.weights("vgg16", cache_folder, mirror) if vgg16 else None
    base = None if vgg16 else _base(given, cache_folder, mirror)
    size = (transfer.FREE_SIZE, transfer.FREE_SIZE) if vgg16 else transfer.image_size(base)
    if folder:
        names, parts = listing.class_names, ()
        load = functools.partial(photographs.load, listing, size=size)
    else:
        subset = photographs.oxford_pets.fetch(cache_folder, mirror)
        names, parts = photographs.pet_archives.CLASS_NAMES, photographs.oxford_pets.PART_NAMES
        load = functools.partial(photographs.oxford_pets.load, subset, size=size)
    label = given if given in BASES else given.name
    fits = vgg16 or _fits(base, label, names)

    def content():
        if not folder:
            return cache.digest(subset)
        pairs = progress(listing.train, label="checking train photos")
        return [(cache.digest(picture), label) for picture, label in pairs]

    def network(world):
        kept = cache.folder(cache_folder)
        if vgg16:
            key = cache.digest(weights, content())
            return transfer.classifier(weights, world, size[0], key, kept)
        if fits:
            _check_order(base, label, names, world.test)
            return base

        def fit():
            features = transfer.head_features(base, world.train.images)
            return transfer.fit_head(features, world.train.labels)

        own = base.get_weights() if given in BASES else [given]
        key = cache.digest(*own, content(), size, transfer.HEAD_RECIPE)
        return transfer.attach_head(base, **cache.arrays(kept / f"head-{key}.npz", fit))

    return World("photos", names, parts, lambda part: Split(*load(part)), network)


def _base(given, cache_folder, mirror):
    """Return the network of a file, or the one that knows ImageNet."""
    from helpers import networks  # here: it loads TensorFlow

    if given == "imagenet":
        return photographs.imagenet.network(cache_folder, mirror)
    return networks.load(given)


def _fits(network, file, names):
    """Say which output of a network stands for which class, or what replaces them.

    Returns whether the network has as many classes as there are names.
    """
    from helpers import transfer  # here: it loads TensorFlow

    count, head = transfer.class_count(network), transfer.head_path(network)
    if count == len(names):
        outputs = [f"{number} {name}" for number, name in enumerate(names[:NAMED])]
        more = f" and so on to {count - 1} {names[-1]}" if names[NAMED:] else ""
        log.info("The outputs of %s stand for %s%s.", file, ", ".join(outputs), more)
        return True
    has = f"{count:,} classes" if count else "no classes of its own"
    below = "on top of its output: no classifier was found to take off"
    if head:
        below = f"in place of its layer {head[-1].name!r}"
    log.warning(
        "%s has %s, the pictures have %d (%s): it is used as a base, and a new head of %d outputs "
        "is fitted %s.",
        file, has, len(names), ", ".join(names[:NAMED]) + ", ..." * (len(names) > NAMED),
        len(names), below,
    )  # fmt: skip
    return False


def _check_order(network, file, names, test):
    """Warn if a network does not know the classes, or knows them in another order.

    Ten pictures of each class would be enough for two; with many classes too few say nothing.
    """
    from scipy.optimize import linear_sum_assignment

    from helpers import networks  # here: it loads TensorFlow

    labels = np.asarray(test.labels[:CHECKED])
    if len(labels) < 4 * len(names):
        return
    said = networks.predict(network, test.images[: len(labels)]).argmax(axis=1)
    table = np.zeros((len(names), len(names)), int)
    np.add.at(table, (said, labels), 1)
    right, chance = int(np.trace(table)), len(labels) / len(names)
    best = linear_sum_assignment(-table)
    if table[best].sum() >= max(right + 0.3 * len(labels), 1.5 * chance):
        order = ", ".join(f"{output} {names[best[1][output]]}" for output in range(len(names)))
        log.warning(
            "%s is right about %d of %d test pictures, but about %d if its outputs stand for %s: "
            "name the folders so that their alphabetical order is that of the network.",
            file, right, len(labels), table[best].sum(), order,
        )  # fmt: skip
    elif right <= chance + np.sqrt(chance):
        log.warning(
            "%s is right about %d of %d test pictures, and guessing about %.0f: was it trained on "
            "these classes, and does it take pictures in 0-255?",
            file, right, len(labels), chance,
        )  # fmt: skip
