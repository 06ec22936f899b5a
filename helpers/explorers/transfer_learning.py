"""Explorer of lesson 02: how many blocks to freeze, and what that leaves to learn."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from helpers import plotting
from helpers.explorers.explorer import Explorer, dropdown, slider

FROZEN, LEARNS = plotting.OKABE_ITO[1], plotting.OKABE_ITO[5]


def freezing(fixed, totals, accuracy, measured):
    """Return an explorer of freezing a network up to a block: what is fixed, what learns, how well.

    Arguments:
        fixed: {network name: number of fixed parameters for 0, 1, 2, ... frozen blocks}.
        totals: {network name: number of parameters}.
        accuracy: 0 to 1, of the network named `measured`, for 0, 1, 2, ... frozen blocks.

    Raises ValueError where the names or the numbers of blocks differ.
    """
    lengths = {len(accuracy), *(len(counts) for counts in fixed.values())}
    if set(fixed) != set(totals) or len(lengths) != 1 or measured not in fixed:
        raise ValueError(
            "fixed and totals must name the same networks, and measured one of them; "
            "fixed and accuracy must count the same blocks"
        )
    shares = {name: _shares(counts, totals[name]) for name, counts in fixed.items()}
    chart = _Chart(accuracy, measured)

    def draw(network, upto):
        still, total = fixed[network][upto], totals[network]
        frozen = ("nothing", "block 1")[upto] if upto < 2 else f"blocks 1 to {upto}"
        text = (
            f"{network}, {frozen} frozen: {total - still:,} of {total:,} parameters learn, "
            f"{still:,} are fixed; {measured}, frozen as far, is right on {accuracy[upto]:.0%}"
        )
        return chart.draw(shares[network], upto), text

    controls = {
        "network": dropdown("network", list(fixed)),
        "upto": slider("freeze up to", most=len(accuracy) - 1, value=len(accuracy) - 2),
    }
    return Explorer("Freezing explorer", draw, controls)


def _shares(fixed, total):
    """Return the share of all parameters in each block, and last in the dense layers."""
    return np.diff([*fixed, total]) / total


class _Chart:
    """Bars of parameters beside a line of accuracies; only what changes is redrawn."""

    def __init__(self, accuracy, measured):
        blocks = len(accuracy) - 1
        self.figure, (left, right) = plotting.axes(7.2, 3.0, 1, 2)
        self.figure.set_dpi(plotting.DPI / 0.75)  # larger letters, for a small screen
        moving = {"animated": True}
        names = [*(f"block {number}" for number in range(1, blocks + 1)), "dense"]
        self.bars = left.barh(names, np.ones(blocks + 1), **moving)
        self.texts = [left.text(0, k, "", va="center", **moving) for k in range(blocks + 1)]
        left.invert_yaxis()
        left.set(xlabel="share of all parameters", xlim=(0, 1.75))
        left.set_xticks((0, 0.5, 1), ("0%", "50%", "100%"))
        right.plot(range(blocks + 1), accuracy, "o-", color="black")
        (self.here,) = right.plot([0], [accuracy[0]], "o", color=LEARNS, markersize=14, **moving)
        low = np.floor(min(accuracy) * 20 - 0.5) / 20
        right.set(xlabel="frozen up to block", ylabel=f"accuracy of {measured}", ylim=(low, 1))
        right.set_yticks(np.arange(low, 1.01, 0.05))
        right.set_xticks(range(blocks + 1), ("none", *range(1, blocks + 1)))
        right.yaxis.set_major_formatter("{x:.0%}")
        self.accuracy, self.left, self.right = accuracy, left, right
        self.canvas = FigureCanvasAgg(self.figure)
        self.canvas.draw()
        self.still = self.canvas.copy_from_bbox(self.figure.bbox)

    def draw(self, shares, upto):
        """Return the plots as an image, uint8 (H, W, 3)."""
        self.canvas.restore_region(self.still)
        for number, (bar, text) in enumerate(zip(self.bars, self.texts, strict=True)):
            frozen = number < upto
            bar.set(width=shares[number], color=FROZEN if frozen else LEARNS)
            text.set_text(f" {shares[number]:.1%} {'fixed' if frozen else 'learns'}")
            text.set_x(shares[number])
            self.left.draw_artist(bar)
            self.left.draw_artist(text)
        self.here.set_data([upto], [self.accuracy[upto]])
        self.right.draw_artist(self.here)
        return np.asarray(self.canvas.buffer_rgba())[..., :3].copy()
