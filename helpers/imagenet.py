"""Weights that were learned on ImageNet, for the networks of `keras.applications`.

They are the files that Keras itself would download, fetched so that half a file is never taken for
a whole one; a copy that Keras has downloaded before is used where it lies.
"""

import os
from pathlib import Path

from helpers import cache, downloads

_PLACE = "https://storage.googleapis.com/tensorflow/keras-applications"
# Convolutions only. Keras gives MD5; a test compares names, addresses and digests with Keras' own.
SOURCES = {
    "vgg16": downloads.Source(
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        (f"{_PLACE}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",),
        58_889_256,
        "6d6bbae143d832006294945121d1f1fc",
    ),
    "inception_v3": downloads.Source(
        "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        (f"{_PLACE}/inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",),
        87_910_968,
        "bcbd6486424b2319ff4ef7d526e38f63",
    ),
}


def weights(name, folder=None, mirror=None):
    """Return the path of the weights of "vgg16" or "inception_v3", downloading them at first.

    folder: the cache folder, as `cache.folder` takes it. mirror: see `downloads.fetch`.
    Raises ValueError for another name, `downloads.DownloadError` where they cannot be had.
    """
    if name not in SOURCES:
        raise ValueError(f"no weights are called {name!r}; there are {', '.join(SOURCES)}")
    source = SOURCES[name]
    keras_home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    kept = cache.folder(folder) / "downloads"
    return downloads.fetch(source, kept, mirror, also=[keras_home / "models" / source.name])


def inception_v3(folder=None, mirror=None):
    """Return InceptionV3's convolutions with ImageNet weights, to dream with.

    Takes RGB images (N, H, W, 3) in 0-255 of any size from 75 pixels on and does its own
    preprocessing; gives a map (N, h, w, 2048). Layers "mixed0" to "mixed10" are the ones to dream
    of. Arguments and errors as for `weights`. (Szegedy et al. 2016)
    """
    path = weights("inception_v3", folder, mirror)
    import keras  # here, as it loads TensorFlow

    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
    base = keras.applications.InceptionV3(include_top=False, weights=str(path), input_tensor=x)
    return keras.Model(image, base.output, name="inception_v3")
