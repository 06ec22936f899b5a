"""Figures, images, curves and maps of points for the lessons, drawn with Matplotlib and Pillow."""

from helpers.plotting.figures import (
    DPI,
    HEAT,
    OKABE_ITO,
    SIGNED,
    Picture,
    axes,
    colors,
    figure_to_png,
    finish,
    paint,
    show,
    show_grid,
    show_overlay,
    show_parts,
    show_signed,
    smallest,
    style,
)
from helpers.plotting.lines import curves, histories, panels, with_spread
from helpers.plotting.pictures import (
    as_rgb,
    overlay,
    rescale,
    rescale_signed,
    resize,
    resize_maps,
    tile,
)
from helpers.plotting.points import draw_map, to_grid

__all__ = [
    "DPI", "HEAT", "OKABE_ITO", "SIGNED", "Picture", "as_rgb", "axes", "colors", "curves",
    "draw_map", "figure_to_png", "finish", "histories", "overlay", "paint", "panels",
    "rescale", "rescale_signed", "resize", "resize_maps", "show", "show_grid", "show_overlay",
    "show_parts", "show_signed", "smallest", "style", "tile", "to_grid", "with_spread",
]  # fmt: skip
