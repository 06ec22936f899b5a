"""Methods side by side, on drawings whose truth is known."""

import functools
from typing import NamedTuple

import numpy as np
from skimage.filters import sobel

from helpers import cam, gradients, perturbation, saliency
from helpers.core.progress import progress
from helpers.drawn import PART_NAMES
from helpers.metrics.curves import area, deletion_curve, insertion_curve, road_curve
from helpers.metrics.parts import EFFECTS, FEATURES, part_scores, pointing_game
from helpers.metrics.sanity import asked, rank_correlation
from helpers.networks import check_images

GREY = 127.0  # a baseline that is neither black nor white
CURVES = {
    "deletion": deletion_curve,
    "insertion": insertion_curve,
    "ROAD": functools.partial(road_curve, steps=4),  # 20, 40, 60 and 80 % of the pixels
}
METRICS = (
    "on animal", "on face", "hits animal", "hits head", "effects", "sizes", *CURVES
)  # fmt: skip


class Estimate(NamedTuple):
    """A mean over images and its standard error, both NaN where no image gives a value."""

    mean: float
    error: float


def even(_network, images, _target=None, *, against=None):
    """Return a map that is the same everywhere: the chance level."""
    return np.ones(np.shape(images)[:-1], np.float32)


def edges(_network, images, _target=None, *, against=None):
    """Return how quickly brightness changes at each pixel (Sobel), without asking the network."""
    grey = np.asarray(images, np.float32).mean(axis=-1)
    return np.stack([sobel(g) for g in grey]) if grey.ndim == 3 else sobel(grey)


METHODS = {
    "even": even,
    "edges": edges,
    "gradient": saliency.gradient,
    "guided gradient": saliency.guided_gradient,
    "SmoothGrad": saliency.smooth_gradient,
    "integrated gradients": saliency.integrated_gradients,
    "integrated gradients, grey": functools.partial(saliency.integrated_gradients, baseline=GREY),
    "Grad-CAM": cam.grad_cam,
    "Guided Grad-CAM": cam.guided_grad_cam,
    "occlusion": perturbation.occlusion,
    "occlusion, grey": functools.partial(perturbation.occlusion, baseline=GREY),
    "LIME": perturbation.lime,
    "LIME, mean colours": functools.partial(perturbation.lime, baseline=None),
}


def compare_methods(network, drawings, target=None, methods=None, metrics=METRICS, *, against=None):
    """Return how well methods do on drawings: `{method: {metric: Estimate(mean, error)}}`.

    Arguments:
        drawings: a list of `drawn.Drawing`.
        target: None (the predicted class), an int, or one int per drawing.
        methods: `{name: function(network, images, target)}`, by default `METHODS`.
        metrics: which of the metrics below; the curves take most of the time.
        against: what is explained and judged, the score or the margin (see `gradients.quantity`);
            the methods are called with it unless it is None.

    The metrics, where higher is better unless said otherwise:

    - "on animal", "on face": the share of the map's mass there (`part_scores`);
    - "hits animal", "hits head": whether the highest pixel lies there (`pointing_game`);
    - "effects": Spearman's correlation, over an animal's parts, of the map's *signed* sum on a part
      with the true signed effect of that part (`perturbation.part_effects`). NaN for maps that
      give all parts the same;
    - "sizes": the same for the map's share of absolute mass and the size of the true effect;
    - "deletion", "insertion", "ROAD": the `area` under the curve, the target's probability, or with
      `against` the quantity. For deletion and ROAD, lower is better.

    Raises ValueError for an unknown metric.
    """
    for metric in metrics:
        if metric not in METRICS:
            raise ValueError(f"unknown metric {metric!r}; choose from {', '.join(METRICS)}")
    images = np.stack([drawing.image for drawing in drawings])
    parts = np.stack([drawing.parts for drawing in drawings])
    batch, _ = check_images(network, images)
    target, how = gradients.chosen_targets(network, batch, target, against)[:, 0], asked(against)
    truth = None
    if {"effects", "sizes"} & set(metrics):
        effects = perturbation.part_effects(network, drawings, target, against=against)
        truth = np.stack([effects[part] for part in EFFECTS], axis=1)
    curve = network, images, target, against
    found = {}
    for name, method in progress(
        (METHODS if methods is None else methods).items(), label="methods"
    ):
        maps = method(network, images, target, **how)
        found[name] = {
            metric: estimate(_judge(metric, maps, parts, truth, *curve)) for metric in metrics
        }
    return found


def _judge(metric, maps, parts, truth, network, images, target, against):
    """Return what a metric says of each map: (N,)."""
    if metric in CURVES:
        return area(CURVES[metric](network, images, maps, target, against=against))
    if metric == "hits animal":
        return pointing_game(maps, parts > 0)
    if metric == "hits head":
        return pointing_game(maps, parts >= PART_NAMES.index("head"))
    sums = part_scores(maps, parts, PART_NAMES, signed=metric == "effects")
    if metric == "on animal":
        return sums["animal"]
    if metric == "on face":
        return sum(sums[part] for part in FEATURES)
    return _agreement(sums, truth if metric == "effects" else np.abs(truth))


def _agreement(sums, truth):
    """Return for each drawing how well what lies on its parts ranks their true effects."""
    given = np.stack([sums[part] for part in EFFECTS], axis=1)
    known = ~np.isnan(truth)  # an animal without whiskers cannot lose them
    pairs = zip(given, truth, known, strict=True)
    return np.array([rank_correlation(g[k], t[k]) for g, t, k in pairs])


def estimate(values):
    """Return the mean of values and its standard error, without those that are NaN."""
    values = np.asarray(values, np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        return Estimate(np.nan, np.nan)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return Estimate(float(values.mean()), float(error))
