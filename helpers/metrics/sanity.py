"""Does a map depend on what it should: on the network's weights, and on the class it explains?"""

from typing import NamedTuple

import keras
import numpy as np
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from helpers import gradients
from helpers.core.progress import progress
from helpers.core.tracing import layers
from helpers.networks import check_images, input_shape


class RandomizationCheck(NamedTuple):
    """Similarity of maps before and after: `layers` (L), `rank_correlation` and `ssim` (L, N)."""

    layers: tuple
    rank_correlation: np.ndarray
    ssim: np.ndarray


def randomization_check(network, images, method, target=None, seed=0, *, against=None):
    """Return how similar a method's maps stay as the network's layers are shuffled, last one first.

    `method(network, images, target)` returns maps (N, H, W) or (N, H, W, C). Weights are shuffled
    layer by layer, from the scores back to the input, and stay shuffled. Row l compares the maps
    after shuffling `layers[l]` with those of the intact network, by absolute value and summed over
    colours: Spearman's rank correlation, and SSIM of maps divided by their maximum. Both are 1 for
    equal maps, NaN for constant ones. The target None is the intact network's prediction. With
    `against` (see `gradients.quantity`), the method is called with it. (Adebayo 2018)
    """
    batch, _ = check_images(network, images)
    target, how = gradients.chosen_targets(network, batch, target, against)[:, 0], asked(against)
    before = _flat(method(network, batch, target, **how), batch)
    forgetful, rng = Forgetful(network), np.random.default_rng(seed)
    from_the_top = list(reversed(own_weights(network).items()))
    rank, ssim = [], []
    for _, weights in progress(from_the_top, label="Randomization check"):
        forgetful.forget(weights, rng)
        after = _flat(method(forgetful, batch, target, **how), batch)
        rank.append([rank_correlation(a, b) for a, b in zip(before, after, strict=True)])
        ssim.append([similarity(a, b) for a, b in zip(before, after, strict=True)])
    names = tuple(name for name, _ in from_the_top)
    return RandomizationCheck(names, np.float32(rank), np.float32(ssim))


def random_logit_check(network, images, method, target=None, seed=0):
    """Return how similar a method's maps stay when another class is explained: float32 (N,).

    The other class is drawn at random for each image. Spearman's rank correlation of the signed
    maps, summed over colours: 1 for a method that does not depend on the class at all, NaN for
    constant maps. `method(network, images, target)` returns maps (N, H, W) or (N, H, W, C); the
    target None is the network's prediction. Raises ValueError for a network with a single class.
    (Sixt 2020)
    """
    batch, _ = check_images(network, images)
    target = gradients.chosen_targets(network, batch, target, "rest")[:, 0]
    classes = gradients.scores(network, batch[:1]).shape[1]
    other = (target + np.random.default_rng(seed).integers(1, classes, len(target))) % classes
    one, two = (_signed(method(network, batch, t), batch) for t in (target, np.int32(other)))
    return np.float32([rank_correlation(a, b) for a, b in zip(one, two, strict=True)])


def asked(against):
    """Return `against` as the keyword of a method, or nothing where the score is asked for.

    So a function of your own, `method(network, images, target)`, need not know the keyword.
    """
    return {} if against is None else {"against": against}


class Forgetful(keras.Model):
    """A network with other weights: it borrows the network's layers and does not change them.

    Keras reads weights from an open `StatelessScope`; this one holds the shuffled copies.
    """

    def __init__(self, network):
        super().__init__(name=f"{network.name}_forgetful")
        self.network = network
        self.copies = {id(v): keras.Variable(v, trainable=False) for v in network.weights}
        self.input_shape = (None, *input_shape(network))
        self.built = True

    def call(self, x, training=False):
        """Return the network's output for x, with the copies in place of its weights."""
        pairs = [(v, self.copies[id(v)].value) for v in self.network.weights]
        with keras.StatelessScope(state_mapping=pairs):
            return self.network(x, training=training)

    def forget(self, weights, rng):
        """Shuffle the copies of some weights: the same numbers in other places."""
        for variable in weights:
            copy = self.copies[id(variable)]
            values = copy.numpy()
            copy.assign(rng.permutation(values.ravel()).reshape(values.shape))


def own_weights(network):
    """Return the weights of each layer that has any, by name, without those of layers inside it."""
    found, met = {}, set()
    for name, layer in layers(network).items():  # inner layers before those that hold them
        own = [weight for weight in layer.weights if id(weight) not in met]
        met.update(map(id, own))
        if own:
            found[name] = own
    return found


def rank_correlation(one, other):
    """Return Spearman's rank correlation of two maps, -1 to 1; NaN where a map is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return np.nan
    return float(spearmanr(one, other, axis=None).statistic)


def similarity(one, other):
    """Return the structural similarity of two maps, each divided by its maximum; NaN for zeros."""
    if one.max() <= 0 or other.max() <= 0:
        return np.nan
    window = min(7, *one.shape) - 1 | 1  # an odd number of pixels
    one, other = one / one.max(), other / other.max()
    return structural_similarity(one, other, data_range=1.0, win_size=window)


def _flat(maps, batch):
    """Return maps as (N, H, W) by absolute value, see `_signed`."""
    return _signed(np.abs(np.asarray(maps, np.float32)), batch)


def _signed(maps, batch):
    """Return maps summed over colours, (N, H, W); ValueError where they do not fit the images."""
    maps = np.asarray(maps, np.float32)
    maps = maps.sum(axis=-1) if maps.ndim == 4 else maps
    if maps.shape != batch.shape[:3]:
        raise ValueError(f"the method must return maps {batch.shape[:3]}, not {maps.shape}")
    return maps
