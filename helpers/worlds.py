"""A world: pictures, their labels, what is known of their parts, a network that tells them apart.

`load_world()` opens the drawn world that comes with the course, or photographs.
Every lesson runs in either. What takes time is computed when it is first asked for, and kept.
"""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from helpers import cache, drawn, runtime

NAMES = ("drawn", "photos")
PER_CLASS, PER_OTHER_KIND = 600, 400  # drawn pictures to train on
NETWORKS = Path(__file__).resolve().parent.parent / "data" / "networks"


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
    """Everything a lesson needs, unchangeable: splits `train` and `test`, names and a `network`.

    `class_names` are in the order of the labels and of the network's outputs; `part_names` in the
    order of the part ids, empty where parts are unknown. The splits and the network are read,
    drawn or computed on first use.
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
        """The network that tells this world's classes apart, a `keras.Model`."""
        return self._network(self)

    @staticmethod
    def load_network(name):
        """Load another network of the course, such as "pets_robust"; ValueError lists them all.

        "inception_v3", for dreams, is downloaded at first (88 MB, see `imagenet`).
        """
        from helpers import imagenet, networks  # here, as they load TensorFlow

        if name == "inception_v3":
            return imagenet.inception_v3()
        there = sorted(path.stem for path in NETWORKS.glob("*.keras"))
        if not there:
            raise FileNotFoundError(f"{NETWORKS} holds no networks; clone the whole course again")
        if name not in there:
            raise ValueError(
                f"no network is called {name!r}; there are {', '.join(there)} and inception_v3"
            )
        return networks.load(NETWORKS / f"{name}.keras")


def load_animals(cache=None):
    """Return a `Split` of the ten kinds that are neither cat nor dog, to learn from beforehand.

    400 pictures of each of `drawn.OTHERS`, in turn, drawn on first use and kept in the cache.
    """
    return Split(**_drawn_train(cache, drawn.OTHERS, PER_OTHER_KIND))


def load_world(name=None, network=None, photos=None, cache=None, mirror=None):
    """Open the drawn world or photographs: pictures, labels, parts and a network in one object.

    name: "drawn" (the default) or "photos". network: a `.keras` file to use in place of the world's
    own. photos: a folder of pictures, laid out as `helpers.photos` says. cache: a folder for what
    takes time to compute. mirror: where to download from, see `downloads.fetch`. Whatever is not
    given is taken from COURSE_WORLD, COURSE_NETWORK, COURSE_PHOTOS, COURSE_CACHE and COURSE_MIRROR;
    where COURSE_PHOTOS is set, COURSE_NETWORK is meant for these photos, and the drawn world keeps
    its own network. The photos world without a folder is `oxford_pets`, without a network VGG16
    (`bottleneck`); both are downloaded at first. A network given for it whose classes are not the
    photos' is taken as a base, and a head for them is fitted on it (`heads`). Returns a `World`.
    Raises ValueError for an unknown name, FileNotFoundError for a network that is not there,
    ValueError for one that does not fit and for a folder without labelled pictures, DownloadError
    for what cannot be had. Pictures that cannot be read are named in a warning.
    """
    name = name or os.environ.get("COURSE_WORLD") or NAMES[0]
    if name not in NAMES:
        raise ValueError(f"no world is called {name!r}; there are {', '.join(NAMES)}")
    if name == "photos" or not os.environ.get("COURSE_PHOTOS"):
        network = network or os.environ.get("COURSE_NETWORK") or None
    if network is not None:
        network = Path(network).expanduser()
        if not network.is_file():
            raise FileNotFoundError(f"there is no network file {network}: see COURSE_NETWORK")
    if name == "drawn":
        return _drawn_world(network, cache)
    from helpers import photo_world  # here, as it loads TensorFlow

    folder = photos or os.environ.get("COURSE_PHOTOS")
    *names, load, network = photo_world.choose(network, folder, cache, mirror)
    return World("photos", *names, lambda part: Split(*load(part)), network)


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
    """Load a network; ValueError where it does not fit the drawn pictures and classes."""
    from helpers import heads, networks  # here, as they load TensorFlow

    network, side = networks.load(path), drawn.SIZE
    height, width = heads.image_size(network, free=side)
    if (height, width) != (side, side):
        raise ValueError(
            f"{path} takes pictures of {height}x{width} pixels, the drawn world's have "
            f"{side}x{side}; unset COURSE_NETWORK, or use this network in the photos world"
        )
    count, names = heads.class_count(network), ", ".join(drawn.PETS)
    if count != len(drawn.PETS):
        raise ValueError(f"{path} tells {count or 'no'} classes apart; wanted one for {names}")
    return network


def _drawn_train(cache_folder, kinds, count):
    """Return images, labels and parts of drawings to train on: drawn once, then kept."""

    def draw(number, progress=None):
        columns = drawn.dataset(kinds, number, progress=progress)
        return dict(zip(("images", "labels", "parts"), columns, strict=True))

    bar = functools.partial(runtime.progress, label="drawing the training set")
    key = cache.digest(draw(3)["images"], count)  # drawn another way, it is another file
    file = cache.folder(cache_folder) / f"drawn-train-{key}.npz"
    return cache.arrays(file, lambda: draw(count, bar))
