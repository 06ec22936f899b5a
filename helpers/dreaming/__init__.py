"""Feature visualization: an objective, a parameterization, transforms, and gradient ascent."""

from helpers.dreaming.ascent import ascend, ascend_octaves, deep_dream, maximize
from helpers.dreaming.evaluation import value
from helpers.dreaming.film import play, save_gif
from helpers.dreaming.objectives import (
    PICTURE,
    SCORES,
    Objective,
    blur,
    channel,
    energy,
    l1,
    l2,
    margin,
    measured,
    neuron,
    target_class,
    total_variation,
)
from helpers.dreaming.optimizers import Adam, Normalized, adam
from helpers.dreaming.parameterizations import Pixels, Spectrum, pixels, spectrum
from helpers.dreaming.patterns import PATTERNS, pattern
from helpers.dreaming.style import (
    WAVES,
    content_of,
    default_layers,
    gram,
    style_of,
    style_transfer,
    with_colours_of,
)
from helpers.dreaming.transforms import Roll, compose, jitter, lucid, pad, rotate, scale, shaken

__all__ = [
    "PATTERNS", "PICTURE", "SCORES", "WAVES", "Adam", "Normalized", "Objective", "Pixels", "Roll",
    "Spectrum", "adam", "ascend", "ascend_octaves", "blur", "channel", "compose", "content_of",
    "deep_dream", "default_layers", "energy", "gram", "jitter", "l1", "l2", "lucid", "margin",
    "maximize", "measured", "neuron", "pad", "pattern", "pixels", "play", "rotate", "save_gif",
    "scale", "shaken", "spectrum", "style_of", "style_transfer", "target_class", "total_variation",
    "value", "with_colours_of",
]  # fmt: skip
