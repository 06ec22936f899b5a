"""EfficientNet-Lite0: a small, real network that knows the thousand classes of ImageNet.

It is EfficientNet (Tan and Le 2019) made plain: ReLU6 in place of swish, and no squeeze-and-excite
blocks. Each batch normalization is folded into the convolution before it, which changes no output.
So a convolution and its activation are one layer, as in VGG16, and the layers bear VGG's names.
"""

import keras
import numpy as np

# Of each block: how often it is repeated, kernel, stride, expansion and channels.
BLOCKS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD, CLASSES = 32, 1280, 1000
MEAN, DEVIATION = 127.0, 128.0  # what its authors trained it with
EPSILON = 1e-3  # of its batch normalizations


def build(state):
    """Return the network with the weights of a PyTorch state dict {name: array}.

    It takes RGB images (N, H, W, 3) of any size in 0-255 and returns logits (N, 1000). Raises
    ValueError for weights that are missing, of another shape, or left over.
    """
    weights = _Weights(state)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Rescaling(1 / DEVIATION, offset=-MEAN / DEVIATION, name="rescale")(image)
    x = weights.convolution(x, "stem", "_conv_stem", "_bn0", STEM, 3, stride=2)
    number = 0
    for block, (repeats, kernel, stride, expansion, channels) in enumerate(BLOCKS, start=1):
        for repeat in range(1, repeats + 1):
            name, step = f"block{block}_{repeat}", stride if repeat == 1 else 1
            x = _block(weights, x, name, f"_blocks.{number}", kernel, step, expansion, channels)
            number += 1
    x = weights.convolution(x, "head", "_conv_head", "_bn1", HEAD, 1)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    scores = keras.layers.Dense(CLASSES, name="scores")
    network = keras.Model(image, scores(x), name="imagenet")
    weights.keep(scores, weights.take("_fc.weight").T, weights.take("_fc.bias"))
    weights.hand_over()
    return network


def _block(weights, x, name, source, kernel, stride, expansion, channels):
    """Widen, filter each channel by itself, narrow; add the block's input where shapes agree."""
    start, wide = x, x.shape[-1] * expansion
    if expansion > 1:
        x = weights.convolution(
            x, f"{name}_expand", f"{source}._expand_conv", f"{source}._bn0", wide, 1
        )
    x = weights.convolution(
        x, f"{name}_depthwise", f"{source}._depthwise_conv", f"{source}._bn1", None, kernel, stride
    )
    x = weights.convolution(
        x, f"{name}_project", f"{source}._project_conv", f"{source}._bn2", channels, 1, relu=None
    )
    same = stride == 1 and start.shape[-1] == channels
    return keras.layers.Add(name=f"{name}_add")([start, x]) if same else x


class _Weights:
    """The tensors of a state dict, each taken once, and the layers that they go to."""

    def __init__(self, state):
        self.state, self.layers = dict(state), []

    def take(self, name):
        if name not in self.state:
            raise ValueError(f"The weights of EfficientNet-Lite0 lack {name!r}.")
        return np.float32(self.state.pop(name))

    def convolution(self, x, name, source, norm, channels, kernel, stride=1, relu="relu6"):
        """Apply a convolution with its normalization folded in; depthwise where channels is None.

        PyTorch stores a kernel as (out, in, height, width), Keras as (height, width, in, out).
        """
        options = dict(strides=stride, padding="same", activation=relu, name=name)
        gamma, beta = self.take(f"{norm}.weight"), self.take(f"{norm}.bias")
        mean, variance = self.take(f"{norm}.running_mean"), self.take(f"{norm}.running_var")
        self.take(f"{norm}.num_batches_tracked")
        factor = gamma / np.sqrt(variance + EPSILON)
        given = self.take(f"{source}.weight") * factor[:, None, None, None]
        if channels is None:
            layer, given = keras.layers.DepthwiseConv2D(kernel, **options), given.swapaxes(0, 1)
        else:
            layer = keras.layers.Conv2D(channels, kernel, **options)
        self.keep(layer, given.transpose(2, 3, 1, 0), beta - mean * factor)
        return layer(x)

    def keep(self, layer, *arrays):
        self.layers.append((layer, arrays))

    def hand_over(self):
        """Give the layers, which are built now, their weights; none may be left."""
        if self.state:
            raise ValueError(f"No layer of EfficientNet-Lite0 takes {sorted(self.state)[:3]}.")
        for layer, arrays in self.layers:
            layer.set_weights(arrays)
