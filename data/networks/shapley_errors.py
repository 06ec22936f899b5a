"""Measure what lesson 08 has no time for: `python data/networks/shapley_errors.py`, half an hour.

Writes shapley_errors.json: how far each method's shares among the parts of 40 drawn animals are
from the exact Shapley values, with cheap and with costly settings. The network is `pets`, and what
is shared is the margin: why cat, and not dog. An interrupted run goes on: what is measured lies in
`.work`.

A cost is in forward passes. For methods that only ask it is the number of pictures; for those that
go back through the network it is CPU time, divided by that of a forward pass.
"""

import json
import os
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from helpers import (
    cam,
    drawn,
    gradients,
    load_world,
    metrics,
    perturbation,
    relevance,
    runtime,
    saliency,
)

HERE = Path(__file__).resolve().parent
WORK = HERE / ".work" / "shapley_errors.json"
FILE = Path(__file__).with_suffix(".json")
COUNT, GREY, SEEDS, CLOSE = 20, 127.0, 5, 0.05
BACK = {  # methods that go back through the network, and take no number
    "gradient": saliency.gradient,
    "guided gradient": saliency.guided_gradient,
    "Grad-CAM": partial(cam.grad_cam, layer="block5_conv3"),
    "HiResCAM": partial(cam.hires_cam, layer="block5_conv3"),
    "LRP, epsilon": partial(relevance.lrp, rule="epsilon"),
    "LRP, z+": partial(relevance.lrp, rule="zplus"),
    "LRP, composite": relevance.lrp,
}


def gradient_x_input(network, image, target, *, against):
    """Return the gradient times the distance from grey."""
    return saliency.gradient(network, image, target, against=against) * (image - GREY)


def integrated(steps):
    """Return integrated gradients from grey, with so many steps."""
    how = dict(baseline=GREY, steps=steps, tolerance=None)
    return partial(saliency.integrated_gradients, **how)


def smooth(samples):
    """Return SmoothGrad with so many samples."""
    return partial(saliency.smooth_gradient, samples=samples)


def squares(window):
    """Return occlusion with grey squares that do not overlap."""
    return partial(perturbation.occlusion, window=window, stride=window, baseline=GREY)


def covered(method, **how):
    """Return a method of superpixels in their mean colours, for a number of samples."""
    return lambda samples: partial(method, samples=samples, baseline=None, **how)


def masked(masks):
    """Return RISE over grey."""
    return partial(perturbation.rise, masks=masks, baseline=GREY)


def scored(channels):
    """Return Score-CAM over grey."""
    how = dict(layer="block5_conv3", channels=channels, baseline=GREY)
    return partial(cam.score_cam, **how)


ASKING = {  # methods that only ask: what makes one, its numbers, and the pictures that each takes
    "Score-CAM": (scored, (8, 32, 128), lambda n: n + 1),
    "occlusion": (squares, (64, 32, 16, 8), lambda n: (128 // n) ** 2 + 1),
    "LIME": (covered(perturbation.lime), (64, 128, 256, 512), lambda n: n),
    "RISE": (masked, (64, 256, 1024), lambda n: n),
    "KernelSHAP, superpixels": (
        covered(relevance.kernel_shap, segments=50),
        (128, 256, 512),
        lambda n: n + 2,
    ),
}
FOLLOWING = {  # methods that take several slopes
    "integrated gradients": (integrated, (1, 2, 4, 8, 16, 32)),
    "SmoothGrad": (smooth, (4, 16, 64)),
}
FAMILIES = {
    "draws parts again": ["exact, parts", "KernelSHAP, parts", "orders of parts"],
    "goes back once": ["LRP, composite", "LRP, z+", "LRP, epsilon", "gradient x input", "gradient"],
    "follows many slopes": ["integrated gradients", "SmoothGrad"],
    "looks at one layer": ["Grad-CAM", "HiResCAM", "Score-CAM"],
    "covers": ["occlusion", "LIME", "KernelSHAP, superpixels", "RISE"],
}
ORDERS, SAMPLES = (2, 3, 5, 10, 20, 40), (16, 24, 32, 48, 64, 96, 128, 192, 256)


def shares_of(heat, drawing, players):
    """Return the signed sums of a map over the parts that a drawing shows."""
    sums = metrics.part_scores(heat, drawing.parts, drawn.PART_NAMES, signed=True)
    return [float(sums[part]) for part in players]


def judged(shares, truth):
    """Return the misfit and the rank correlation of shares, rounded; None where they are equal."""
    rank = metrics.rank_correlation(np.array(shares), np.array(truth))
    return [
        round(float(metrics.misfit(shares, truth)), 3),
        None if np.isnan(rank) else round(rank, 3),
    ]


def until_close(estimate, truth, asked, sizes):
    """Return the first size, and its pictures, whose mean relative error is 5 % at most."""
    for size in sizes:
        errors = []
        for seed in range(SEEDS):
            found = np.array(estimate(size, seed))
            errors.append(np.linalg.norm(found - truth) / np.linalg.norm(truth))
        if np.mean(errors) <= CLOSE:
            return [size, asked(size)]
    return [None, None]


def measure(network, kind, seed):
    """Return for one animal {method: {setting: [misfit, rank]}}, and what sampling took."""
    drawing, target = drawn.draw(kind, seed), drawn.PETS.index(kind)
    scores = relevance.coalition_scores(network, kind, seed, target, against="rest")
    players = sorted(max(scores, key=len), key=perturbation.PARTS.index)
    exact = list(relevance.shapley_values(scores.__getitem__, players).values())
    found = {}

    def note(method, setting, shares):
        found.setdefault(method, {})[str(setting)] = judged(shares, exact)

    def mapped(method, setting, way):
        heat = way(network, drawing.image, target, against="rest")
        note(method, setting, shares_of(heat, drawing, players))

    for method in ("even", "edges"):
        mapped(method, None, metrics.METHODS[method])
    for method, way in (BACK | {"gradient x input": gradient_x_input}).items():
        mapped(method, None, way)
    for method, (make, settings, *_) in (FOLLOWING | ASKING).items():
        for setting in settings:
            mapped(method, setting, make(setting))

    def kernel(samples, seed=0):
        shares = relevance.kernel_shapley_values(scores.__getitem__, players, samples, seed)
        return list(shares.values())

    def orders(count, seed=0):
        way = relevance.sampled_shapley_values
        return [share.value for share in way(scores.__getitem__, players, count, seed).values()]

    def asked(count):
        """Return how many different pictures so many orders ask for, seed 0."""
        seen = set()
        relevance.sampled_shapley_values(lambda some: seen.add(some) or 0.0, players, count)
        return len(seen)

    most = 2 ** len(players)
    for samples in SAMPLES:
        if 2 * len(players) <= samples < most - 2:
            note("KernelSHAP, parts", samples, kernel(samples))
    for count in ORDERS:
        note("orders of parts", count, orders(count))
    note("exact, parts", None, exact)
    sizes = range(2 * len(players), most - 1, 2)
    until = {
        "KernelSHAP": until_close(kernel, exact, lambda n: n + 2, sizes),
        "orders": until_close(orders, exact, asked, range(2, 2001)),
    }
    pictures = {str(count): asked(count) for count in ORDERS}
    return {"found": found, "until": until, "parts": len(players), "asked": pictures}


def passes(network, images):
    """Return what each method that goes back takes, in forward passes, by CPU time."""

    def seconds(call):
        call()
        begun = time.process_time()
        call()
        call()
        return time.process_time() - begun

    forward = seconds(lambda: gradients.scores(network, images))
    return {
        method: round(seconds(partial(way, network, images, 0, against="rest")) / forward, 1)
        for method, way in BACK.items()
    }


def main():
    """Measure what is missing, and write the file when all is there."""
    network = load_world("drawn").load_network("pets")
    animals = [[kind, drawn.TEST_SEED + n] for n in range(COUNT) for kind in drawn.PETS]
    done = json.loads(WORK.read_text("utf-8")) if WORK.exists() else {}
    WORK.parent.mkdir(exist_ok=True)
    for kind, seed in animals:
        if f"{kind} {seed}" not in done:
            done[f"{kind} {seed}"] = measure(network, kind, seed)
            WORK.write_text(json.dumps(done), encoding="utf-8")
            print(kind, seed, flush=True)
    rows = [done[f"{kind} {seed}"] for kind, seed in animals]
    if "passes" not in done:
        images = np.stack([drawn.draw(kind, seed).image for kind, seed in animals[:16]])
        done["passes"] = passes(network, images)
        WORK.write_text(json.dumps(done), encoding="utf-8")
    FILE.write_text(written(animals, rows, done["passes"]), encoding="utf-8")


def cost(method, setting, rows, back):
    """Return the forward passes of a method; means over animals where they differ."""
    number = None if setting == "None" else int(setting)
    if method in ASKING:
        return ASKING[method][2](number)
    if method in FOLLOWING:
        return round(number * back["gradient"], 1)
    if method == "orders of parts":
        return round(float(np.mean([row["asked"][setting] for row in rows])), 1)
    if method == "KernelSHAP, parts":
        return number + 2
    if method == "exact, parts":
        return round(float(np.mean([2 ** row["parts"] for row in rows])), 1)
    if method in ("even", "edges"):
        return 0
    measured = back["gradient" if method == "gradient x input" else method]
    return max(1.0, measured)  # the pass forward is a part of it


def written(animals, rows, back):
    """Return the file's text."""
    methods = {}
    for method, settings in max((row["found"] for row in rows), key=lambda f: len(str(f))).items():
        for setting in settings:
            if sum(setting in row["found"].get(method, {}) for row in rows) < len(rows) / 2:
                continue  # more samples than most animals have drawings
            cells = [row["found"].get(method, {}).get(setting, [None, None]) for row in rows]
            misfit, rank = map(list, zip(*cells, strict=True))
            run = {"setting": None if setting == "None" else int(setting)}
            run |= {"passes": cost(method, setting, rows, back), "misfit": misfit, "rank": rank}
            methods.setdefault(method, []).append(run)
    until = {way: [row["until"][way][1] for row in rows] for way in rows[0]["until"]}
    found = {"animals": animals, "parts": [row["parts"] for row in rows], "until": until}
    found |= {"families": FAMILIES, "methods": methods}
    lines = json.dumps(found, indent=None, separators=(",", ":"))
    return lines.replace('{"setting"', '\n{"setting"').replace('],"', '],\n"') + "\n"


if __name__ == "__main__":
    runtime.setup()
    main()
