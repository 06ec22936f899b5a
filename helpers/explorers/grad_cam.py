"""Explorers of lesson 05: Grad-CAM of the world's images, and of your own."""

import ipywidgets as widgets
import numpy as np

from helpers import cam, networks, photos, plotting
from helpers.explorers.explorer import (
    Explorer,
    dropdown,
    in_words,
    layer_slider,
    side_by_side,
    slider,
)


def grad_cam(world, images=None, network=None):
    """Return an explorer of Grad-CAM with sliders for image, layer, class and overlay strength.

    `images` are uint8 (N, H, W, 3); they and the network are the world's by default.
    """
    network = world.network if network is None else network
    images = world.test.images if images is None else np.asarray(images)
    images = images[None] if images.ndim == 3 else images
    layers = networks.layer_names(network)

    def draw(image, layer, target, strength):
        shown, said = look(network, world.class_names, images[image], target, layer, strength)
        return shown, f"{layer} for {target}; the network says {said}"

    controls = {
        "image": slider("image", most=len(images) - 1),
        "layer": layer_slider(layers),
        "target": dropdown("class", list(world.class_names)),
        "strength": slider("overlay %", most=100, value=80),
    }
    return Explorer("Grad-CAM explorer", draw, controls)


def own_photo(world, photo, network=None):
    """Return an explorer of Grad-CAM on one photo, which you can replace with an upload.

    `photo` is uint8 (H, W, 3). An upload is turned upright, cropped to its centre and resized to
    the same size (`photos.read`); the label says if a file is not an image.
    """
    network = world.network if network is None else network
    names, height, width = world.class_names, *photo.shape[:2]

    def draw(upload, target, strength):
        picture, problem = photo, ""
        if upload:
            try:
                picture = photos.read(upload, (height, width))
            except ValueError as error:
                problem = f"{error} Still showing the picture before. "
        shown, said = look(network, names, picture, target, None, strength)
        return shown, f"{problem}{target}? The network says {said}"

    controls = {
        "upload": widgets.FileUpload(accept="image/*", multiple=False, description="your photo"),
        "target": dropdown("class", list(names)),
        "strength": slider("overlay %", most=100, value=80),
    }
    return Explorer("Your own photo", draw, controls)


def look(network, names, picture, target, layer, strength):
    """Return an image beside its Grad-CAM for a class, and the network's prediction in words."""
    heat = cam.grad_cam(network, picture, target=names.index(target), layer=layer)
    laid = plotting.overlay(picture, plotting.rescale(heat), plotting.colors(), strength / 100)
    chance = networks.predict(network, picture)[0]
    shown = side_by_side({"the picture": picture, f"evidence for {target}": laid})
    return shown, in_words(names, chance)
