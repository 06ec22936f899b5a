"""Metrics: how good is a saliency map, measured against the truth and against the network?

The drawn world knows the true parts of each image: how much of a map lies on them (`part_scores`),
and where does it point (`pointing_game`)? Does a map add up (`completeness_gap`)? What does the
network say without the pixels that a map calls important (`deletion_curve`, `road_curve`), or with
only them (`insertion_curve`)? Does the map change when the network's weights are shuffled
(`randomization_check`), or when another class is explained (`random_logit_check`)?
`compare_methods` puts several methods side by side. How far are the parts' shares of a map from
their exact Shapley values (`misfit`)?

A map is (N, H, W), or (N, H, W, C) where a method gives a value for each colour. Parts are int
(N, H, W), the index of each pixel's part in `part_names`. A single map and its parts, (H, W), give
single numbers.
"""

from helpers.metrics.comparison import METHODS, METRICS, Estimate, compare_methods, edges, even
from helpers.metrics.credit import measured_misfits, misfit
from helpers.metrics.curves import (
    area,
    completeness_gap,
    deletion_curve,
    impute,
    insertion_curve,
    road_curve,
)
from helpers.metrics.parts import EFFECTS, FEATURES, part_scores, pointing_game
from helpers.metrics.sanity import (
    RandomizationCheck,
    random_logit_check,
    randomization_check,
    rank_correlation,
    similarity,
)

__all__ = [
    "EFFECTS",
    "FEATURES",
    "METHODS",
    "METRICS",
    "Estimate",
    "RandomizationCheck",
    "area",
    "compare_methods",
    "completeness_gap",
    "deletion_curve",
    "edges",
    "even",
    "impute",
    "insertion_curve",
    "measured_misfits",
    "misfit",
    "part_scores",
    "pointing_game",
    "random_logit_check",
    "randomization_check",
    "rank_correlation",
    "road_curve",
    "similarity",
]
