"""Explorer of lesson 07: t-SNE maps of images, by layer and perplexity, to walk around on."""

import functools
import warnings

import ipywidgets as widgets
import numpy as np
from PIL import Image

from helpers import embedding, plotting
from helpers.core.progress import progress
from helpers.explorers.explorer import LETTERS, Explorer, checked, side_by_side, slider
from helpers.plotting.points import (
    DOT,
    LEGEND,
    THUMBNAIL,
    inner,
    places,
    step,
    thumbnail,
    write,
)

PERPLEXITIES = (5, 10, 15, 20, 25, 30, 40, 50)
FORMS = ("dots", "pictures", "grid")
NEAREST = 5  # neighbours that are counted and shown
MAP, PANEL = (620, 512), 300  # pixels: the map, and the width of the panel beside it
SMALL, LARGE, BELOW = 52, 200, 330  # pixels: a neighbour, the picture, y of the neighbours
# Toy data: how many points each cloud has, how wide it is, and where it lies.
TOYS = {
    "equal clouds": ((50, 50, 50), (1, 1, 1), (0, 10, 20)),
    "one wide and far": ((50, 50, 50), (1, 1, 10), (0, 10, 150)),
    "few and many points": ((25, 150), (1, 1), (0, 16)),
    "noise, one cloud": ((100,), (1,), (0,)),
}
ARROWS = {"left": "← left", "up": "↑ up", "down": "↓ down", "right": "right →"}


def tsne_maps(features, images, labels, class_names, said=None, perplexities=PERPLEXITIES, seed=0):
    """Return an explorer of t-SNE maps with controls for layer, perplexity, form and picture.

    Arguments:
        features: (N, D), or several by name, {layer: (N, D)}.
        images: uint8 (N, H, W, 3).
        labels, said: the true class of each image, and the predicted one: mistakes are ringed.

    All maps, one for each layer and perplexity, are computed at the start, and turned to match each
    other. A click on a point or a picture selects it, and four buttons move to the nearest picture
    in a direction. Perplexities that need more pictures are left out, and a warning says so. Raises
    ValueError for what does not fit together.
    """
    images, names = checked(images), list(class_names)
    features = features if isinstance(features, dict) else {"features": features}
    labels, perplexities = _fitting(features, images, labels, names, perplexities)
    maps = _maps(features, perplexities, seed)
    grids = {pair: plotting.to_grid(points) for pair, points in maps.items()}
    nearest = min(NEAREST, len(labels) - 1)
    near = {name: embedding.neighbours(points, nearest) for name, points in features.items()}
    near |= {pair: embedding.neighbours(points, nearest) for pair, points in maps.items()}
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
            f"picture {picture}: {names[labels[picture]]}{verdict}; its {nearest} nearest, {layer}:"
            f" {kept[0]} of its class; on the map, perplexity {perplexity}: {kept[1]}"
        )

    def clicked(x, y):
        layer, perplexity, form, picture = (control.value for control in controls.values())
        spot = np.array([x * (MAP[0] + PANEL), y * MAP[1]])
        side = sides.get(form, DOT)
        centres = places(place(layer, perplexity, form), MAP, side, LEGEND)
        numbers = np.arange(len(labels))
        for row, found in enumerate((near[layer][picture], near[layer, perplexity][picture])):
            beside = [np.add(_centre(row, column), (MAP[0], 0)) for column in range(len(found))]
            centres, numbers = np.vstack([centres, beside]), np.append(numbers, found)
        distances = np.hypot(*(centres - spot).T)
        if distances.min() <= max(side, SMALL) / 2 + 8:
            controls["picture"].value = int(numbers[distances.argmin()])

    usual = min(perplexities, key=lambda perplexity: abs(perplexity - 15))
    controls = {
        "layer": widgets.SelectionSlider(options=list(features), description="layer"),
        "perplexity": widgets.SelectionSlider(
            options=list(perplexities), value=usual, description="perplexity"
        ),
        "form": widgets.Dropdown(options=FORMS, description="points as"),
        "picture": slider("picture", most=len(labels) - 1),
    }
    explorer = Explorer("t-SNE explorer", draw, controls, clicked)
    knobs = explorer.box.children[0]
    knobs.children = (*knobs.children, _arrows(controls, place))
    return explorer


def _fitting(features, images, labels, names, perplexities):
    """Return labels (N,) and the perplexities below N; ValueError for what does not fit."""
    labels, count = np.asarray(labels), len(images)
    others = {name: len(points) for name, points in features.items() if len(points) != count}
    if labels.shape != (count,) or others:
        given = ", ".join(f"{name} has {length}" for name, length in others.items())
        raise ValueError(f"{count} images, labels {labels.shape}: give one each. {given}".strip())
    if count and not 0 <= labels.min() <= labels.max() < len(names):
        raise ValueError(f"labels go to {labels.max()}, but there are {len(names)} class names")
    if count < 3:
        raise ValueError(f"a map needs at least 3 images, not {count}")
    usable = [perplexity for perplexity in perplexities if perplexity < count]
    usable = usable or [max(1, count // 3)]
    if missing := [str(perplexity) for perplexity in perplexities if perplexity not in usable]:
        warnings.warn(
            f"{count} images: perplexity {', '.join(missing)} is left out, it needs more.",
            stacklevel=3,
        )
    return labels, usable


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
    write(panel, (0, 16), f"picture {number}", size=LETTERS)
    thumbnail(panel, (LARGE / 2, 34 + LARGE / 2), labels[number], LARGE, image)
    rows = ("its nearest, by features", here), ("its nearest, on the map", there)
    for row, (caption, found) in enumerate(rows):
        write(panel, (0, _centre(row, 0)[1] - 16 - SMALL / 2), caption, size=LETTERS)
        for column, other in enumerate(found):
            thumbnail(panel, _centre(row, column), labels[other], SMALL, small[other])
    return np.asarray(panel)


def _centre(row, column):
    """Return where a neighbour's picture lies in the panel, (x, y) in pixels."""
    return SMALL / 2 + column * (SMALL + 6), BELOW + row * (SMALL + 44) - 44 + SMALL / 2


def _reduced(images, side):
    small = [Image.fromarray(i).resize((side, side), Image.Resampling.LANCZOS) for i in images]
    return np.stack([np.asarray(image) for image in small])


def _grid_side(count):
    """Return how wide images on a grid can be without overlapping, in pixels."""
    columns = int(np.ceil(np.sqrt(count)))
    return int((MAP[1] - LEGEND - 2 * columns) / (columns + 1.2))


def toy_clouds(perplexities=(2, 5, 15, 30, 50), seed=0):
    """Return an explorer of t-SNE maps of points whose true arrangement is known.

    Controls: `data`, one of `TOYS`, and `perplexity`. On the left two of the ten dimensions as they
    are, on the right the map. The label compares widths (standard deviations) and gaps (distances
    between centres): in truth, and on the map. The maps of a data set are computed
    when it is chosen.
    """
    random = np.random.default_rng(seed)
    made = {name: _clouds(random, *clouds) for name, clouds in TOYS.items()}

    @functools.cache
    def maps(data):
        points, _ = made[data]
        found = [embedding.tsne(points, perplexity, seed) for perplexity in perplexities]
        turned = [embedding.turned(one, points[:, :2]) for one in found]
        return dict(zip(perplexities, turned, strict=True))

    def draw(data, perplexity):
        points, cloud = made[data]
        view = {"names": [f"cloud {k + 1}" for k in range(cloud.max() + 1)], "size": (380, 380)}
        found = maps(data)[perplexity]
        shown = {"in truth": points[:, :2], f"t-SNE, perplexity {perplexity}": found}
        panels = {name: plotting.draw_map(m, cloud, side=11, **view) for name, m in shown.items()}
        places = ("true", points), ("on the map", found)
        if cloud.max():
            told = [f"{where}: {_measured(m, cloud)}" for where, m in places]
        else:
            told = "true: one cloud", "on the map: count the clumps"
        return side_by_side(panels), f"{data}, perplexity {perplexity}; " + "; ".join(told)

    controls = {
        "data": widgets.Dropdown(options=list(TOYS), description="data"),
        "perplexity": widgets.SelectionSlider(
            options=list(perplexities), value=perplexities[len(perplexities) // 2],
            description="perplexity",
        ),
    }  # fmt: skip
    return Explorer("Toy clouds", draw, controls)


def _clouds(random, counts, widths, places):
    """Return round clouds in ten dimensions along the first axis, and the cloud of each point."""
    cloud = np.repeat(range(len(counts)), counts)
    points = random.normal(size=(len(cloud), 10)) * np.array(widths)[cloud, None]
    points[:, 0] += np.array(places)[cloud]
    return points, cloud


def _measured(points, cloud):
    """Return in words how wide the last cloud is beside the first, and how far away."""
    ends = [points[cloud == k] for k in (0, cloud.max())]
    widths = [end.std(axis=0).mean() for end in ends]
    text = f"the last is {widths[1] / widths[0]:.1f} times as wide as the first"
    if cloud.max() == 1:
        return text
    middles = [points[cloud == k].mean(axis=0) for k in (0, 1, cloud.max())]
    near, far = (np.linalg.norm(middles[k] - middles[0]) for k in (1, 2))
    return f"{text} and {far / near:.1f} times as far away as the second"
