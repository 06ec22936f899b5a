"""Real photographs that need no download: those in the packages scikit-image and scikit-learn."""

import importlib.util
import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from helpers.photos.reading import read

log = logging.getLogger("helpers")


class Sample(NamedTuple):
    """A photograph in a package: its file there, what it shows, by whom, under which licence."""

    package: str
    file: str
    shows: str
    credit: str
    licence: str


SAMPLES = {
    "chelsea": Sample(
        "skimage", "data/chelsea.png", "the cat Chelsea", "Stéfan van der Walt", "CC0"
    ),
    "temple": Sample(
        "sklearn", "datasets/images/china.jpg", "a Chinese temple", "danielbuechele", "CC BY 2.0"
    ),
    "coffee": Sample("skimage", "data/coffee.png", "a cup of espresso", "Rachel Michetti", "CC0"),
    "rocket": Sample(
        "skimage", "data/rocket.jpg", "the launch of a Falcon 9", "SpaceX", "public domain"
    ),
    "astronaut": Sample(
        "skimage", "data/astronaut.png", "the astronaut Eileen Collins", "NASA", "public domain"
    ),
    "flower": Sample("sklearn", "datasets/images/flower.jpg", "a dahlia", "vultilion", "CC BY 2.0"),
}


def samples(size=None):
    """Return real photographs that are on this machine: {name: uint8 (H, W, 3)}.

    They lie in the packages scikit-image and scikit-learn; `SAMPLES` has their credits and
    licences. size: (height, width) to crop and scale them to; None leaves them as they are. One
    that a version of these packages no longer has is left out, and a message says so.
    """
    found, missing = {}, []
    for name, sample in SAMPLES.items():
        spec = importlib.util.find_spec(sample.package)
        path = Path(next(iter(spec.submodule_search_locations)), sample.file) if spec else None
        if path is not None and path.is_file():
            found[name] = read(path, size) if size else np.array(Image.open(path).convert("RGB"))
        else:
            missing.append(f"{name} ({sample.package})")
    if missing:
        log.warning("These sample photographs are not in their packages: %s.", ", ".join(missing))
    return found
