"""Frames of a dream as an animated GIF."""

from pathlib import Path

import numpy as np
from PIL import Image

from helpers.core import paths


def save_gif(path, frames, seconds=0.1, last=1.0):
    """Save images (H, W, 3) in 0-255 as an animated GIF that loops; no partial file is ever left.

    Each frame is shown for `seconds`, the final one for `last`. Raises ValueError for another
    suffix or frames of different sizes; FileNotFoundError without the folder.
    """
    path, frames = Path(path), [np.asarray(frame) for frame in frames]
    if path.suffix.lower() != ".gif":
        raise ValueError(f"A film is saved as a .gif file, not as {path.name}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to save {path.name} in.")
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1 or len(min(shapes)) != 3 or min(shapes)[2] != 3:
        raise ValueError(f"Give one or more frames (H, W, 3) of one size, not {sorted(shapes)}.")
    pages = [Image.fromarray(np.clip(np.round(f), 0, 255).astype(np.uint8)) for f in frames]
    lasting = [round(1000 * seconds)] * (len(pages) - 1) + [round(1000 * last)]
    with paths.whole(path) as unfinished:
        pages[0].save(unfinished, save_all=True, append_images=pages[1:], duration=lasting, loop=0)
