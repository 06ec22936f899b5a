"""Explorer of lesson 04: saliency maps with the settings of each method."""

import functools
import itertools
import warnings

import ipywidgets as widgets

from helpers import networks, perturbation, plotting, saliency
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
    first_line,
    follow_class,
    in_words,
    side_by_side,
    slider,
)

SAMPLES, NOISES, STEPS, WINDOWS = (1, 4, 16), (5, 15, 30), (1, 4, 16), (24, 32, 48)
SIDE = 128  # pixels of a picture that these windows are for; those of others are scaled
GREY = 127.0  # the baseline of occlusion
MOST = 8  # images, all of whose maps are kept
KEPT = 1024  # maps
# Each method, the controls that it uses, and its call with their values.
METHODS = {
    "gradient": ((), saliency.gradient),
    "SmoothGrad": (
        ("samples", "noise"),
        lambda *given, noise, **rest: saliency.smooth_gradient(*given, noise=noise / 100, **rest),
    ),
    "integrated gradients": (
        ("steps",),
        functools.partial(saliency.integrated_gradients, tolerance=None),
    ),
    "guided gradient": ((), saliency.guided_gradient),
    "occlusion": (
        ("window",),
        lambda *given, window, **rest: perturbation.occlusion(
            *given, window, window // 2, GREY, **rest
        ),
    ),
    "LIME": ((), functools.partial(perturbation.lime, samples=150, baseline=None)),
}
KNOBS = {"samples": SAMPLES, "noise": NOISES, "steps": STEPS, "window": WINDOWS}
UNITS = {"samples": "{} samples", "noise": "noise {} %", "steps": "{} steps", "window": "window {}"}


def pixel_maps(world, images=None, network=None):
    """Return an explorer of maps: image, method, class, the method's settings, signed or not.

    `images` are uint8 (N, H, W, 3), at most 8, by default the first 4 of the world's test images.
    The maps for the class that is shown first are computed now, which takes some seconds, so that
    controls react at once; those for others when they are first asked for. Settings that the method
    does not use are disabled; a method that the network does not allow is missing, and a line says
    why. Raises ValueError for more images.
    """
    network = world.network if network is None else network
    images = checked(world.test.images[:4] if images is None else images)
    if len(images) > MOST:
        raise ValueError(f"{len(images)} images; give at most {MOST}, as all maps are kept")
    names = class_names(world.class_names, network, images)
    find = functools.lru_cache(KEPT)(functools.partial(one_map, network, images))
    share = min(images.shape[1:3]) / SIDE
    offered = KNOBS | {"window": tuple(max(2, round(share * window)) for window in WINDOWS)}
    settings = {
        name: list(itertools.product(*map(offered.get, METHODS[name][0]))) for name in METHODS
    }
    target = class_list(names, network, images[0])
    first = names.index(target.value)
    methods = without_refused(
        {name: find(0, first, "score", name, *settings[name][0]) for name in METHODS}
    )
    for image, name in itertools.product(range(len(images)), methods):
        for values in settings[name]:
            find(image, first, "score", name, *values)
    said = [in_words(names, chance) for chance in networks.predict(network, images, 16)]

    def draw(image, method, target, explains, signed, **knobs):
        heard = {name: knobs[name] for name in METHODS[method][0]}
        heat = find(image, names.index(target), explains, method, *heard.values())
        if isinstance(heat, ValueError):
            raise heat
        title = evidence(names, target, explains).replace("evidence", method)
        shown = side_by_side({"the picture": images[image], title: plotting.paint(heat, signed)})
        how = "".join(f", {UNITS[name].format(value)}" for name, value in heard.items())
        value = explained(names, network, images[image], target, explains)
        return shown, f"{method}{how} for {target}; the network says {said[image]}; {value}"

    controls = {
        "image": slider("image", most=len(images) - 1),
        "method": dropdown("method", methods),
        "target": target,
        "explains": explains_list(names, target.value),
        "signed": widgets.Checkbox(value=True, description="signed"),
    }
    for name, values in offered.items():
        label = "noise %" if name == "noise" else name
        controls[name] = widgets.SelectionSlider(options=values, value=values[1], description=label)

    def disable(_change=None):
        for name in KNOBS:
            controls[name].disabled = name not in METHODS[controls["method"].value][0]

    controls["method"].observe(disable, "value")
    disable()
    return follow_class(Explorer("Saliency explorer", draw, controls), names)


def one_map(network, images, image, target, explains, method, *values):
    """Return the map of an image by a method, for these values of its settings, or a ValueError."""
    heard, call = METHODS[method]
    knobs = dict(zip(heard, values, strict=True))
    try:
        return call(network, images[image], target, against=AGAINST[explains], **knobs)
    except ValueError as error:
        return error


def without_refused(found):
    """Return the methods of {method: map or ValueError} that gave a map; warn about the others."""
    refused = {method: map for method, map in found.items() if isinstance(map, ValueError)}
    if len(refused) == len(found):
        raise next(iter(refused.values()))
    for method, error in refused.items():
        warnings.warn(f"The {method} is left out: {first_line(error)}", stacklevel=3)
    return [method for method in found if method not in refused]
