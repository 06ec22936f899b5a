"""Explorer of lesson 06: a deep dream that runs in the background and can be stopped."""

import keras

from helpers import dreaming, networks
from helpers.explorers.background import Background, Words, upload_button
from helpers.explorers.explorer import by_name, dropdown, layer_slider, slider

EVERY = 4  # steps between frames
STRENGTH = 0.01 * 255  # of a step, for a slider at 1


def deep_dream(network, photo, layer=None, frames_in="dream.gif"):
    """Return an explorer that dreams on a photo with a network, at the push of a button.

    `network` may also be several, {name: network}: a list of their names is then the first control.
    `photo` is uint8 (H, W, 3); an upload replaces it, cropped to the same size. `layer` is the
    first to dream with, by default two thirds of the way up. Films are saved as `frames_in`, or
    beside it under a number where there is one already. Raises ValueError for a network without
    convolutions, and without any network.
    """
    return Dreamer(network, photo, layer, frames_in)


class Dreamer(Background):
    """An explorer of deep dreams; `dream`, `stop`, `wait` and `save_film` press its buttons."""

    words = Words("dream", "dreaming", "dreamt", "dream")

    def __init__(self, network, photo, layer=None, frames_in="dream.gif"):
        self._networks = by_name(network)
        self._layers = {name: _layers(net) for name, net in self._networks.items()}
        layers = next(iter(self._layers.values()))
        controls = {
            "network": dropdown("network", list(self._networks)),
            "upload": upload_button(),
            "layer": layer_slider(layers, layer or _upper(layers)),
            "channel": slider("channel", least=-1, most=255, value=-1),
            "octaves": slider("octaves", least=1, most=6, value=4),
            "steps": slider("steps", least=4, most=60, value=20, step=4),
            "strength": slider("strength", least=1, most=12, value=5),
        }
        if len(self._networks) == 1:
            del controls["network"]
        else:  # before its neighbours follow the network, the explorer must not draw
            controls["network"].observe(self._follow_network, "value")
        super().__init__("Deep dream explorer", photo, controls, frames_in)

    def dream(self):
        """Start to dream with the current controls, and return at once."""
        self.start()

    def frames(self, photo, settings):
        """Return an iterator over the frames of a dream."""
        layer, channel = settings["layer"], settings["channel"]
        objective = dreaming.energy(layer) if channel < 0 else dreaming.channel(layer, channel)
        network = self._networks[settings.get("network", next(iter(self._networks)))]
        return dreaming.ascend_octaves(
            network, photo, objective, octaves=settings["octaves"], steps=settings["steps"],
            rate=settings["strength"] * STRENGTH, every=EVERY, transform=dreaming.shaken,
            parameterization=dreaming.Spectrum(1.0), rule=dreaming.adam,
        )  # fmt: skip

    def count(self, settings):
        """Return how many frames a dream has."""
        return settings["octaves"] * -(-settings["steps"] // EVERY)

    def asked(self, settings):
        """Return in words what is to be dreamt."""
        channel, network = settings["channel"], settings.get("network")
        part = f"{settings['layer']}, {'all channels' if channel < 0 else f'channel {channel}'}"
        return f"{network}, {part}" if network else part

    def _follow_network(self, change):
        """Let the slider for the layer offer those of the network that has been chosen."""
        layers, control = self._layers[change["new"]], self.controls["layer"]
        kept = control.value if control.value in layers else _upper(layers)
        with self._lock, self.held():
            control.options = layers
            control.value = kept


def _layers(network):
    """Return the layers to dream with: convolutions, and the sums at the ends of blocks."""
    if not (layers := networks.layer_names(network)):
        raise ValueError(f"The network {network.name!r} has no convolution to dream with.")
    every = networks.layer_names(network, "all")
    add = keras.layers.Add
    return [n for n in every if n in layers or isinstance(networks.find_layer(network, n), add)]


def _upper(layers):
    """Return the layer two thirds of the way up."""
    return layers[round(0.67 * (len(layers) - 1))]
