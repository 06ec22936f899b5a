"""Explorer of lesson 09: a photo painted in another style, in the background."""

import ipywidgets as widgets

from helpers import dreaming
from helpers.explorers.background import Background, Words, upload_button
from helpers.explorers.explorer import by_name, checked, dropdown

STEPS, EVERY = 80, 8  # of an ascent, and between frames
WEIGHTS = (1, 3, 10, 30, 100)
OWN = "your style"


def style_transfer(network, photo, styles, frames_in="painting.gif"):
    """Return an explorer that paints a photo in one of some styles, at the push of a button.

    Arguments:
        network: a network, or {name: network} to choose from.
        photo: uint8 (H, W, 3); an upload replaces it, cropped to the same size.
        styles: {name: uint8 (H, W, 3)}, of any sizes; an upload adds "your style".
        frames_in: where films are saved, or beside it under a number.

    Raises ValueError for a network without convolutions, and without any style or network.
    """
    return Painter(network, photo, styles, frames_in)


class Painter(Background):
    """An explorer of style transfer; `start`, `stop`, `wait` and `save_film` press its buttons."""

    words = Words("paint", "painting", "painted", "picture")

    def __init__(self, network, photo, styles, frames_in="painting.gif"):
        if not styles:
            raise ValueError("give one style or more, as {name: image}")
        self._networks = by_name(network)
        self._layers = {name: dreaming.default_layers(n) for name, n in self._networks.items()}
        self._styles = {name: checked([style])[0] for name, style in styles.items()}
        controls = {
            "network": dropdown("network", list(self._networks)),
            "upload": upload_button(),
            "upload_style": upload_button(OWN),
            "style": dropdown("style", [*self._styles, OWN]),
            "weight": widgets.SelectionSlider(
                options=WEIGHTS, value=30, description="style weight"
            ),
            "colours": widgets.Checkbox(value=False, description="keep the photo's colours"),
        }
        if len(self._networks) == 1:
            del controls["network"]
        super().__init__("Style explorer", photo, controls, frames_in)
        self.controls["upload_style"].observe(self._take_own, "value")

    def _take_own(self, change):
        """Choose "your style" as soon as there is one."""
        if self._settings()["upload_style"] is not None and change["new"]:
            self.set(style=OWN)

    def frames(self, photo, settings):
        """Yield the frames of a picture while it is painted."""
        name = settings.get("network", next(iter(self._networks)))
        network, (layer, layers) = self._networks[name], self._layers[name]
        if settings["style"] != OWN:
            style = self._styles[settings["style"]]
        elif settings["upload_style"] is not None:
            style = self.read(settings["upload_style"])
        else:
            raise ValueError(f"there is no picture to paint like: upload one with {OWN!r}")
        objective = dreaming.content_of(network, photo, layer)
        objective += settings["weight"] * dreaming.style_of(network, style, layers)
        how = dict(dreaming.WAVES, steps=STEPS, rate=0.05, every=EVERY)
        for picture in dreaming.ascend(network, objective, photo, **how):
            yield dreaming.with_colours_of(photo, picture) if settings["colours"] else picture

    def count(self, settings):
        """Return how many frames a picture has."""
        return -(-STEPS // EVERY)

    def asked(self, settings):
        """Return in words what is to be painted."""
        own = ", in the photo's colours" if settings["colours"] else ""
        by = f"{settings['network']}: " if "network" in settings else ""
        return f"{by}{settings['style']}, style weight {settings['weight']}{own}"
