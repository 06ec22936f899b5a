"""What if the animal had no ears? Draw it without them and ask the network again.

A drawn world can answer what no photo can: what a part truly does to the score. Nothing covers the
part that could itself mean something to the network; what is behind it shows, and no other pixel
differs. Maps that claim to show what the network looks at can be marked against this truth.
"""

import functools

import numpy as np

from helpers import drawn, gradients
from helpers.networks import check_images
from helpers.runtime import progress

PARTS = drawn.PART_NAMES[1:]  # what an animal can be drawn without


def part_effects(network, drawings, target=None, part_names=PARTS, sky=None):
    """Return what each part of drawn animals does to the score: `{part name: float32 (N,)}`.

    The effect is the score (a logit) of the whole drawing less the score of the same drawing
    without the part: positive where the part speaks for the target, NaN where no pixel shows it.
    `drawings` is a list of `drawn.Drawing`, or a single one, which gives single numbers. `target`
    is None (the class that is predicted for the whole drawing), an int, or one int per drawing;
    `sky` is what the drawings were drawn with.

    Raises TypeError for anything but drawings, ValueError for an unknown part and for drawings that
    cannot be drawn again: scenes, those that lack a part already, those under another sky.
    (The idea: Hesse et al., FunnyBirds, 2023)
    """
    single = isinstance(drawings, drawn.Drawing)
    drawings = [drawings] if single else list(drawings)
    if not drawings or not all(isinstance(drawing, drawn.Drawing) for drawing in drawings):
        raise TypeError("drawings must be a drawn.Drawing, or a list of them, as drawn.draw gives.")
    for name in part_names:
        if name not in PARTS:
            raise ValueError(f"No part {name!r} can be left out, only: {', '.join(PARTS)}.")
    batch, _ = check_images(network, np.stack([drawing.image for drawing in drawings]))
    targets = gradients.check_target(network, batch, target)
    if target is None:
        targets = gradients.scores(network, batch).argmax(axis=1)
    effects = {name: np.full(len(batch), np.nan, np.float32) for name in part_names}
    for n, drawing in enumerate(progress(drawings, label="Part effects")):
        shown = [name for name in part_names if drawn.PART_NAMES.index(name) in drawing.parts]
        bare = [_without(drawing, name, sky) for name in shown]
        whole, *scores = gradients.scores(network, np.stack([drawing.image, *bare]))[:, targets[n]]
        for name, score in zip(shown, scores, strict=True):
            effects[name][n] = whole - score
    return {name: values[0] if single else values for name, values in effects.items()}


def _without(drawing, name, sky):
    """Return the picture without a part; ValueError where that would change more than the part."""
    if not isinstance(drawing.kind, str):
        raise ValueError(f"{drawing} is a scene: part effects are for drawings of one animal.")
    bare = _draw(drawing.kind, drawing.seed, (name,), sky).image
    rest = drawing.parts != drawn.PART_NAMES.index(name)
    if not np.array_equal(bare[rest], drawing.image[rest]):
        raise ValueError(
            f"{drawing} is not what drawn.draw gives with sky={sky!r}: a whole animal is wanted, "
            "and the sky that it was drawn with."
        )
    return bare


_draw = functools.lru_cache(maxsize=512)(drawn.draw)  # so that another network is asked sooner
