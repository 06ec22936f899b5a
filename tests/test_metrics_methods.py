"""The table of marks: a true map beats chance, and what looks at no network is marked as such."""

import numpy as np
import pytest

from helpers import drawn, load_world, metrics, networks, perturbation


@pytest.fixture(scope="module")
def judged():
    network = load_world("drawn").load_network("pets")
    drawings = [drawn.draw(kind, drawn.TEST_SEED + n) for n in range(3) for kind in drawn.PETS]
    return network, drawings


def faces(_network, images, _target):
    """Return the true map of these tests' drawings: the face, and nothing else."""
    known = [drawn.draw(k, drawn.TEST_SEED + n).parts for n in range(3) for k in drawn.PETS]
    ids = [drawn.PART_NAMES.index(part) for part in metrics.FACE]
    return np.isin(known, ids).astype(np.float32)


def test_marks_are_those_of_known_maps(judged):
    network, drawings = judged
    methods = {"even": metrics.even, "edges": metrics.edges, "faces": faces}
    found = metrics.compare_methods(network, drawings, methods=methods)
    assert list(found) == list(methods)
    area = np.mean([drawing.parts > 0 for drawing in drawings])
    assert found["even"]["on animal"] == pytest.approx(area, abs=1e-5)
    for mark in ("on animal", "on face", "hits animal", "hits head"):
        assert found["faces"][mark] == pytest.approx(1, abs=1e-6)
        assert found["edges"][mark] <= 1
    assert found["faces"]["deletion"] < found["even"]["deletion"]
    assert found["faces"]["insertion"] > found["even"]["insertion"]
    assert all(-1 <= row["effects"] <= 1 for row in found.values())


def test_every_method_of_the_table_gives_maps_of_the_pictures_size(judged):
    network, drawings = judged
    images = np.stack([drawing.image for drawing in drawings[:2]])
    for name, method in metrics.METHODS.items():
        assert np.shape(method(network, images, [0, 1]))[:3] == images.shape[:3], name


def test_effects_rank_parts_as_the_score_does(judged):
    network, drawings = judged
    labels = networks.predict(network, np.stack([d.image for d in drawings])).argmax(1)
    effects = perturbation.part_effects(network, drawings, labels)

    def truth(_network, images, _target):
        """Return a map whose mass on each part is its effect, lifted above zero."""
        maps = np.zeros(images.shape[:3])
        lowest = min(np.nanmin(effects[part]) for part in metrics.EFFECTS)
        for n, drawing in enumerate(drawings):
            for part in metrics.EFFECTS:
                mask = drawing.parts == drawn.PART_NAMES.index(part)
                if mask.any():
                    maps[n][mask] = (effects[part][n] - lowest + 1) / mask.sum()
        return maps

    found = metrics.compare_methods(network, drawings, labels, {"truth": truth})
    assert found["truth"]["effects"] == pytest.approx(1, abs=1e-6)
