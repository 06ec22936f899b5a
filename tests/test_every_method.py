"""What holds for every way of looking alike, on small networks and, where there is one, a real one.

Known answers stand in each method's own tests; here is what none of them may do.
"""

import os

import keras
import numpy as np
import pytest
from cases import slow_but
from hand_made import forms, images, parts
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import (
    activations,
    cam,
    dreaming,
    embedding,
    networks,
    perturbation,
    relevance,
    saliency,
)


def _half(arguments):
    """Half the shorter side of the pictures among the arguments of a method."""
    return min(np.shape(arguments[1])[-3:-1]) // 2


def last_layer(network):
    return networks.layer_names(network)[-1]


METHODS = {
    "gradient": saliency.gradient,
    "guided gradient": saliency.guided_gradient,
    "SmoothGrad": lambda *a: saliency.smooth_gradient(*a, samples=3),
    "integrated gradients": lambda *a: saliency.integrated_gradients(*a, steps=3, tolerance=None),
    "Grad-CAM": cam.grad_cam,
    "Guided Grad-CAM": cam.guided_grad_cam,
    "HiResCAM": cam.hires_cam,
    "Score-CAM": lambda *a: cam.score_cam(*a, channels=8),
    "occlusion": lambda *a: perturbation.occlusion(*a, window=_half(a), stride=_half(a)),
    "LIME": lambda *a: perturbation.lime(*a, segments=4, samples=20),
    "RISE": lambda *a: perturbation.rise(*a, masks=30, cells=3),
    "KernelSHAP": lambda *a: relevance.kernel_shap(*a, segments=4, samples=20),
    "LRP": relevance.lrp,
}
NEVER_AGAINST = "guided gradient", "Grad-CAM", "HiResCAM", "Score-CAM", "Guided Grad-CAM"
LOOKS = {
    "activations": lambda network, x: activations.record(network, x, last_layer(network))[
        last_layer(network)
    ],
    "features": embedding.features,
    "dream": lambda network, x: dreaming.maximize(
        network, dreaming.channel(last_layer(network), 0), x, steps=2
    ),
}
every_method = pytest.mark.parametrize("name", METHODS)


def oblong(height, width):
    """Return a network for pictures of another shape than square."""
    base, head = parts()
    x = y = keras.Input((height, width, 3))
    for layer in base + head:
        y = layer(y)
    return keras.Model(x, y)


@pytest.fixture(scope="module")
def network():
    return forms()["nested"]


@every_method
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused_before_any_work(network, name, bad):
    x = images(2).astype("float32")
    x[1, 3, 4, 0] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        METHODS[name](network, x, 0)


@every_method
def test_pictures_in_0_to_1_are_doubted_aloud(network, name):
    with pytest.warns(UserWarning, match="0-255"):
        METHODS[name](network, images(1) / 255, 0)


@every_method
@pytest.mark.parametrize("target", [3, -2, 1.5, [0, 1, 2, 0], "cat"])
def test_a_target_that_there_is_not_is_refused(network, name, target):
    with pytest.raises(ValueError, match="target must be"):
        METHODS[name](network, images(3), target)


@every_method
@pytest.mark.parametrize("shape", [(16, 16), (2, 8, 16, 3), (2, 16, 16, 1), (1, 2, 16, 16, 3)])
def test_pictures_of_another_shape_are_refused_with_the_shape_that_is_wanted(network, name, shape):
    with pytest.raises(ValueError, match=r"16.*16.*3"):
        METHODS[name](network, np.zeros(shape, np.uint8), 0)


ODD_HEADS = {
    "one sigmoid in two columns": lambda y: keras.layers.Concatenate()(
        [1 - (p := keras.layers.Dense(1, activation="sigmoid")(y)), p]
    ),
    "average of two softmaxes": lambda y: keras.layers.Average()(
        [keras.layers.Dense(2, activation="softmax")(y) for _ in range(2)]
    ),
    "hard sigmoid": lambda y: keras.layers.Dense(1, activation="hard_sigmoid")(y),
    "sigmoid of 16 bits": lambda y: keras.layers.Dense(1, activation="sigmoid", dtype="float16")(y),
}


@pytest.fixture(scope="module", params=slow_but(ODD_HEADS, "average of two softmaxes"))
def odd(request):
    base, head = parts()
    x = y = keras.Input((16, 16, 3))
    for layer in (*base, head[0]):
        y = layer(y)
    return keras.Model(x, ODD_HEADS[request.param](y))


@every_method
@pytest.mark.filterwarnings("ignore:The network .* returns probabilities")
@pytest.mark.filterwarnings("ignore:The guided gradient .* Not guided. 1 hard sigmoid")
def test_whatever_the_outputs_are_made_of_there_is_a_map_and_two_classes_oppose(odd, name):
    pictures = images(2)
    own, other = (METHODS[name](odd, pictures, target) for target in (0, 1))
    assert own.shape == other.shape and np.isfinite([own, other]).all() and np.any([own, other])
    if name not in NEVER_AGAINST:  # what is below 0 is gone
        assert np.corrcoef(own.ravel(), other.ravel())[0, 1] < 0


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(
    data=st.data(),
    height=st.sampled_from([8, 11, 16]),
    width=st.sampled_from([9, 16, 24]),
    count=st.integers(1, 3),
    dtype=st.sampled_from(["uint8", "float32", "float64", "int16"]),
)
def test_any_size_number_and_type_gives_maps_that_fit(data, height, width, count, dtype):
    name = data.draw(st.sampled_from(sorted(METHODS)))
    network, x = oblong(height, width), np.random.default_rng(0).integers(
        2, 256, (count, height, width, 3)
    ).astype(dtype)  # fmt: skip
    before, kept = network.get_weights(), x.copy()
    maps = METHODS[name](network, x, 1)
    assert maps.dtype == np.float32 and maps.shape[:3] == x.shape[:3] and np.isfinite(maps).all()
    single = METHODS[name](network, x[-1], 1)
    assert single.shape == maps.shape[1:]
    np.testing.assert_allclose(single, maps[-1], rtol=1e-3, atol=1e-4 * np.abs(maps).max() + 1e-9)
    np.testing.assert_array_equal(x, kept)
    assert all(map(np.array_equal, before, network.get_weights()))


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("COURSE_NETWORK"), reason="COURSE_NETWORK names no network")
def test_every_method_looks_into_a_real_network():
    network = networks.load(os.environ["COURSE_NETWORK"])
    size = networks.input_shape(network)
    x = np.random.default_rng(1).integers(0, 256, (2, *size), dtype=np.uint8)
    before, said = network.get_weights(), networks.predict(network, x)
    for name, method in METHODS.items():
        maps = method(network, x)
        assert maps.shape[:3] == x.shape[:3] and np.isfinite(maps).all(), name
        assert maps.any(), name
    for name, look in LOOKS.items():
        found = look(network, x)
        assert len(found) == 2 and np.isfinite(found).all() and np.ptp(found) > 0, name
    assert all(map(np.array_equal, before, network.get_weights()))
    np.testing.assert_array_equal(networks.predict(network, x), said)
