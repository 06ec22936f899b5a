"""The drawn world: portraits of animals whose every part is known."""

from helpers.drawn.canvas import PART_NAMES
from helpers.drawn.drawing import (
    FACE,
    KINDS,
    OTHERS,
    PETS,
    SIZE,
    TEST_SEED,
    Drawing,
    dataset,
    draw,
    load_test,
    save_test,
    scene,
)

__all__ = [
    "FACE", "KINDS", "OTHERS", "PART_NAMES", "PETS", "SIZE", "TEST_SEED", "Drawing", "dataset",
    "draw", "load_test", "save_test", "scene",
]  # fmt: skip
