"""Is a map about the network at all? Shuffle its weights, layer by layer, and see whether it cares.

A method that shows much the same map for a network that has forgotten everything shows the
picture, not what the network learned (Adebayo et al., Sanity Checks for Saliency Maps, 2018).
"""

from typing import NamedTuple

import keras
import numpy as np
from scipy.stats import rankdata
from skimage.metrics import structural_similarity

from helpers.networks import check_images, input_shape, predict
from helpers.runtime import progress
from helpers.tracing import layers


class Forgetful(keras.Model):
    """A network seen with other weights: the network itself lends its layers and is not changed.

    Keras reads weights from a `StatelessScope` where one is open; ours holds shuffled copies.
    """

    def __init__(self, network):
        super().__init__(name=f"{network.name}_forgetful")
        self.network = network
        self.copies = {id(v): keras.Variable(v, trainable=False) for v in network.weights}
        self.input_shape = (None, *input_shape(network))
        self.built = True

    def call(self, x, training=False):
        """Return what the network gives for x with the copies in place of its weights."""
        pairs = [(v, self.copies[id(v)].value) for v in self.network.weights]
        with keras.StatelessScope(state_mapping=pairs):
            return self.network(x, training=training)

    def forget(self, weights, rng):
        """Shuffle the copies of some weights: the same numbers, each in another's place."""
        for variable in weights:
            copy = self.copies[id(variable)]
            values = copy.numpy()
            copy.assign(rng.permutation(values.ravel()).reshape(values.shape))


class RandomizationCheck(NamedTuple):
    """How alike maps are before and after: `layers` (L), `rank_correlation` and `ssim` (L, N)."""

    layers: tuple
    rank_correlation: np.ndarray
    ssim: np.ndarray


def randomization_check(network, images, method, target=None, seed=0):
    """Return how alike a method's maps stay while the network forgets, from its last layer down.

    `method(network, images, target)` returns maps (N, H, W) or (N, H, W, C). Layers with weights
    are shuffled one after another, from the scores back to the picture, and stay shuffled. Row l
    compares the maps after `layers[l]` with those of the whole network, each by absolute value and
    summed over colours: Spearman's rank correlation, and SSIM of maps divided by their maximum.
    Both are 1 for equal maps; NaN where a map is the same everywhere. The target None is the class
    that the whole network predicts. The network is not changed. (Adebayo 2018)
    """
    batch, _ = check_images(network, images)
    if target is None:
        target = predict(network, batch).argmax(axis=1)
    before = _flat(method(network, batch, target), batch)
    forgetful, rng = Forgetful(network), np.random.default_rng(seed)
    from_the_top = list(reversed(own_weights(network).items()))
    rank, ssim = [], []
    for _, weights in progress(from_the_top, label="Randomization check"):
        forgetful.forget(weights, rng)
        after = _flat(method(forgetful, batch, target), batch)
        rank.append([rank_correlation(a, b) for a, b in zip(before, after, strict=True)])
        ssim.append([similarity(a, b) for a, b in zip(before, after, strict=True)])
    names = tuple(name for name, _ in from_the_top)
    return RandomizationCheck(names, np.float32(rank), np.float32(ssim))


def own_weights(network):
    """Return the weights of each layer that has any, by name, those of a layer within left out."""
    found, met = {}, set()
    for name, layer in layers(network).items():  # a layer within comes before what holds it
        own = [weight for weight in layer.weights if id(weight) not in met]
        met.update(map(id, own))
        if own:
            found[name] = own
    return found


def rank_correlation(one, other):
    """Return Spearman's correlation of two maps' ranks, -1 to 1; NaN where a map is constant."""
    ranks = [rankdata(array, axis=None) for array in (one, other)]
    ranks = [values - values.mean() for values in ranks]
    lengths = np.linalg.norm(ranks[0]) * np.linalg.norm(ranks[1])
    return float(ranks[0] @ ranks[1] / lengths) if lengths > 0 else np.nan


def similarity(one, other):
    """Return the structural similarity of two maps, each divided by its maximum; NaN for zeros."""
    if one.max() <= 0 or other.max() <= 0:
        return np.nan
    window = min(7, *one.shape) - 1 | 1  # an odd number of pixels
    return structural_similarity(
        one / one.max(), other / other.max(), data_range=1.0, win_size=window
    )


def _flat(maps, batch):
    """Return maps as (N, H, W) by absolute value; ValueError where they do not fit the images."""
    maps = np.abs(np.asarray(maps, np.float32))
    maps = maps.sum(axis=-1) if maps.ndim == 4 else maps
    if maps.shape != batch.shape[:3]:
        raise ValueError(f"the method's maps are {maps.shape}; they must be {batch.shape[:3]}")
    return maps
