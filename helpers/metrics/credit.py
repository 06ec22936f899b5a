"""How far shares among parts are from the exact ones, and what was measured of that beforehand."""

import json
from typing import NamedTuple

import numpy as np

from helpers.core import paths
from helpers.metrics.comparison import Estimate, estimate

FILE = "shapley_errors.json"  # written by the program of the same name


def misfit(shares, truth):
    """Return how far shares (..., parts) are from the true ones, in whatever unit: 0 to 1.

    A method's shares may be in a unit of their own, as those of Grad-CAM are. So they are first
    multiplied by the factor s, 0 or more, that suits them best:

        misfit = min over s of  |truth - s * shares| / |truth|

    That is the sine of the angle between the two, and 1 where the angle is 90 degrees or more: then
    nothing would be as good. Shares of zeros have the misfit 1. Raises ValueError for shapes that
    do not match, NaN and infinity, and a truth of zeros.
    """
    shares, truth = np.asarray(shares, np.float64), np.asarray(truth, np.float64)
    if shares.shape != truth.shape or not shares.ndim:
        raise ValueError(f"shares must match the truth, not {shares.shape} and {truth.shape}.")
    if not (np.isfinite(shares).all() and np.isfinite(truth).all()):
        raise ValueError("shares and truth must be finite, with no NaN or infinity.")
    size = np.linalg.norm(truth, axis=-1)
    if not size.all():
        raise ValueError("The truth is all zeros: no share can be compared with it.")
    square = (shares**2).sum(axis=-1)
    factor = np.maximum((shares * truth).sum(axis=-1), 0) / np.where(square > 0, square, 1)
    left = np.linalg.norm(truth - factor[..., None] * shares, axis=-1)
    return np.float32(left / size)


class Run(NamedTuple):
    """A method with one setting: its cost, and how right its shares are, on many animals."""

    setting: int | None  # samples, steps, orders, channels, or pixels of a square's side
    passes: float  # forward passes
    misfit: Estimate
    rank: Estimate  # Spearman's correlation with the exact shares; NaN for equal shares
    each: np.ndarray  # the misfit of each animal, NaN where the setting does not suit it


class Measured(NamedTuple):
    """What was measured beforehand, on `pets`, of methods that share out the margin."""

    animals: list  # (kind, seed) of each
    parts: np.ndarray  # how many each shows
    until: dict  # {way to estimate: drawings that each animal took until right to 5 %}
    methods: dict  # {method: [Run, ...]}, from cheap to costly
    families: dict  # {family: [method, ...]}


def measured_misfits():
    """Return the `misfit` of all methods on 40 drawn animals, as `Measured`.

    What data/networks/shapley_errors.py wrote: half an hour's work.
    """
    known = json.loads((paths.NETWORKS / FILE).read_text("utf-8"))
    methods = {name: [_run(**run) for run in runs] for name, runs in known["methods"].items()}
    until = {way: np.array(drawings) for way, drawings in known["until"].items()}
    animals = [tuple(animal) for animal in known["animals"]]
    return Measured(animals, np.array(known["parts"]), until, methods, known["families"])


def _run(setting, passes, misfit, rank):
    each, ranks = (np.array(values, np.float64) for values in (misfit, rank))
    return Run(setting, passes, estimate(each), estimate(ranks), each)
