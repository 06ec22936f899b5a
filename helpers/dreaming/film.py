"""Frames of a dream as a film: played below a cell, or saved as an animated GIF."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.core import front_end, paths
from helpers.plotting import resize

QUALITY = 50  # of WebP, 0-100


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
    with paths.whole(path) as unfinished:
        _write(unfinished, frames, "GIF", seconds, last)


def play(frames, alt, width=400, seconds=0.3, last=2.0):
    """Play images (H, W, 3) in 0-255 below the running cell, again and again, as a film.

    Arguments:
        frames: one or more images of any size, such as those of `ascend_octaves`. All are resized
            to the shape of the last one.
        alt: what the film shows, in words.
        width: of the film, in pixels; at most the last frame's.
        seconds, last: how long each frame and the final one are shown.

    A click on its caption hides the film, and so stops it. Raises ValueError without frames, for
    frames of other shapes, and for an empty `alt`.
    """
    frames = [np.asarray(frame) for frame in frames]
    if not frames or any(frame.ndim != 3 or frame.shape[2] != 3 for frame in frames):
        raise ValueError(f"Give one or more frames (H, W, 3), not {[f.shape for f in frames]}.")
    if not alt:
        raise ValueError("Say in `alt` what the film shows, for those who cannot see it.")
    if front_end.notebook() is None:
        return
    from IPython.display import HTML, display

    width = min(width, frames[-1].shape[1])
    height = round(width * frames[-1].shape[0] / frames[-1].shape[1])
    file = io.BytesIO()
    small = [resize(frame, height, width, antialias=True) for frame in frames]
    _write(file, small, "WEBP", seconds, last, quality=QUALITY, method=6)
    image = front_end.image_html("image/webp", file.getvalue(), alt)
    caption = f"A film of {len(frames)} pictures (click here to hide or show it)"
    display(HTML(f"<details open><summary>{caption}</summary>{image}</details>"))


def _write(file, frames, kind, seconds, last, **how):
    pages = [Image.fromarray(np.clip(np.round(f), 0, 255).astype(np.uint8)) for f in frames]
    lasting = [round(1000 * seconds)] * (len(pages) - 1) + [round(1000 * last)]
    following = dict(save_all=True, append_images=pages[1:], duration=lasting, loop=0)
    pages[0].save(file, kind, **following, **how)
