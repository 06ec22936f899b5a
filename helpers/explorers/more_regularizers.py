"""Explorer of lesson 10: regularizers as check boxes, over runs that were recorded."""

import ipywidgets as widgets
import numpy as np

from helpers import regularization
from helpers.explorers.explorer import Explorer
from helpers.explorers.regularization import FITTED, SEEN, TRUTH, Sheet

BOXES = {
    "dropout": "dropout",
    "augmentation": "augmentation",
    "normalization": "batch normalization",
    "smoothing": "label smoothing",
    "mixup": "mixup",
    "l2": "L2 penalty",
}
STEPS = 10 * np.arange(1, 21)
GREY = "#777777"


def regularizers():
    """Return an explorer of how a network learns 200 digits with any of six regularizers.

    A list for the labels, true or one in five false; a check box for each regularizer, and one for
    early stopping. On the left the learning curves of three runs, and the mean validation curve
    without any regularizer; on the right the test accuracies with and without.
    """
    sheet = Sheet("step", "right")
    left, right = sheet.panels
    left.set(xlim=(0, 205), ylim=(0.3, 1.02), title="three runs")
    right.set(xlim=(-0.5, 1.5), ylim=(0.3, 1.02), xlabel="", title="test digits")
    right.set_xticks((0, 1), ("without", "with these"))
    moving = {"animated": True}
    (plain,) = left.plot([], [], "--", color=GREY, label="without", **moving)
    looks = {"train": ("training", SEEN), "validation": ("validation", FITTED)}
    lines = {}
    for name, (label, color) in looks.items():
        left.plot([], [], color=color, label=label)
        lines[name] = [left.plot([], [], color=color, lw=1.5, **moving)[0] for _ in range(3)]
    (stops,) = left.plot([], [], "o", color=TRUTH, ms=8, label="stopped", **moving)
    (before,) = right.plot([], [], "o", color=GREY, ms=9, **moving)
    (after,) = right.plot([], [], "o", color=FITTED, ms=9, **moving)
    right.legend(*left.get_legend_handles_labels(), loc="lower left", frameon=False)
    (level,) = right.plot([], [], "--", color=GREY, lw=1.5, **moving)

    def draw(labels, early, **ticked):
        names = [BOXES[box] for box, value in ticked.items() if value]
        runs, without = (regularization.recorded(labels, *some) for some in (names, ()))
        for name, curves in lines.items():
            for line, values in zip(curves, runs[name], strict=True):
                line.set_data(STEPS, values)
        plain.set_data(STEPS, without["validation"].mean(axis=0))
        at = runs["kept"]
        heights = runs["validation"][np.arange(len(at)), at]
        stops.set_data(*((STEPS[at], heights) if early else ((), ())))
        found, usual = runs["stopped" if early else "end"], without["end"]
        before.set_data((-0.06, 0, 0.06), usual)
        after.set_data((0.94, 1, 1.06), found)
        level.set_data((-0.5, 1.5), [usual.mean()] * 2)
        said = [*names, *(["early stopping"] if early else [])]
        gain = 100 * (found.mean() - usual.mean())
        text = (
            f"{labels}, {' + '.join(said) or 'no regularizer'}: right on {found.mean():.1%} of the "
            f"test digits ({found.min():.1%} to {found.max():.1%}), {gain:+.1f} points"
        )
        curves = [line for name in lines for line in lines[name]]
        return sheet.draw(plain, *curves, stops, level, before, after), text

    kinds = [problem for problem in regularization.PROBLEMS if problem != "pets"]
    controls = {"labels": widgets.Dropdown(options=kinds, value=kinds[1], description="digits")}
    boxes = BOXES | {"early": "early stopping"}
    controls |= {box: widgets.Checkbox(description=name) for box, name in boxes.items()}
    return Explorer("Regularizer explorer", draw, controls)
