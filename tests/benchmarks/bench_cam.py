"""Grad-CAM, in units of one compiled forward pass, beside other libraries."""

import harness
import keras
import numpy as np
import tensorflow as tf

from helpers import cam, load_world

LAYER = "block5_conv3"


def cases():
    """Yield (name, network, image, most that Grad-CAM may take). Random weights serve."""
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    world = load_world("drawn")
    yield "pets, 128 px", world.load_network("pets"), world.test.images[:1], 2.0
    image = random.integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    vgg = keras.applications.VGG16(weights=None, classifier_activation=None)
    yield "VGG16, 224 px", vgg, image, 1.3


def ours(network, image):
    return lambda: cam.grad_cam(network, image, 0, LAYER)


def tf_keras_vis(network, image):
    def run():
        from tf_keras_vis.gradcam import Gradcam
        from tf_keras_vis.utils.scores import CategoricalScore

        gradcam = Gradcam(network, clone=False)
        return gradcam(CategoricalScore(0), image.astype("float32"), penultimate_layer=LAYER)

    return run


def tf_explain(network, image):
    def run():
        from tf_explain.core.grad_cam import GradCAM

        data = (image.astype("float32"), None)
        return GradCAM().explain(data, network, class_index=0, layer_name=LAYER)

    return run


def forward(network, image):
    compiled = tf.function(lambda x: network(x, training=False))
    x = tf.constant(image, tf.float32)
    return lambda: compiled(x).numpy()


def report():
    """Measure every case and return (lines of text, whether every target was met)."""
    methods = {"ours": ours, "tf-keras-vis": tf_keras_vis, "tf-explain": tf_explain}
    rows, notes, met = [["Grad-CAM", "forward pass", "at most", *methods]], [], True
    for name, network, image, most in cases():
        functions = {method: make(network, image) for method, make in methods.items()}
        found, unit = harness.ratios(forward(network, image), functions)
        cells = []
        for method, ratio in found.items():
            ran = isinstance(ratio, float)
            cells.append(f"{ratio:.2f}" if ran else "cannot run")
            if not ran:
                notes.append(f"{method} on {name}: {ratio}")
        rows.append([name, f"{unit * 1e3:.1f} ms", f"{most:.1f}", *cells])
        met &= isinstance(found["ours"], float) and found["ours"] <= most
    return [harness.table(rows), *notes], met
