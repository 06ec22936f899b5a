"""Style transfer: a picture with the content of one image and the style of another.

*Content* is what is where: what a layer gives, cell by cell. *Style* is which channels of a layer
go together, wherever that is. It is their Gram matrix, which has forgotten the places:

    G[c, d] = mean over all cells of  A[c] * A[d]

Both are objectives, and so add up with all others:

    content_of(network, photo, "block3_conv1") + 30 * style_of(network, painting, layers)

Each is minus a relative squared distance, |found - wanted|^2 / |wanted|^2: 0 where nothing is left
to do, about -1 for a layer that gives nothing. So weights mean the same on every layer and network.
(Gatys 2015)
"""

import keras
import numpy as np
import tensorflow as tf
from skimage.color import rgb2yiq, yiq2rgb

from helpers import networks
from helpers.core.tracing import compiled
from helpers.dreaming.ascent import maximize
from helpers.dreaming.evaluation import begin
from helpers.dreaming.objectives import Objective, energy, measured, total_variation
from helpers.dreaming.parameterizations import Spectrum
from helpers.dreaming.sizes import cells, check, outputs_at, shape_known
from helpers.dreaming.transforms import jitter

# Places of the default layers among the convolutions, from the first (0) to the last (1).
CONTENT, STYLE = 0.35, (0.0, 0.13, 0.26, 0.39, 0.52, 0.65)
WAVES = dict(parameterization=Spectrum(1.0), transform=jitter(8))


def gram(outputs):
    """Return the Gram matrices of a layer's outputs: (N, h, w, c) to (N, c, c), TensorFlow."""
    count, height, width, channels = tf.unstack(tf.shape(outputs))
    rows = tf.reshape(outputs, (count, height * width, channels))  # quicker than tf.einsum
    return _products(rows) / tf.cast(height * width, tf.float32)


@tf.custom_gradient
def _products(rows):
    """Return rows^T rows; both sides share one gradient, where TensorFlow would compute two."""

    def gradient(slope):
        return tf.matmul(rows, slope + tf.linalg.matrix_transpose(slope))

    return tf.matmul(rows, rows, transpose_a=True), gradient


def content_of(network, image, layer):
    """Return the objective "the same things in the same places as in an image".

    0 for the image itself, and negative for all others. For pictures of another size, what the
    layer gives for the image is enlarged or reduced.

    Arguments:
        image: (H, W, 3) in 0-255.
        layer: one with rows and columns; the higher, the freer is the picture.

    Raises ValueError for an unknown layer, one without rows and columns, and an image that is
    invalid or too small. (Gatys 2015)
    """
    (found,) = _outputs(network, image, (layer,))
    return measured(layer, _content, found)


def _content(outputs, wanted):
    wanted = tf.image.resize(wanted, tf.shape(outputs)[1:3])
    return -_distance(outputs, wanted)


def style_of(network, image, layers):
    """Return the objective "the style of an image, whatever is where", as a mean over layers.

    0 for the image itself, and negative for most others. The picture may have any size.

    Arguments:
        image: (H, W, 3) in 0-255.
        layers: a name, or several: low layers for colours and strokes, higher ones for motifs.

    Raises ValueError as `content_of` does. (Gatys 2015)
    """
    layers = (layers,) if isinstance(layers, str) else tuple(layers)
    if not layers:
        raise ValueError("give one layer or more for the style")
    found = _outputs(network, image, layers)
    pairs = zip(layers, found, strict=True)
    terms = [measured(name, _style, gram(tf.constant(one))[0]) for name, one in pairs]
    return sum(terms, Objective(())) * (1 / len(layers))


def _style(outputs, wanted):
    return -_distance(gram(outputs), wanted)


def _distance(found, wanted):
    """Return |found - wanted|^2 / |wanted|^2 for each image: (N,)."""
    inner = tuple(range(1, found.shape.rank))
    apart = tf.reduce_sum((found - wanted) ** 2, inner)
    return apart / tf.maximum(tf.reduce_sum(wanted**2), 1e-12)


def _outputs(network, image, layers):
    """Return what layers give for an image (H, W, 3) in 0-255: float32 arrays (1, h, w, c)."""
    pictures, single = begin(network, Objective(()), image)
    if not single:
        raise ValueError(f"give one image (H, W, 3), not {np.shape(image)}")
    size, names = pictures.shape[1:3], tuple(dict.fromkeys(layers))
    check(network, sum(map(energy, names), Objective(())), *size)
    for name, shape in zip(names, cells(network, names, *size), strict=True):
        if len(shape) != 4:
            raise ValueError(f"Layer {name!r} has no rows and columns: it gives {shape}.")
    signature = ((shape_known(network, size), "float32"),)
    run = compiled(network, _all_outputs, tuple(layers), signature=signature)
    return [output.numpy() for output in run(tf.constant(pictures))]


def _all_outputs(network, pictures, layers):
    found = outputs_at(network, pictures, set(layers))
    return [found[name] for name in layers]


def default_layers(network):
    """Return the layers that `style_transfer` looks at by default: (content layer, style layers).

    Of the convolutions, a third of the way up for the content; six from the first to two thirds of
    the way up for the style. Depthwise ones are passed over, as they do not mix channels. Raises
    ValueError for a network without convolutions.
    """
    names = [
        name
        for name in networks.layer_names(network)
        if not isinstance(networks.find_layer(network, name), keras.layers.DepthwiseConv2D)
    ]
    if not names:
        raise ValueError(f"The network {network.name!r} has no convolutions to look at.")
    own, *others = (names[round(share * (len(names) - 1))] for share in (CONTENT, *STYLE))
    return own, list(dict.fromkeys(others))


def style_transfer(
    network, image, style_image, content_layer=None, style_layers=None, style_weight=30.0,
    smooth=0.0, keep_colours=False, steps=100, rate=0.05, **choices,
):  # fmt: skip
    """Return an image painted in the style of another: float32 (H, W, 3) in 0-255.

    Arguments:
        image, style_image: (H, W, 3) in 0-255, of any two sizes.
        content_layer, style_layers: by default those of `default_layers`.
        style_weight: of the style beside the content, which counts once; above 0.
        smooth: weight of the total variation that is taken off; 0 or more.
        keep_colours: keep the image's own colours, and take the brightness alone (Gatys 2016).
        steps, rate, and other choices: as in `ascend`, which starts from the image. By default,
            the picture is made of waves (`Spectrum`) and shifted a little in each step; pixel by
            pixel, networks other than VGG leave noise.

    For a picture on the way, or other objectives beside these, use `ascend` with `content_of`
    and `style_of`. The network is not changed. Raises ValueError as `content_of` and `ascend` do,
    and for weights out of range. (Gatys 2015)
    """
    if not 0 < style_weight < np.inf:
        raise ValueError(f"style_weight must be a number above 0, not {style_weight!r}")
    if not 0 <= smooth < np.inf:
        raise ValueError(f"smooth must be a number, 0 or more, not {smooth!r}")
    own, others = default_layers(network)
    objective = content_of(network, image, content_layer or own)
    objective += style_weight * style_of(network, style_image, style_layers or others)
    if smooth:
        objective -= smooth * total_variation()
    made = maximize(network, objective, image, steps=steps, rate=rate, **(WAVES | choices))
    return with_colours_of(image, made) if keep_colours else made


def with_colours_of(image, picture):
    """Return a picture with the colours of an image: float32 (H, W, 3) in 0-255.

    The brightness is the picture's, hue and saturation are the image's. Where both together are no
    colour that a screen can show, it is the nearest one, channel by channel. (Gatys 2016)
    """
    image, picture = (np.asarray(one, np.float32) / 255 for one in (image, picture))
    if image.shape != picture.shape:
        raise ValueError(f"both must have one size, not {image.shape} and {picture.shape}")
    mixed = rgb2yiq(image)
    mixed[..., 0] = rgb2yiq(picture)[..., 0]
    return np.float32(np.clip(yiq2rgb(mixed), 0, 1) * 255)
