"""Curves over axes: panels side by side, training histories, means with their spread."""

import numpy as np

from helpers.plotting.figures import OKABE_ITO, axes, finish

COLORS = tuple(OKABE_ITO[number] for number in (4, 5, 2, 6, 0, 1))
STYLES = ("-", "--", "-.", ":", "-", "--")
TRUE = {"color": "black", "linestyle": "--", "zorder": 4}
POINTS = {"linestyle": "", "markersize": 8, "zorder": 5}
FORMS = ((4, "-o"), (5, "--s"), (0, "-.^"), (2, "-D"), (6, "--v"), (7, ":P"))


def panels(drawings, alt, legend=-1, height=3.8, display=True, **axis):
    """Show curves side by side, one panel for each entry of `drawings`.

    Arguments:
        drawings: {title: {label: (x, y) or (x, y, marker)}}, with Matplotlib's markers, such as "o"
            for points. A y (N, len(x)) is a bundle of N lines. A label keeps its colour in all
            panels; "truth" and "true ..." are black and dashed.
        legend: number of the panel that shows the legend, None for no legend.
        axis: arguments of `Axes.set`, for all panels.

    Returns the figure. Raises ValueError where there is nothing to draw or no alt text.
    """
    if not drawings:
        raise ValueError("there is nothing to draw: drawings is empty")
    width = 10.0 if len(drawings) > 1 else 7.5
    figure, grid = axes(width, height, 1, len(drawings))
    labels = dict.fromkeys(name for drawn in drawings.values() for name in drawn)
    labels = [name for name in labels if not name.startswith("tru")]
    looks = [{"color": c, "linestyle": s} for c, s in zip(COLORS, STYLES, strict=True)]
    for panel, (title, drawn) in zip(grid, drawings.items(), strict=True):
        for name, (x, y, *marker) in drawn.items():
            look = looks[labels.index(name) % len(looks)] if name in labels else TRUE
            look = look | POINTS | {"marker": marker[0]} if marker else look
            if np.ndim(y) == 2:
                few = len(y) < 10
                bundle = {"lw": 2 if few else 1, "alpha": 0.9 if few else 0.3, "linestyle": "-"}
                panel.plot(x, np.transpose(y), **look | bundle)
                panel.plot([], [], label=name, color=look["color"])
            else:
                panel.plot(x, y, label=name, **look)
        panel.set(title=title, **axis)
        if "ylim" in axis:
            panel.label_outer()
    if legend is not None:
        grid[legend].legend(frameon=False)
    return finish(figure, alt, display)


def histories(found, alt, truth=None, every=10):
    """Show how several networks learned, one panel each: accuracy on given labels and new digits.

    `found` is {title: what `regularization.learn` returned}; `truth` is the share of correct
    labels, if known. Returns the figure.
    """
    drawings = {}
    for title, history in found.items():
        steps = every * np.arange(1, len(history["loss"]) + 1)
        drawn = {"training labels": (steps, history["accuracy"])}
        drawn["new digits"] = (steps, history["val_accuracy"])
        level = {} if truth is None else {"true labels": (steps, np.full(len(steps), truth))}
        drawings[title] = drawn | level
    return panels(drawings, alt, legend=0, xlabel="step", ylabel="right", ylim=(0.4, 1.02))


def with_spread(x, lines, xlabel, ylabel, alt, log=False, level=None, display=True):
    """Plot shares in 0-1 against x, each line with bars from its lowest value to its highest.

    `lines` is {name: (points,) or (points, repetitions)}, one point for each x; `log` makes the x
    axis logarithmic; `level` is (name, value), drawn as a grey line. Returns the figure. Raises
    ValueError for lines that do not fit x, and for more than six lines.
    """
    if not 1 <= len(lines) <= len(FORMS):
        raise ValueError(f"with_spread draws 1 to {len(FORMS)} lines, not {len(lines)}")
    figure, (axis,) = axes(9, 4.8)
    for (name, values), (color, form) in zip(lines.items(), FORMS, strict=False):
        values = np.asarray(values, float)
        values = values[:, None] if values.ndim == 1 else values
        if values.shape[:1] != (len(x),):
            raise ValueError(f"{name!r} has {len(values)} points, x has {len(x)}")
        mean, low, high = values.mean(axis=1), values.min(axis=1), values.max(axis=1)
        spread = [np.maximum(mean - low, 0), np.maximum(high - mean, 0)]
        bars = spread if values.shape[1] > 1 else None
        axis.errorbar(x, mean, bars, fmt=form, color=OKABE_ITO[color], label=name, capsize=5)
    if level is not None:
        axis.axhline(level[1], color="#666666", linestyle=":", label=level[0])
    axis.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log else "linear")
    axis.set_xticks(x, [f"{value:g}" for value in x])
    axis.minorticks_off()
    axis.yaxis.set_major_formatter("{x:.0%}")
    axis.legend(frameon=False)
    return finish(figure, alt, display)


def curves(history, title="", ylabel=None, alt=None, display=True):
    """Plot a training history over epochs; validation is dashed, in the colour of its training.

    `history` is what `network.fit` returns, or a dict such as {"loss": [...], "val_loss": [...]}.
    Returns the figure. Raises ValueError where there is nothing to plot.
    """
    history = getattr(history, "history", history)
    if not history or not any(len(values) for values in history.values()):
        raise ValueError("the history is empty: there is no epoch to plot")
    figure, (axis,) = axes()
    bases = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    for name, values in history.items():
        base = name.removeprefix("val_")
        color = OKABE_ITO[(bases.index(base) + 4) % len(OKABE_ITO)]
        label = base if name == base else f"{base}, validation"
        epochs = np.arange(1, len(values) + 1)
        axis.plot(epochs, values, "-" if name == base else "--", color=color, label=label)
    axis.set(xlabel="epoch", ylabel=ylabel or " / ".join(bases), title=title)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(frameon=False)
    ends = ", ".join(f"{name} ends at {values[-1]:.2f}" for name, values in history.items())
    return finish(figure, alt or f"{title or 'curves'}: {ends}", display)
