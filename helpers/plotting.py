"""Figures for lessons: pictures, maps over pictures, true parts, curves. Matplotlib only.

Every function draws one figure, shows it once in a notebook, and returns it. Text is large enough
to be read from the last row, colours can be told apart by colour-blind eyes, and each picture
carries a text that says what it shows (`alt`) for those who do not see it. `display=False` only
draws: `figure_to_png` then gives the bytes, for a widget or a file.
"""

import matplotlib
import numpy as np
from matplotlib.patches import Patch

from helpers import arrays
from helpers.figures import DPI, Picture, figure_to_png, smallest  # noqa: F401

FONT_SIZE = 12  # points; nothing in a figure is smaller than 11
HEAT, SIGNED = "inferno", "RdBu_r"
# Okabe and Ito (2008), eight colours that colour-blind eyes tell apart.
OKABE_ITO = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#000000",
)  # fmt: skip
STYLE = {
    "font.size": FONT_SIZE,
    "axes.titlesize": FONT_SIZE,
    "axes.labelsize": FONT_SIZE,
    "xtick.labelsize": FONT_SIZE - 1,
    "ytick.labelsize": FONT_SIZE - 1,
    "legend.fontsize": FONT_SIZE - 1,
    "figure.titlesize": FONT_SIZE + 2,
    "axes.prop_cycle": matplotlib.cycler(color=OKABE_ITO),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 2.0,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.dpi": DPI,
}


def colors(name=HEAT):
    """Return a Matplotlib colour map as a (256, 3) uint8 table, for `arrays.overlay`.

    Raises ValueError for a name that Matplotlib does not know.
    """
    table = matplotlib.colormaps.get_cmap(name)(np.linspace(0, 1, 256))
    return np.round(table[:, :3] * 255).astype(np.uint8)


def paint(heat, signed=False, percentile=99.5):
    """Return a map as a picture (H, W, 3): its strength on black, or red for and blue against.

    `heat` is (H, W), or (H, W, C), which is summed over C, by absolute value unless `signed`. The
    given percentile of its absolute values takes the full colour. ValueError for wrong shapes, NaN.
    """
    heat = np.asarray(heat) if signed else np.abs(heat)
    heat = heat.sum(axis=2) if heat.ndim == 3 else heat
    if heat.ndim != 2:
        raise ValueError(f"the map has shape {heat.shape}; give (H, W) or (H, W, C)")
    if signed:
        unit = (arrays.rescale_signed(heat, percentile) + 1) / 2
    else:
        unit = arrays.rescale(heat, percentile)
    return colors(SIGNED if signed else HEAT)[np.round(unit * 255).astype(np.uint8)]


def style():
    """Give figures that you draw with pyplot yourself the look of the course's own."""
    matplotlib.rcParams.update(STYLE)


def show(image, title="", alt=None, display=True):
    """Show one picture, (H, W, 3) or (H, W), uint8 in 0-255 or float in 0-1 or 0-255.

    Returns the figure. Raises ValueError for another shape or for values outside these ranges.
    """
    return show_grid([image], [title], columns=1, alt=alt, width=5.0, display=display)


@matplotlib.rc_context(STYLE)
def show_grid(images, titles=None, columns=None, alt=None, width=10.0, display=True):
    """Show several pictures side by side, row by row, each with its title.

    `images`: (N, H, W, 3), (N, H, W), or a list of pictures of any sizes; `titles`: one text each;
    `width`: of the figure, in inches. Returns the figure. Raises ValueError when there is nothing
    to show, the numbers of pictures and titles differ, or a picture cannot be shown (see `show`).
    """
    images = [arrays.as_rgb(image) for image in images]
    titles = [""] * len(images) if titles is None else [str(title) for title in titles]
    if not images or len(titles) != len(images):
        raise ValueError(f"{len(images)} pictures and {len(titles)} titles: give one title each")
    columns = min(columns or 5, len(images))
    rows = -(-len(images) // columns)
    cell = width / columns
    ratio = max(image.shape[0] / image.shape[1] for image in images)
    lines = max(title.count("\n") + 1 if title else 0 for title in titles)
    figure, axes = _figure(width, rows * (cell * ratio + 0.24 * lines), rows, columns)
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, title in zip(axes.flat, images, titles, strict=False):
        axis.imshow(image)
        axis.set_title(title)
    described = "; ".join(title.replace("\n", ", ") for title in titles if title)
    return _finish(figure, alt or described or f"{len(images)} pictures", display)


def show_overlay(image, heat, title="", strength=0.8, cmap=HEAT, alt=None, display=True):
    """Show an unsigned map laid over its picture, its strongest spot in full colour.

    `image` is (H, W, 3) as for `show`, `heat` is (h, w), >= 0, and is resized to the picture.
    Returns the figure. Raises ValueError for wrong shapes, NaN, or negative values.
    """
    image = arrays.as_rgb(image)
    heat = arrays.resize_maps(arrays.rescale(heat), *image.shape[:2])
    laid = arrays.overlay(image, heat, colors(cmap), strength)
    return show(laid, title, alt=alt or title or "a heat map over a picture", display=display)


def show_signed(signed, title="", percentile=99.5, alt=None, display=True):
    """Show a signed map: red raises the score, blue lowers it, white is zero.

    `signed` is (H, W), or (H, W, C), which is summed over C. The given percentile of its absolute
    values takes the full colour. Returns the figure. Raises ValueError for wrong shapes or NaN.
    """
    picture = paint(signed, signed=True, percentile=percentile)
    alt = alt or title or "a signed map, red for and blue against"
    return show(picture, title, alt=alt, display=display)


@matplotlib.rc_context(STYLE)
def show_parts(image, parts, part_names, title="", alt=None, display=True):
    """Show a picture beside its true parts, each in a colour that the legend names.

    `image` is (H, W, 3), `parts` is (H, W) with ids that index `part_names`; id 0 is the background
    and stays grey. Returns the figure. Raises ValueError for shapes that do not fit or unknown ids.
    """
    image, parts = arrays.as_rgb(image), np.asarray(parts)
    if parts.shape != image.shape[:2]:
        raise ValueError(f"parts {parts.shape} do not fit the picture {image.shape}")
    if parts.max() >= len(part_names):
        raise ValueError(f"part id {parts.max()} has no name: there are {len(part_names)} names")
    table = np.array([matplotlib.colors.to_rgb(color) for color in ("#DDDDDD", *OKABE_ITO)])
    table = np.round(table[np.arange(len(part_names)) % len(table)] * 255).astype(np.uint8)
    present = [number for number in np.unique(parts) if number > 0]
    figure, axes = _figure(9.0, 3.9, 1, 2)
    for axis, shown in zip(axes.flat, (image, table[parts]), strict=True):
        axis.imshow(shown)
        axis.axis("off")
    patches = [Patch(color=table[number] / 255, label=part_names[number]) for number in present]
    figure.legend(handles=patches, loc="outside right center", frameon=False)
    figure.suptitle(title)
    named = ", ".join(part_names[number] for number in present)
    return _finish(figure, alt or f"{title or 'a picture'} and its parts: {named}", display)


@matplotlib.rc_context(STYLE)
def curves(history, title="", ylabel=None, alt=None, display=True):
    """Plot what was measured in each epoch; validation is dashed, in the colour of its training.

    `history` is what `network.fit` returns, or a dict of lists such as {"loss": [...], "val_loss":
    [...]}. Returns the figure. Raises ValueError when there is nothing to plot.
    """
    history = getattr(history, "history", history)
    if not history or not any(len(values) for values in history.values()):
        raise ValueError("the history is empty: there is no epoch to plot")
    figure, axes = _figure(8.0, 4.2, 1, 1)
    bases = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    for name, values in history.items():
        base = name.removeprefix("val_")
        color = OKABE_ITO[(bases.index(base) + 4) % len(OKABE_ITO)]
        label = base if name == base else f"{base}, validation"
        epochs = np.arange(1, len(values) + 1)
        axes[0, 0].plot(epochs, values, "-" if name == base else "--", color=color, label=label)
    axes[0, 0].set(xlabel="epoch", ylabel=ylabel or " / ".join(bases), title=title)
    axes[0, 0].xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].legend(frameon=False)
    ends = ", ".join(f"{name} ends at {values[-1]:.2f}" for name, values in history.items())
    return _finish(figure, alt or f"{title or 'curves'}: {ends}", display)


def axes(width=8.0, height=4.2, rows=1, columns=1):
    """Return an empty figure of that many inches, and its axes in a flat array, to plot into.

    Sets the course's style for what is plotted afterwards. Show it with `finish`.
    """
    style()
    figure, grid = _figure(width, height, rows, columns)
    return figure, grid.ravel()


def finish(figure, alt, display=True):
    """Give a figure of `axes` the text that says what it shows, show it once, and return it."""
    if not alt:
        raise ValueError("alt must say what the figure shows, for those who do not see it")
    return _finish(figure, alt, display)


def _figure(width, height, rows, columns):
    figure = Picture(figsize=(width, height))
    return figure, figure.subplots(rows, columns, squeeze=False)


def _finish(figure, alt, display):
    figure.alt = alt
    if display:
        figure.show_once()
    return figure
