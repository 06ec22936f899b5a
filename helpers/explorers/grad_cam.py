"""Explorers of lesson 05: Grad-CAM of the world's images, and of your own."""

import functools
from collections.abc import Mapping

import ipywidgets as widgets
import numpy as np

from helpers import cam, networks, photos, plotting
from helpers.explorers.explorer import (
    AGAINST,
    Explorer,
    by_name,
    checked,
    class_list,
    class_names,
    dropdown,
    evidence,
    explained,
    explains_list,
    first_line,
    follow_class,
    in_order,
    in_words,
    layer_slider,
    side_by_side,
    slider,
    uploaded,
)

LAYERS, LAST = 14, 4  # layers that a slider has at most, and how many of them are the last ones
KEPT = 256  # maps of a network


def grad_cam(world, images=None, network=None):
    """Return an explorer of Grad-CAM with sliders for image, layer, class and overlay strength.

    A list chooses what is explained, the score of the class ("how much cat") or its margin over the
    other classes ("why cat and not dog"); the label gives its value. Both arguments are the world's
    by default, a network of 1,000 classes is taken to know ImageNet's. Of many classes, those that
    the network finds most probable come first; of many layers, about 14 are offered.

    images: uint8 (N, H, W, 3).
    network: a network, or {name: network} to choose from; then each gets the images in its size.

    Raises ValueError for images that do not fit, and for a network without a layer to look at.
    """
    network = world.network if network is None else network
    images = checked(world.test.images if images is None else images)
    fit = fitted if isinstance(network, Mapping) else lambda _, images: images
    views = {name: View(world, one, fit(one, images)) for name, one in by_name(network).items()}
    only, view = next(iter(views.items()))
    names = list(view.names)

    def draw(image, layer, target, explains, strength, network=only):
        shown, said = views[network].look(image, layer, target, explains, strength)
        return shown, f"{layer} for {target}; the network says {said}"

    controls = {
        "network": dropdown("network", list(views)),
        "image": slider("image", most=len(images) - 1),
        "layer": layer_slider(view.layers),
        "target": (target := class_list(names, view.network, view.images[0])),
        "explains": explains_list(names, target.value),
        "strength": slider("overlay %", most=100, value=80),
    }

    def refill(change):
        """Offer what the network has, and first the classes that it sees in the image."""
        now = views[controls["network"].value]
        with explorer.held():
            if change["owner"] is controls["network"]:
                names[:], controls["layer"].options = now.names, now.layers
                controls["layer"].value = now.layers[-1]
            offered = in_order(names, now.says(controls["image"].value))
            if tuple(offered) != controls["target"].options:
                controls["target"].options = offered

    for name in ("network", "image"):  # before the explorer draws
        controls[name].observe(refill, "value")
    shown = {
        name: control for name, control in controls.items() if len(views) > 1 or name != "network"
    }
    explorer = Explorer("Grad-CAM explorer", draw, shown)
    return follow_class(explorer, names)


class View:
    """A network and the images that it is asked about; what it says and sees is kept."""

    def __init__(self, world, network, images):
        self.network, self.images = network, images
        self.names = class_names(world.class_names, network, images)
        self.layers = some_layers(network)
        self.says = functools.lru_cache(KEPT)(lambda n: networks.predict(network, images[n])[0])
        self.heat = functools.lru_cache(KEPT)(self._heat)
        self.value = functools.lru_cache(KEPT)(
            lambda n, *asked: explained(self.names, network, images[n], *asked)
        )

    def _heat(self, image, target, explains, layer):
        asked = {"target": self.names.index(target), "against": AGAINST[explains], "layer": layer}
        return cam.grad_cam(self.network, self.images[image], **asked)

    def look(self, image, layer, target, explains, strength):
        """Return an image beside its Grad-CAM for a class, and what the network says, in words."""
        picture, heat = self.images[image], self.heat(image, target, explains, layer)
        laid = plotting.overlay(picture, plotting.rescale(heat), plotting.colors(), strength / 100)
        shown = {"the picture": picture, evidence(self.names, target, explains): laid}
        said = in_words(self.names, self.says(image))
        return side_by_side(shown), f"{said}; {self.value(image, target, explains)}"


def some_layers(network):
    """Return names of layers to look at: all, or of many the last ones and some before them."""
    layers = networks.layer_names(network) or [cam.default_layer(network)]
    if len(layers) <= LAYERS:
        return layers
    early = layers[:-LAST]
    return early[:: -(-len(early) // (LAYERS - LAST))] + layers[-LAST:]


def fitted(network, images):
    """Return images uint8 (N, H, W, 3) in the size that a network takes."""
    size = networks.input_shape(network)[:2]
    if None in size or size == images.shape[1:3]:
        return images
    return np.uint8(np.round(plotting.resize(images, *size, antialias=True)))


def own_photo(world, photo, network=None):
    """Return an explorer of Grad-CAM on one photo, which you can replace with an upload.

    `photo` is uint8 (H, W, 3). An upload is turned upright, cropped to its centre and resized to
    the same size (`photos.read`); where a file is no image, the last one stays and a line says why.
    The network is the world's by default; see `grad_cam` for many classes.
    """
    network = world.network if network is None else network
    return OwnPhoto(world, network, checked([photo])[0])


class OwnPhoto(Explorer):
    """An explorer of one photo that keeps the last good upload."""

    def __init__(self, world, network, photo):
        self._upload, self._problem = (None, View(world, network, photo[None])), ""
        self._made = functools.partial(View, world, network)
        names = self._upload[1].names

        def draw(upload, target, explains, strength):
            shown, said = self._upload[1].look(0, None, target, explains, strength)
            return shown, f"{target}? The network says {said}"

        upload = widgets.FileUpload(accept="image/*", multiple=False, description="your photo")
        upload.observe(self._read, "value")  # before the explorer draws
        controls = {
            "upload": upload,
            "target": (target := class_list(names, network, photo)),
            "explains": explains_list(names, target.value),
            "strength": slider("overlay %", most=100, value=80),
        }
        super().__init__("Your own photo", draw, controls)
        follow_class(self, names)

    def values(self):
        """Return the controls' values by name; for the upload, the bytes of the last good one."""
        return super().values() | {"upload": self._upload[0]}

    def _read(self, change):
        name, content = uploaded(change["new"])
        if content is None:
            return
        try:
            picture = photos.read(content, self._upload[1].images.shape[1:3])
        except ValueError as error:
            said = first_line(error).rstrip(". ")
            self._problem = f"{name} is not shown: {said}. The photo before it stays."
            return
        view = self._made(picture[None])
        self._upload, self._problem = (content, view), ""
        offered = in_order(view.names, view.says(0))
        if tuple(offered) != self.controls["target"].options:
            with self.held():
                self.controls["target"].options = offered

    def warn(self, text):
        """Show a line above the image, after what is wrong with the last upload."""
        super().warn(f"{self._problem} {text}".strip())
