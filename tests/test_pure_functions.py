"""Rules that every public function of losses, metrics and similarity follows: names, labels, NaN, -inf, sizes."""

import doctest
import functools
import inspect

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pure_function_cases
import pytest
from hypothesis import strategies as st
from pure_function_cases import CLASSES, EVERY, ROWS, TABLES

from zsl_jax import arguments, bounds, losses, metrics, similarity

PACKAGES = {"losses": losses, "metrics": metrics, "similarity": similarity, "bounds": bounds}
WITH_VALUES = sorted(name for name, case in EVERY.items() if case.values)
WITH_LABELS = sorted(name for name, case in EVERY.items() if case.labels)
NO_CLASS = (-1, -(2**40), 2**31 - 1, 2**40 + 1)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_public_names_are_documented_functions_and_classes(package):
    module = PACKAGES[package]
    found = {name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert found == set(module.__all__)
    assert list(module.__all__) == sorted(module.__all__)
    finder = doctest.DocTestFinder(recurse=False)
    for name in module.__all__:
        value = getattr(module, name)
        assert callable(value), name
        assert inspect.getdoc(value), name
        if not inspect.isclass(value) and package != "bounds":
            assert any(test.examples for test in finder.find(inspect.unwrap(value), name)), f"{name} has no example"


@pytest.mark.parametrize("package", ["losses", "metrics", "similarity"])
def test_the_table_of_cases_has_every_public_function(package):
    functions = {name for name in PACKAGES[package].__all__ if not inspect.isclass(getattr(PACKAGES[package], name))}
    assert set(TABLES[package]) == functions


@functools.cache
def compiled(name):
    return jax.jit(lambda arrays: EVERY[name](**arrays))


def call(name, **changed):
    return compiled(name)({**EVERY[name].arrays, **changed})


def floats(result):
    return [np.asarray(x) for x in jax.tree.leaves(result) if jnp.issubdtype(jnp.asarray(x).dtype, jnp.floating)]


@pytest.mark.long
@pytest.mark.parametrize("name", WITH_VALUES)
@hypothesis.settings(max_examples=8, deadline=None, derandomize=True)
@hypothesis.given(st.integers(0, 2**20))
@hypothesis.example(1)
def test_nan_in_one_place_never_passes_as_success(name, seed):
    case, rng = EVERY[name], np.random.default_rng(seed)
    argument = case.values[rng.integers(len(case.values))]
    value = np.array(case.arrays[argument], np.float32)
    place = tuple(int(rng.integers(size)) for size in value.shape)
    value[place] = np.nan
    assert all(np.isfinite(x).all() for x in floats(call(name))) or "curve" in name
    if not case.never_nan:
        assert any(np.isnan(x).any() for x in floats(call(name, **{argument: value}))), (argument, place)
        return
    everywhere = call(name, **{argument: np.full_like(value, np.nan)})
    succeeded = {
        "metrics.best_class": lambda x: x >= 0,
        "metrics.label_rank": lambda x: x <= CLASSES,
        "metrics.matching_accuracy": lambda x: np.stack(x) > 0,
        "metrics.predicted_class": lambda x: x >= 0,
        "metrics.curve_of_rows": lambda x: np.stack(x[:2]) > 0,
        "metrics.binned_curve_of_rows": lambda x: np.stack(x[:2]) > 0,
        "metrics.seen_unseen_curve": lambda x: np.stack(x[:2]) > 0,
        "metrics.compositional_curve": lambda x: np.stack(x[:2]) > 0,
        "metrics.binned_compositional_curve": lambda x: np.stack(x[:2]) > 0,
    }.get(name, lambda x: x > 0)
    assert not np.any(succeeded(jax.tree.map(np.asarray, everywhere)))


@pytest.mark.long
@pytest.mark.parametrize("name", WITH_LABELS)
def test_whole_numbers_of_any_dtype_are_labels(name):
    case = EVERY[name]
    expected = call(name)
    for dtype in (np.uint8, np.int8, np.int16, np.uint32, np.int64, np.uint64, np.float32, np.float64):
        labels = {label: case.arrays[label].astype(dtype) for label in case.labels}
        # Compiled, the values are not at hand: one dtype that is narrower and one of another kind.
        results = [case(**labels)] + ([call(name, **labels)] if dtype in (np.uint8, np.float32) else [])
        for result in results:
            jax.tree.map(lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6), result, expected)
    as_list = {label: case.arrays[label].tolist() for label in case.labels}
    jax.tree.map(lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6), case(**as_list), expected)
    for wrong in (0.5, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"whole numbers.* at \(2,\)"):
            case(**{label: np.where(np.arange(ROWS) == 2, wrong, case.arrays[label]) for label in case.labels})
    for dtype in (bool, str):
        with pytest.raises(ValueError, match="whole numbers"):
            case(**{label: case.arrays[label].astype(dtype) for label in case.labels})


@pytest.mark.long
@pytest.mark.parametrize("name", [n for n in WITH_LABELS if EVERY[n].num_classes and not n.startswith("bounds")])
def test_an_example_whose_label_is_no_class_counts_nowhere(name):
    case = EVERY[name]
    (label,) = case.labels
    row = 2
    for outside in (*NO_CLASS, case.num_classes, 255):
        labels = case.arrays[label].astype(np.int64)
        labels[row] = outside
        found = case(**{label: labels})
        is_left = np.arange(ROWS) != row
        if (case.has_where and name.startswith("metrics")) or "semantic" in name:
            expected = case(where=is_left)
        elif "decorrelation" in name:
            expected = case(weights=case.arrays["weights"] * is_left[None, :])
        elif name == "metrics.label_rank":
            expected = np.where(is_left, case(), CLASSES + 1)
        else:
            expected = np.where(is_left, case(), 0)
        jax.tree.map(lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6), found, expected)
        is_end = outside in (-1, case.num_classes)
        if is_end and name.startswith("losses") and found.shape == (ROWS,) and case.values != ("features",):
            value = case.values[0]
            slope = jax.grad(lambda x: jnp.sum(case(**{value: x, label: labels})))(jnp.asarray(case.arrays[value]))  # noqa: B023
            assert np.all(np.isfinite(slope))
            assert np.all(np.asarray(slope)[row] == 0)


@pytest.mark.parametrize("name", [n for n in WITH_LABELS if EVERY[n].num_classes is None])
def test_ids_far_apart_are_different_groups(name):
    case = EVERY[name]
    far = np.array([0, 1, 2, 0, 1, 2**32], np.int64)
    near = np.array([0, 1, 2, 0, 1, 3])
    if name == "metrics.micro_accuracy":
        assert case(predictions=far, labels=far) == 1.0
        return
    np.testing.assert_array_equal(case(labels=far), case(labels=near))
    np.testing.assert_array_equal(case(labels=far - 2**33), case(labels=near))


@pytest.mark.long
@pytest.mark.parametrize("classes", [200, 255, 256, 300, 717])
def test_labels_of_one_byte_mix_with_any_number_of_classes(classes):
    labels, where = np.array([5, 9, 7], np.uint8), np.array([True, False, True])
    _, total = metrics.per_class_counts(labels, labels, num_classes=classes, where=where)
    assert np.flatnonzero(np.asarray(total)).tolist() == [5, 7]
    scores = np.eye(classes, dtype=np.float32)[labels]
    assert metrics.label_rank(scores, labels).tolist() == [1, 1, 1]
    candidates = np.random.default_rng(0).normal(size=(classes, 4)).astype(np.float32)
    expected = losses.info_nce(candidates[[120, 3]], candidates, np.array([120, 3]), temperature=1.0)
    small = losses.info_nce(candidates[[120, 3]], candidates, np.array([120, 3], np.int8), temperature=1.0)
    np.testing.assert_array_equal(small, expected)


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        f"losses.{n}"
        for n in TABLES["losses"]
        if {"scores", "cosines", "similarities"} & set(TABLES["losses"][n].values)
    ],
)
def test_a_score_of_minus_infinity_is_a_mask(name):
    case = EVERY[name]
    if not case.has_where or name.startswith(("losses.conditional", "losses.nce", "losses.nwj", "losses.semantic")):
        pytest.skip("its matrix is not one of scores over classes")
    if "teacher" in name:
        pytest.skip("the teacher gives every class a share, and one without any is infinitely far from it")
    value = case.values[0]
    scores = jnp.asarray(case.arrays[value])
    target = {"labels": lambda x: np.arange(x.shape[1])[None, :] == case.arrays["labels"][:, None]}
    positive = case.arrays.get("is_positive", case.arrays.get("targets"))
    if "relations" in case.arrays:
        positive = case.arrays["relations"] == np.max(case.arrays["relations"], axis=1, keepdims=True)
    own = target["labels"](scores) if "labels" in case.arrays else positive
    own = np.eye(ROWS, dtype=bool) if own is None and scores.shape[0] == scores.shape[1] else own
    own = np.asarray(case.arrays["is_seen"])[None, :] | np.zeros(scores.shape, bool) if own is None else own
    keep = np.ones(scores.shape, bool)
    for b in range(scores.shape[0]):
        others = np.flatnonzero(np.asarray(own[b] == 0))
        keep[b, others[0]] = len(others) < 1
    run = jax.value_and_grad(lambda s, where: jnp.sum(case(**{value: s}, where=where)))
    expected, slope = run(scores, keep)
    found, slope_of_infinity = run(jnp.where(keep, scores, -jnp.inf), np.ones_like(keep))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(slope_of_infinity)[keep], np.asarray(slope)[keep], rtol=1e-4, atol=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("size", [1e-35, 1e-25, 1e-13, 1e13, 1e20, 1e34])
def test_unit_vectors_do_not_depend_on_the_size_of_the_input(size):
    x = pure_function_cases.normal(4, 3) + np.float32(1)
    expected = x / np.linalg.norm(x, axis=1, keepdims=True)
    large = (x.astype(np.float64) * size).astype(np.float32)
    np.testing.assert_allclose(similarity.l2_normalize(large), expected, rtol=1e-5)
    np.testing.assert_allclose(similarity.cosine(large, x), similarity.cosine(x, x), rtol=1e-5, atol=1e-6)
    slope = jax.grad(lambda x: similarity.l2_normalize(x)[0, 0])
    scaled = np.asarray(slope(jnp.asarray(large)), np.float64) * size
    np.testing.assert_allclose(scaled, slope(jnp.asarray(x)), rtol=1e-3, atol=1e-3)
    found = losses.gated_contrastive(large, large, np.ones_like(x), temperature=1.0)
    np.testing.assert_allclose(found, losses.gated_contrastive(x, x, np.ones_like(x), temperature=1.0), rtol=1e-4)
    temperature = metrics.fitted_temperature(large, np.array([0, 1, 2, 0]))
    np.testing.assert_allclose(
        float(temperature) / size, metrics.fitted_temperature(x, np.array([0, 1, 2, 0])), rtol=1e-3
    )
    np.testing.assert_allclose(bounds.redundancy(large), bounds.redundancy(x), rtol=1e-4)
    if size > 1:
        np.testing.assert_allclose(similarity.poincare_project(large), (1 - 1e-5) * expected, rtol=1e-5)
        np.testing.assert_allclose(similarity.poincare_exp0(large), (1 - 1e-5) * expected, rtol=1e-5)
        np.testing.assert_allclose(similarity.lorentz_exp0(large), 2.0**15 * expected, rtol=1e-4)


@pytest.mark.long
def test_ordinary_vectors_are_scaled_by_exactly_one():
    x = pure_function_cases.normal(50, 7)
    plain = x * jax.lax.rsqrt(jnp.sum(x * x, axis=1, keepdims=True))
    np.testing.assert_array_equal(similarity.l2_normalize(x), plain)
    zero = jnp.zeros((2, 3))
    assert not np.any(jax.grad(lambda x: jnp.sum(similarity.l2_normalize(x)))(zero))


def test_nothing_has_no_neighbours_and_no_interval():
    assert [x.shape for x in similarity.nearest(np.zeros((0, 3)), count=2)] == [(0, 2), (0, 2)]
    with pytest.raises(ValueError, match="at least one"):
        metrics.percentile_interval(np.zeros(0))


@pytest.mark.long
@pytest.mark.parametrize("name", [f"losses.{name}" for name in TABLES["losses"]])
def test_a_batch_without_an_example_is_no_error_and_has_no_loss(name):
    case = EVERY[name]
    rows = {key: np.asarray(value)[:0] for key, value in case.arrays.items() if len(value) == ROWS}
    rows = {key: value[:, :0] if value.ndim == 2 and value.shape[1] == ROWS else value for key, value in rows.items()}
    if name == "losses.nwj_bound" or "decorrelation" in name:
        pytest.skip("it has to have two rows, or its rows are no examples")
    assert not any(np.any(result) for result in floats(case(**rows)))
    if case.has_where and name != "losses.evidential_uncertainty":
        assert not any(np.any(result) for result in floats(case(where=np.array(False))))


@pytest.mark.parametrize("name", ["batch_hard_triplet", "batch_all_triplet", "semi_hard_triplet"])
def test_mined_triplets_do_not_depend_on_where_the_origin_is(name):
    rng = np.random.default_rng(1)
    points = (rng.integers(-64, 64, (24, 4)) / 64).astype(np.float32)  # exact after the move
    labels = rng.integers(0, 4, 24)
    loss = functools.partial(getattr(losses, name), labels=labels, margin=0.5)
    for offset in (1000.0, 3000.0, 60000.0):
        np.testing.assert_allclose(loss(points + np.float32(offset)), loss(points), rtol=1e-4, atol=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("fn", [similarity.late_interaction, similarity.optimal_transport])
def test_a_set_without_elements_is_never_the_best(fn):
    images, classes = -jnp.ones((2, 2, 3)), jnp.ones((3, 2, 3))
    class_where = np.array([[1, 1], [0, 0], [1, 0]], bool)
    scores, pull = jax.vjp(lambda x, y: fn(x, y, class_where=class_where), images, classes)
    assert np.all(np.isneginf(scores[:, 1]))
    assert np.isfinite(np.asarray(scores)[:, [0, 2]]).all()
    assert all(np.isfinite(g).all() for g in pull(jnp.ones_like(scores)))
    assert np.all(np.isneginf(fn(images, classes, image_where=np.array([[0, 0], [1, 1]], bool))[0]))


@pytest.mark.parametrize("k", [5, 6, 100])
def test_more_places_than_columns_are_all_of_them(k):
    scores = pure_function_cases.normal(3, CLASSES)
    labels = np.array([0, 1, 4])
    for given in (k, jnp.int32(k)):
        assert np.all(metrics.top_k(scores, k=given))
        assert np.all(metrics.hits_at_k(scores, labels, k=given))
        assert metrics.top_k_accuracy(scores, labels, k=given) == 1.0
        assert np.all(metrics.k_occurrence(scores, k=given) == 3)
    assert not metrics.hits_at_k(scores, np.array([9, -1, 5]), k=jnp.int32(k)).any()


def test_what_is_neither_yes_nor_no_is_refused():
    unknown = np.array([[1.0, np.nan]])
    for fn in (metrics.average_precision, metrics.binary_counts, losses.circle):
        with pytest.raises(ValueError, match="NaN"):
            fn(np.zeros((1, 2), np.float32), unknown)
    assert np.isnan(losses.lsep(np.zeros((1, 2), np.float32), unknown)).all()
    with pytest.raises(ValueError, match="NaN"):
        losses.consistency_hinge(np.zeros(2), np.array([1.0, np.nan]), threshold=1.0)


def test_other_statistics_of_nan_are_nan():
    assert np.isnan(metrics.fitted_temperature(np.array([[0.0, np.inf], [1.0, 0.0]]), np.array([0, 1])))
    assert np.isnan(bounds.rank_correlation(np.full((3, 3), np.nan), np.eye(3)))
    assert np.isnan(metrics.paired_p_value(np.array([np.nan, 1.0]), np.array([0.0, 1.0])))


def test_traced_labels_that_are_not_whole_are_no_class():
    found = jax.jit(lambda y: arguments.class_labels(y, 3))(jnp.array([0.0, 0.5, jnp.nan, 2.0, 3.0]))
    assert found.tolist() == [0, -1, -1, 2, -1]
