"""Points for TensorBoard's embedding projector, with a label and a small picture for each.

Its files follow what the projector reads:

    vectors.tsv            one line of numbers, with tabs between them, for each point
    metadata.tsv           one line of text for each point; where it has several columns, and only
                           then, the first line names them
    sprite.png             thumbnails row by row on a square grid: as many rows as columns, at most
                           8192 pixels wide
    projector_config.pbtxt which file is which
"""

import io
import os
import uuid
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from helpers.arrays import as_rgb

SPRITE = 8192  # the widest picture that the projector takes, in pixels
MISSING = "?"  # stands for an empty label: the projector skips an empty line


def export_projector(
    folder, features, labels, images=None, class_names=None, columns=None, side=48
):
    """Write points for TensorBoard's projector into a folder, and return the folder's path.

    `features` is (N, D), D at least 2; `labels` has one for each, of any kind, or ints that stand
    for `class_names`; `images`, if any, are (N, H, W, 3) and become thumbnails that fit into `side`
    pixels, fewer where there are thousands. `columns` adds to the labels, {name: N values}: colour
    by any of them. To look at it: `tensorboard --logdir FOLDER`, or, without thumbnails, load
    vectors.tsv and metadata.tsv at projector.tensorflow.org. Files of these names are replaced,
    whole; others stay. Raises ValueError where the lengths do not match, for NaN, and for labels
    without a class name.
    """
    points, columns = check_points(features), dict(columns or {})
    if points.shape[1] < 2:
        raise ValueError("The projector wants features (N, D) with D at least 2.")
    if "label" in columns:
        raise ValueError('The column "label" holds the labels: give yours another name.')
    table = {"label": _named(labels, class_names), **columns}
    for name, column in table.items():
        if np.shape(column) != (len(points),):
            raise ValueError(
                f"{name!r} must be one for each of {len(points)} points, not {np.shape(column)}."
            )
    files = {"vectors.tsv": _vectors(points), "metadata.tsv": _metadata(table)}
    sprite = ""
    if images is not None:
        if len(images) != len(points):
            raise ValueError(f"There are {len(images)} images for {len(points)} points.")
        files["sprite.png"], side = _sprite(images, side)
        dimensions = f"single_image_dim: {side} single_image_dim: {side}"
        sprite = f'  sprite {{ image_path: "sprite.png" {dimensions} }}\n'
    files["projector_config.pbtxt"] = (
        'embeddings {\n  tensor_name: "features"\n'
        f"  tensor_shape: {points.shape[0]} tensor_shape: {points.shape[1]}\n"
        f'  tensor_path: "vectors.tsv"\n  metadata_path: "metadata.tsv"\n{sprite}}}\n'
    ).encode()
    return _write(Path(folder), files)


def check_points(features, least=1):
    """Return features as float64 (N, D); ValueError for other shapes, NaN and too few points."""
    points = np.asarray(features)
    if points.ndim != 2 or points.size == 0 or points.dtype.kind not in "uif":
        raise ValueError(f"Features must be numbers (N, D), not {points.dtype} {points.shape}.")
    if len(points) < least:
        raise ValueError(f"There must be at least {least} points, not {len(points)}.")
    points = points.astype(np.float64)
    if not np.abs(points).max() <= np.finfo(np.float32).max:
        raise ValueError("The features hold NaN, infinity or what is too large for a float32.")
    return points


def _named(labels, class_names):
    if class_names is None:
        return labels
    ids = np.asarray(labels)
    if (
        ids.dtype.kind not in "ui"
        or ids.size
        and not 0 <= ids.min() <= ids.max() < len(class_names)
    ):
        raise ValueError(f"labels must be ints, 0 to {len(class_names) - 1}, to have class names.")
    return [class_names[i] for i in ids]


def _vectors(points):
    """Nine digits tell one float32 from the next."""
    text = io.StringIO(newline="\n")
    np.savetxt(text, points.astype(np.float32), fmt="%.9g", delimiter="\t")
    return text.getvalue().encode()


def _metadata(table):
    lines = list(zip(*table.values(), strict=True))
    if len(table) > 1:
        lines.insert(0, tuple(table))
    cells = ([" ".join(str(cell).split()) or MISSING for cell in line] for line in lines)
    return "".join("\t".join(line) + "\n" for line in cells).encode(errors="replace")


def _sprite(images, side):
    """Return a square grid of square thumbnails as the bytes of a PNG, and a thumbnail's side."""
    grid = int(np.ceil(np.sqrt(len(images))))
    side = min(side, SPRITE // grid)
    if side < 1:
        raise ValueError(f"side must be 1 or more, and {len(images)} thumbnails fit into {SPRITE}.")
    sprite = Image.new("RGBA", (grid * side, grid * side))
    for number, image in enumerate(images):
        picture = Image.fromarray(as_rgb(image)).convert("RGBA")
        row, column = divmod(number, grid)
        thumbnail = ImageOps.pad(picture, (side, side), color=(0, 0, 0, 0))
        sprite.paste(thumbnail, (column * side, row * side))
    png = io.BytesIO()
    sprite.save(png, "png")
    return png.getvalue(), side


def _write(folder, files):
    """Write files {name: bytes} beside their places, then move them all there, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = {name: folder / f".{name}.{uuid.uuid4().hex}" for name in files}
    try:
        for name, content in files.items():
            unfinished[name].write_bytes(content)
        for name, path in unfinished.items():
            os.replace(path, folder / name)
    finally:
        for path in unfinished.values():
            path.unlink(missing_ok=True)
    return folder
