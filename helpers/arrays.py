"""Arrays made ready for the eye: rescaled, resized, laid over a picture, tiled. NumPy only.

Methods return numbers as they are. What is done to them for display is done here, on purpose and
in sight: a rescaled map tells where it is strong, and no longer how strong.

Pictures are (H, W, C) or (N, H, W, C), maps (H, W) or (N, H, W).
"""

import numpy as np

DIM = 0.55  # how bright the grey picture under a heat map is


def rescale(array, percentile=100.0, low=0.0):
    """Rescale an unsigned map to 0-1 for display.

    `array` has any shape and is rescaled as a whole: give one map at a time, or several at once to
    keep them comparable. `low` goes to 0 (None: the lowest value), the given percentile and all
    above it go to 1. A constant map, which shows nothing, becomes all zeros. Returns float32.

    Raises ValueError for NaN or infinity, a percentile outside (0, 100], or values below `low`.
    """
    array = _finite(array, percentile)
    low = array.min() if low is None else low
    if array.min() < low:
        raise ValueError(
            f"the map goes down to {array.min():.3g}, below low={low}: use rescale_signed for a "
            "map with a sign, or low=None to start at its lowest value"
        )
    return np.clip(_divided(array - low, percentile), 0, 1)


def rescale_signed(array, percentile=100.0):
    """Rescale a signed map to -1 to 1 for display, so that zero stays zero.

    `array` has any shape and is rescaled as a whole; the given percentile of its absolute values,
    and all beyond it, go to -1 or 1. A map of zeros stays zeros. Returns float32.

    Raises ValueError for NaN or infinity, or a percentile outside (0, 100].
    """
    return np.clip(_divided(_finite(array, percentile), percentile), -1, 1)


def _finite(array, percentile):
    array = np.asarray(array, np.float64)
    if array.size == 0:
        raise ValueError(f"the map is empty: its shape is {array.shape}")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise ValueError(f"the map has {bad} values that are NaN or infinite, of {array.size}")
    if not 0 < percentile <= 100:
        raise ValueError(f"percentile is {percentile}; it must be above 0 and at most 100")
    return array


def _divided(array, percentile):
    sizes = np.abs(array)
    # A sparse map can have a percentile of zero and yet something to show: its maximum counts then.
    scale = np.percentile(sizes, percentile) or sizes.max() or 1.0
    return (array / scale).astype(np.float32)


def as_rgb(image):
    """Return a picture as (H, W, 3) uint8, whatever form of the usual ones it comes in.

    `image` is (H, W, 3), (H, W, 1) or (H, W), uint8, or of another type in 0-1 or in 0-255 (where
    nothing exceeds 1, 0-1 is meant).

    Raises ValueError for another shape, NaN, or values outside these ranges.
    """
    image = np.asarray(image)
    grey = image[..., None] if image.ndim == 2 else image
    if grey.ndim != 3 or grey.shape[2] not in (1, 3) or grey.size == 0:
        raise ValueError(f"a picture has shape {image.shape}; give (H, W, 3) or (H, W)")
    if image.dtype != np.uint8:
        if not (grey.min() >= 0 and grey.max() <= 255):
            raise ValueError(
                f"a picture spans {grey.min():.3g} to {grey.max():.3g}, not 0-1 or 0-255: rescale "
                "it (arrays.rescale), or show a map that has a sign with plotting.show_signed"
            )
        grey = np.round(grey * (255.0 if grey.max() <= 1 else 1.0)).astype(np.uint8)
    return np.broadcast_to(grey, (*grey.shape[:2], 3))


def overlay(image, heat, colors, strength=0.8):
    """Lay a heat map in colour over a picture that is dimmed to grey, so that the heat stands out.

    `image` is (H, W, 3) in 0-255, `heat` is (H, W) in 0-1, `colors` is a (256, 3) uint8 table from
    cold to hot (`plotting.colors` makes one). `strength` in 0-1: at 0 the picture is untouched, at
    1 it is grey where the heat is zero and hidden at the hottest spot; opacity goes with the
    square root of the heat. Returns (H, W, 3) uint8.

    Raises ValueError when the shapes do not fit, or heat or strength leaves 0-1.
    """
    image, heat, colors = np.asarray(image), np.asarray(heat), np.asarray(colors)
    if image.ndim != 3 or image.shape[2] != 3 or heat.shape != image.shape[:2]:
        raise ValueError(
            f"image {image.shape} and heat {heat.shape} do not fit: give (H, W, 3) and (H, W)"
        )
    if colors.shape != (256, 3):
        raise ValueError(f"colors has shape {colors.shape}; it must be (256, 3)")
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is {strength}; it must lie in 0-1")
    if not (heat.min() >= 0 and heat.max() <= 1):
        raise ValueError(f"heat spans {heat.min():.3g} to {heat.max():.3g}; rescale it to 0-1")
    opacity = strength * np.sqrt(heat[..., None].astype(np.float32))
    color = colors[np.round(heat * 255).astype(np.uint8)]
    dimmed = (1 - strength) * image + strength * DIM * image.mean(axis=2, keepdims=True)
    return np.round((1 - opacity) * dimmed + opacity * color).astype(np.uint8)


def tile(images, columns=None, gap=2, background=255):
    """Put pictures or maps of equal size into one mosaic, row by row.

    `images` is (N, H, W) or (N, H, W, C); `columns` is by default about the square root of N; `gap`
    pixels of `background` lie between them and fill the last row. Returns (H', W') or (H', W', C).

    Raises ValueError for another number of axes, no pictures, or columns below 1.
    """
    images = np.asarray(images)
    if images.ndim not in (3, 4) or len(images) == 0:
        raise ValueError(f"images has shape {images.shape}; give (N, H, W) or (N, H, W, C), N >= 1")
    columns = int(np.ceil(np.sqrt(len(images)))) if columns is None else columns
    if columns < 1:
        raise ValueError(f"columns is {columns}; it must be at least 1")
    count, height, width = images.shape[:3]
    columns = min(columns, count)
    rows = -(-count // columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, *images.shape[3:])
    mosaic = np.full(shape, background, images.dtype)
    for number, image in enumerate(images):
        top, left = (number // columns) * (height + gap), (number % columns) * (width + gap)
        mosaic[top : top + height, left : left + width] = image
    return mosaic


def resize(images, height, width, antialias=False):
    """Resize pictures to height x width by bilinear interpolation between pixel centres.

    `images` is (H, W, C) or (N, H, W, C), of any numeric type; returns float32 of the same range.
    Equal to `tf.image.resize(images, (height, width), antialias=antialias)`: a pixel's centre stays
    where it is, so nothing shifts. Set `antialias` when making pictures much smaller.

    Raises ValueError for another number of axes or a size below 1.
    """
    images = np.asarray(images, np.float32)
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise ValueError(
            f"images has shape {images.shape}; give (H, W, C) or (N, H, W, C), or use resize_maps"
        )
    *many, _, old_width, channels = images.shape
    down = _interpolation(images.shape[-3], height, antialias)
    across = _interpolation(old_width, width, antialias)
    images = (down @ images.reshape(*many, -1, old_width * channels)).astype(np.float32)
    return across @ images.reshape(*many, height, old_width, channels)


def resize_maps(maps, height, width, antialias=False):
    """Resize maps to height x width by bilinear interpolation between pixel centres.

    `maps` is (H, W) or (N, H, W); otherwise as `resize`. Returns float32 (height, width) or
    (N, height, width). Raises ValueError for another number of axes or a size below 1.
    """
    maps = np.asarray(maps)
    if maps.ndim not in (2, 3):
        raise ValueError(f"maps has shape {maps.shape}; give (H, W) or (N, H, W)")
    return resize(maps[..., None], height, width, antialias)[..., 0]


def _interpolation(old, new, antialias):
    """The (new, old) matrix whose rows say how much of each old pixel a new one takes."""
    if new < 1:
        raise ValueError(f"the new height and width must be at least 1, not {new}")
    reach = max(old / new, 1.0) if antialias else 1.0
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(old) - centres[:, None]) / reach)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
