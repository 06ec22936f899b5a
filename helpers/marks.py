"""One table: every way of looking, marked on animals whose parts are truly known.

Two of its rows look at no network at all: an even map, which is chance, and an edge detector, which
is what a map is like that shows the picture. A method is worth its name where it does better.
"""

import numpy as np
from skimage.filters import sobel

from helpers import cam, metrics, perturbation, saliency
from helpers.drawn import PART_NAMES
from helpers.networks import check_images, predict
from helpers.runtime import progress

FACE = ("ears", "eyes", "muzzle", "whiskers", "tongue")
EFFECTS = (*FACE, "body")  # parts that can be taken away, one by one


def even(_network, images, _target=None):
    """Return a map that is the same everywhere: what chance would score."""
    return np.ones(np.shape(images)[:-1], np.float32)


def edges(_network, images, _target=None):
    """Return how quickly brightness changes, pixel by pixel (Sobel): a map of the picture alone."""
    grey = np.asarray(images, np.float32).mean(axis=-1)
    return np.stack([sobel(g) for g in grey]) if grey.ndim == 3 else sobel(grey)


METHODS = {
    "even": even,
    "edges": edges,
    "gradient": saliency.gradient,
    "guided gradient": saliency.guided_gradient,
    "SmoothGrad": saliency.smooth_gradient,
    "integrated gradients": saliency.integrated_gradients,
    "Grad-CAM": cam.grad_cam,
    "Guided Grad-CAM": cam.guided_grad_cam,
    "occlusion": perturbation.occlusion,
    "LIME": perturbation.lime,
}


def marks(network, drawings, target=None, methods=None):
    """Return how each method does on drawings: `{method: {mark: mean over the drawings}}`.

    `drawings` are what `drawn.draw` gives; `methods` maps names to functions of (network, images,
    target), by default `METHODS`. target: None (the predicted class), an int, or one per drawing.
    The marks, all but deletion better when higher:

    - "on animal", "on face": the share of the map's mass (`metrics.part_scores`);
    - "hits animal", "hits head": does the highest pixel lie there (`metrics.pointing_game`);
    - "effects": Spearman's correlation, over the parts of an animal, of the mass on a part with
      the score truly lost when the animal is drawn without it (`perturbation.part_effects`);
    - "deletion", "insertion": the mean of the target's probability along the curve.
    """
    images = np.stack([drawing.image for drawing in drawings])
    parts = np.stack([drawing.parts for drawing in drawings])
    check_images(network, images)
    if target is None:
        target = predict(network, images).argmax(axis=1)
    head = parts >= PART_NAMES.index("head")
    effects = perturbation.part_effects(network, drawings, target)
    found = {}
    methods = METHODS if methods is None else methods
    for name, method in progress(methods.items(), label="marks"):
        maps = method(network, images, target)
        shares = metrics.part_scores(maps, parts, PART_NAMES)
        each = {
            "on animal": shares["animal"],
            "on face": sum(shares[part] for part in FACE),
            "hits animal": metrics.pointing_game(maps, parts > 0),
            "hits head": metrics.pointing_game(maps, head),
            "effects": _agreement(shares, effects),
            "deletion": metrics.deletion_curve(network, images, maps, target).mean(axis=1),
            "insertion": metrics.insertion_curve(network, images, maps, target).mean(axis=1),
        }
        found[name] = {mark: float(np.nanmean(values)) for mark, values in each.items()}
    return found


def _agreement(shares, effects):
    """Return for each drawing how well the parts' shares of mass rank their true effects."""
    truth = np.stack([effects[part] for part in EFFECTS], axis=1)
    mass = np.stack([shares[part] for part in EFFECTS], axis=1)
    known = ~np.isnan(truth)  # an animal without whiskers cannot lose them
    pairs = zip(mass, truth, known, strict=True)
    return np.array([metrics.rank_correlation(m[k], t[k]) for m, t, k in pairs])
