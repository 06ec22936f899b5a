"""Explorer of lesson 11: our map, another library's, and what lies between them."""

import functools

import numpy as np

from helpers import plotting
from helpers.explorers.explorer import (
    Explorer,
    checked,
    class_list,
    class_names,
    dropdown,
    side_by_side,
    slider,
)
from helpers.metrics import libraries

HEIGHT = 288  # of four panels


def other_libraries(world, images=None, network=None):
    """Return an explorer: image, method, library and class; our map, theirs, the difference.

    `images` are uint8 (N, H, W, 3), by default the first 4 of the world's test images. Their map is
    ours by the library's convention (`libraries.THEIRS`), so that none of them is needed. Each map
    is divided by its own largest absolute value, and the difference is that of these two; colours
    mean the same in all three. The label says how far they are apart, and why. Raises ValueError
    for what `class_names` refuses.
    """
    network = world.network if network is None else network
    images = checked(world.test.images[:4] if images is None else images)
    names = class_names(world.class_names, network, images)

    @functools.lru_cache(maxsize=256)
    def found(image, method, library, target):
        given = network, images[image], names.index(target)
        way = libraries.THEIRS[library][method][1] if library else libraries.OURS[method]
        heat = way(*given)
        return heat / (np.abs(heat).max() or 1)

    def draw(image, method, library, target):
        ours = found(image, method, "", target)
        if method not in libraries.THEIRS[library]:
            blank = np.full_like(images[image], 255)
            panels = painted(ours, f"our {method}") | {library: blank, "difference": blank}
            return sheet(image, panels), f"{library} has no {method}."
        theirs, words = found(image, method, library, target), libraries.THEIRS[library][method][0]
        maps = np.stack([ours, theirs, theirs - ours])
        off = libraries.apart(theirs, ours) if ours.any() else 0.0
        text = f"{library}, {method}: {words}; apart by {off:.0%}"
        return sheet(image, painted(maps, f"our {method}", library, "difference")), text

    def sheet(image, panels):
        return side_by_side({"the picture": images[image]} | panels, HEIGHT)

    target = class_list(names, network, images[0])
    controls = {
        "image": slider("image", most=len(images) - 1),
        "method": dropdown("method", list(libraries.OURS)),
        "library": dropdown("library", list(libraries.THEIRS)),
        "target": target,
    }
    return Explorer("The same by another library", draw, controls)


def painted(maps, *titles):
    """Return maps (H, W) as images by title: red for and blue against, all on one scale."""
    rows = plotting.paint(np.reshape(maps, (-1, np.shape(maps)[-1])), signed=True, percentile=100)
    return dict(zip(titles, np.split(rows, len(titles)), strict=True))
