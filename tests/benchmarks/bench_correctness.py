"""How right: every method scored on drawn test pictures, beside chance and an edge detector."""

import harness

from helpers import drawn, load_world, metrics

COUNT = 200  # of each kind: the whole test set, which takes an hour on two cores
NETWORKS = ("pets", "pets_robust")
LESS_IS_BETTER = {"deletion"}


def report():
    """Score every method on each network and return (lines of text, True: no score can fail)."""
    drawings = [drawn.draw(kind, drawn.TEST_SEED + n) for n in range(COUNT) for kind in drawn.PETS]
    labels = [number for _ in range(COUNT) for number in range(len(drawn.PETS))]
    lines = []
    for name in NETWORKS:
        network = load_world("drawn").load_network(name)
        found = metrics.compare_methods(network, drawings, labels)
        heads = list(found["even"])
        rows = [[f"{name}, {len(drawings)} pictures", *heads, "no better than edges"]]
        for method, row in found.items():
            cells = [f"{row[mark]:.2f}" for mark in heads]
            rows.append([method, *cells, ", ".join(behind(row, found)) or "–"])
        lines += [harness.table(rows), ""]
    return lines, True


def behind(row, found):
    """Return the marks in which a method does no better than the edges of the picture do."""
    for mark, edges in found["edges"].items():
        sign = -1 if mark in LESS_IS_BETTER else 1
        if row is not found["edges"] and sign * row[mark] <= sign * edges:
            yield mark
