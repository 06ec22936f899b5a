"""What other libraries mean by the same words: our maps by their conventions.

Two libraries may both be right, and still give different maps of one picture: they enlarge cells,
integrate or treat signs in another way. Each convention is a few lines of NumPy here, so none of
these libraries is needed, nor imported. Lesson 11 compares them with the libraries themselves.
"""

import importlib.util
from functools import partial

import numpy as np
import scipy.ndimage
import skimage.transform

from helpers import cam, gradients, perturbation, plotting, saliency

PARTS = {  # extra of pyproject.toml: {module: package}
    "libraries": {
        "tf_keras_vis": "tf-keras-vis", "xplique": "xplique==1.3.3", "saliency": "saliency==0.2.1",
    },
    "torch": {
        "torch": "torch", "torchvision": "torchvision", "captum": "captum",
        "pytorch_grad_cam": "grad-cam", "fastai": "fastai",
    },
}  # fmt: skip
STEPS, WINDOW, STRIDE = 50, 16, 8


def missing(part):
    """Return the packages of a part, "libraries" or "torch", that are not installed here."""
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}, not {part!r}.")
    return [
        package.partition("==")[0]
        for module, package in PARTS[part].items()
        if not importlib.util.find_spec(module)
    ]


def have(part):
    """Return whether all packages of a part are installed; if not, print how to get them."""
    if gone := missing(part):
        print(
            f"Left out here, since {', '.join(gone)} cannot be found. To get it:"
            f" pip install {' '.join(PARTS[part].values())}"
        )
    return not gone


def apart(one, other):
    """Return how far one map is from the other: the length of their difference, as a share of it.

    The maps may have any shape, the same for both. 0 is equal; ValueError if the other is all 0.
    """
    one, other = (np.asarray(values, np.float64) for values in (one, other))
    if one.shape != other.shape:
        raise ValueError(f"the maps have shapes {one.shape} and {other.shape}.")
    if not other.any():
        raise ValueError("the other map is 0 everywhere: nothing can be a share of it.")
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def compare(words, one, other, within=0.001):
    """Print in a line whether two maps are equal, within a share of the other, or how far apart."""
    off = apart(one, other)
    print(f"{words}:", f"equal within {within}" if off < within else f"apart by {off:.0%}")


def points(rule, steps=STEPS):
    """Return where on the way from 0 to 1 a rule of integration looks, and the points' weights.

    Two float64 arrays of length `steps` (2 or more). The rules:
        "midpoint" (ours): the middles of equal pieces, with equal weights.
        "trapezoid" (xplique): 0, 1 and points between, the ends with half a weight.
        "mean" (PAIR saliency): the same points with equal weights.
        "gauss" (Captum): the points and weights of Gauss and Legendre.
        "short" (Captum's "riemann_trapezoid", 0.9): the trapezoid's, times (steps - 1) / steps.
    """
    if steps < 2:
        raise ValueError(f"steps must be 2 or more, not {steps!r}.")
    ends, equal = np.linspace(0, 1, steps), np.full(steps, 1 / steps)
    halved = np.where((ends == 0) | (ends == 1), 0.5, 1.0)
    if rule == "midpoint":
        return (np.arange(steps) + 0.5) / steps, equal
    if rule == "gauss":
        where, weights = np.polynomial.legendre.leggauss(steps)
        return (where + 1) / 2, weights / 2
    found = {"trapezoid": halved / (steps - 1), "mean": equal, "short": halved / steps}
    if rule not in found:
        raise ValueError(f"rule must be midpoint, gauss, {', '.join(found)}, not {rule!r}.")
    return ends, found[rule]


def integrated_gradients(network, image, target=None, rule="midpoint", steps=STEPS):
    """Return integrated gradients from black by another rule of integration: float32 (H, W, 3).

    `rule` and `steps` are those of `points`; the other arguments those of
    `saliency.integrated_gradients`.
    """
    where, weights = points(rule, steps)
    image = np.asarray(image, np.float32)
    target = int(gradients.scores(network, image)[0].argmax()) if target is None else target
    slopes = saliency.gradient(network, np.float32(where)[:, None, None, None] * image, target)
    return image * np.tensordot(np.float32(weights), slopes, 1)


def enlarge(cells, size, how="centres"):
    """Return a map (h, w) enlarged to size (H, W), float32.

    how: what lies where.
        "centres" (ours, pytorch-grad-cam): a cell's value stands at its centre. Beyond the outer
            centres, values stay as they are.
        "mirrored" (PAIR saliency): the same, but beyond the outer centres they turn around.
        "corners" (tf-keras-vis): the first and last cells' values stand at the picture's edges.
        "cubic" (xplique): at the centres, but by curves that overshoot.
        "blocks" (Captum, unless asked otherwise): a cell is a square of one colour.
    """
    cells = np.asarray(cells, np.float32)
    if how == "centres":
        return plotting.resize_maps(cells, *size)
    if how == "mirrored":
        return np.float32(skimage.transform.resize(cells, size))
    if how == "corners":
        factors = [new / old for new, old in zip(size, cells.shape, strict=True)]
        return scipy.ndimage.zoom(cells, factors, order=1)
    if how == "cubic":
        import tensorflow as tf

        return tf.image.resize(cells[..., None], size, "bicubic").numpy()[..., 0]
    if how == "blocks":
        rows, columns = (np.arange(n) * k // n for n, k in zip(size, cells.shape, strict=True))
        return cells[np.ix_(rows, columns)]
    raise ValueError(f"how must be centres, mirrored, corners, cubic or blocks, not {how!r}.")


def grad_cam_cells(network, image, target=None, layer=None, relu=True):
    """Return Grad-CAM's map before it is enlarged: float32 (h, w), one value for each cell.

    relu: whether negative evidence becomes 0. The other arguments are those of `cam.grad_cam`.
    """
    layer = layer or cam.default_layer(network, image.shape[:2])
    activation, slope = gradients.activation_gradient(network, image, target, layer)
    cells = (activation * slope.mean(axis=(-3, -2), keepdims=True)).sum(axis=-1)
    return np.maximum(cells, 0) if relu else cells


def _gradient(network, image, target, colours):
    slope = saliency.gradient(network, image, target)
    return {"sum": slope.sum, "largest": np.abs(slope).max, "sizes": np.abs(slope).sum}[colours](-1)


def _integrated(network, image, target, rule):
    return integrated_gradients(network, image, target, rule).sum(axis=-1)


def _grad_cam(network, image, target, how, relu=True):
    return enlarge(grad_cam_cells(network, image, target, relu=relu), image.shape[:2], how)


def _occlusion(network, image, target, summed):
    found = perturbation.occlusion(network, image, target, WINDOW, STRIDE)
    return found * windows_over(image.shape[:2]) if summed else found


def windows_over(size, window=WINDOW, stride=STRIDE):
    """Return how many of occlusion's windows cover each pixel of a picture of size (H, W)."""
    rows, columns = (
        sum(((np.arange(n) >= k) & (np.arange(n) < k + window)).astype(int)
            for k in range(0, n - window + 1, stride))
        for n in size
    )  # fmt: skip
    return np.outer(rows, columns)


OURS = {
    "gradient": partial(_gradient, colours="sum"),
    "integrated gradients": partial(_integrated, rule="midpoint"),
    "Grad-CAM": partial(_grad_cam, how="centres"),
    "occlusion": partial(_occlusion, summed=False),
}
# What a library gives unless it is asked for something else: words, and a function that gives that.
THEIRS = {
    "tf-keras-vis": {
        "gradient": ("the largest absolute value of the three colours",
                     partial(_gradient, colours="largest")),
        "Grad-CAM": ("enlarged from corner to corner", partial(_grad_cam, how="corners")),
    },
    "xplique": {
        "gradient": ("the largest absolute value of the three colours",
                     partial(_gradient, colours="largest")),
        "integrated gradients": ("trapezoids", partial(_integrated, rule="trapezoid")),
        "Grad-CAM": ("enlarged by cubic curves", partial(_grad_cam, how="cubic")),
        "occlusion": ("the sum over all windows, not their mean", partial(_occlusion, summed=True)),
    },
    "PAIR saliency": {
        "gradient": ("the same", OURS["gradient"]),
        "integrated gradients": ("the mean with both ends", partial(_integrated, rule="mean")),
        "Grad-CAM": ("mirrored at the edges", partial(_grad_cam, how="mirrored")),
        "occlusion": ("the sum over all windows, not their mean", partial(_occlusion, summed=True)),
    },
    "Captum": {
        "gradient": ("absolute values", partial(_gradient, colours="sizes")),
        "integrated gradients": ("Gauss-Legendre points", partial(_integrated, rule="gauss")),
        "Grad-CAM": ("signed, and cells left as they are",
                     partial(_grad_cam, how="blocks", relu=False)),
        "occlusion": ("the same", OURS["occlusion"]),
    },
    "pytorch-grad-cam": {"Grad-CAM": ("the same", OURS["Grad-CAM"])},
}  # fmt: skip
