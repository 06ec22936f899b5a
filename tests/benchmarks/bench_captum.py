"""LRP beside Captum's, on VGG16: each in units of a forward pass of its own framework.

Captum needs PyTorch, which lies in a folder of its own (`.ci/libraries.py`), and so runs in a
process of its own. Random weights serve both, and one rule, epsilon.
"""

import json
import statistics
import subprocess
import sys
import textwrap
from pathlib import Path

import bench_methods
import harness
import keras
import libraries

from helpers import relevance

RULE = "epsilon"
THEIRS = """
    import json, sys, warnings
    sys.path.insert(0, {path!r})
    warnings.simplefilter("ignore")
    import torch, torchvision
    from captum.attr import LRP
    import harness
    torch.manual_seed(0)
    network = torchvision.models.vgg16(weights=None).eval()
    for part in network.modules():
        if isinstance(part, torch.nn.ReLU):
            part.inplace = False  # Captum changes what flows back, not what a layer overwrites
    image = torch.rand(1, 3, 224, 224)
    def forward():
        with torch.no_grad():
            network(image)
    def explained():
        LRP(network).attribute(image.clone().requires_grad_(), target=0)
    (pairs,) = harness.side_by_side(forward, {{"LRP": explained}}).values()
    print(json.dumps(pairs))
"""


def report():
    """Measure both and return (lines of text, True: another library's day is no failure)."""
    if reason := libraries.install("torch"):
        return ["", f"LRP was not measured beside Captum's: {reason}"], True
    path = str(Path(__file__).resolve().parent)
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(THEIRS).format(path=path)],
        env=libraries.environment(["torch"]), capture_output=True, text=True, check=True,
    )  # fmt: skip
    theirs = json.loads(run.stdout.splitlines()[-1])
    keras.utils.set_random_seed(0)
    vgg = keras.applications.VGG16(weights=None, classifier_activation=None)
    image = bench_methods.noise()
    (ours,) = harness.side_by_side(
        bench_methods.forward(vgg, image),
        {"LRP": lambda: relevance.lrp(vgg, image, 0, RULE)},
    ).values()
    rows = [["LRP on VGG16, 224 px, rule epsilon", "forward pass", "LRP", "forward passes"]]
    for who, pairs in ("ours, in TensorFlow", ours), ("Captum, in PyTorch", theirs):
        passes, seconds = (statistics.median(pair[k] for pair in pairs) for k in (1, 0))
        rows.append(
            [who, f"{passes * 1e3:.0f} ms", f"{seconds * 1e3:.0f} ms",
             f"{harness.in_units(pairs):.3g}"]
        )  # fmt: skip
    return ["", harness.table(rows)], True
