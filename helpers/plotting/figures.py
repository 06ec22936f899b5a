"""Figures for lessons: images, maps over images, true parts, and empty axes to plot into.

Every function draws one figure, shows it once in a notebook, and returns it. Text is large enough
for the last row, colours are safe for colour-blind readers, and each figure has an alt text (`alt`)
that says what it shows. With `display=False` it is only drawn, for `figure_to_png`. Text is drawn
as it is: dollar signs do not make a formula.
"""

import io

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from helpers.core import front_end
from helpers.plotting.pictures import as_rgb, overlay, rescale, rescale_signed, resize_maps
from helpers.plotting.text import as_typed, wrap

DPI = 100
FONT_SIZE = 12  # points; nothing in a figure is smaller than 11
HEAT, SIGNED = "inferno", "RdBu_r"
# Okabe and Ito (2008): eight colours that are distinct for colour-blind readers.
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


class Picture(Figure):
    """A Matplotlib figure that a notebook shows once, with its alt text.

    pyplot does not know of it, so nothing shows it a second time or keeps it in memory.
    """

    alt = ""
    _shown_by = None  # the cell run that has shown it

    def show_once(self):
        """Show the figure in the running cell, unless this cell has already shown it."""
        shell = front_end.notebook()
        if shell is None:
            return
        run = shell.parent_header["header"]["msg_id"]  # one message per cell run
        if self._shown_by == run:
            return
        self._shown_by = run
        from IPython.display import display

        kind, image = smallest(figure_to_png(self))
        data = {kind: image, "text/plain": self.alt}
        if front_end.is_lab():
            data["text/html"] = front_end.image_html(kind, image, self.alt)
        display(data, raw=True, metadata={kind: {"alt": self.alt}})

    _ipython_display_ = show_once

    def draw(self, renderer):
        """Draw the figure, its texts as they were typed."""
        changed = as_typed(self)
        try:
            super().draw(renderer)
        finally:
            for text, words in changed.items():
                text.set_text(words)


def figure_to_png(figure):
    """Return a figure as PNG bytes."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    return file.getvalue()


def smallest(png):
    """Return a picture's MIME type and bytes, as PNG or as JPEG, whichever is smaller.

    Lines and text are smaller as PNG, photos and drawings as JPEG: notebooks must stay small.
    """
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(file, "JPEG", quality=88, subsampling=0)
    jpeg = file.getvalue()
    return ("image/png", png) if len(png) <= len(jpeg) else ("image/jpeg", jpeg)


def colors(name=HEAT):
    """Return a Matplotlib colour map as a (256, 3) uint8 table, for `overlay`.

    Raises ValueError for a name that Matplotlib does not know.
    """
    table = matplotlib.colormaps.get_cmap(name)(np.linspace(0, 1, 256))
    return np.round(table[:, :3] * 255).astype(np.uint8)


def paint(heat, signed=False, percentile=99.5):
    """Return a map as an image (H, W, 3): bright on black, or if signed red for and blue against.

    `heat` is (H, W), or (H, W, C), which is summed over C, by absolute value unless `signed`. Full
    colour is the given percentile of its absolute values. Raises ValueError for other shapes.
    """
    heat = np.asarray(heat) if signed else np.abs(heat)
    heat = heat.sum(axis=2) if heat.ndim == 3 else heat
    if heat.ndim != 2:
        raise ValueError(f"the map has shape {heat.shape}; it must be (H, W) or (H, W, C)")
    if signed:
        unit = (rescale_signed(heat, percentile) + 1) / 2
    else:
        unit = rescale(heat, percentile)
    return colors(SIGNED if signed else HEAT)[np.round(unit * 255).astype(np.uint8)]


def style():
    """Give the figures that you draw with pyplot the style of the course."""
    matplotlib.rcParams.update(STYLE)


def show(image, title="", alt=None, display=True):
    """Show one image, (H, W, 3) or (H, W), uint8 in 0-255 or float in 0-1 or 0-255.

    Returns the figure. Raises ValueError for other shapes and values.
    """
    return show_grid([image], [title], columns=1, alt=alt, width=5.0, display=display)


@matplotlib.rc_context(STYLE)
def show_grid(images, titles=None, columns=None, alt=None, width=10.0, display=True):
    """Show images side by side, row by row, each with its title.

    `images` are (N, H, W, 3), (N, H, W), or a list of images of any size; `titles` are one text
    each; `width` is the figure's, in inches. Returns the figure. Raises ValueError without images,
    for another number of titles, and as `show`.
    """
    images = [as_rgb(image) for image in images]
    titles = [""] * len(images) if titles is None else [str(title) for title in titles]
    if not images or len(titles) != len(images):
        raise ValueError(f"{len(images)} images and {len(titles)} titles: give one title each")
    columns = min(columns or 5, len(images))
    rows = -(-len(images) // columns)
    cell = width / columns
    ratio = max(image.shape[0] / image.shape[1] for image in images)
    wrapped = [wrap(title, cell * DPI * 0.96) for title in titles]
    lines = max(title.count("\n") + 1 if title else 0 for title in wrapped)
    figure, axes = _figure(width, rows * (cell * ratio + 0.24 * lines), rows, columns)
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, title in zip(axes.flat, images, wrapped, strict=False):
        axis.imshow(image)
        axis.set_title(title)
    described = "; ".join(title.replace("\n", ", ") for title in titles if title)
    return _finish(figure, alt or described or f"{len(images)} pictures", display)


def show_overlay(image, heat, title="", strength=0.8, cmap=HEAT, alt=None, display=True):
    """Show an unsigned map over its image, the strongest place in full colour.

    `image` is (H, W, 3) as for `show`, `heat` is (h, w), >= 0, and is resized to the image. Returns
    the figure. Raises ValueError for wrong shapes, NaN, and negative values.
    """
    image = as_rgb(image)
    heat = resize_maps(rescale(heat), *image.shape[:2])
    laid = overlay(image, heat, colors(cmap), strength)
    return show(laid, title, alt=alt or title or "a heat map over a picture", display=display)


def show_signed(signed, title="", percentile=99.5, alt=None, display=True):
    """Show a signed map: red raises the score, blue lowers it, white is zero.

    `signed` is (H, W), or (H, W, C), which is summed over C. Full colour is the given percentile of
    its absolute values. Returns the figure. Raises ValueError for wrong shapes and NaN.
    """
    picture = paint(signed, signed=True, percentile=percentile)
    alt = alt or title or "a signed map, red for and blue against"
    return show(picture, title, alt=alt, display=display)


@matplotlib.rc_context(STYLE)
def show_parts(image, parts, part_names, title="", alt=None, display=True):
    """Show an image beside its true parts, each in a colour that the legend names.

    `image` is (H, W, 3), `parts` is int (H, W), indices of `part_names`; 0 is the background and
    stays grey. Returns the figure. Raises ValueError for shapes that do not fit.
    """
    image, parts = as_rgb(image), np.asarray(parts)
    if parts.shape != image.shape[:2]:
        raise ValueError(f"parts {parts.shape} do not fit the image {image.shape}")
    if parts.max() >= len(part_names):
        raise ValueError(f"part {parts.max()} has no name: there are {len(part_names)} names")
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


def axes(width=8.0, height=4.2, rows=1, columns=1):
    """Return an empty figure of this size in inches, and its axes in a flat array, to plot into.

    Sets the course's style for what is plotted next. Show the figure with `finish`.
    """
    style()
    figure, grid = _figure(width, height, rows, columns)
    return figure, grid.ravel()


def finish(figure, alt, display=True):
    """Set the alt text of a figure from `axes`, show the figure once, and return it."""
    if not alt:
        raise ValueError("alt must say what the figure shows, for readers who cannot see it")
    return _finish(figure, alt, display)


def _figure(width, height, rows, columns):
    figure = Picture(figsize=(width, height))
    return figure, figure.subplots(rows, columns, squeeze=False)


def _finish(figure, alt, display):
    figure.alt = alt
    if display:
        figure.show_once()
    return figure
