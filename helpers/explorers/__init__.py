"""Interactive explorers with sliders, one module for each lesson, by its name.

`explorer.py` is what they share, `background.py` what slow ones share. Where a function has its
module's name, as in `explorers.grad_cam`, the name is the function's.
"""

from helpers.explorers.activations import channels
from helpers.explorers.deep_dream import deep_dream
from helpers.explorers.explorer import Explorer, png
from helpers.explorers.grad_cam import grad_cam, own_photo
from helpers.explorers.more_regularizers import regularizers
from helpers.explorers.other_libraries import other_libraries
from helpers.explorers.regularization import penalties, polynomial
from helpers.explorers.relevance import relevance_by_layer
from helpers.explorers.saliency import pixel_maps
from helpers.explorers.style_transfer import style_transfer
from helpers.explorers.transfer_learning import freezing
from helpers.explorers.tsne import toy_clouds, tsne_maps

__all__ = [
    "Explorer", "channels", "deep_dream", "freezing", "grad_cam", "other_libraries",
    "own_photo", "penalties", "pixel_maps", "png", "polynomial", "regularizers",
    "relevance_by_layer", "style_transfer", "toy_clouds", "tsne_maps",
]  # fmt: skip
