"""Explorer of lesson 08: relevance, layer by layer."""

import functools

import numpy as np
from PIL import Image

from helpers import plotting, relevance
from helpers.explorers.explorer import (
    AGAINST,
    Explorer,
    checked,
    class_list,
    class_names,
    dropdown,
    evidence,
    explained,
    explains_list,
    follow_class,
    layer_slider,
    side_by_side,
    slider,
)

RULES = {"composite": "composite", "z+": "zplus", "epsilon": "epsilon"}  # of LRP, by their names


def relevance_by_layer(world, images=None, network=None):
    """Return an explorer of LRP: image, rule, class, and the layer whose relevance is shown.

    `images` are uint8 (N, H, W, 3), by default the first 4 of the world's test images. A cell's
    relevance is summed over its channels, and each map is scaled by itself; a layer without cells
    is one row, a block for each unit. All layers are computed at once, so the slider need not wait.
    The label says what the layer's relevance adds up to, and of what. Raises ValueError where the
    network has a layer for which LRP has no rule.
    """
    network = world.network if network is None else network
    images = checked(world.test.images[:4] if images is None else images)
    names = class_names(world.class_names, network, images)

    @functools.lru_cache(maxsize=64)
    def shared(image, rule, target, explains):
        how = dict(rule=RULES[rule], against=AGAINST[explains])
        return relevance.lrp_by_layer(network, images[image], names.index(target), **how)

    def draw(image, rule, target, explains, layer):
        share = shared(image, rule, target, explains)[layer]
        cells = share.sum(axis=-1) if share.ndim == 3 else share.reshape(1, -1)
        blocks = Image.fromarray(plotting.paint(cells, signed=True))
        wide_high = images.shape[2], images.shape[1]
        panel = np.asarray(blocks.resize(wide_high, Image.Resampling.NEAREST))
        title = evidence(names, target, explains).replace("evidence", "relevance")
        high, wide = cells.shape
        size = f"{high} x {wide} cells" if share.ndim == 3 else f"{wide} units"
        said = explained(names, network, images[image], target, explains)
        text = f"LRP, {rule}, {layer} ({size}): adds up to {share.sum():+.1f}; {said}"
        return side_by_side({"the picture": images[image], title: panel}), text

    target = class_list(names, network, images[0])
    layers = list(shared(0, "composite", target.value, "score"))
    controls = {
        "image": slider("image", most=len(images) - 1),
        "rule": dropdown("rule", list(RULES)),
        "target": target,
        "explains": explains_list(names, target.value),
        "layer": layer_slider(layers, layers[0]),
    }
    return follow_class(Explorer("Relevance, layer by layer", draw, controls), names)
