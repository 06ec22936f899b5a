"""Explorer of lesson 03: one channel of a layer, as map, as mask, and by what activates it most."""

import functools

import ipywidgets as widgets
import numpy as np
from PIL import Image

from helpers import activations, dreaming, networks, plotting
from helpers.explorers.explorer import (
    Explorer,
    checked,
    dropdown,
    enlarge,
    layer_slider,
    side_by_side,
    slider,
)

VIEWS = ("plain", "mask", "strongest pictures", "synthesized")
SYNTHESIS = dict(size=(64, 64), steps=64)


def channels(world, network=None, layers=None, count=100):
    """Return an explorer of channels with controls for image, layer, channel and view.

    Arguments:
        network, layers: by default the world's, and the names of all its convolutions.
        count: number of test images that decide a channel's strength and its strongest images.

    A synthesized image takes a second or two when it is first selected. Raises ValueError for
    images that do not fit, and for a network without convolutions where no layers are given.
    """
    network = world.network if network is None else network
    layers = networks.layer_names(network) if layers is None else list(layers)
    if not layers:
        raise ValueError(f"there is no layer to look at: {network.name!r} has no convolution")
    images = checked(world.test.images)
    answers = {name: activations.strengths(network, images[:count], name) for name in layers}
    order = {name: np.argsort(-answers[name].mean(axis=0), kind="stable") for name in layers}

    @functools.lru_cache(maxsize=8)
    def maps(image):
        return networks.record(network, images[image], layers)

    @functools.lru_cache(maxsize=256)
    def synthesized(layer, channel):
        wanted = dreaming.neuron(layer, channel)
        (made,) = dreaming.ascend(network, wanted, **SYNTHESIS, every=SYNTHESIS["steps"])
        return made

    def draw(image, layer, channel, view):
        picture, answer = images[image], answers[layer][:, channel]
        activation = maps(image)[layer][0][..., channel]
        said = f"strongest here {activation.max():.2f}, in any picture {answer.max():.2f}"
        full = max(float(answer.max()), 1e-6)
        if view == "plain":
            light = np.clip(np.maximum(activation, 0) / full, 0, 1)
            shown = plotting.colors()[(light * 255).astype(int)]
        elif view == "mask":
            shown = activations.mask_image(picture, activation, full=full)
        elif view == "strongest pictures":
            best = np.argsort(-answer, kind="stable")[:9]
            shown = plotting.tile(images[best], columns=3)
            said = "pictures " + ", ".join(str(number) for number in best)
        else:
            shown = np.round(synthesized(layer, channel)).astype(np.uint8)
            said = f"made from noise in {SYNTHESIS['steps']} steps"
        large = enlarge(picture)
        panels = {
            "the picture": large,
            f"channel {channel}: {view}": resized(shown, large.shape, smooth=view != "plain"),
        }
        return side_by_side(panels), f"{layer}, channel {channel}, {view}: {said}"

    choose = {
        "image": slider("image", most=len(images) - 1),
        "layer": layer_slider(layers),
        "channel": widgets.SelectionSlider(
            options=order[layers[-1]].tolist(), description="channel"
        ),
        "view": dropdown("view", VIEWS),
    }

    def follow(change):  # this layer's channels, strongest first
        choose["channel"].options = order[change["new"]].tolist()

    choose["layer"].observe(follow, "value")  # first, so that the explorer sees the new options
    return Explorer("Channel explorer", draw, choose)


def resized(picture, shape, smooth=True):
    """Return an image in the height and width of `shape`, smooth or cell by cell."""
    way = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(picture).resize(shape[1::-1], way))
