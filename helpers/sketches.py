"""Curves side by side: a few panels of lines and points, described by plain dicts."""

import numpy as np

from helpers import plotting

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
STYLES = ("-", "--", "-.", ":", "-", "--")


def panels(drawings, alt, legend=-1, height=3.8, display=True, **axis):
    """Show curves side by side, one panel for each entry of `drawings`.

    drawings: titles and what is drawn under each, itself a dict of labels and (x, y), or (x, y,
    style) with a style of Matplotlib's, such as "o". A y of two dimensions, (N, len(x)), is a
    bundle of N thin lines. A label has one colour in all panels; "truth" is dashed and black.
    legend: in which panel the labels are explained, None for nowhere. axis: what `Axes.set` takes,
    for all panels. Returns the figure. Raises ValueError without an alt text or a drawing.
    """
    if not drawings:
        raise ValueError("there is nothing to draw: give titles and curves")
    figure, grid = plotting.axes(10, height, 1, len(drawings))
    labels = list(dict.fromkeys(name for drawn in drawings.values() for name in drawn))
    labels = [name for name in labels if name != "truth"]
    for panel, (title, drawn) in zip(grid, drawings.items(), strict=True):
        for name, (x, y, *style) in drawn.items():
            number = labels.index(name) % len(COLORS) if name != "truth" else 0
            look = {"color": COLORS[number], "label": name, "linestyle": STYLES[number]}
            if name == "truth":
                look |= {"color": "black", "linestyle": "--", "zorder": 4}
            if style:
                look |= {"linestyle": "", "marker": style[0], "markersize": 8, "zorder": 5}
            if np.ndim(y) == 2:
                thin = {"linewidth": 1, "alpha": 0.25, "linestyle": "-"}
                panel.plot(x, np.transpose(y)[:, 1:], **look | thin | {"label": None})
                look["linewidth"], y = 1, y[0]
            panel.plot(x, y, **look)
        panel.set(title=title, **axis)
        if "ylim" in axis:
            panel.label_outer()
    if legend is not None:
        grid[legend].legend(frameon=False)
    return plotting.finish(figure, alt, display)


def histories(found, alt, truth=None, every=10):
    """Show how several networks learned, a panel for each: labels told, and new digits.

    found: titles, and for each what `digits.learn` returned. truth: the share of labels that are
    true, drawn as a level. Returns the figure.
    """
    drawings = {}
    for title, history in found.items():
        steps = every * np.arange(1, len(history["loss"]) + 1)
        drawn = {"labels told": (steps, history["accuracy"])}
        drawn["new digits"] = (steps, history["val_accuracy"])
        level = {} if truth is None else {"truth": (steps, np.full(len(steps), truth))}
        drawings[title] = drawn | level
    return panels(drawings, alt, legend=0, xlabel="step", ylabel="right", ylim=(0.4, 1.02))
