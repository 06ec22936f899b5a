"""Every method in units of one compiled forward pass, beside other libraries, and its memory.

A method is too slow where it takes more than `LIMIT` times as long as bare TensorFlow: as the
passes and gradients that it cannot do without, compiled, and nothing around them. Bare TensorFlow
is measured in the same rounds as the method, so what else the machine does weighs on both. Other
libraries are measured too, but another library's good day is no failure of ours.
"""

import functools
import importlib.metadata
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import harness
import keras
import numpy as np
import peers
import tensorflow as tf

from helpers import cam, dreaming, load_world, perturbation, relevance, saliency

N, TOGETHER = peers.SAMPLES, 16  # TOGETHER: pictures in a batch, at most
# Times bare TensorFlow. What a method adds (checks, picking the class, copies to NumPy) takes about
# a millisecond: a tenth to a fifth of what the quickest ones take on the small network.
LIMIT = 1.25
# Maximization and style transfer also write the picture from waves and move it at random in each
# step, of which bare TensorFlow's 50 gradients know nothing. On the small network, maximization of
# pixels that stand still takes 1.13; waves add about 0.4 and the move 0.5. Style transfer compares
# seven layers with what they should give, too. On VGG16, maximization takes 1.14 in all.
ASCENT_LIMIT = 2
# LIME also divides the picture into superpixels, of which bare TensorFlow knows nothing.
LIME_LIMIT = 1.5
# LRP goes back through each layer up to four times, by sign of weights and inputs; slopes go once.
LRP_LIMIT = 5
BARE, OURS, SLOW = "bare TensorFlow", "ours", "Too slow"


class Bare(NamedTuple):
    """What a method asks of TensorFlow: `forward` or `slope`, for how many pictures in all."""

    make: Callable
    pictures: int | None = 1  # None: one for each window that occlusion covers
    together: int = 1  # pictures in a batch, at most


class Method(NamedTuple):
    """A method: its call, what it asks of TensorFlow, and how many times as long it may take."""

    title: str
    call: Callable
    bare: Bare
    limit: float = LIMIT


def forward(network, *batches):
    """Return a function that runs one compiled forward pass of each batch."""
    compiled = tf.function(lambda x: network(x, training=False), autograph=False)
    batches = [tf.constant(x, tf.float32) for x in batches]
    return lambda: [compiled(x).numpy() for x in batches]


def slope(network, *batches):
    """Return a function that runs TensorFlow's bare gradient of the first score, compiled."""

    @tf.function(autograph=False)
    def compiled(x):
        return tf.gradients(network(x, training=False)[:, 0], x)[0]

    batches = [tf.constant(x, tf.float32) for x in batches]
    return lambda: [compiled(x).numpy() for x in batches]


def slope_at_layer(network, batch):
    """Return a function that runs what Grad-CAM needs: a layer's output and the gradient there."""
    both = keras.Model(network.inputs, [network.get_layer(peers.LAYER).output, network.output])

    @tf.function(autograph=False)
    def compiled(x):
        given, scores = both(x, training=False)
        return given, tf.gradients(scores[:, 0], given)[0]

    batch = tf.constant(batch, tf.float32)
    return lambda: [found.numpy() for found in compiled(batch)]


def slope_of_style(network, *batches):
    """Return a function that runs what style transfer needs: the slope of some Gram matrices."""
    layer, layers = dreaming.default_layers(network)
    outputs = [network.get_layer(name).output for name in (layer, *layers)]
    looked = keras.Model(network.inputs, outputs)

    @tf.function(autograph=False)
    def compiled(x):
        content, *given = looked(x, training=False)
        grams = [tf.einsum("nhwc,nhwd->ncd", one, one) for one in given]
        return tf.gradients([tf.reduce_sum(one**2) for one in (content, *grams)], x)[0]

    batches = [tf.constant(x, tf.float32) for x in batches]
    return lambda: [compiled(x).numpy() for x in batches]


METHODS = {
    "gradient": Method("gradient", lambda n, x: saliency.gradient(n, x, 0), Bare(slope)),
    "guided_gradient": Method(
        "guided gradient", lambda n, x: saliency.guided_gradient(n, x, 0), Bare(slope)
    ),
    "grad_cam": Method(
        "Grad-CAM", lambda n, x: cam.grad_cam(n, x, 0, peers.LAYER), Bare(slope_at_layer)
    ),
    "hires_cam": Method(
        "HiResCAM", lambda n, x: cam.hires_cam(n, x, 0, peers.LAYER), Bare(slope_at_layer)
    ),
    "score_cam": Method(
        f"Score-CAM, {N} channels",
        lambda n, x: cam.score_cam(n, x, 0, peers.LAYER, channels=N),
        Bare(forward, N + 1, TOGETHER),
    ),
    "smooth_gradient": Method(
        f"SmoothGrad, {N} samples",
        lambda n, x: saliency.smooth_gradient(n, x, 0, samples=N, noise=peers.NOISE),
        Bare(slope, N, TOGETHER),
    ),
    "integrated_gradients": Method(
        f"integrated gradients, {N} steps",
        lambda n, x: saliency.integrated_gradients(n, x, 0, steps=N),
        Bare(slope, N, TOGETHER),
    ),
    "occlusion": Method(
        f"occlusion, {peers.WINDOW} px windows",
        lambda n, x: perturbation.occlusion(n, x, 0, window=peers.WINDOW, stride=peers.WINDOW),
        Bare(forward, None, TOGETHER),
    ),
    "rise": Method(
        f"RISE, {N} masks",
        lambda n, x: perturbation.rise(n, x, 0, masks=N),
        Bare(forward, N, TOGETHER),
    ),
    "lime": Method(
        f"LIME, {N} samples",
        lambda n, x: perturbation.lime(n, x, 0, samples=N),
        Bare(forward, N, TOGETHER),
        LIME_LIMIT,
    ),
    "kernel_shap": Method(
        f"KernelSHAP, {N} samples",
        lambda n, x: relevance.kernel_shap(n, x, 0, peers.blocks(x[0]), samples=N),
        Bare(forward, N + 2, TOGETHER),
    ),
    "lrp": Method("LRP", lambda n, x: relevance.lrp(n, x, 0), Bare(slope), LRP_LIMIT),
    "maximize": Method(
        f"maximization, {peers.STEPS} steps",
        lambda n, x: dreaming.maximize(n, dreaming.target_class(0), steps=peers.STEPS),
        Bare(slope, peers.STEPS),
        ASCENT_LIMIT,
    ),
    "style_transfer": Method(
        f"style transfer, {peers.STEPS} steps",
        lambda n, x: dreaming.style_transfer(n, x[0], x[0, ::-1], steps=peers.STEPS),
        Bare(slope_of_style, peers.STEPS),
        ASCENT_LIMIT,
    ),
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


def bare(network, image, needs):
    """Return a function that runs TensorFlow's own part of a method, and nothing else."""
    windows = (image.shape[1] // peers.WINDOW) * (image.shape[2] // peers.WINDOW)
    count = needs.pictures or windows
    batches = np.array_split(np.repeat(image, count, 0), -(-count // needs.together))
    return needs.make(network, *batches)


def report():
    """Measure every case and return (lines of text, whether no method was too slow)."""
    versions = (f"{p.name} {importlib.metadata.version(p.package)}" for p in peers.PEERS)
    lines = [
        "Medians of warm calls, all in one process, taking turns. Bare TensorFlow: its own "
        "compiled passes and gradients, as many as a method asks for. Only occlusion needs less: "
        "of the early layers, it computes only what a square changes. "
        f"The other libraries: {', '.join(versions)}.",
        "",
    ]
    notes = []
    for title, network, image in cases():
        others = [peer(network, image) for peer in peers.PEERS]
        heads = "first call", BARE, OURS, "ours / bare", "ours / best peer"
        rows, units = [["forward passes", *heads, *(other.name for other in others)]], []
        for name, method in METHODS.items():
            first, found = measured(name, network, image, others)
            row = [method.title, f"{first:.1f} s", *cells(found, [other.name for other in others])]
            rows.append(row)
            print(title, *row, sep=" | ", file=sys.stderr)  # this takes minutes: how far it is
            units += [unit for _, unit in found[BARE]]
            notes += [
                f"{who} on {title}, {method.title}: {said}"
                for who, said in found.items()
                if isinstance(said, str)
            ]
            if too_slow(found, method.limit):
                notes.append(f"{SLOW} on {title}: {method.title}, over {method.limit:g} times bare")
        unit = np.median(units) * 1e3
        lines += [f"**{title}**: a forward pass takes {unit:.1f} ms.", "", harness.table(rows), ""]
    return [*lines, memory(), "", *notes], not any(note.startswith(SLOW) for note in notes)


def measured(name, network, image, others):
    """Return a method's first call in seconds, and {who: its rounds, or what it failed with}.

    Who: bare TensorFlow, ours, and those of the other libraries that have the method.
    """
    method = METHODS[name]
    begun = time.perf_counter()
    method.call(network, image)
    first = time.perf_counter() - begun
    functions = {
        BARE: bare(network, image, method.bare),
        OURS: functools.partial(method.call, network, image),
    }
    functions |= {other.name: getattr(other, name) for other in others if hasattr(other, name)}
    return first, harness.side_by_side(forward(network, image), functions)


def too_slow(found, limit):
    """Return whether ours failed, or takes more than `limit` times as long as bare TensorFlow."""
    return isinstance(found[OURS], str) or harness.ratio(found[OURS], found[BARE]) > limit


def cells(found, names):
    """Return a row's text: bare TensorFlow, ours, ours by either, and each other library."""
    able = [name for name in names if not isinstance(found.get(name, ""), str)]
    best = min(able, key=lambda name: harness.in_units(found[name]), default=None)
    beside = [
        f"{harness.ratio(found[OURS], found[other]):.2f}"
        if other and not isinstance(found[OURS], str)
        else "–"
        for other in (BARE, best)
    ]
    return [figure(found, BARE), figure(found, OURS), *beside, *(figure(found, n) for n in names)]


def figure(found, name):
    """Return forward passes as text, or that a library has no such method or cannot run it."""
    if name not in found:
        return "has none"
    return "cannot run" if isinstance(found[name], str) else f"{harness.in_units(found[name]):.3g}"


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
        for size in 5, None:  # the larger last: TensorFlow would use its memory again
            how = dict(samples={samples}, batch_size=size)
            print(peak(lambda: saliency.smooth_gradient(network, image, 0, **how)) - one)
    """
    code = textwrap.dedent(code).format(path=str(Path(__file__).resolve().parent), samples=N)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    five, most = map(float, run.stdout.split()[-2:])
    return (
        f"SmoothGrad with {N} samples takes {most:.2f} GiB beyond a forward pass, and "
        f"{five:.2f} GiB with `batch_size=5`, on VGG16 with the photo course's small head."
    )
