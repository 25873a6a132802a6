"""Class embeddings: against loops and by hand, at their limits, and the controls on which methods fall to chance."""

import gzip
import tracemalloc

import contract
import embedding_trial
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from zsl_jax import class_encoders, data, errors, methods
from zsl_jax.class_encoders import trees

RNG = np.random.default_rng(0)
ATTRIBUTES = RNG.random((5, 4)).astype(np.float32)


@pytest.mark.parametrize(
    "fn",
    [
        class_encoders.binarized,
        class_encoders.signed,
        class_encoders.centred,
        lambda x: class_encoders.concatenated([x, x]),
        lambda x: class_encoders.aligned_weights([x, x[:, :2]], x[:, 1:]),
        lambda x: class_encoders.nearest_norms(x[:2], x[2:], x[2:], nearest=2),
        lambda x: class_encoders.ridge_norms(x[:2], x[2:], x[2:]),
        class_encoders.ranked,
        lambda x: class_encoders.concreteness_mix(x, 1 - x, x[0]),
        lambda x: class_encoders.told_concreteness(x[:2], x[2:4], x[4:]),
    ],
)
def test_forms_of_attributes_keep_the_contract(fn):
    contract.check_jit_and_vmap(fn, ATTRIBUTES)
    contract.check_half_precision(fn, ATTRIBUTES)


def test_binarized_is_the_loop():
    expected = [[float(x > ATTRIBUTES.mean()) for x in row] for row in ATTRIBUTES]
    np.testing.assert_array_equal(class_encoders.binarized(ATTRIBUTES), expected)
    per_attribute = class_encoders.binarized(ATTRIBUTES, threshold=ATTRIBUTES[2])
    np.testing.assert_array_equal(per_attribute, ATTRIBUTES[2] < ATTRIBUTES)
    np.testing.assert_array_equal(class_encoders.signed(ATTRIBUTES), 2 * np.array(expected) - 1)
    with pytest.raises(ValueError, match=r"\(5, 4\), not \(3,\)"):
        class_encoders.binarized(ATTRIBUTES, threshold=np.ones(3))


def test_centred_takes_the_mean_of_the_marked_classes():
    where = np.array([True, False, True, False, False])
    np.testing.assert_allclose(
        class_encoders.centred(ATTRIBUTES, where=where), ATTRIBUTES - ATTRIBUTES[[0, 2]].mean(0), atol=1e-6
    )
    np.testing.assert_allclose(class_encoders.centred(ATTRIBUTES).sum(0), np.zeros(4), atol=1e-6)
    np.testing.assert_allclose(class_encoders.centred(ATTRIBUTES, where=np.zeros(5, bool)), ATTRIBUTES)
    with pytest.raises(ValueError, match="where must be broadcastable"):
        class_encoders.centred(ATTRIBUTES, where=np.zeros(4, bool))


def test_concatenated_inner_products_are_weighted_cosines():
    other = RNG.standard_normal((5, 7)).astype(np.float32)
    joined = class_encoders.concatenated([ATTRIBUTES, other], weights=[2.0, 0.5])
    expected = sum(
        w * (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (x / np.linalg.norm(x, axis=1, keepdims=True)).T
        for w, x in ((2.0, ATTRIBUTES), (0.5, other))
    )
    np.testing.assert_allclose(joined @ joined.T, expected, atol=1e-5)
    with pytest.raises(ValueError, match="same classes"):
        class_encoders.concatenated([ATTRIBUTES, other[:3]])
    with pytest.raises(ValueError, match="2 embeddings need as many weights, not 1"):
        class_encoders.concatenated([ATTRIBUTES, other], weights=[1.0])


@pytest.mark.parametrize("agreeing", [0, 1, 2])
def test_aligned_weights_are_least_squares_on_pairs_of_classes(agreeing):
    rng = np.random.default_rng(agreeing)
    prototypes = rng.standard_normal((12, 8))
    centred = prototypes - prototypes.mean(0)
    sources = [rng.standard_normal((12, 5)) for _ in range(3)]
    sources[:agreeing] = [centred + rng.standard_normal((12, 8)) * (1 + k) for k in range(agreeing)]

    def kernel(x):
        cosines = x @ x.T / np.outer(*[np.linalg.norm(x, axis=1)] * 2)
        middle = np.eye(12) - 1 / 12
        return (middle @ cosines @ middle)[~np.eye(12, dtype=bool)]

    wanted, _ = optimize.nnls(np.stack([kernel(x) for x in sources], axis=1), kernel(centred))
    found = class_encoders.aligned_weights(sources, prototypes)
    np.testing.assert_allclose(found, wanted / wanted.sum(), atol=1e-4)
    assert agreeing == 0 or found[0] > 0.3
    # Nothing agrees with prototypes that are all at one place.
    np.testing.assert_allclose(class_encoders.aligned_weights(sources, np.ones((12, 8))), 1 / 3)
    with pytest.raises(ValueError, match="same classes"):
        class_encoders.aligned_weights(sources, prototypes[:3])


@pytest.mark.parametrize("count", [2, 3, 10])
def test_simplex_gram_matrix(count):
    corners = class_encoders.simplex(count)
    assert corners.shape == (count, count - 1)
    expected = np.full((count, count), -1 / (count - 1))
    np.fill_diagonal(expected, 1)
    np.testing.assert_allclose(corners @ corners.T, expected, atol=1e-6)
    with pytest.raises(ValueError, match="at least 2 classes, not 1"):
        class_encoders.simplex(1)


@pytest.mark.parametrize("seed", range(5))
def test_permuted_moves_every_row(seed):
    rows = np.arange(12.0).reshape(6, 2)
    moved = class_encoders.permuted(jax.random.key(seed), rows)
    assert np.all(moved[:, 0] != rows[:, 0])
    np.testing.assert_array_equal(np.sort(moved, axis=0), rows)


def test_ancestors_of_a_tree():
    #      5
    #    3   4      6 is a tree of its own
    #   0 1   2
    table = class_encoders.ancestors([3, 3, 4, 5, 5, -1, -1])
    expected = np.zeros((7, 7))
    for node, above in enumerate([{0, 3, 5}, {1, 3, 5}, {2, 4, 5}, {3, 5}, {4, 5}, {5}, {6}]):
        expected[node, list(above)] = 1
    np.testing.assert_array_equal(table, expected)
    # The number of shared ancestors orders the classes by how near they are.
    shared = table @ table.T
    assert shared[0, 1] > shared[0, 2] > shared[0, 6]


@pytest.mark.parametrize(
    ("parents", "message"), [([1, 2, 0], "cycle"), ([0], "cycle"), ([3, -1], "not -1 to 3"), ([0.5], "float64")]
)
def test_what_is_no_tree_is_refused(parents, message):
    with pytest.raises(ValueError, match=message):
        class_encoders.ancestors(parents)


def test_tree_from_a_table(tmp_path):
    path = tmp_path / "tree.csv"
    path.write_text(
        "child,parent\nwolf,dog-like\nfox,dog-like\nlion,cat-like\ndog-like,animal\ncat-like,animal\nanimal,\n"
    )
    names, parents = class_encoders.load_tree(path)
    table = class_encoders.ancestors(parents)
    assert names == ("wolf", "dog-like", "fox", "lion", "cat-like", "animal")
    rows = [names.index(name) for name in ("lion", "wolf", "fox")]
    for found, row in zip(trees.at_or_above(parents, rows), rows):
        assert sorted(found) == np.flatnonzero(table[row]).tolist()
    np.testing.assert_array_equal(table[rows] @ table[rows].T, [[3, 1, 1], [1, 3, 2], [1, 2, 3]])
    path.write_text("child,parent\nwolf,a\nwolf,b\n")
    with pytest.raises(errors.UserError, match="line 3: 'wolf' has two parents"):
        class_encoders.load_tree(path)
    for text, words in (
        ("dog,animal\nwolf,dog\n", "no header, 'dog' of its first line is in others, too"),
        ("child,parent\n,animal\n", "line 2: 1 names, wanted child, parent"),
    ):
        path.write_text(text)
        with pytest.raises(errors.UserError, match=words):
            class_encoders.load_tree(path)
    path.write_text("child,parent\nwolf\n")
    with pytest.raises(errors.UserError, match="line 2: 1 names"):
        class_encoders.load_tree(path)
    path.write_text("child,parent\nwolf,fox\nfox,wolf\n")
    with pytest.raises(errors.UserError, match="cycle"):
        class_encoders.load_tree(path)


def test_a_deep_tree_of_many_nodes_needs_the_memory_of_its_nodes(tmp_path):
    path = tmp_path / "tree.csv"
    path.write_text("child,parent\n" + "".join(f"n{node},n{node + 1}\n" for node in range(30_000)))
    tracemalloc.start()
    names, parents = class_encoders.load_tree(path)
    (found,) = trees.at_or_above(parents, [names.index("n0")])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == len(names) == 30_001
    assert most < 2**26


def test_retrofitting_solves_its_linear_system():
    graph = RNG.random((6, 6)) < 0.4
    np.fill_diagonal(graph, False)
    graph[4] = False  # a row without neighbours
    embedding, pull = RNG.standard_normal((6, 3)).astype(np.float32), 0.7
    degree = graph.sum(1)
    laplacian = np.where(degree > 0, 1.0, 0.0) * np.eye(6) - graph / np.maximum(degree, 1)[:, None]
    expected = np.linalg.solve(pull * np.eye(6) + laplacian, pull * embedding)
    actual = class_encoders.retrofitted(embedding, graph, pull=pull, num_sweeps=60)
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    np.testing.assert_allclose(actual[4], embedding[4], atol=1e-6)
    np.testing.assert_array_equal(class_encoders.retrofitted(embedding, graph, num_sweeps=0), embedding)
    with pytest.raises(ValueError, match=r"\(6, 3\), \(3, 3\)"):
        class_encoders.retrofitted(embedding, graph[:3, :3])


def test_one_sweep_of_retrofitting_is_the_loop():
    graph = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0]], bool)
    embedding = np.array([[1.0, 0.0], [0.0, 2.0], [4.0, 4.0]], np.float32)
    # In turn: row 0 is (e_0 + mean(e_1, e_2)) / 2, row 1 then (e_1 + q_0) / 2; row 2 has no neighbour.
    np.testing.assert_allclose(
        class_encoders.retrofitted(embedding, graph, num_sweeps=1), [[1.5, 1.5], [0.75, 1.75], [4.0, 4.0]]
    )


@pytest.mark.parametrize("header", ["", "4 2\n"])
@pytest.mark.parametrize("opened", [open, gzip.open])
def test_word_vectors_from_text_files(tmp_path, header, opened):
    path = tmp_path / ("vectors.txt" if opened is open else "vectors.txt.gz")
    with opened(path, "wt", encoding="utf-8") as file:
        file.write(header + "the 9 9\nPolar 1 0\nbear 0 1\npolar 5 5\n")
    vectors = class_encoders.load_word_vectors(path, {"polar", "bear", "grizzly"})
    assert sorted(vectors) == ["bear", "polar"]
    assert list(class_encoders.load_word_vectors(path)) == ["the", "polar", "bear"]
    assert list(class_encoders.load_word_vectors(path, most=2)) == ["the", "polar"]
    np.testing.assert_array_equal(class_encoders.word_embedding(["polar_bear", "bear"], vectors), [[0.5, 0.5], [0, 1]])


def test_a_header_of_word2vec_is_not_the_vector_of_a_number(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("2 1\n2 7\n")
    assert class_encoders.load_word_vectors(path, {"2"})["2"].tolist() == [7]


def test_word_vectors_that_are_damaged(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("polar 1 0\nbear 1\n")
    with pytest.raises(errors.UserError, match="line 2: 'bear' has 1 numbers, the words before it 2"):
        class_encoders.load_word_vectors(path, {"polar", "bear"})
    path.write_text("polar 1 x\n")
    with pytest.raises(errors.UserError, match="line 1: the vector of 'polar' is not all numbers"):
        class_encoders.load_word_vectors(path, {"polar"})


def test_missing_words_are_named_in_one_line():
    vectors = {"bear": np.ones(2)}
    with pytest.raises(errors.UserError, match=r"no vector for 2 words: grizzly, polar$"):
        class_encoders.word_embedding(["polar+bear", "grizzly+bear"], vectors)
    ignored = ["polar", "grizzly"]
    assert class_encoders.word_embedding(["polar+bear"], vectors, ignored=ignored).tolist() == [[1, 1]]
    with pytest.raises(errors.UserError, match="no word is left of 1 class names: polar"):
        class_encoders.word_embedding(["polar"], vectors, ignored=ignored)


def test_tf_idf_is_its_formula():
    texts = ["apple red apple", "green apple", "apple pear"]
    table = class_encoders.tf_idf(texts)
    vocabulary = ["apple", "green", "pear", "red"]
    for row, text in zip(table, texts):
        weights = []
        for word in vocabulary:
            count, used = text.split().count(word), sum(word in t.split() for t in texts)
            weights.append((1 + np.log(count)) * (1 + np.log((1 + 3) / (1 + used))) if count else 0.0)
        np.testing.assert_allclose(row, weights / np.linalg.norm(weights), rtol=1e-5)


def test_tf_idf_of_unseen_texts_uses_what_the_seen_ones_fixed():
    table = class_encoders.tf_idf(["red apple", "green pear", "red plum"], is_seen=[True, True, False])
    np.testing.assert_allclose(table[2], [0, 0, 0, 1])  # plum is in no seen text
    with pytest.raises(errors.UserError, match="3 texts need as many marks in is_seen, not 1"):
        class_encoders.tf_idf(["a red apple", "b", "c"], is_seen=[True])
    with pytest.raises(errors.UserError, match="no word"):
        class_encoders.tf_idf(["the", "a"])


ALE = methods.normalized(methods.ale())


@pytest.mark.long
def test_controls_fall_to_chance_on_birds(shared_data):
    """Among 33 unseen classes chance is .030; seen ones are learned (guessing: .011), as any rows will do."""
    birds = data.load("xlsa17", dir=shared_data / "xlsa17" / "CUB127")
    real = birds.classes.embedding
    permuted = [np.asarray(class_encoders.permuted(jax.random.key(seed), real)) for seed in range(4)]
    random = [np.asarray(jax.random.normal(jax.random.key(seed), real.shape)) for seed in range(4)]
    zsl, seen = embedding_trial.accuracies(ALE, birds, [real, *permuted, *random])
    assert zsl[0] > 0.45, zsl
    assert np.mean(zsl[1:5]) < 0.08, zsl
    assert np.mean(zsl[5:]) < 0.08, zsl
    assert min(seen) > 0.2, seen


@pytest.mark.long
def test_hierarchy_and_texts_describe_groceries(shared_data):
    """Twenty groceries held out, chance .050: their coarse group and their product texts both say what they are."""
    with np.load(shared_data / "grocery81_mobilenetv2.npz", allow_pickle=False) as file:
        inputs, labels, coarse, texts = (file[n] for n in ("features", "labels", "coarse", "descriptions"))
    group = np.array([coarse[labels == label][0] for label in range(81)])
    parents = np.concatenate([81 + group, np.full(43, -1)])
    is_seen = ~np.isin(np.arange(81), np.random.default_rng(0).permutation(81)[:20])
    rows = np.arange(len(labels))
    splits = {
        "train": rows[is_seen[labels] & (rows % 5 > 0)],
        "test_seen": rows[is_seen[labels] & (rows % 5 == 0)],
        "test_unseen": rows[~is_seen[labels]],
    }
    for embedding in (class_encoders.ancestors(parents)[:81], class_encoders.tf_idf(texts.tolist(), is_seen=is_seen)):
        table = data.ClassTable(embedding, is_seen, tuple(f"grocery {i}" for i in range(81)))
        groceries = data.Dataset("groceries", inputs.astype(np.float32), labels.astype(np.int32), table, splits)
        shuffled = [np.asarray(class_encoders.permuted(jax.random.key(seed), embedding)) for seed in range(3)]
        (zsl, *wrong), _ = embedding_trial.accuracies(ALE, groceries, [embedding, *shuffled])
        assert zsl > np.mean(wrong) + 0.08, (zsl, wrong)


def test_bad_shapes_are_named():
    with pytest.raises(ValueError, match=r"attributes must be \[C, A\], not \(4,\)"):
        class_encoders.centred(np.ones(4))
    with pytest.raises(ValueError, match="C >= 2"):
        class_encoders.permuted(jax.random.key(0), jnp.ones((1, 3)))
