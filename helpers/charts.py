"""Charts of what was measured several times: a line through the means, bars for the spread."""

import numpy as np

from helpers import plotting

FORMS = ((4, "-o"), (5, "--s"), (0, "-.^"), (2, "-D"), (6, "--v"), (7, ":P"))


def with_spread(x, lines, xlabel, ylabel, alt, log=False, level=None, display=True):
    """Plot shares in 0-1 against x, each line with bars from its lowest value to its highest.

    lines: for each name an array (points,) or (points, repetitions), one point for each of x. log:
    whether x grows by factors. level: a name and a value to compare with, drawn as a grey line.
    Returns the figure. Raises ValueError for lines that do not fit x, or more than six of them.
    """
    if not 1 <= len(lines) <= len(FORMS):
        raise ValueError(f"with_spread draws 1 to {len(FORMS)} lines, not {len(lines)}")
    figure, (axis,) = plotting.axes(9, 4.8)
    for (name, values), (color, form) in zip(lines.items(), FORMS, strict=False):
        values = np.asarray(values, float)
        values = values[:, None] if values.ndim == 1 else values
        if values.shape[:1] != (len(x),):
            raise ValueError(f"{name!r} has {len(values)} points, x has {len(x)}")
        mean, low, high = values.mean(axis=1), values.min(axis=1), values.max(axis=1)
        spread = [np.maximum(mean - low, 0), np.maximum(high - mean, 0)]
        bars = spread if values.shape[1] > 1 else None
        color = plotting.OKABE_ITO[color]
        axis.errorbar(x, mean, bars, fmt=form, color=color, label=name, capsize=5)
    if level is not None:
        axis.axhline(level[1], color="#666666", linestyle=":", label=level[0])
    axis.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log else "linear")
    axis.set_xticks(x, [f"{value:g}" for value in x])
    axis.minorticks_off()
    axis.yaxis.set_major_formatter("{x:.0%}")
    axis.legend(frameon=False)
    return plotting.finish(figure, alt, display)
