"""Explorers of lesson 05: Grad-CAM of the world's images, and of your own."""

import ipywidgets as widgets

from helpers import cam, networks, photos, plotting
from helpers.explorers.explorer import (
    AGAINST,
    Explorer,
    checked,
    class_list,
    class_names,
    evidence,
    explained,
    explains_list,
    first_line,
    follow_class,
    in_words,
    layer_slider,
    side_by_side,
    slider,
    uploaded,
)


def grad_cam(world, images=None, network=None):
    """Return an explorer of Grad-CAM with sliders for image, layer, class and overlay strength.

    A list chooses what is explained, the score of the class ("how much cat") or its margin over the
    other classes ("why cat and not dog"); the label gives its value. `images` are uint8
    (N, H, W, 3); they and the network are the world's by default. Raises ValueError for images that
    do not fit, and for a network without a layer to look at.
    """
    network = world.network if network is None else network
    images = checked(world.test.images if images is None else images)
    names = class_names(world.class_names, network, images)
    layers = networks.layer_names(network) or [cam.default_layer(network)]

    def draw(image, layer, target, explains, strength):
        asked = target, explains, layer, strength
        shown, said = look(network, names, images[image], *asked)
        return shown, f"{layer} for {target}; the network says {said}"

    controls = {
        "image": slider("image", most=len(images) - 1),
        "layer": layer_slider(layers),
        "target": (target := class_list(names, network, images[0])),
        "explains": explains_list(names, target.value),
        "strength": slider("overlay %", most=100, value=80),
    }
    return follow_class(Explorer("Grad-CAM explorer", draw, controls), names)


def own_photo(world, photo, network=None):
    """Return an explorer of Grad-CAM on one photo, which you can replace with an upload.

    `photo` is uint8 (H, W, 3). An upload is turned upright, cropped to its centre and resized to
    the same size (`photos.read`); where a file is no image, the last one stays and a line says why.
    """
    network = world.network if network is None else network
    return OwnPhoto(network, world.class_names, checked([photo])[0])


class OwnPhoto(Explorer):
    """An explorer of one photo that keeps the last good upload."""

    def __init__(self, network, names, photo):
        self._photo, self._upload, self._problem = photo, (None, photo), ""
        names = class_names(names, network, photo[None])

        def draw(upload, target, explains, strength):
            shown, said = look(network, names, self._upload[1], target, explains, None, strength)
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
            picture = photos.read(content, self._photo.shape[:2])
        except ValueError as error:
            said = first_line(error).rstrip(". ")
            self._problem = f"{name} is not shown: {said}. The photo before it stays."
        else:
            self._upload, self._problem = (content, picture), ""

    def warn(self, text):
        """Show a line above the image, after what is wrong with the last upload."""
        super().warn(f"{self._problem} {text}".strip())


def look(network, names, picture, target, explains, layer, strength):
    """Return an image beside its Grad-CAM for a class, and what the network says, in words."""
    asked = {"target": names.index(target), "against": AGAINST[explains], "layer": layer}
    heat = cam.grad_cam(network, picture, **asked)
    laid = plotting.overlay(picture, plotting.rescale(heat), plotting.colors(), strength / 100)
    said = in_words(names, networks.predict(network, picture)[0])
    shown = side_by_side({"the picture": picture, evidence(names, target, explains): laid})
    return shown, f"{said}; {explained(names, network, picture, target, explains)}"
