"""How right: every method's map of the margin, judged beside chance and an edge detector."""

import harness
import numpy as np

from helpers import drawn, load_world, metrics

COUNT = 20  # of each kind: 40 animals
NETWORKS = ("pets", "pets_robust")
LESS_IS_BETTER = {"deletion", "ROAD"}


def report():
    """Score every method on each network and return (lines of text, True: no score can fail)."""
    drawings = [drawn.draw(kind, drawn.TEST_SEED + n) for n in range(COUNT) for kind in drawn.PETS]
    labels = [number for _ in range(COUNT) for number in range(len(drawn.PETS))]
    lines = []
    for name in NETWORKS:
        network = load_world("drawn").load_network(name)
        found = metrics.compare_methods(network, drawings, labels, against="rest")
        head = f"{name}, margin, {len(drawings)} animals"
        rows = [[head, *metrics.METRICS, "no better than edges"]]
        for method, row in found.items():
            cells = [
                "–" if np.isnan(e.mean) else f"{e.mean:.2f} ± {e.error:.2f}" for e in row.values()
            ]
            rows.append([method, *cells, ", ".join(behind(row, found)) or "–"])
        lines += [harness.table(rows), ""]
    return lines, True


def behind(row, found):
    """Return the metrics in which a method does no better than the edges of the picture do."""
    for metric, edges in found["edges"].items():
        sign = -1 if metric in LESS_IS_BETTER else 1
        if row is not found["edges"] and not sign * row[metric].mean > sign * edges.mean:
            yield metric
