"""Explorers of lesson 05: Grad-CAM of the world's pictures, and of your own."""

import ipywidgets as widgets
import numpy as np

from helpers import arrays, cam, networks, photos, plotting
from helpers.explorers.pattern import Explorer, dropdown, side_by_side, slider


def grad_cam(world, images=None, network=None):
    """Return an explorer of Grad-CAM with sliders for image, layer, class and overlay strength.

    images: uint8 (N, H, W, 3), by default the world's test images. network: by default the world's.
    """
    network = world.network if network is None else network
    images = world.test.images if images is None else np.asarray(images)
    images = images[None] if images.ndim == 3 else images
    layers = networks.layer_names(network)

    def draw(image, layer, target, strength):
        shown, said = look(network, world.class_names, images[image], target, layer, strength)
        return shown, f"{layer} for {target}; the network says {said}"

    return Explorer(
        "Grad-CAM explorer",
        draw,
        {
            "image": slider("image", len(images) - 1),
            "layer": widgets.SelectionSlider(
                options=layers, value=layers[-1], description="layer", readout=False
            ),
            "target": dropdown("class", list(world.class_names)),
            "strength": slider("overlay %", 100, 80),
        },
    )


def own_photo(world, photo, network=None):
    """Return an explorer of Grad-CAM on one picture, which an upload button exchanges for yours.

    photo: uint8 (H, W, 3) to begin with. An upload is turned upright, cropped to its middle and
    reduced to the network's size (`photos.read`); a file that is no picture is named in the label.
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

    upload = widgets.FileUpload(accept="image/*", multiple=False, description="your photo")
    controls = {
        "upload": upload,
        "target": dropdown("class", list(names)),
        "strength": slider("overlay %", 100, 80),
    }
    return Explorer("Your own photo", draw, controls)


def look(network, names, picture, target, layer, strength):
    """Return a picture beside its Grad-CAM for a class name, and in words what the network says."""
    heat = cam.grad_cam(network, picture, target=names.index(target), layer=layer)
    laid = arrays.overlay(picture, arrays.rescale(heat), plotting.colors(), strength / 100)
    chance = networks.predict(network, picture)[0]
    said = ", ".join(f"{name} {p:.0%}" for name, p in zip(names, chance, strict=True))
    return side_by_side(picture, laid), said
