"""t-SNE, in seconds, beside bare scikit-learn: it has no forward pass to be measured by.

Both on one thread, as ours always runs: where cores are busy, more threads wait for each other.
"""

import harness
import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from helpers import embedding

POINTS = 100, 2000
LIMIT = 1.25  # times bare scikit-learn, as `bench_methods.LIMIT` is times bare TensorFlow
PERPLEXITY = 15  # ours, by default


def points(count, groups=10, dimensions=128):
    """Return points that lie as features do: in groups, none below zero."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(groups, dimensions))[np.arange(count) % groups]
    return np.float32(np.maximum(0, centres + 0.5 * random.normal(size=(count, dimensions))))


def report():
    """Measure every case and return (lines of text, whether none was too slow)."""
    rows, met = [["t-SNE", "bare scikit-learn", "ours", "ours / bare"]], True
    for count in POINTS:
        features = points(count)
        with threadpool_limits(limits=1):
            bare = harness.seconds(lambda p=features: TSNE(perplexity=PERPLEXITY).fit_transform(p))
        ours = harness.seconds(lambda p=features: embedding.tsne(p, PERPLEXITY))
        what = f"{count:,} points, 128 numbers each"
        rows.append([what, f"{bare:.2f} s", f"{ours:.2f} s", f"{ours / bare:.2f}"])
        met &= ours <= LIMIT * bare
    return [harness.table(rows)], met
