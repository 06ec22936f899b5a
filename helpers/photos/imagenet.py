"""ImageNet weights for the networks of `keras.applications`.

These are the files that Keras itself would download, but verified; a copy that Keras has already
downloaded is used in place.
"""

import os
from pathlib import Path

from helpers.core import cache
from helpers.photos import downloads

_PLACE = "https://storage.googleapis.com/tensorflow/keras-applications"


def _source(name, size, md5):
    file = f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"  # notop: convolutions only
    return downloads.Source(file, (f"{_PLACE}/{name}/{file}",), size, md5)


SOURCES = {  # a test compares names, addresses and digests with Keras' own
    "vgg16": _source("vgg16", 58_889_256, "6d6bbae143d832006294945121d1f1fc"),
    "inception_v3": _source("inception_v3", 87_910_968, "bcbd6486424b2319ff4ef7d526e38f63"),
}


def weights(name, folder=None, mirror=None):
    """Return the path of the weights of "vgg16" or "inception_v3", downloaded on first use.

    folder: see `cache.folder`. mirror: see `downloads.fetch`.
    Raises ValueError for an unknown name, `downloads.DownloadError` if the download fails.
    """
    if name not in SOURCES:
        raise ValueError(f"unknown weights {name!r}; choose one of {', '.join(SOURCES)}")
    source = SOURCES[name]
    keras_home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    kept = cache.folder(folder) / "downloads"
    return downloads.fetch(source, kept, mirror, also=[keras_home / "models" / source.name])


def inception_v3(folder=None, mirror=None):
    """Return InceptionV3's convolutions with ImageNet weights, for deep dreams.

    Takes RGB images (N, H, W, 3) in 0-255, 75 pixels or more a side, does its own preprocessing and
    returns a map (N, h, w, 2048). Layers "mixed0" to "mixed10" make good dreams. Arguments and
    errors as for `weights`. (Szegedy et al. 2016)
    """
    path = weights("inception_v3", folder, mirror)
    import keras  # here: it loads TensorFlow

    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
    base = keras.applications.InceptionV3(include_top=False, weights=str(path), input_tensor=x)
    return keras.Model(image, base.output, name="inception_v3")
