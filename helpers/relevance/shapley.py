"""Shapley values: fair shares of what players achieve together.

A *game* gives each coalition S of players a value v(S). What is player i's fair share of v(all)?
Let the players come in one after another, and credit each with the gain in value on entering. The
Shapley value is a player's credit on average over all orders in which they may come:

    share_i = mean over all orders of  v(those before i, and i) - v(those before i)

It is the only rule with these four properties (Shapley 1953). The shares add up to
v(all) - v(none). A player who changes nothing gets 0. Two who change the same get the same. And the
shares in the sum of two games are the sums of the shares.

With k players, there are 2^k coalitions. `shapley_values` asks for all of them,
`sampled_shapley_values` for those of some random orders, and `kernel_shapley_values` fits a sum of
shares to some of them. Here the players are the parts of a drawn animal (`shapley_parts`), which is
drawn again without those who are missing, or the superpixels of an image (`kernel_shap`).
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from helpers import drawn, gradients
from helpers.core.arguments import check_count
from helpers.core.progress import progress
from helpers.networks import check_images
from helpers.perturbation import PARTS, redrawn, scores_of_kept, superpixels

MOST = 16  # players of whom all coalitions are asked: 65,536


class Share(NamedTuple):
    """An estimate of a Shapley value, and its standard error."""

    value: float
    error: float


def shapley_values(value, players):
    """Return the exact Shapley value of each player in a game: `{player: float}`.

    Arguments:
        value: a function of a coalition, which is a frozenset of players: a number. It is asked
            once for each of the 2^k coalitions.
        players: k different names, 16 at most.

    Raises ValueError for repeated players, and for more than 16. (Shapley 1953)
    """
    players = _players(players)
    if len(players) > MOST:
        raise ValueError(
            f"{len(players)} players have {2 ** len(players):,} coalitions: for more than {MOST}, "
            "sample them with sampled_shapley_values or kernel_shapley_values."
        )
    everyone = _all_coalitions(len(players))
    values = np.array(list(_values(value, players, everyone)))
    return dict(zip(players, _exact(values, everyone).tolist(), strict=True))


def sampled_shapley_values(value, players, orders=100, seed=0):
    """Return estimates of the Shapley values from random orders: `{player: Share(value, error)}`.

    In each order, every player is credited with the gain in value on entering; `value` is the mean
    over orders, `error` its standard error. Like the exact values, they add up to v(all) - v(none).
    With k players, an order asks for k - 1 coalitions besides all and none, or fewer: none is asked
    for twice.

    Arguments:
        value, players: as in `shapley_values`, but any number of players.
        orders: how many, 2 or more.

    Raises ValueError as `shapley_values` does. (Castro 2009)
    """
    players = _players(players)
    check_count("orders", orders, 2)
    check_count("seed", seed, 0)
    entering = np.random.default_rng(seed).permuted(
        np.tile(np.arange(len(players)), (orders, 1)), axis=1
    )
    arrival = np.argsort(entering, axis=1)  # of each player, in each order
    present = arrival[:, None] < np.arange(len(players) + 1)[:, None]  # orders, steps, players
    found = np.array(list(_values(value, players, present.reshape(-1, len(players)))))
    gains = np.diff(found.reshape(orders, -1), axis=1)
    credit = np.take_along_axis(gains, arrival, axis=1)
    errors = credit.std(axis=0, ddof=1) / np.sqrt(orders)
    shares = map(Share, credit.mean(axis=0).tolist(), errors.tolist())
    return dict(zip(players, shares, strict=True))


def kernel_shapley_values(value, players, samples=1000, seed=0):
    """Return the Shapley values of a game by weighted least squares: `{player: float}`.

    A sum of shares, one for each player who is present, is fitted to the values of coalitions. With
    all coalitions, weighted by the Shapley kernel, the shares are the exact Shapley values. With
    fewer they are estimates, which add up to v(all) - v(none) all the same.

    Arguments:
        value, players: as in `shapley_values`, but any number of players.
        samples: coalitions to ask for, besides all and none: at least two for each player, unless
            fewer exist.

    First come the coalitions of one player and of all but one, then those of two and of all but
    two, as long as the number of samples allows; the rest are drawn at random, each with the
    coalition of all others. Raises ValueError for repeated players and too few samples. (Lundberg &
    Lee 2017)
    """
    players = _players(players)
    kept, weights = _kernel_samples(len(players), samples, seed)
    values = np.array(list(_values(value, players, kept)))
    return dict(zip(players, _fitted(kept, weights, values).tolist(), strict=True))


def _players(players):
    """Return players as a list; ValueError where one is there twice."""
    players = list(players)
    if len(set(players)) < len(players):
        raise ValueError(f"players must differ from each other, not {players}.")
    return players


def _values(value, players, kept):
    """Yield what coalitions, the rows of bool (n, players), are worth; each is asked for once."""
    known = {}
    for row in progress(kept, label="Coalitions"):
        coalition = frozenset(itertools.compress(players, row))
        if coalition not in known:
            known[coalition] = float(value(coalition))
        yield known[coalition]


def _all_coalitions(count):
    """Return all coalitions, bool (2^count, count), from none to all."""
    rows = list(itertools.product([False, True], repeat=count))
    return np.array(rows, bool).reshape(2**count, count)


def _exact(values, kept):
    """Return the Shapley values (players,), given the values of all coalitions in their order."""
    count = kept.shape[1]
    sizes = kept.sum(axis=1)
    # The share of all orders in which an entering player meets a certain coalition of this size.
    share = np.array([1 / (count * math.comb(count - 1, size)) for size in range(count)])
    shares = np.empty(count)
    for player, there in enumerate(kept.T):  # coalitions with a player and without: in one order
        shares[player] = share[sizes[~there]] @ (values[there] - values[~there])
    return shares


def _kernel_samples(count, samples, seed):
    """Return coalitions, bool (n, count), and the weights of their values (n,).

    The first keeps all players, the second none. Their weights are 0, as they are never missed.
    """
    existing = 2**count - 2 if count else 0
    least = min(2 * count, existing)
    check_count("samples", samples, least, why=f", as there are {count} players or superpixels")
    check_count("seed", seed, 0)
    left = min(samples, existing)
    # Of the pairs of sizes, the smaller one, and what coalitions of both sizes weigh together.
    kernel = {
        size: (1 if 2 * size == count else 2) / (size * (count - size))
        for size in range(1, count // 2 + 1)
    }
    rows, weights, everything = [], [], left == existing
    for size in list(kernel):
        number = (1 if 2 * size == count else 2) * math.comb(count, size)
        if not everything and size > 1 and left * kernel[size] < number * sum(kernel.values()):
            break
        chosen = [_row(some, count) for some in itertools.combinations(range(count), size)]
        chosen += [~row for row in chosen] if 2 * size < count else []
        rows += chosen
        weights += [kernel.pop(size) / number] * number
        left -= number
    if kernel and left > 1:
        some, times = _random_pairs(count, left // 2, kernel, np.random.default_rng(seed))
        rows += some
        weights += list(sum(kernel.values()) * times / times.sum())
    kept = np.array([np.ones(count, bool), np.zeros(count, bool), *rows])
    return kept, np.array([0, 0, *weights])


def _row(players, count):
    row = np.zeros(count, bool)
    row[list(players)] = True
    return row


def _random_pairs(count, most, kernel, random):
    """Return up to `most` different coalitions, each with its complement, and how often each fell.

    Sizes are drawn by their weight in the kernel; many more draws than `most` are not made.
    """
    sizes, weights = np.array(list(kernel)), np.array(list(kernel.values()))
    times = {}
    for size in random.choice(sizes, 4 * most, p=weights / weights.sum()):
        row = _row(random.permutation(count)[:size], count)
        row ^= row[0]  # of a coalition and its complement, that without the first player
        if len(times) == most and row.tobytes() not in times:
            break
        times[row.tobytes()] = times.get(row.tobytes(), 0) + 1
    rows = [np.frombuffer(row, bool) for row in times]
    fell = np.array(list(times.values()))
    return [side for row in rows for side in (row, ~row)], np.repeat(fell, 2)


def _fitted(kept, weights, values):
    """Return the shares that fit best, and add up to v(all) - v(none): float64 (players,)."""
    whole, none = values[:2]
    count = kept.shape[1]
    even = (whole - none) / max(count, 1)
    left = values - none - kept.sum(axis=1) * even  # what equal shares leave over
    # Only differences between players are still free: so the columns' mean is taken off.
    design = kept - kept.mean(axis=1, keepdims=True)
    root = np.sqrt(weights)
    return even + np.linalg.lstsq(root[:, None] * design, root * left)[0]


def coalition_scores(network, kind, seed, target=None, part_names=PARTS, sky=None, *, against=None):
    """Return the score of a drawn animal with every choice of its parts: `{frozenset: float}`.

    A key holds the parts that are drawn; frozenset() is the picture without any of them. With k
    parts, these are 2^k pictures.

    Arguments:
        kind, seed, sky: of the drawing, as in `drawn.draw`.
        target: None (the class predicted for the whole drawing), or an int.
        part_names: the parts to choose from. Those that the drawing does not show are left out.
        against: None for the score; "rest" for its log-odds, with two classes the margin; an int
            for the margin over that class (see `gradients.quantity`).

    Raises ValueError for an unknown kind, seed, part or class, and for a network of other images.
    """
    for name in part_names:
        if name not in PARTS:
            raise ValueError(f"{name!r} cannot be left out; choose from {', '.join(PARTS)}.")
    whole = drawn.draw(kind, seed, sky=sky)
    batch, _ = check_images(network, whole.image[None])
    pairs = gradients.chosen_targets(network, batch, target, against)
    shown = [n for n in PARTS if n in part_names and drawn.PART_NAMES.index(n) in whole.parts]
    coalitions = _all_coalitions(len(shown))
    pictures = [
        redrawn(kind, seed, tuple(itertools.compress(shown, ~kept)), sky).image
        for kept in progress(coalitions, label="Redrawing")
    ]
    scores = gradients.difference(gradients.scores(network, np.stack(pictures)), pairs)
    drawings = (frozenset(itertools.compress(shown, kept)) for kept in coalitions)
    return dict(zip(drawings, scores.tolist(), strict=True))


def shapley_parts(network, kind, seed, target=None, part_names=PARTS, sky=None, *, against=None):
    """Return the exact Shapley value of each part that a drawn animal shows: `{part: float}`.

    They add up to the score of the whole drawing minus that of the drawing without these parts. The
    animal is drawn again with each choice of parts (`coalition_scores`, with the same arguments and
    errors). (Shapley 1953; FunnyBirds, Hesse 2023)
    """
    scores = coalition_scores(network, kind, seed, target, part_names, sky, against=against)
    return shapley_values(scores.__getitem__, sorted(max(scores, key=len), key=PARTS.index))


def kernel_shap(
    network, image, target=None, segments=30, samples=1000, seed=0, baseline=0.0, *, against=None
):
    """Return the Shapley values of an image's superpixels, by KernelSHAP: float32 (H, W), signed.

    Each pixel gets an equal part of its superpixel's value, so that the map adds up to the score of
    the image minus the score of the baseline.

    Arguments:
        image: (H, W, C) or (N, H, W, C), which gives (N, H, W); RGB unless `segments` are labels.
        target: None (the class predicted for the whole image), an int, or one int per image.
        against: as in `coalition_scores`.
        segments: about how many superpixels (SLIC, Achanta 2012), or int labels (H, W).
        samples: images with some superpixels covered, at least two for each superpixel. With
            2^superpixels - 2 or more, the values are exact.
        baseline: what to cover with; None is each superpixel's mean colour.

    Raises ValueError for arguments that do not fit. (Lundberg & Lee 2017)
    """
    regions = superpixels(network, image, segments, baseline)
    drawn_samples = {
        count: _kernel_samples(count, samples, seed)
        for count in {int(labels.max()) + 1 for labels in regions.labels}
    }
    chosen = [drawn_samples[int(labels.max()) + 1] for labels in regions.labels]
    kept = [some for some, _ in chosen]
    scores = scores_of_kept(network, regions, kept, target, against, "KernelSHAP")
    maps = np.empty(regions.labels.shape, np.float32)
    for n, labels in enumerate(regions.labels):
        shares = _fitted(*chosen[n], scores[n]) / np.bincount(labels.ravel())
        maps[n] = shares[labels]
    return maps[0] if regions.single else maps
