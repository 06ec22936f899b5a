"""t-SNE, in seconds: it has no forward pass to be measured by."""

import harness
import numpy as np

from helpers import embedding

CASES = ((100, 1.0), (2000, 20.0))  # points, and the most seconds that t-SNE may take


def points(count, groups=10, dimensions=128):
    """Return points that lie as features do: in groups, none below zero."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(groups, dimensions))[np.arange(count) % groups]
    return np.float32(np.maximum(0, centres + 0.5 * random.normal(size=(count, dimensions))))


def report():
    """Measure every case and return (lines of text, whether every target was met)."""
    rows, met = [["t-SNE", "seconds", "at most"]], True
    for count, most in CASES:
        features = points(count)
        seconds = harness.seconds(lambda p=features: embedding.tsne(p))
        rows.append([f"{count:,} points, 128 numbers each", f"{seconds:.2f}", f"{most:.0f}"])
        met &= seconds <= most
    return [harness.table(rows)], met
