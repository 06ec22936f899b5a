"""Explorer of lesson 07: t-SNE maps of images, by layer and perplexity, to walk around on."""

import ipywidgets as widgets
import numpy as np
from PIL import Image

from helpers import embedding, plotting
from helpers.core.progress import progress
from helpers.explorers.explorer import Explorer, slider
from helpers.plotting.points import LEGEND, THUMBNAIL, inner, step, thumbnail, write

PERPLEXITIES = (5, 10, 15, 20, 25, 30, 40, 50)
FORMS = ("dots", "pictures", "grid")
NEAREST = 5  # neighbours that are counted and shown
MAP, PANEL = (620, 512), 300  # pixels: the map, and the width of the panel beside it
SMALL, LARGE, BELOW = 52, 200, 330  # pixels: a neighbour, the picture, y of the neighbours
ARROWS = {"left": "← left", "up": "↑ up", "down": "↓ down", "right": "right →"}


def tsne_maps(features, images, labels, class_names, said=None, perplexities=PERPLEXITIES, seed=0):
    """Return an explorer of t-SNE maps with controls for layer, perplexity, form and picture.

    Arguments:
        features: (N, D), or several by name, {layer: (N, D)}.
        images: uint8 (N, H, W, 3).
        labels, said: the true class of each image, and the predicted one: mistakes are ringed.

    All maps, one for each layer and perplexity, are computed at the start, and turned to match each
    other. Four buttons move to the nearest picture in a direction.
    """
    features = features if isinstance(features, dict) else {"features": features}
    labels, names = np.asarray(labels), list(class_names)
    maps = _maps(features, perplexities, seed)
    grids = {pair: plotting.to_grid(points) for pair, points in maps.items()}
    near = {name: embedding.neighbours(points, NEAREST) for name, points in features.items()}
    near |= {pair: embedding.neighbours(points, NEAREST) for pair, points in maps.items()}
    mistakes = [] if said is None else np.flatnonzero(np.asarray(said) != labels).tolist()
    sides = {"pictures": THUMBNAIL, "grid": _grid_side(len(labels)), "beside": SMALL}
    small = {form: _reduced(images, inner(side)) for form, side in sides.items()}

    def place(layer, perplexity, form):
        return (grids if form == "grid" else maps)[layer, perplexity]

    def draw(layer, perplexity, form, picture):
        points = place(layer, perplexity, form)
        here, there = near[layer][picture], near[layer, perplexity][picture]
        view = {"ringed": mistakes, "picked": picture, "names": names, "size": MAP}
        view |= {"side": sides.get(form), "joined": () if form == "grid" else here}
        drawn = plotting.draw_map(points, labels, small.get(form), **view)
        beside = _panel(images[picture], picture, small["beside"], labels, here, there)
        verdict = "" if said is None else f", the network says {names[said[picture]]}"
        kept = [(labels[found] == labels[picture]).sum() for found in (here, there)]
        return np.concatenate([drawn, beside], axis=1), (
            f"picture {picture}: {names[labels[picture]]}{verdict}; its {NEAREST} nearest, {layer}:"
            f" {kept[0]} of its class; on the map, perplexity {perplexity}: {kept[1]}"
        )

    usual = min(perplexities, key=lambda perplexity: abs(perplexity - 15))
    controls = {
        "layer": widgets.SelectionSlider(options=list(features), description="layer"),
        "perplexity": widgets.SelectionSlider(
            options=list(perplexities), value=usual, description="perplexity"
        ),
        "form": widgets.Dropdown(options=FORMS, description="points as"),
        "picture": slider("picture", most=len(labels) - 1),
    }
    explorer = Explorer("t-SNE explorer", draw, controls)
    knobs = explorer.box.children[0]
    knobs.children = (*knobs.children, _arrows(controls, place))
    return explorer


def _maps(features, perplexities, seed):
    """Return the map for each (layer, perplexity), each turned to match the next one.

    The last one sets the direction: its widest extent goes from left to right.
    """
    pairs = [(layer, perplexity) for layer in features for perplexity in perplexities]
    maps, after = {}, None
    for layer, perplexity in progress(pairs[::-1], label="t-SNE maps"):
        found = embedding.tsne(features[layer], perplexity, seed)
        after = embedding.turned(found, embedding.pca(found) if after is None else after)
        maps[layer, perplexity] = after
    return {pair: maps[pair] for pair in pairs}


def _arrows(controls, place):
    """Return buttons that move to the nearest picture in a direction of the current map."""

    def walk(direction):
        values = [controls[name].value for name in ("layer", "perplexity", "form")]
        control = controls["picture"]
        control.value = step(place(*values), control.value, direction)

    layout, buttons = widgets.Layout(width="76px"), []
    for direction, text in ARROWS.items():
        tip = f"go to the nearest picture {direction}"
        button = widgets.Button(description=text, tooltip=tip, layout=layout)
        button.on_click(lambda _, direction=direction: walk(direction))
        buttons.append(button)
    return widgets.HBox(buttons)


def _panel(image, number, small, labels, here, there):
    """Return the picture, and its neighbours by features and on the map, with captions."""
    panel = Image.new("RGB", (PANEL, MAP[1]), "white")
    write(panel, (0, 16), f"picture {number}")
    thumbnail(panel, (LARGE / 2, 34 + LARGE / 2), labels[number], LARGE, image)
    rows = ("its nearest, by features", here), ("its nearest, on the map", there)
    for row, (caption, found) in enumerate(rows):
        top = BELOW + row * (SMALL + 44) - 60
        write(panel, (0, top), caption)
        for column, other in enumerate(found):
            centre = (SMALL / 2 + column * (SMALL + 6), top + 16 + SMALL / 2)
            thumbnail(panel, centre, labels[other], SMALL, small[other])
    return np.asarray(panel)


def _reduced(images, side):
    small = [Image.fromarray(i).resize((side, side), Image.Resampling.LANCZOS) for i in images]
    return np.stack([np.asarray(image) for image in small])


def _grid_side(count):
    """Return how wide images on a grid can be without overlapping, in pixels."""
    columns = int(np.ceil(np.sqrt(count)))
    return int((MAP[1] - LEGEND - 2 * columns) / (columns + 1.2))
