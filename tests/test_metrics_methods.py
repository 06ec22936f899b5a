"""The table of marks: a true map beats chance, and what looks at no network is marked as such."""

import numpy as np
import pytest

from helpers import drawn, load_world, metrics, networks, perturbation


@pytest.fixture(scope="module")
def judged():
    network = load_world("drawn").load_network("pets")
    drawings = [drawn.draw(kind, drawn.TEST_SEED + n) for n in range(3) for kind in drawn.PETS]
    return network, drawings


def faces(_network, images, _target, *, against=None):
    """Return the true map of these tests' drawings: the face, and nothing else."""
    known = [drawn.draw(k, drawn.TEST_SEED + n).parts for n in range(3) for k in drawn.PETS]
    ids = [drawn.PART_NAMES.index(part) for part in drawn.FACE]
    return np.isin(known, ids).astype(np.float32)


@pytest.mark.slow
def test_marks_are_those_of_known_maps(judged):
    network, drawings = judged
    methods = {"even": metrics.even, "edges": metrics.edges, "faces": faces}
    found = metrics.compare_methods(network, drawings, methods=methods)
    assert list(found) == list(methods)
    area = np.mean([drawing.parts > 0 for drawing in drawings])
    for mark in ("on animal", "hits animal"):
        assert found["even"][mark].mean == pytest.approx(area, abs=1e-5)
    shares = [np.mean(drawing.parts > 0) for drawing in drawings]
    error = np.std(shares, ddof=1) / np.sqrt(len(drawings))
    assert found["even"]["on animal"].error == pytest.approx(error, rel=1e-4)
    for mark in ("on animal", "on face", "hits animal"):
        assert found["faces"][mark].mean == pytest.approx(1, abs=1e-6)
        assert found["edges"][mark].mean <= 1
    for mark in "deletion", "ROAD":
        assert found["faces"][mark].mean < found["even"][mark].mean
    assert found["faces"]["insertion"].mean > found["even"]["insertion"].mean
    assert all(-1 <= row["sizes"].mean <= 1 for row in found.values())


@pytest.mark.slow
def test_every_method_of_the_table_gives_maps_of_the_pictures_size(judged):
    network, drawings = judged
    images = np.stack([drawing.image for drawing in drawings[:2]])
    for name, method in metrics.METHODS.items():
        assert np.shape(method(network, images, [0, 1]))[:3] == images.shape[:3], name


@pytest.mark.slow
@pytest.mark.parametrize("against", [None, "rest"])
def test_effects_are_those_of_the_quantity_signs_included(judged, against):
    network, drawings = judged
    labels = networks.predict(network, np.stack([d.image for d in drawings])).argmax(1)
    effects = perturbation.part_effects(network, drawings, labels, against=against)

    def truth(_network, images, _target, **_asked):
        """Return a map whose sum on each part is its effect."""
        maps = np.zeros(images.shape[:3])
        for n, drawing in enumerate(drawings):
            for part in metrics.EFFECTS:
                mask = drawing.parts == drawn.PART_NAMES.index(part)
                if mask.any():
                    maps[n][mask] = effects[part][n] / mask.sum()
        return maps

    def turned(*asked, **how):
        return -truth(*asked, **how)

    methods = {"truth": truth, "turned": turned}
    found = metrics.compare_methods(network, drawings, labels, methods, against=against)
    assert found["truth"]["effects"].mean == pytest.approx(1, abs=1e-6)
    assert found["turned"]["effects"].mean == pytest.approx(-1, abs=1e-6)
    assert found["turned"]["sizes"].mean == pytest.approx(1, abs=1e-6)
    assert found["truth"]["effects"].error == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_only_the_metrics_asked_for_are_computed(judged):
    network, drawings = judged
    methods, some = {"edges": metrics.edges}, ("hits head", "sizes")
    found = metrics.compare_methods(network, drawings, None, methods, some)
    assert list(found["edges"]) == list(some)
    every = metrics.compare_methods(network, drawings, None, methods)
    assert list(every["edges"]) == list(metrics.METRICS)
    assert {metric: every["edges"][metric] for metric in some} == found["edges"]
    with pytest.raises(ValueError, match="unknown metric 'beauty'; choose from on animal"):
        metrics.compare_methods(network, drawings, None, methods, ("beauty",))


def test_a_method_of_ones_own_need_not_know_the_keyword(judged):
    network, drawings = judged
    own = {"own": lambda network, images, target: np.ones(images.shape[:3])}
    found = metrics.compare_methods(network, drawings[:2], methods=own)
    assert found["own"]["hits head"].mean > 0
    with pytest.raises(TypeError, match="against"):
        metrics.compare_methods(network, drawings[:2], methods=own, against="rest")
