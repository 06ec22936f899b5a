"""Sliders for looking around, one module for each lesson; `pattern` is what they share."""

from helpers.explorers.cam import grad_cam, own_photo
from helpers.explorers.channels import channels
from helpers.explorers.dream import deep_dream
from helpers.explorers.pattern import Explorer, png
from helpers.explorers.regularization import penalties, polynomial
from helpers.explorers.saliency import part_surgery, pixel_maps
from helpers.explorers.transfer import freezing
from helpers.explorers.tsne import tsne_maps

__all__ = [
    "Explorer",
    "channels",
    "deep_dream",
    "freezing",
    "grad_cam",
    "own_photo",
    "part_surgery",
    "penalties",
    "pixel_maps",
    "png",
    "polynomial",
    "tsne_maps",
]
