"""Every method in units of one compiled forward pass, beside other libraries, and its memory."""

import functools
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import harness
import keras
import numpy as np
import peers
import tensorflow as tf

from helpers import cam, dreaming, load_world, perturbation, saliency

N = peers.SAMPLES
# Method: its call, what it asks for (how many of TensorFlow's own bare forward passes or gradients,
# one after another or in batches), the most it may take on `pets` and on VGG16.
METHODS = {
    "gradient": (lambda n, x: saliency.gradient(n, x, 0), (1, "gradient"), (2.1, 2.1)),
    "guided_gradient": (
        lambda n, x: saliency.guided_gradient(n, x, 0),
        (1, "gradient"),
        (2.3, 2.3),
    ),
    "grad_cam": (lambda n, x: cam.grad_cam(n, x, 0, peers.LAYER), (1, "pass"), (2.0, 1.3)),
    "smooth_gradient": (
        lambda n, x: saliency.smooth_gradient(n, x, 0, samples=N, noise=peers.NOISE),
        (N, "gradient in batches"),
        (20, 50),
    ),
    "integrated_gradients": (
        lambda n, x: saliency.integrated_gradients(n, x, 0, steps=N),
        (N, "gradient in batches"),
        (20, 50),
    ),
    "occlusion": (
        lambda n, x: perturbation.occlusion(n, x, 0, window=peers.WINDOW, stride=peers.WINDOW),
        ("windows", "pass in batches"),
        (12, 95),
    ),
    "maximize": (
        lambda n, x: dreaming.maximize(n, dreaming.target_class(0), steps=peers.STEPS),
        (N, "gradient"),
        (110, 105),
    ),
}
TITLES = {
    "grad_cam": "Grad-CAM",
    "smooth_gradient": f"SmoothGrad, {N} samples",
    "integrated_gradients": f"integrated gradients, {N} steps",
    "occlusion": f"occlusion, {peers.WINDOW} px windows",
    "maximize": f"maximization, {peers.STEPS} steps",
    "guided_gradient": "guided gradient",
}


def cases():
    """Yield (name, network, image). Random weights serve for VGG16."""
    keras.utils.set_random_seed(0)
    world = load_world("drawn")
    yield "pets, 128 px", world.load_network("pets"), world.test.images[:1]
    vgg = keras.applications.VGG16(weights=None, classifier_activation=None)
    yield "VGG16, 224 px", vgg, noise()


def noise():
    """Return a picture of noise of VGG16's size, (1, 224, 224, 3)."""
    return np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)


def forward(network, x):
    """Return a function that runs one compiled forward pass of a batch."""
    compiled = tf.function(lambda x: network(x, training=False), autograph=False)
    x = tf.constant(x, tf.float32)
    return lambda: compiled(x).numpy()


def slope(network, x):
    """Return a function that runs TensorFlow's bare gradient of the first score, compiled."""

    @tf.function(autograph=False)
    def compiled(x):
        return tf.gradients(network(x, training=False)[:, 0], x)[0]

    x = tf.constant(x, tf.float32)
    return lambda: compiled(x).numpy()


def bare(network, image, size, unit):
    """Return what TensorFlow's own pass and gradient cost for a picture, alone and in batches.

    A dict in forward passes, and the seconds of one: `{"pass": 1.0, "gradient": ..., ...}, s`.
    """
    batch = np.repeat(image, size, 0)
    asked = {
        "gradient": slope(network, image),
        "pass in batches": forward(network, batch),
        "gradient in batches": slope(network, batch),
    }
    found, seconds = harness.ratios(unit, asked)
    each = {name: ratio / (size if "batches" in name else 1) for name, ratio in found.items()}
    return {"pass": 1.0, **each}, seconds


def plainly(need, image, costs):
    """Return what a method costs that asks TensorFlow itself, plainly, for all that it needs."""
    times, what = need
    windows = (image.shape[1] // peers.WINDOW) * (image.shape[2] // peers.WINDOW)
    return (windows if times == "windows" else times) * costs[what]


def report():
    """Measure every case and return (lines of text, whether every target was met)."""
    names = [peer.name for peer in peers.PEERS]
    lines = [
        "Warm, medians, in one process, one after another in turn. Bare TensorFlow: what its own "
        "passes and gradients cost, as many as a method asks for. Only occlusion can do with less: "
        "it computes no more of the early layers than a square changes.",
        "",
    ]
    notes, met = [], True
    for case, (title, network, image) in enumerate(cases()):
        others = [peer(network, image) for peer in peers.PEERS]
        unit, size = forward(network, image), 16
        costs, seconds = bare(network, image, size, unit)
        told = ", ".join(f"{name} {cost:.2f}" for name, cost in costs.items() if name != "pass")
        lines += [
            f"**{title}**: a forward pass takes {seconds * 1e3:.1f} ms. In such passes: {told}.",
            "",
        ]
        rows = [["forward passes", "first call", "wanted", "bare TensorFlow", "ours", *names]]
        for method, (call, need, wanted) in METHODS.items():
            begun = time.perf_counter()
            call(network, image)
            first = time.perf_counter() - begun
            functions = {"ours": functools.partial(call, network, image)}
            functions |= {
                other.name: getattr(other, method) for other in others if hasattr(other, method)
            }
            found, _ = harness.ratios(unit, functions)
            print(title, method, found, file=sys.stderr)  # this takes minutes: say how far it is
            plain = plainly(need, image, costs)
            cells = [figure(found[name]) if name in found else "has none" for name in names]
            ours = found["ours"]
            rows.append([
                TITLES.get(method, method), f"{first:.1f} s", f"{wanted[case]:g}",
                f"{plain:.3g}", figure(ours), *cells,
            ])  # fmt: skip
            notes += [
                f"{name} on {title}, {method}: {ratio}"
                for name, ratio in found.items()
                if not isinstance(ratio, float)
            ]
            best = min((r for n, r in found.items() if n != "ours" and isinstance(r, float)),
                       default=np.inf)  # fmt: skip
            met &= isinstance(ours, float) and ours <= best
        lines += [harness.table(rows), ""]
    return [*lines, memory(), "", *notes], met


def figure(ratio):
    """Return a ratio as text, or that the library could not do it."""
    return f"{ratio:.3g}" if isinstance(ratio, float) else "cannot run"


def memory():
    """Return a sentence on the memory of SmoothGrad on VGG16, from a process of its own."""
    if not Path("/proc/self/clear_refs").exists():
        return "What SmoothGrad takes of memory is only measured on Linux."
    code = """
        import ctypes, pathlib, sys
        sys.path.insert(0, {path!r})
        from helpers import networks, runtime, saliency
        runtime.setup()
        import bench_methods, harness
        # To draw ImageNet's head takes a gigabyte, which TensorFlow keeps and would use again here.
        network, image = networks.vgg16(), bench_methods.noise()
        def peak(function):  # what was freed goes back to the system first, and the peak is reset
            function()
            ctypes.CDLL(None).malloc_trim(0)
            pathlib.Path("/proc/self/clear_refs").write_text("5")
            function()
            return harness.memory("VmHWM") / 2**30
        one = peak(bench_methods.forward(network, image))
        print(peak(lambda: saliency.smooth_gradient(network, image, 0, samples=50)) - one)
    """
    code = textwrap.dedent(code).format(path=str(Path(__file__).resolve().parent))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    gigabytes = float(run.stdout.split()[-1])
    return (
        f"SmoothGrad with {N} samples takes {gigabytes:.2f} GiB beyond a forward pass, "
        "on VGG16 with the photo course's small head."
    )
