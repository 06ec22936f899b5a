"""Arrays prepared for display: rescaled, resized, laid over an image, tiled.

Methods return unscaled numbers. Scaling for display happens here and explicitly: a rescaled map
shows where it is strong, but no longer how strong.

Images are (H, W, C) or (N, H, W, C), maps (H, W) or (N, H, W).
"""

import numpy as np
from skimage.util import montage

DIM = 0.55  # brightness of the grey image under a heat map


def rescale(array, percentile=100.0, low=0.0):
    """Rescale an unsigned map to 0-1 for display.

    Arguments:
        array: any shape, rescaled as a whole: pass several maps together to keep them comparable.
        percentile: in (0, 100]; this percentile and all values above it become 1.
        low: the value that becomes 0; None is the minimum.

    Returns float32, all zeros for a constant map. Raises ValueError for NaN or infinity, a
    percentile out of range, and values below `low`.
    """
    array = _finite(array, percentile)
    low = array.min() if low is None else low
    if array.min() < low:
        raise ValueError(
            f"the map goes down to {array.min():.3g}, below low={low}: use rescale_signed for "
            "signed maps, or low=None to start at the minimum"
        )
    return np.clip(_divided(array - low, percentile), 0, 1)


def rescale_signed(array, percentile=100.0):
    """Rescale a signed map to -1 to 1 for display, so that zero stays zero.

    Like `rescale`, but the given percentile of the absolute values, and all beyond, become -1 or 1.
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
    # A sparse map's percentile can be zero although it is not empty: then the maximum counts.
    scale = np.percentile(sizes, percentile) or sizes.max() or 1.0
    return (array / scale).astype(np.float32)


def as_rgb(image):
    """Return an image in any of the usual forms as (H, W, 3) uint8.

    `image` is (H, W, 3), (H, W, 1) or (H, W), as uint8 or any other type in 0-1 or 0-255 (values
    are taken as 0-1 if none exceeds 1). Raises ValueError for other shapes and values, and NaN.
    """
    image = np.asarray(image)
    grey = image[..., None] if image.ndim == 2 else image
    if grey.ndim != 3 or grey.shape[2] not in (1, 3) or grey.size == 0:
        raise ValueError(f"an image has shape {image.shape}; it must be (H, W, 3) or (H, W)")
    if image.dtype != np.uint8:
        if not (grey.min() >= 0 and grey.max() <= 255):
            raise ValueError(
                f"an image spans {grey.min():.3g} to {grey.max():.3g}, not 0-1 or 0-255: rescale "
                "it (plotting.rescale), or show a signed map with plotting.show_signed"
            )
        grey = np.round(grey * (255.0 if grey.max() <= 1 else 1.0)).astype(np.uint8)
    return np.broadcast_to(grey, (*grey.shape[:2], 3))


def overlay(image, heat, colors, strength=0.8):
    """Lay a heat map in colour over an image that is dimmed to grey: uint8 (H, W, 3).

    Arguments:
        image: (H, W, 3) in 0-255.
        heat: (H, W) in 0-1; opacity grows with its square root.
        colors: uint8 (256, 3), from cold to hot, as from `plotting.colors`.
        strength: 0 leaves the image unchanged; at 1 it is grey without heat, hidden at full heat.

    Raises ValueError for shapes that do not fit, and for heat or strength outside 0-1.
    """
    image, heat, colors = np.asarray(image), np.asarray(heat), np.asarray(colors)
    if image.ndim != 3 or image.shape[2] != 3 or heat.shape != image.shape[:2]:
        raise ValueError(f"image {image.shape} and heat {heat.shape} must be (H, W, 3) and (H, W)")
    if colors.shape != (256, 3):
        raise ValueError(f"colors has shape {colors.shape}; it must be (256, 3)")
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is {strength}; it must be 0 to 1")
    if not (heat.min() >= 0 and heat.max() <= 1):
        raise ValueError(f"heat spans {heat.min():.3g} to {heat.max():.3g}; rescale it to 0-1")
    opacity = strength * np.sqrt(heat[..., None].astype(np.float32))
    color = colors[np.round(heat * 255).astype(np.uint8)]
    dimmed = (1 - strength) * image + strength * DIM * image.mean(axis=2, keepdims=True)
    return np.round((1 - opacity) * dimmed + opacity * color).astype(np.uint8)


def tile(images, columns=None, gap=2, background=255):
    """Put images or maps of equal size into one mosaic, row by row.

    Arguments:
        images: (N, H, W) or (N, H, W, C), N >= 1.
        columns: number of images side by side, by default about the square root of N.
        gap: pixels of `background` between images; the last row is filled with it, too.

    Returns (H', W') or (H', W', C), like skimage.util.montage without its outer frame. Raises
    ValueError for other shapes and columns below 1.
    """
    images = np.asarray(images)
    if images.ndim not in (3, 4) or len(images) == 0:
        raise ValueError(f"images have shape {images.shape}; give (N, H, W[, C]) with N >= 1")
    columns = int(np.ceil(np.sqrt(len(images)))) if columns is None else columns
    if columns < 1:
        raise ValueError(f"columns is {columns}; it must be at least 1")
    columns, colored = min(columns, len(images)), images.ndim == 4
    fill = [background] * images.shape[3] if colored else background
    shape, axis = (-(-len(images) // columns), columns), -1 if colored else None
    framed = montage(images, fill, grid_shape=shape, padding_width=gap, channel_axis=axis)
    return framed[gap : framed.shape[0] - gap, gap : framed.shape[1] - gap]


def resize(images, height, width, antialias=False):
    """Resize images to height x width by bilinear interpolation between pixel centres.

    `images` is (H, W, C) or (N, H, W, C), of any numeric type; returns float32 in the same range.
    Equals `tf.image.resize(images, (height, width), antialias=antialias)`, so pixel centres do not
    shift. Use `antialias` to make images much smaller. Raises ValueError for other shapes.
    """
    images = np.asarray(images, np.float32)
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise ValueError(f"images have shape {images.shape}, not ([N,] H, W, C); see resize_maps")
    *many, _, old_width, channels = images.shape
    down = _interpolation(images.shape[-3], height, antialias)
    across = _interpolation(old_width, width, antialias)
    images = (down @ images.reshape(*many, -1, old_width * channels)).astype(np.float32)
    return across @ images.reshape(*many, height, old_width, channels)


def resize_maps(maps, height, width, antialias=False):
    """Resize maps to height x width by bilinear interpolation between pixel centres.

    Like `resize`, for maps (H, W) or (N, H, W).
    """
    maps = np.asarray(maps)
    if maps.ndim not in (2, 3):
        raise ValueError(f"maps have shape {maps.shape}; give (H, W) or (N, H, W)")
    return resize(maps[..., None], height, width, antialias)[..., 0]


def _interpolation(old, new, antialias):
    """Return the (new, old) matrix whose rows say how much of each old pixel a new one takes."""
    if new < 1:
        raise ValueError(f"the new height and width must be at least 1, not {new}")
    reach = max(old / new, 1.0) if antialias else 1.0
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(old) - centres[:, None]) / reach)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
