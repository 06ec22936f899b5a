"""Relevance: who gets the credit for a score, in shares that add up to it.

Shapley values share it fairly among parts of a drawn animal, or superpixels of any image.
Layer-wise relevance propagation (LRP) hands it back through the network, layer by layer.
"""

from helpers.relevance.propagation import lrp, lrp_by_layer
from helpers.relevance.shapley import (
    Share,
    coalition_scores,
    kernel_shap,
    kernel_shapley_values,
    sampled_shapley_values,
    shapley_parts,
    shapley_values,
)

__all__ = [
    "Share",
    "coalition_scores",
    "kernel_shap",
    "kernel_shapley_values",
    "lrp",
    "lrp_by_layer",
    "sampled_shapley_values",
    "shapley_parts",
    "shapley_values",
]
