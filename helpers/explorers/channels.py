"""Explorer of lesson 03: one channel of a layer, as map, as mask, and in what excites it most."""

import functools

import ipywidgets as widgets
import numpy as np
from PIL import Image

from helpers import activations, arrays, dreaming, networks, plotting
from helpers.explorers.pattern import Explorer, dropdown, enlarge, slider

VIEWS = ("plain", "mask", "strongest pictures", "synthesized")
SYNTHESIS = dict(size=(64, 64), steps=64)


def channels(world, network=None, layers=None, count=100):
    """Return an explorer of channels with controls for image, layer, channel and view.

    network: by default the world's. layers: names, by default all convolutions. The channels of a
    layer are in order of strength over the first `count` test images, and from these images the
    strongest are taken. A synthesized picture takes a second or two when it is first asked for.
    """
    network = world.network if network is None else network
    layers = networks.layer_names(network) if layers is None else list(layers)
    images = world.test.images
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
            shown = arrays.tile(images[best], columns=3)
            said = "pictures " + ", ".join(str(number) for number in best)
        else:
            shown = np.round(synthesized(layer, channel)).astype(np.uint8)
            said = f"made from noise in {SYNTHESIS['steps']} steps"
        shown = beside(enlarge(picture), shown, smooth=view != "plain")
        return shown, f"{layer}, channel {channel}, {view}: {said}"

    choose = {
        "image": slider("image", len(images) - 1),
        "layer": widgets.SelectionSlider(
            options=layers, value=layers[-1], description="layer", readout=False
        ),
        "channel": widgets.SelectionSlider(
            options=order[layers[-1]].tolist(), description="channel"
        ),
        "view": dropdown("view", VIEWS),
    }

    def follow(change):  # the channels that this layer has, from the strongest on
        choose["channel"].options = order[change["new"]].tolist()

    choose["layer"].observe(follow, "value")  # before the explorer does, so that it sees the new
    return Explorer("Channel explorer", draw, choose)


def beside(left, right, smooth=True):
    """Return two pictures as one, the right in the size of the left, smooth or cell by cell."""
    way = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    right = np.asarray(Image.fromarray(right).resize(left.shape[1::-1], way))
    return np.concatenate([left, np.full_like(left[:, :8], 255), right], axis=1)
