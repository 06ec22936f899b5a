"""The same questions put to other libraries: each function returns a function without arguments.

`network` gives logits, `image` is (1, H, W, 3) in 0-255, class 0 is asked about.
"""

import numpy as np
import tensorflow as tf

LAYER = "block5_conv3"
SAMPLES, NOISE, WINDOW, STEPS = 50, 0.15, 16, 50


def blocks(picture):
    """Return 5x5 rectangles in place of superpixels: labels 0 to 24, (H, W)."""
    rows, columns = (np.arange(side) * 5 // side for side in picture.shape[:2])
    return 5 * rows[:, None] + columns


class TfKerasVis:
    """tf-keras-vis: gradients, SmoothGrad, Grad-CAM, Score-CAM, maximization.

    Its Score-CAM weighs maps by probabilities, and scales its map to 0-1.
    """

    name, package = "tf-keras-vis", "tf-keras-vis"

    def __init__(self, network, image):
        from tf_keras_vis.utils.scores import CategoricalScore

        self.network, self.image, self.score = network, image.astype("float32"), CategoricalScore(0)

    def gradient(self, **options):
        from tf_keras_vis.saliency import Saliency

        saliency = Saliency(self.network, clone=False)
        return saliency(self.score, self.image, keepdims=True, normalize_map=False, **options)

    def smooth_gradient(self):
        return self.gradient(smooth_samples=SAMPLES, smooth_noise=NOISE)

    def grad_cam(self):
        from tf_keras_vis.gradcam import Gradcam

        gradcam = Gradcam(self.network, clone=False)
        return gradcam(self.score, self.image, penultimate_layer=LAYER)

    def score_cam(self):
        from tf_keras_vis.scorecam import Scorecam

        scorecam = Scorecam(self.network, clone=False)
        return scorecam(self.score, self.image, penultimate_layer=LAYER, max_N=SAMPLES)

    def maximize(self):
        from tf_keras_vis.activation_maximization import ActivationMaximization

        maximize = ActivationMaximization(self.network, clone=False)
        return maximize(self.score, steps=STEPS)


class TfExplain:
    """tf-explain: gradients, SmoothGrad, integrated gradients, Grad-CAM, occlusion."""

    name, package = "tf-explain", "tf-explain"

    def __init__(self, network, image):
        self.network, self.data = network, (image.astype("float32"), None)

    def gradient(self):
        from tf_explain.core.vanilla_gradients import VanillaGradients

        return VanillaGradients().explain(self.data, self.network, class_index=0)

    def smooth_gradient(self):
        from tf_explain.core.smoothgrad import SmoothGrad

        explainer, noise = SmoothGrad(), NOISE * 255
        return explainer.explain(self.data, self.network, 0, num_samples=SAMPLES, noise=noise)

    def integrated_gradients(self):
        from tf_explain.core.integrated_gradients import IntegratedGradients

        return IntegratedGradients().explain(self.data, self.network, 0, n_steps=STEPS)

    def grad_cam(self):
        from tf_explain.core.grad_cam import GradCAM

        return GradCAM().explain(self.data, self.network, class_index=0, layer_name=LAYER)

    def occlusion(self):
        from tf_explain.core.occlusion_sensitivity import OcclusionSensitivity

        explainer = OcclusionSensitivity(batch_size=32)
        return explainer.explain(self.data, self.network, class_index=0, patch_size=WINDOW)


class Pair:
    """PAIR saliency: gradients, SmoothGrad, integrated gradients, Grad-CAM, on a compiled call."""

    name, package = "PAIR saliency", "saliency"

    def __init__(self, network, image):
        import saliency.core as core

        self.core, self.image = core, image[0].astype("float32")
        layer = network.get_layer(LAYER).output
        import keras

        both = keras.Model(network.inputs, [layer, network.output])

        @tf.function
        def slope(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                score = both(x)[1][:, 0]
            return tape.gradient(score, x)

        @tf.function
        def at_layer(x):
            with tf.GradientTape() as tape:
                activation, scores = both(x)
                score = scores[:, 0]
            return activation, tape.gradient(score, activation)

        def call(images, call_model_args=None, expected_keys=None):
            x = tf.constant(np.asarray(images), tf.float32)
            if expected_keys == [core.INPUT_OUTPUT_GRADIENTS]:
                return {core.INPUT_OUTPUT_GRADIENTS: slope(x).numpy()}
            activation, gradient = at_layer(x)
            return {
                core.CONVOLUTION_LAYER_VALUES: activation.numpy(),
                core.CONVOLUTION_OUTPUT_GRADIENTS: gradient.numpy(),
            }

        self.call = call

    def gradient(self):
        return self.core.GradientSaliency().GetMask(self.image, self.call)

    def smooth_gradient(self):
        saliency = self.core.GradientSaliency()
        return saliency.GetSmoothedMask(
            self.image, self.call, stdev_spread=NOISE, nsamples=SAMPLES, magnitude=False
        )

    def integrated_gradients(self):
        saliency, black = self.core.IntegratedGradients(), np.zeros_like(self.image)
        return saliency.GetMask(
            self.image, self.call, x_baseline=black, x_steps=STEPS, batch_size=10
        )

    def grad_cam(self):
        return self.core.GradCam().GetMask(self.image, self.call)


class Xplique:
    """xplique: gradients, SmoothGrad, integrated gradients, Grad-CAM, occlusion, RISE, KernelSHAP.

    Its maps have one number a pixel: of the gradient the highest absolute value of the colours, of
    other methods their mean. It integrates by the trapezoidal rule, and enlarges Grad-CAM's map by
    cubic splines. Its RISE gives the mean score where a pixel is seen, its KernelSHAP need not add
    up. Otherwise its answers are ours. Explainers are made once and kept, as its manual
    has it.
    """

    name, package = "xplique", "xplique"

    def __init__(self, network, image):
        picture = image.astype("float32")
        first = np.eye(1, network.output_shape[-1], dtype="float32")  # class 0, one-hot
        self.network, self.question, self.explainers = network, (picture, first), {}

    def explain(self, kind, **options):
        from xplique import attributions

        if kind not in self.explainers:
            self.explainers[kind] = getattr(attributions, kind)(self.network, **options)
        return self.explainers[kind](*self.question).numpy()

    def gradient(self):
        return self.explain("Saliency")

    def guided_gradient(self):
        return self.explain("GuidedBackprop")

    def smooth_gradient(self):
        noise = NOISE * np.ptp(self.question[0])
        return self.explain("SmoothGrad", nb_samples=SAMPLES, noise=noise)

    def integrated_gradients(self):
        return self.explain("IntegratedGradients", steps=STEPS)

    def grad_cam(self):
        return self.explain("GradCAM", conv_layer=LAYER)

    def occlusion(self):
        return self.explain("Occlusion", patch_size=WINDOW, patch_stride=WINDOW)

    def rise(self):
        return self.explain("Rise", nb_samples=SAMPLES)

    def kernel_shap(self):
        labels = tf.constant(blocks(self.question[0][0]), tf.int32)
        black = np.zeros(3, np.float32)
        options = {"map_to_interpret_space": lambda picture: labels, "ref_value": black}
        return self.explain("KernelShap", nb_samples=SAMPLES, **options)


PEERS = (TfKerasVis, TfExplain, Pair, Xplique)
