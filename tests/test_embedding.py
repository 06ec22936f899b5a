"""Features against the weights that follow them, maps against known clouds, counts by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hand_made import Calls, built, forms, images, of, parts
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

from helpers import embedding, gradients, networks


def scored(network, x):
    """Return what the layer "scores" makes of the features: it must be the network's scores."""
    weights, bias = networks.find_layer(network, "scores").get_weights()
    return embedding.features(network, x) @ weights + bias


@pytest.mark.parametrize("head", [None, "softmax", "sigmoid", "log_softmax"])
def test_penultimate_features_give_the_scores_and_are_the_same_in_every_form(head):
    wanted = networks.record(forms()["flat"], images(5), "dropout")["dropout"]
    for network in forms(head).values():
        found = embedding.features(network, images(5))
        assert found.dtype == np.float32
        assert_array_equal(found, wanted)
        assert_allclose(scored(network, images(5)), gradients.scores(network, images(5)), atol=1e-6)


@pytest.mark.parametrize(
    "last",
    [
        lambda: [keras.layers.Softmax()],
        lambda: [keras.layers.Activation("sigmoid")],
        lambda: [keras.layers.BatchNormalization(), keras.layers.Rescaling(0.5)],
        lambda: [keras.layers.Reshape((1, 3)), keras.layers.Flatten(), keras.layers.Softmax()],
    ],
)
def test_what_follows_the_last_product_does_not_matter(last):
    base, head = parts()
    longer = keras.Sequential([keras.Input((16, 16, 3)), *base, *head, *last()])
    longer.set_weights(forms()["flat"].get_weights() + longer.get_weights()[6:])
    assert_array_equal(
        embedding.features(longer, images()), embedding.features(forms()["flat"], images())
    )


def test_a_single_sigmoid_has_a_penultimate_layer_too():
    base, head = parts()
    out = keras.layers.Dense(1, activation="sigmoid", name="scores")
    network = keras.Sequential([keras.Input((16, 16, 3)), *base, *head[:2], out])
    assert_allclose(
        scored(network, images())[:, 0], gradients.scores(network, images())[:, 1], atol=1e-6
    )


def test_a_convolution_may_give_the_scores():
    x = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(5, 3, activation="relu", name="conv")(x)
    y = keras.layers.Conv2D(2, 1, name="scores")(y)
    network = keras.Model(x, keras.layers.GlobalAveragePooling2D()(y))
    maps = networks.record(network, images(3, 8), "conv")["conv"]
    found = embedding.features(network, images(3, 8))
    assert_allclose(found, maps.mean(axis=(1, 2)), rtol=1e-5)
    weights, bias = networks.find_layer(network, "scores").get_weights()
    assert_allclose(
        found @ weights[0, 0] + bias, gradients.scores(network, images(3, 8)), rtol=1e-4
    )


def test_a_dense_layer_may_stand_before_the_pooling():
    x = keras.Input((8, 8, 3))
    y = keras.layers.Dense(2, use_bias=False, name="scores")(x)
    network = keras.Model(x, keras.layers.GlobalAveragePooling2D()(y))
    wanted = np.float32(images(3, 8)).mean(axis=(1, 2))
    assert_allclose(embedding.features(network, images(3, 8)), wanted, rtol=1e-5)


def test_a_dense_layer_may_make_rows_of_all_cells_as_keras_3_15_does():
    x = keras.Input((8, 8, 3))
    rows = keras.ops.reshape(x, (-1, 3))
    y = keras.ops.reshape(keras.layers.Dense(2, use_bias=False)(rows), (-1, 8, 8, 2))
    network = keras.Model(x, keras.layers.GlobalAveragePooling2D()(y))
    wanted = np.float32(images(3, 8)).mean(axis=(1, 2))
    assert_allclose(embedding.features(network, images(3, 8)), wanted, rtol=1e-5)


def test_half_precision_is_cast_to_float32():
    x = keras.Input((6,))
    network = keras.Model(x, keras.layers.Dense(2, dtype="mixed_float16")(x))
    points = np.float32([[1, 2, 3, 4, 5, 6]])
    found = embedding.features(network, points)
    assert found.dtype == np.float32
    assert_array_equal(found, points)


def test_a_branch_back_through_a_shape_is_no_branch():
    one, two = keras.layers.Dense(4), keras.layers.Dense(2, name="two")

    def forward(network, x):
        early = network.one(x)
        late = tf.nn.relu(early)
        return tf.reshape(network.two(late), (tf.shape(early)[0], 2))

    network = built(Calls(forward, one=one, two=two), (3,))
    x = np.float32([[1, -2, 3], [4, 5, -6]])
    early = networks.record(network, x, one.name)[one.name]
    assert_array_equal(embedding.features(network, x), np.maximum(early, 0))


def test_networks_without_one_penultimate_layer_say_so():
    with pytest.raises(ValueError, match="from no products .* give a layer"):
        embedding.features(of(lambda x: 5 * x, 2), np.float32([[1, 2]]))
    x = keras.Input((4,))
    left, right = (keras.layers.Dense(3, activation="relu")(x) for _ in range(2))
    both = keras.Model(x, keras.layers.Dense(2)(left) + keras.layers.Dense(2)(right))
    with pytest.raises(ValueError, match="from 2 products .* give a layer"):
        embedding.features(both, np.float32([[1, 2, 3, 4]]))
    same = keras.Model(x, keras.layers.Dense(2)(left) + keras.layers.Dense(2)(left))
    assert embedding.features(same, np.float32([[1, 2, 3, 4]])).shape == (1, 3)
    dense = keras.layers.Dense(2)
    network = Calls(lambda n, x: 2.0 * n.hidden(x), dense=dense)
    network.hidden = tf.function(dense)
    with pytest.raises(ValueError, match="hides its last layers"):
        embedding.features(built(network, (4,)), np.float32([[1, 2, 3, 4]]))


def test_a_layer_with_space_is_averaged_or_laid_out_flat():
    for network in forms("softmax").values():
        maps = networks.record(network, images(), "conv2")["conv2"]
        found = embedding.features(network, images(), "conv2")
        assert_allclose(found, maps.mean(axis=(1, 2)), rtol=1e-5)
        flat = embedding.features(network, images(), "conv2", pool="flatten")
        assert_array_equal(flat, maps.reshape(3, -1))
        probabilities = embedding.features(network, images(), "scores")
        assert_allclose(probabilities, networks.predict(network, images()), rtol=1e-5)


def test_rows_do_not_depend_on_the_batch():
    network, five = forms()["nested"], images(5)
    whole = embedding.features(network, five, "conv1")
    assert_allclose(embedding.features(network, five, "conv1", batch_size=2), whole, rtol=1e-5)
    single = embedding.features(network, five[3], "conv1")
    assert single.shape == (4,)
    assert_allclose(single, whole[3], rtol=1e-5)


def test_pictures_may_be_oblong():
    x = keras.Input((None, None, 3))
    y = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    network = keras.Model(x, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(y)))
    for shape in ((2, 20, 12, 3), (2, 13, 30, 3)):
        picture = np.random.default_rng(0).uniform(0, 255, shape)
        assert embedding.features(network, picture).shape == (2, 4)
        flat = embedding.features(network, picture, "conv", "flatten")
        assert flat.shape == (2, 4 * (shape[1] - 2) * (shape[2] - 2))


def test_wrong_arguments_are_named_and_the_network_stays_the_same():
    network = forms("softmax")["nested"]
    weights, before = network.get_weights(), network.predict(images(), verbose=0)
    embedding.features(network, images())
    with pytest.raises(ValueError, match="Did you mean 'conv2'"):
        embedding.features(network, images(), "conv3")
    with pytest.raises(ValueError, match='pool must be "mean" or "flatten", not \'max\''):
        embedding.features(network, images(), pool="max")
    with pytest.raises(ValueError, match="takes images"):
        embedding.features(network, images(2, 12))
    with pytest.raises(ValueError, match="batch_size must be a whole number, 1 or more"):
        embedding.features(network, images(), batch_size=0)
    assert_array_equal(network.predict(images(), verbose=0), before)
    for now, then in zip(network.get_weights(), weights, strict=True):
        assert_array_equal(now, then)


def cloud(count=60, dimensions=5, groups=3, seed=0):
    """Return points in well separated groups, and the group of each."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % groups
    centres = 20 * np.eye(groups, dimensions)
    return np.float32(centres[labels] + random.normal(size=(count, dimensions))), labels


def test_pca_is_scikit_learns_up_to_sign():
    from sklearn.decomposition import PCA

    points, _ = cloud()
    for dimensions in (1, 2, 5):
        found, wanted = embedding.pca(points, dimensions), PCA(dimensions).fit_transform(points)
        assert found.shape == (60, dimensions)
        assert found.dtype == np.float32
        assert_allclose(np.abs(found), np.abs(wanted), atol=1e-4)


def test_pca_of_a_line_is_its_length_and_turns_it_the_right_way_round():
    points = np.outer(np.arange(5), [-3, 4])
    assert_allclose(embedding.pca(points, 1)[:, 0], [-10, -5, 0, 5, 10], rtol=1e-6)
    assert_allclose(embedding.pca(-points, 1)[:, 0], [10, 5, 0, -5, -10], rtol=1e-6)
    diagonal = np.outer([-1, 0, 1], [1, -1])  # both components are equally large
    assert_allclose(embedding.pca(diagonal, 1)[:, 0], np.sqrt(2) * np.array([-1, 0, 1]), atol=1e-6)
    assert_array_equal(embedding.pca(np.ones((4, 3))), np.zeros((4, 2)))


@settings(max_examples=25, deadline=None)
@given(arrays("float32", (7, 4), elements=st.floats(-100, 100, width=16)))
def test_pca_in_all_dimensions_keeps_all_distances(points):
    found = embedding.pca(points, 4).astype("float64")
    for i in range(7):
        wanted = np.linalg.norm(points[i].astype("float64") - points, axis=1)
        assert_allclose(np.linalg.norm(found[i] - found, axis=1), wanted, atol=1e-3)
    assert np.all(np.diff(found.var(axis=0)) <= 1e-3)


def test_wrong_points_are_named():
    points, labels = cloud()
    for bad in (np.nan, np.inf, 1e39):
        spoilt = points.astype("float64")
        spoilt[3, 1] = bad
        for method in (
            embedding.pca,
            embedding.tsne,
            lambda p: embedding.neighbourhood_accuracy(p, labels),
        ):
            with pytest.raises(ValueError, match="finite float32, with no NaN"):
                method(spoilt)
    for shape in ((60,), (0, 3), (3, 2, 2)):
        with pytest.raises(ValueError, match=r"must be numbers \(N, D\)"):
            embedding.pca(np.zeros(shape))
    with pytest.raises(ValueError, match="must be numbers"):
        embedding.tsne(np.array([["a", "b"]]))
    with pytest.raises(
        ValueError, match=r"dimensions must be 1 to 5 for features \(60, 5\), not 6"
    ):
        embedding.pca(points, 6)
    with pytest.raises(ValueError, match="at least 3 points, not 2"):
        embedding.tsne(points[:2])
    for perplexity in (60, 0.5, np.nan):
        with pytest.raises(ValueError, match="1 or more and below 60 points"):
            embedding.tsne(points, perplexity)


def test_tsne_keeps_groups_together():
    points, labels = cloud()
    found = embedding.tsne(points, perplexity=10)
    assert found.shape == (60, 2)
    assert found.dtype == np.float32
    assert embedding.neighbourhood_accuracy(found, labels) == 1


def test_tsne_does_not_depend_on_threads_scale_or_the_global_random_state():
    points, _ = cloud()
    wanted = embedding.tsne(points, 10)
    np.random.seed(7)
    before = np.random.get_state()[1].copy()
    allowed = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    assert_array_equal(embedding.tsne(points * 2.0**60, 10), wanted)
    assert_array_equal(np.random.get_state()[1], before)
    assert {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()} == allowed
    for threads in (1, 3):
        with threadpool_limits(limits=threads):
            assert_array_equal(embedding.tsne(points, 10), wanted)
    assert np.any(embedding.tsne(points, 10, seed=1) != wanted)


@pytest.mark.parametrize(
    "points",
    [
        np.ones((6, 4)),
        np.repeat(np.eye(3), 4, axis=0),
        np.float32([[0], [1], [3]]),
        np.zeros((3, 1), np.uint8),
        np.full((5, 2), 1e-30) * np.arange(5)[:, None],
    ],
)
def test_tsne_takes_identical_few_and_tiny_points(points):
    for perplexity in (1, 2.5):
        assert np.isfinite(embedding.tsne(points, perplexity)).all()


def test_tsne_runs_on_one_thread_and_says_where_it_takes_a_while(caplog, monkeypatch):
    threads = []

    class Quick:
        def __init__(self, **options):
            self.start = options["init"]

        def fit_transform(self, points):
            threads.extend(pool["num_threads"] for pool in threadpool_info())
            return self.start

    monkeypatch.setattr(embedding, "TSNE", Quick)
    caplog.set_level("INFO", logger="helpers")
    with threadpool_limits(limits=3):
        embedding.tsne(np.eye(999, 3))
    assert set(threads) == {1}
    assert caplog.text == ""
    embedding.tsne(np.eye(1000, 3))
    assert "t-SNE of 1000 points takes a while" in caplog.text


def test_neighbourhood_accuracy_by_hand():
    points, labels = np.float32([[0], [1], [3], [6], [10]]), [0, 0, 1, 1, 1]
    # Nearest neighbours: 0 -> 1, 1 -> 0, 3 -> 1 (wrong), 6 -> 3, 10 -> 6.
    assert embedding.neighbourhood_accuracy(points, labels, 1) == 4 / 5
    # Two votes: 0 -> 1, 3 (tie, nearest wins: right), 1 -> 0, 3 (right), 3 -> 1, 0 (wrong).
    assert embedding.neighbourhood_accuracy(points, labels, 2) == 4 / 5
    # All four others: 0 and 1 are outvoted; 3, 6, 10 see two of each, and their nearest decides.
    assert embedding.neighbourhood_accuracy(points, labels, 4) == 2 / 5


def test_of_neighbours_equally_far_away_the_first_counts():
    points = np.zeros((3, 2))
    assert embedding.neighbourhood_accuracy(points, ["a", "b", "b"], 1) == 0
    assert embedding.neighbourhood_accuracy(points, ["b", "b", "a"], 1) == 2 / 3


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 1000),
    st.integers(2, 4),
    st.integers(1, 7),
    st.floats(0.01, 100),
    st.permutations(range(60)),
)
def test_groups_far_apart_are_found_however_turned_scaled_and_ordered(
    seed, groups, k, scale, order
):
    points, labels = cloud(groups=groups, seed=seed)
    assert embedding.neighbourhood_accuracy(points, labels, k) == 1
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))[0]
    mixed = np.random.default_rng(seed).permutation(labels)
    before = embedding.neighbourhood_accuracy(points, mixed, k)
    assert embedding.neighbourhood_accuracy(scale * points @ turn + 3, mixed, k) == before
    assert embedding.neighbourhood_accuracy(points[order], mixed[order], k) == before


def test_neighbourhood_accuracy_agrees_with_scikit_learn():
    from sklearn.model_selection import LeaveOneOut, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    random = np.random.default_rng(1)
    points, labels = random.normal(size=(300, 3)), random.integers(0, 2, 300)
    points[:, 0] += labels
    wanted = cross_val_score(KNeighborsClassifier(5), points, labels, cv=LeaveOneOut()).mean()
    assert 0.5 < wanted < 0.9
    assert_allclose(embedding.neighbourhood_accuracy(points, labels), wanted)


def test_neighbourhood_accuracy_names_what_does_not_fit():
    points, labels = cloud()
    for k in (0, 60):
        with pytest.raises(ValueError, match="k must be 1 to 59 for 60 points"):
            embedding.neighbourhood_accuracy(points, labels, k)
    for wrong in (labels[1:], labels[:, None]):
        with pytest.raises(ValueError, match="labels must be \\(60,\\), one per point"):
            embedding.neighbourhood_accuracy(points, wrong)
