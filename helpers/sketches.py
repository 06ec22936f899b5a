"""Curves side by side: a few panels of lines and points, described by plain dicts."""

import numpy as np

from helpers import plotting

COLORS = tuple(plotting.OKABE_ITO[number] for number in (4, 5, 2, 6, 0, 1))
STYLES = ("-", "--", "-.", ":", "-", "--")
TRUE = {"color": "black", "linestyle": "--", "zorder": 4}
POINTS = {"linestyle": "", "markersize": 8, "zorder": 5}


def panels(drawings, alt, legend=-1, height=3.8, display=True, **axis):
    """Show curves side by side, one panel for each entry of `drawings`.

    drawings: titles and what is drawn under each, itself a dict of labels and (x, y), or (x, y,
    marker) with a marker of Matplotlib's, such as "o", for points. A y of two dimensions,
    (N, len(x)), is a bundle of N lines. A label has one colour in all panels; what is called
    "truth" or "true ..." is dashed and black. legend: in which panel the labels are explained, None
    for nowhere. axis: what `Axes.set` takes, for all panels. Returns the figure. Raises ValueError
    where there is nothing to draw or no alt text.
    """
    if not drawings:
        raise ValueError("there is nothing to draw: give titles and curves")
    width = 10.0 if len(drawings) > 1 else 7.5
    figure, grid = plotting.axes(width, height, 1, len(drawings))
    labels = dict.fromkeys(name for drawn in drawings.values() for name in drawn)
    labels = [name for name in labels if not name.startswith("tru")]
    for panel, (title, drawn) in zip(grid, drawings.items(), strict=True):
        for name, (x, y, *marker) in drawn.items():
            number = labels.index(name) % len(COLORS) if name in labels else None
            look = (
                {"color": COLORS[number], "linestyle": STYLES[number]} if name in labels else TRUE
            )
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
        level = {} if truth is None else {"true labels": (steps, np.full(len(steps), truth))}
        drawings[title] = drawn | level
    return panels(drawings, alt, legend=0, xlabel="step", ylabel="right", ylim=(0.4, 1.02))
