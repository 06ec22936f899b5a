"""Explorers of lesson 04: saliency maps with the settings of each method, and part surgery."""

import functools
import itertools

import ipywidgets as widgets
import numpy as np

from helpers import cam, drawn, gradients, networks, perturbation, plotting, saliency
from helpers.explorers.explorer import Explorer, dropdown, in_words, side_by_side, slider

SAMPLES, NOISES, STEPS, WINDOWS = (1, 4, 16), (5, 15, 30), (1, 4, 16), (24, 32, 48)
GREY = 127.0  # the baseline of occlusion
PANEL = 256  # pixels, for three images side by side
MOST = 8  # images, all of whose maps are kept
# Each method, the controls that it uses, and its call with their values.
METHODS = {
    "gradient": ((), saliency.gradient),
    "SmoothGrad": (
        ("samples", "noise"),
        lambda *given, noise, **rest: saliency.smooth_gradient(*given, noise=noise / 100, **rest),
    ),
    "integrated gradients": (("steps",), saliency.integrated_gradients),
    "guided gradient": ((), saliency.guided_gradient),
    "occlusion": (
        ("window",),
        lambda *given, window: perturbation.occlusion(*given, window, window // 2, GREY),
    ),
    "LIME": ((), functools.partial(perturbation.lime, samples=150, baseline=None)),
}
KNOBS = {"samples": SAMPLES, "noise": NOISES, "steps": STEPS, "window": WINDOWS}
UNITS = {"samples": "{} samples", "noise": "noise {} %", "steps": "{} steps", "window": "window {}"}
QUICK = {  # a few milliseconds each: computed at every change
    "gradient": saliency.gradient,
    "guided gradient": saliency.guided_gradient,
    "Grad-CAM": lambda net, *asked: cam.grad_cam(net, *asked, layer=cam.default_layer(net)),
}


def pixel_maps(world, images=None, network=None):
    """Return an explorer of maps: image, method, class, the method's settings, signed or not.

    `images` are uint8 (N, H, W, 3), at most 8, by default the first 4 of the world's test images.
    The maps for the first two classes are computed now, which takes some seconds, so that controls
    react at once. Settings that the method does not use are disabled. Raises ValueError for more
    images.
    """
    network = world.network if network is None else network
    images = world.test.images[:4] if images is None else np.asarray(images)
    images = images[None] if images.ndim == 3 else images
    if len(images) > MOST:
        raise ValueError(f"{len(images)} images; give at most {MOST}, as all maps are kept")
    names, keep = world.class_names, functools.lru_cache(maxsize=2 * MOST)
    maps = keep(lambda image, target: all_maps(network, images[image], target))
    for asked in itertools.product(range(len(images)), range(min(2, len(names)))):
        maps(*asked)
    said = [in_words(names, chance) for chance in networks.predict(network, images, 16)]

    def draw(image, method, target, signed, **knobs):
        heard = {name: knobs[name] for name in METHODS[method][0]}
        heat = maps(image, names.index(target))[method, *heard.values()]
        shown = side_by_side(
            {"the picture": images[image], f"{method} for {target}": plotting.paint(heat, signed)}
        )
        how = "".join(f", {UNITS[name].format(value)}" for name, value in heard.items())
        return shown, f"{method}{how} for {target}; the network says {said[image]}"

    controls = {
        "image": slider("image", most=len(images) - 1),
        "method": dropdown("method", list(METHODS)),
        "target": dropdown("class", list(names)),
        "signed": widgets.Checkbox(value=True, description="signed"),
    }
    for name, values in KNOBS.items():
        label = "noise %" if name == "noise" else name
        controls[name] = widgets.SelectionSlider(options=values, value=values[1], description=label)

    def disable(_change=None):
        for name in KNOBS:
            controls[name].disabled = name not in METHODS[controls["method"].value][0]

    controls["method"].observe(disable, "value")
    disable()
    return Explorer("Saliency explorer", draw, controls)


def all_maps(network, image, target):
    """Return all maps of an image for all settings: `{(method, *settings): map}`."""
    found = {}
    for method, (heard, call) in METHODS.items():
        for values in itertools.product(*(KNOBS[name] for name in heard)):
            knobs = dict(zip(heard, values, strict=True))
            found[method, *values] = call(network, image, target, **knobs)
    return found


def part_surgery(nets, kind="cat", seeds=range(8)):
    """Return an explorer that draws an animal without the parts that you untick.

    `nets` are {name: network}, one map each, all trained on the drawn world's cats and dogs. The
    image is drawn again, the maps follow, and the label gives each network's prediction. Maps are
    for the animal's own kind, each scaled by itself.
    """
    seeds = list(seeds)

    @functools.lru_cache(maxsize=256)
    def operate(seed, kind, gone):
        picture, target, words = drawn.draw(kind, seed, gone).image, drawn.PETS.index(kind), []
        for name, network in nets.items():
            chance = networks.predict(network, picture)[0, target]
            score = gradients.scores(network, picture)[0, target]
            words.append(f"{name}: {kind} {chance:.0%}, score {score:+.1f}")
        return picture, target, "; ".join(words)

    def draw(seed, kind, method, **shown):
        gone = tuple(part for part in drawn.FACE if not shown[part])
        picture, target, said = operate(seeds[seed], kind, gone)
        maps = {
            f"{method}, {name}": plotting.paint(QUICK[method](network, picture, target))
            for name, network in nets.items()
        }
        how = f" without {', '.join(gone)}" if gone else ", whole"
        return side_by_side({"the picture": picture} | maps, PANEL), f"{kind}{how}. {said}"

    for method in QUICK.values():  # compiled now, so that no change waits for it
        for network in nets.values():
            method(network, operate(seeds[0], kind, ())[0], 0)
    controls = {
        "seed": slider("animal", most=len(seeds) - 1),
        "kind": widgets.Dropdown(options=list(drawn.PETS), value=kind, description="kind"),
        "method": dropdown("method", list(QUICK)),
    }
    for part in drawn.FACE:
        controls[part] = widgets.Checkbox(value=True, description=part)
    return Explorer("Part surgery", draw, controls)
