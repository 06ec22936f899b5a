"""Explorer of lesson 08: part surgery, what networks say of an animal drawn without some parts."""

import functools
import itertools

import ipywidgets as widgets

from helpers import cam, drawn, gradients, networks, plotting, saliency
from helpers.explorers.explorer import (
    AGAINST,
    Explorer,
    dropdown,
    explains_list,
    follow_class,
    side_by_side,
    slider,
)
from helpers.explorers.saliency import without_refused

PANEL = 256  # pixels, for three images side by side
QUICK = {  # a few milliseconds each: computed at every change
    "gradient": saliency.gradient,
    "guided gradient": saliency.guided_gradient,
    "Grad-CAM": lambda net, *asked, **rest: cam.grad_cam(
        net, *asked, layer=cam.default_layer(net), **rest
    ),
}


def part_surgery(nets, kind="cat", seeds=range(8)):
    """Return an explorer that draws an animal without the parts that you untick.

    `nets` are {name: network}, one map each, all trained on the drawn world's cats and dogs. The
    image is drawn again, the maps follow, and the label gives each network's prediction. Maps are
    for the animal's own kind, each scaled by itself. A method that a network does not allow is
    missing, and a warning says why. Raises ValueError without networks or seeds.
    """
    seeds = list(seeds)
    if not nets or not seeds:
        raise ValueError(
            f"give at least one network and one seed, not {len(nets)} and {len(seeds)}"
        )

    @functools.lru_cache(maxsize=256)
    def operate(seed, kind, explains, gone):
        picture, target, words = drawn.draw(kind, seed, gone).image, names.index(kind), []
        for name, network in nets.items():
            chance = networks.predict(network, picture)[0, target]
            value = gradients.quantity(network, picture, target, against=AGAINST[explains])
            words.append(f"{name}: {kind} {chance:.0%}, {explains} {value:+.1f}")
        return picture, target, "; ".join(words)

    def draw(seed, kind, explains, method, **shown):
        gone = tuple(part for part in drawn.FACE if not shown[part])
        picture, target, said = operate(seeds[seed], kind, explains, gone)
        asked = {"target": target, "against": AGAINST[explains]}
        maps = {
            name: plotting.paint(QUICK[method](network, picture, **asked))
            for name, network in nets.items()
        }
        how = f" without {', '.join(gone)}" if gone else ", whole"
        text = f"{kind}{how}. {said}; {method}"
        return side_by_side({"the picture": picture} | maps, PANEL), text

    whole, first, names = drawn.draw(kind, seeds[0]).image, {}, list(drawn.PETS)
    for (method, call), network in itertools.product(QUICK.items(), nets.values()):
        try:  # compiled now, so that no change waits for it
            call(network, whole, 0, against="rest")
            first.setdefault(method, call(network, whole, 0))
        except ValueError as error:
            first[method] = error
    methods = without_refused(first)
    controls = {
        "seed": slider("animal", most=len(seeds) - 1),
        "kind": widgets.Dropdown(options=names, value=kind, description="kind"),
        "explains": explains_list(names, kind),
        "method": dropdown("method", methods),
    }
    for part in drawn.FACE:
        controls[part] = widgets.Checkbox(value=True, description=part)
    return follow_class(Explorer("Part surgery", draw, controls), names, "kind")
