"""Regularization, for lessons 01 and 10: small problems, digits, pets, and what holds back."""

from helpers.regularization.digits import (
    TESTED,
    Examples,
    convolutional,
    dense,
    learn,
    linear,
    load_digits,
    load_pets,
    pet_network,
    random_layer,
    recurrent,
)
from helpers.regularization.problems import (
    FIRST,
    LANDING,
    LAST,
    PAIRS,
    Cats,
    cats,
    distance,
    errors,
    height,
    penalized_minimum,
    polynomial,
    powers,
    ridge,
    soft_threshold,
    throws,
    valley,
)
from helpers.regularization.regularizers import changes, keep, mix, move, smoothed
from helpers.regularization.runs import (
    PROBLEMS,
    SEEDS,
    best,
    chosen,
    examples,
    experiment,
    gains,
    recorded,
)

__all__ = [
    "FIRST", "LANDING", "LAST", "PAIRS", "PROBLEMS", "SEEDS", "TESTED", "Cats", "Examples", "best",
    "cats", "changes", "chosen", "convolutional", "dense", "distance", "errors", "examples",
    "experiment", "gains", "height", "keep", "learn", "linear", "load_digits", "load_pets", "mix",
    "move", "penalized_minimum", "pet_network", "polynomial", "powers", "random_layer", "recorded",
    "recurrent", "ridge", "smoothed", "soft_threshold", "throws", "valley",
]  # fmt: skip
