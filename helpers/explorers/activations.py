"""Explorer of lesson 03: one channel of a layer, as map, as mask, and by what activates it most."""

import functools
from collections.abc import Mapping

import ipywidgets as widgets
import numpy as np
from PIL import Image

from helpers import activations, dreaming, networks, plotting, transfer
from helpers.explorers.explorer import (
    Explorer,
    by_name,
    checked,
    dropdown,
    enlarge,
    layer_slider,
    side_by_side,
    slider,
)

VIEWS = ("plain", "mask", "strongest pictures", "synthesized")
SMALL = 128  # pixels a side: a network of such pictures has few shapes, so one is made of a kind
# Otherwise the whole picture is filled, with calmer waves.
ONE = dict(size=(64, 64), steps=64, every=64)
MANY = dict(size=(112, 112), steps=48, every=48, parameterization=dreaming.Spectrum(1.0))


def channels(world, network=None, layers=None, count=100, images=None):
    """Return an explorer of channels with controls for image, layer, channel and view.

    Arguments:
        network: by default the world's. Several as `{name: network}` get a drop-down list.
        layers: names of layers, by default all convolutions; of several networks `{name: names}`.
        count: number of images that decide a channel's strength and its strongest images.
        images: uint8 (N, H, W, 3), by default the world's test images.

    A synthesized image takes a second or two when it is first selected. Raises ValueError for
    images that do not fit, and for a network without convolutions where no layers are given.
    """
    network = world.network if network is None else network
    several, nets = isinstance(network, Mapping), by_name(network)
    first = next(iter(nets))
    given = (layers or {}) if several else {network.name: layers}
    names = {key: _layers(net, given.get(key)) for key, net in nets.items()}
    images = checked(world.test.images if images is None else images)
    some = images[:count]
    answers = {key: activations.strengths(net, some, names[key]) for key, net in nets.items()}

    def order(key, layer):  # the channels of a layer, strongest first
        return np.argsort(-answers[key][layer].mean(axis=0), kind="stable").tolist()

    @functools.lru_cache(maxsize=8)
    def maps(key, image):
        return networks.record(nets[key], images[image], names[key])

    @functools.lru_cache(maxsize=256)
    def synthesized(key, layer, channel):
        small = max(transfer.image_size(nets[key])) <= SMALL
        wanted, choices = (dreaming.neuron, ONE) if small else (dreaming.channel, MANY)
        (made,) = dreaming.ascend(nets[key], wanted(layer, channel), **choices)
        return made, choices["steps"]

    def draw(image, layer, channel, view, network=first):
        picture, answer = images[image], answers[network][layer][:, channel]
        if view in ("plain", "mask"):
            activation = maps(network, image)[layer][0][..., channel]
            said = f"strongest here {activation.max():.2f}, in any picture {answer.max():.2f}"
            full = max(float(answer.max()), 1e-6)
            light = np.clip(np.maximum(activation, 0) / full, 0, 1)
            shown = plotting.colors()[(light * 255).astype(int)]
            if view == "mask":
                shown = activations.mask_image(picture, activation, full=full)
        elif view == "strongest pictures":
            best = np.argsort(-answer, kind="stable")[:9]
            shown = plotting.tile(some[best], columns=3)
            said = "pictures " + ", ".join(str(number) for number in best)
        else:
            made, steps = synthesized(network, layer, channel)
            shown, said = np.round(made).astype(np.uint8), f"made from noise in {steps} steps"
        large = enlarge(picture)
        panels = {
            "the picture": large,
            f"channel {channel}: {view}": resized(shown, large.shape, smooth=view != "plain"),
        }
        owner = f"{network}, " if several else ""
        return side_by_side(panels), f"{owner}{layer}, channel {channel}, {view}: {said}"

    choose = {"network": dropdown("network", list(nets))} if several else {}
    choose |= {
        "image": slider("image", most=len(images) - 1),
        "layer": layer_slider(names[first]),
        "channel": widgets.SelectionSlider(
            options=order(first, names[first][-1]), description="channel"
        ),
        "view": dropdown("view", VIEWS),
    }

    def follow_layer(change):
        choose["channel"].options = order(key(), change["new"])

    def follow_network(change):
        with explorer.held():
            choose["layer"].options = names[change["new"]]
            choose["layer"].value = names[change["new"]][-1]
            choose["channel"].options = order(change["new"], choose["layer"].value)

    def key():
        return choose["network"].value if several else first

    choose["layer"].observe(follow_layer, "value")  # first, so the explorer sees the new options
    if several:
        choose["network"].observe(follow_network, "value")
    explorer = Explorer("Channel explorer", draw, choose)  # follow_network needs its name
    return explorer


def _layers(network, given):
    """Return names of layers, by default of all convolutions; ValueError where there is none."""
    layers = networks.layer_names(network) if given is None else list(given)
    if not layers:
        raise ValueError(f"there is no layer to look at: {network.name!r} has no convolution")
    return layers


def resized(picture, shape, smooth=True):
    """Return an image in the height and width of `shape`, smooth or cell by cell."""
    way = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(picture).resize(shape[1::-1], way))
