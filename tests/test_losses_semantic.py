"""Semantic, attribute and evidential losses against loops in numpy: values, gradients, masks, vmap, eight devices."""

import re
from collections.abc import Callable
from typing import NamedTuple

import contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from jax.sharding import NamedSharding, PartitionSpec

from zsl_jax import losses

B, C, A, D, S, G = 8, 5, 6, 4, 3, 2
LABELS = np.array([0, 1, 2, 3, 4, 0, 1, 7])  # 7 is no class
GROUPS = np.array([0, 1, 0, 1, 0, 2])  # 2 is no group
NEIGHBORS = np.array([[0, 1], [1, 2], [2, 0], [0, 2], [1, 0]])
IS_SEEN = np.array([True, True, False, True, False])
DIMS = (1, 2, 4)


def arrays():
    rng = np.random.default_rng(1)
    # Multiples of 1/64, so that oracles in float64 and losses in float32 see the same numbers.
    values = {
        "scores": rng.normal(size=(B, C)),
        "evidence": 2 * rng.random((B, C)) + 0.25,
        "p": rng.dirichlet(np.ones(4), B),
        "q": rng.dirichlet(np.ones(4), B),
        "logits": rng.normal(size=(B, A)),
        "binary": rng.integers(0, 2, (B, A)),
        "attributes": rng.normal(size=(B, A)),
        "weights": rng.random(A) + 0.5,
        "relations": rng.uniform(-1, 1, (B, C)),
        "matches": rng.integers(0, 2, (B, C)),
        "distances": 2 * rng.random((B, C)),
        "features": rng.normal(size=(B, D)),
        "other_features": rng.normal(size=(B, D)),
        "centroids": rng.normal(size=(S, D)),
        "similarities": rng.uniform(-1, 1, (C, S)),
        "detectors": rng.normal(size=(D, A)),
        "projection": rng.normal(size=(A, D)),
    }
    values = {name: np.round(64 * x) / 64 for name, x in values.items()}
    for name in ("p", "q"):
        values[name] = np.maximum(values[name], 1 / 64) / np.maximum(values[name], 1 / 64).sum(1, keepdims=True)
    return {name: x.astype(np.float32) for name, x in values.items()} | {"knob": np.float32(0.375)}


DATA = arrays()


class Case(NamedTuple):
    """`fn` and `oracle` take the arrays and `where`; `mask` is the shape of `where`, None where there is none."""

    name: str
    fn: Callable
    oracle: Callable
    arrays: tuple[str, ...]
    mask: tuple[int, ...] | None = (B, C)
    has_gradient: bool = True


def relu(x):
    return max(x, 0.0)


def cosine(x, y):
    lengths = np.linalg.norm(x) * np.linalg.norm(y)
    return x @ y / lengths if lengths else 0.0


def elementwise(loss):
    def oracle(*xs, where):
        *tables, knob = xs
        out = np.zeros(where.shape)
        for i in np.ndindex(where.shape):
            out[i] = loss(*(x[i] for x in tables), knob) if where[i] else 0.0
        return out

    return oracle


def regularized(features, centroids, similarities, knob, where):
    out = np.zeros(C)
    for c in range(C):
        mine = [features[b] for b in range(B) if where[b] and LABELS[b] == c]
        for j in NEIGHBORS[c] if mine else []:
            m = cosine(np.mean(mine, axis=0), centroids[j])
            out[c] += relu(m - similarities[c, j] - knob) ** 2 / 2 + relu(similarities[c, j] - 0.25 - m) ** 2 / 2
    return out


def unseen_probabilities(scores, knob, where):
    out = np.full(B, np.nan)
    for b in range(B):
        powers = {c: np.exp(scores[b, c] + (-knob if IS_SEEN[c] else knob)) for c in range(C) if where[b, c]}
        unseen = [power for c, power in powers.items() if not IS_SEEN[c]]
        out[b] = sum(unseen) / sum(powers.values()) if unseen else np.nan
    return out


def self_calibration(scores, knob, where):
    return np.nan_to_num(-np.log(unseen_probabilities(scores, knob, where)))


def quasi_fully_supervised(scores, knob, where):
    """LABELS, but for the rows that have none."""
    out = np.zeros(B)
    for b in range(B):
        powers = {c: np.exp(knob * scores[b, c]) for c in range(C) if where[b, c]}
        known = b % 2 and LABELS[b] < C
        wanted = [c for c in powers if (c == LABELS[b] if known else not IS_SEEN[c])]
        if wanted:
            out[b] = -(1.0 if known else 0.3) * np.log(sum(powers[c] for c in wanted) / sum(powers.values()))
    return out


def batch_self_calibration(scores, knob, where):
    left = unseen_probabilities(scores, knob, where)
    left = left[~np.isnan(left)]
    return -np.log(left.mean()) if len(left) else 0.0


def regression(predictions, attributes, weights, where):
    out = np.zeros(B)
    for b in range(B):
        total = sum(weights[a] for a in range(A) if where[b, a])
        errors = [weights[a] * (predictions[b, a] - attributes[b, a]) ** 2 for a in range(A) if where[b, a]]
        out[b] = sum(errors) / total if total else 0.0
    return out


def bce(logit, label, positive_weight=1.0):
    return positive_weight * label * np.log1p(np.exp(-logit)) + (1 - label) * np.log1p(np.exp(logit))


def multilabel(logits, labels, weights, where):
    rows = [[bce(logits[b, a], labels[b, a], weights[a]) for a in range(A) if where[b, a]] for b in range(B)]
    return np.array([np.mean(row) if row else 0.0 for row in rows])


def federated(logits, labels, weights, where):
    rows = [[weights[a] * bce(logits[b, a], labels[b, a]) for a in range(A) if where[b, a]] for b in range(B)]
    return np.array([sum(row) for row in rows])


def decorrelation(detectors, where):
    return np.array([sum(np.linalg.norm(row[g == GROUPS]) for row in detectors) for g in range(G)])


def frobenius(detectors, where):
    return np.array([np.linalg.norm(detectors[:, g == GROUPS]) for g in range(G)])


def subspace(z, y, m, where):
    rows = zip(z, y, where)
    return np.array([np.sum((z @ m.T - y) ** 2) + np.sum((y @ m - z) ** 2) if w else 0.0 for z, y, w in rows])


def evidential(fit):
    def oracle(evidence, knob, where):
        out = np.zeros(B)
        for b, y in enumerate(LABELS):
            if y < C and where[b, y]:
                alpha = {c: evidence[b, c] + 1 for c in range(C) if where[b, c]}
                out[b] = fit(sum(alpha.values())) - fit(alpha[y])
                wrong = np.array([1.0 if c == y else a for c, a in alpha.items()])
                log_beta = scipy.special.gammaln(wrong.sum()) - scipy.special.gammaln(wrong).sum()
                pull = (wrong - 1) @ (scipy.special.digamma(wrong) - scipy.special.digamma(wrong.sum()))
                out[b] += knob * (log_beta - scipy.special.gammaln(len(alpha)) + pull)
        return out

    return oracle


def uncertainty(evidence, where):
    rows = [(evidence[b][where[b]], max(sum(where[b]), 1)) for b in range(B)]
    return np.array([n / (n + sum(row)) for row, n in rows])


def sharma_mittal(alpha, beta):
    def oracle(p, q, where):
        out = np.zeros(B)
        for b in range(B):
            power_sum = sum(x**alpha * y ** (1 - alpha) for x, y, w in zip(p[b], q[b], where[b]) if w)
            out[b] = (power_sum ** ((1 - beta) / (1 - alpha)) - 1) / (beta - 1) if where[b].any() else 0.0
        return out

    return oracle


def nested_distance(x, y, where):
    return sum((i + 1) * np.sum((x[:, :dim] - y[:, :dim]) ** 2, axis=1) for i, dim in enumerate(DIMS))


def squared_distance(x, y):
    return jnp.sum((x - y) ** 2, axis=1)


def knobs(fn, **fixed):
    """The last array is a knob of that name, so that it is traced."""
    (name,) = (key for key, value in fixed.items() if value is None)
    rest = {key: value for key, value in fixed.items() if value is not None}
    return lambda *xs, where: fn(*xs[:-1], **rest, **{name: xs[-1]}, where=where)


def regularized_fn(fn):
    return lambda x, c, s, knob, where: fn(x, LABELS, c, s, NEIGHBORS, lower=0.25, upper=knob, where=where)


CASES = (
    Case(
        "semantic_relation",
        knobs(losses.semantic_relation, threshold=None),
        elementwise(lambda s, delta, knob: relu(delta - s) if delta >= knob else relu(s - delta)),
        ("scores", "relations", "knob"),
    ),
    Case(
        "consistency_hinge",
        knobs(losses.consistency_hinge, threshold=1.0, margin=None),
        elementwise(lambda d, match, knob: relu(knob - (1 if match else -1) * (1 - d))),
        ("distances", "matches", "knob"),
    ),
    Case(
        "semantic_regularized_similarity",
        regularized_fn(losses.semantic_regularized_similarity),
        regularized,
        ("features", "centroids", "similarities", "knob"),
        (B,),
    ),
    Case(
        "semantic_regularized_similarity_published",
        regularized_fn(losses.semantic_regularized_similarity_published),
        regularized,
        ("features", "centroids", "similarities", "knob"),
        (B,),
        has_gradient=False,
    ),
    Case(
        "self_calibration",
        lambda s, knob, where: losses.self_calibration(s, IS_SEEN, bias=knob, where=where),
        self_calibration,
        ("scores", "knob"),
    ),
    Case(
        "quasi_fully_supervised",
        lambda s, knob, where: losses.quasi_fully_supervised(
            s, np.where(np.arange(B) % 2, LABELS, -1), IS_SEEN, unlabelled_weight=0.3, scale=knob, where=where
        ),
        quasi_fully_supervised,
        ("scores", "knob"),
    ),
    Case(
        "batch_self_calibration",
        lambda s, knob, where: losses.batch_self_calibration(s, IS_SEEN, bias=knob, where=where),
        batch_self_calibration,
        ("scores", "knob"),
    ),
    Case(
        "attribute_regression",
        lambda a, phi, w, where: losses.attribute_regression(a, phi, weights=w, where=where),
        regression,
        ("logits", "attributes", "weights"),
        (B, A),
    ),
    Case(
        "multilabel_bce",
        lambda s, y, w, where: losses.multilabel_bce(s, y, positive_weight=w, where=where),
        multilabel,
        ("logits", "binary", "weights"),
        (B, A),
    ),
    Case(
        "federated_bce",
        lambda s, y, w, where: losses.federated_bce(s, y, weights=w, where=where),
        federated,
        ("logits", "binary", "weights"),
        (B, A),
    ),
    Case(
        "attribute_decorrelation",
        lambda w, where: losses.attribute_decorrelation(w, GROUPS, num_groups=G),
        decorrelation,
        ("detectors",),
        None,
    ),
    Case(
        "attribute_decorrelation_published",
        lambda w, where: losses.attribute_decorrelation_published(w, GROUPS, num_groups=G),
        frobenius,
        ("detectors",),
        None,
    ),
    Case(
        "matrix_subspace_projection",
        losses.matrix_subspace_projection,
        subspace,
        ("features", "attributes", "projection"),
        (B,),
    ),
    Case(
        "evidential_log",
        lambda e, knob, where: losses.evidential_log(e, LABELS, kl_weight=knob, where=where),
        evidential(np.log),
        ("evidence", "knob"),
    ),
    Case(
        "evidential_digamma",
        lambda e, knob, where: losses.evidential_digamma(e, LABELS, kl_weight=knob, where=where),
        evidential(scipy.special.digamma),
        ("evidence", "knob"),
    ),
    Case("evidential_uncertainty", losses.evidential_uncertainty, uncertainty, ("evidence",)),
    Case(
        "sharma_mittal",
        lambda p, q, where: losses.sharma_mittal(p, q, alpha=0.4, beta=0.7, where=where),
        sharma_mittal(0.4, 0.7),
        ("p", "q"),
        (B, 4),
    ),
    Case(
        "matryoshka",
        lambda x, y, where: losses.matryoshka(squared_distance, x, y, dims=DIMS, weights=jnp.array([1.0, 2.0, 3.0])),
        nested_distance,
        ("features", "other_features"),
        None,
    ),
)

cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def masks(case):
    if case.mask is None:
        return {"no mask": None}
    # A row of probabilities that is cut no longer sums to 1: whole rows are masked there.
    some = np.random.default_rng(1).random(case.mask[:1] if case.name == "sharma_mittal" else case.mask) < 0.7
    some = np.broadcast_to(some.reshape(some.shape + (1,) * (len(case.mask) - some.ndim)), case.mask)
    return {"all": np.ones(case.mask, bool), "some": some, "none": np.zeros(case.mask, bool)}


def value_and_pullback(case):
    """`(where, *arrays) -> (loss, gradients of its sum in every array)`."""

    def fn(where, *xs):
        value, pull = jax.vjp(lambda *ys: case.fn(*ys, where=where), *xs)
        return value, pull(jnp.ones_like(value))

    return fn


@pytest.fixture(scope="module")
def compiled():
    return {case.name: jax.jit(value_and_pullback(case)) for case in CASES}


def data_of(case):
    return [DATA[name] for name in case.arrays]


@cases
def test_equals_loops_under_every_mask(case, compiled):
    for where in masks(case).values():
        value, gradients = compiled[case.name](where, *data_of(case))
        contract.assert_close(value, case.oracle(*data_of(case), where=where), atol=1e-5)
        for gradient in gradients:
            assert np.all(np.isfinite(gradient))
        if where is not None and not where.any():
            np.testing.assert_array_equal(gradients[0], np.zeros_like(gradients[0]))


@cases
def test_the_gradient_is_that_of_the_loops(case, compiled):
    where = masks(case).get("some")
    _, gradients = compiled[case.name](where, *data_of(case))
    if not case.has_gradient:
        return
    xs = [x.astype(np.float64) for x in data_of(case)]
    rng, step = np.random.default_rng(2), 1e-6
    for i, gradient in enumerate(gradients):
        if case.arrays[i] in ("matches", "binary"):
            continue
        along = rng.normal(size=xs[i].shape)
        if case.name == "sharma_mittal":
            along -= along.mean(1, keepdims=True)  # the formula is used for rows that sum to 1
        if case.arrays[i] == "knob" and case.name == "semantic_relation":
            continue  # a threshold has no gradient
        ends = [case.oracle(*xs[:i], xs[i] + s * step * along, *xs[i + 1 :], where=where) for s in (1, -1)]
        np.testing.assert_allclose(
            np.sum(gradient * along),
            np.sum(ends[0] - ends[1]) / (2 * step),
            rtol=1e-3,
            atol=1e-3,
            err_msg=case.arrays[i],
        )


@cases
def test_gradients_are_finite_at_zeros_and_ties(case, compiled):
    for constant in (0.0, 1.0, 30.0):
        xs = [np.full_like(x, constant) for x in data_of(case)]
        for where in masks(case).values():
            value, gradients = compiled[case.name](where, *xs)
            for x in (value, *gradients):
                assert np.all(np.isfinite(x)), (constant, x)


@cases
def test_vmap_is_a_loop(case):
    backwards = [x[::-1] if x.ndim else x for x in data_of(case)]
    everything = masks(case).get("all")
    batched = jax.jit(jax.vmap(lambda *xs: case.fn(*xs, where=None)))
    found = batched(*map(np.stack, zip(data_of(case), backwards)))
    for i, xs in enumerate((data_of(case), backwards)):
        contract.assert_close(found[i], case.oracle(*xs, where=everything), atol=1e-5)


DIVIDED = [case for case in CASES if len(DATA[case.arrays[0]]) == B]


@pytest.fixture(scope="module")
def on_eight_devices():
    """The values and gradients of all cases on sharded arguments, in one program."""
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))

    def put(x):
        spec = PartitionSpec("data") if np.shape(x)[:1] == (B,) else PartitionSpec()
        return jax.device_put(x, NamedSharding(mesh, spec))

    @jax.jit
    def everything(arguments):
        return {case.name: value_and_pullback(case)(*arguments[case.name]) for case in DIVIDED}

    return everything({case.name: jax.tree.map(put, (masks(case).get("some"), *data_of(case))) for case in DIVIDED})


@pytest.mark.long
@pytest.mark.parametrize("case", DIVIDED, ids=lambda case: case.name)
def test_eight_devices_are_one(case, compiled, on_eight_devices):
    expected = compiled[case.name](masks(case).get("some"), *data_of(case))
    contract.assert_close(on_eight_devices[case.name], expected, atol=1e-5)


@cases
def test_half_precision_gives_float32(case):
    contract.check_half_precision(lambda *xs: jax.eval_shape(lambda *ys: case.fn(*ys, where=None), *xs), *data_of(case))


@pytest.mark.parametrize("case", [c for c in CASES if len(c.arrays) > 1 or c.mask], ids=lambda case: case.name)
def test_a_wrong_shape_is_refused_with_the_shapes(case):
    first, *others = data_of(case)
    with pytest.raises(ValueError, match=re.escape(str(first[:, :-1].shape))):
        case.fn(first[:, :-1], *others, where=None if others and others[0].ndim else np.ones(first.shape, bool))
