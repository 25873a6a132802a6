"""Every metric against loops in numpy: masks, jit, vmap, half precision, eight devices, wrong shapes."""

import re
from collections.abc import Callable
from typing import NamedTuple

import contract
import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from zsl_jax import metrics

N, C, A, D = 16, 6, 5, 4


def arrays():
    rng = np.random.default_rng(0)
    # Quarters, so that ties are frequent and exact in bfloat16 too.
    return {
        "scores": (rng.integers(-4, 5, (N, C)) / 4).astype(np.float32),
        "attribute_scores": (rng.integers(-4, 5, (N, A)) / 4).astype(np.float32),
        "attribute_labels": rng.random((N, A)) < 0.4,
        "labels": rng.integers(0, C, N).astype(np.int32),
        "predictions": rng.integers(0, C, N).astype(np.int32),
        "distances": np.abs(np.subtract.outer(np.arange(C), np.arange(C)) // 2).astype(np.float32),
        "is_seen": np.arange(C) % 2 == 0,
        "a": rng.normal(size=(N, D)).astype(np.float32),
        "b": rng.normal(size=(N, D)).astype(np.float32),
        "probabilities": rng.random((C, A)).astype(np.float32),
    }


DATA = arrays()


class Case(NamedTuple):
    """`fn` and `oracle` take the arrays and `where`; the mask has the leading `mask_ndim` axes of the first array."""

    name: str
    fn: Callable
    oracle: Callable
    arrays: tuple[str, ...]
    mask_ndim: int = 1


def ratio(part, whole):
    return part / whole if whole else 0.0


def class_means(hits, labels, where):
    of_class = [[hits[i] for i in range(N) if where[i] and labels[i] == c] for c in range(C)]
    present = [np.mean(h) for h in of_class if h]
    return np.mean(present) if present else 0.0


def micro(hits, where):
    return ratio(sum(hits[i] for i in range(N) if where[i]), sum(where))


def ranks(scores, labels):
    out = []
    for row, y in zip(scores, labels):
        out.append(1 + sum(1 for c in range(C) if row[c] > row[y] or (row[c] == row[y] and c < y)))
    return np.array(out)


def counts(predictions, labels, where):
    correct, total = np.zeros(C, int), np.zeros(C, int)
    for p, y, w in zip(predictions, labels, where):
        total[y] += w
        correct[y] += w and p == y
    return correct, total


def average_precision(scores, labels, where):
    out = []
    for a in range(scores.shape[1]):
        precisions = []
        for i in range(N):
            if where[i, a] and labels[i, a]:
                above = [j for j in range(N) if where[j, a] and scores[j, a] >= scores[i, a]]
                precisions.append(np.mean([labels[j, a] for j in above]))
        out.append(np.mean(precisions) if precisions else 0.0)
    return np.array(out)


def mean_average_precision(scores, labels, where):
    present = (labels & where).any(0)
    return average_precision(scores, labels, where)[present].mean() if present.any() else 0.0


def best(row, k):
    return sorted(range(len(row)), key=lambda c: (-row[c], c))[:k]


def recall_at_k(scores, labels, where):
    out = []
    for a in range(A):
        found = [a in best(scores[i], 2) for i in range(N) if where[i, a] and labels[i, a]]
        out.append(np.mean(found) if found else 0.0)
    return np.array(out)


def binary_counts(predictions, labels, where):
    out = np.zeros((4, A), int)
    for i in range(N):
        for a in range(A):
            if where[i, a]:
                out[{(1, 1): 0, (1, 0): 1, (0, 1): 2, (0, 0): 3}[int(predictions[i, a] > 0), int(labels[i, a])], a] += 1
    return metrics.BinaryCounts(*out)


def binary_scores(predictions, labels, where):
    rows = []
    for tp, fp, fn, tn in np.transpose(binary_counts(predictions, labels, where)):
        rows.append(
            (ratio(tp, tp + fn), ratio(2 * tp, 2 * tp + fp + fn), ratio(tp, tp + fn) / 2 + ratio(tn, tn + fp) / 2)
        )
    return np.transpose(rows)


def alignment(a, b, where):
    distances = [np.linalg.norm(a[i] - b[i]) ** 3 for i in range(N) if where[i]]
    return np.mean(distances) if distances else 0.0


def uniformity(z, where):
    rows = [z[i] for i in range(N) if where[i]]
    pairs = [np.exp(-2 * np.sum((x - y) ** 2)) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j]
    return np.log(np.mean(pairs)) if pairs else 0.0


def entropy(order):
    def oracle(z, where):
        spectrum = np.linalg.svd(z[where], compute_uv=False) ** 2 if where.any() else np.zeros(1)
        share = spectrum[spectrum > 1e-12] / max(spectrum.sum(), 1e-30)
        if not len(share):
            return 0.0
        return -np.sum(share * np.log(share)) if order == 1 else np.log(np.sum(share**order)) / (1 - order)

    return oracle


def k_occurrence(scores, where):
    out = np.zeros(C, int)
    for i in range(N):
        for c in best(scores[i], 2):
            out[c] += where[i]
    return out


def hubness(scores, where):
    n = k_occurrence(scores, where).astype(float)
    return ratio(np.mean((n - n.mean()) ** 3), n.std() ** 3)


def representativeness(p, where):
    out = np.zeros_like(p)
    for c in range(C):
        for a in range(A):
            others = [p[k, a] for k in range(C) if k != c and where[k]]
            if where[c] and others:
                out[c, a] = np.log(max(p[c, a], 1e-3) / max(np.mean(others), 1e-3))
    return out


def group_accuracy(predictions, labels, is_seen, where, per_class):
    """Accuracy on unseen and on seen labels."""
    out = []
    for group in (False, True):
        mine = [i for i in range(len(labels)) if where[i] and is_seen[labels[i]] == group]
        if per_class:
            present = sorted({labels[i] for i in mine})
            hits = [np.mean([predictions[i] == c for i in mine if labels[i] == c]) for c in present]
        else:
            hits = [predictions[i] == labels[i] for i in mine]
        out.append(np.mean(hits) if hits else 0.0)
    return out


def curve(per_class):
    """The set of distinct points by a dense grid of constants that holds one between any two breakpoints."""

    def oracle(scores, labels, is_seen, where):
        points = []
        for gamma in np.arange(-3.0625, 3.1, 0.125):  # the scores are quarters in [-1, 1]
            predictions = np.argmax(scores - gamma * is_seen, axis=1)
            points.append(group_accuracy(predictions, labels, is_seen, where, per_class))
        unseen, seen = np.transpose(points)
        harmonic = max(ratio(2 * u * s, u + s) for u, s in points)
        return np.array([np.trapezoid(seen, unseen), harmonic, seen.max(), unseen.max()])

    return oracle


def summary(fn):
    return lambda *args, where: jax.numpy.stack(metrics.curve_summary(*fn(*args, where=where)[:2]))


CASES = (
    Case(
        "per_class_accuracy",
        lambda p, y, where: metrics.per_class_accuracy(p, y, num_classes=C, where=where),
        lambda p, y, where: class_means(p == y, y, where),
        ("predictions", "labels"),
    ),
    Case(
        "per_class_counts",
        lambda p, y, where: metrics.per_class_counts(p, y, num_classes=C, where=where),
        counts,
        ("predictions", "labels"),
    ),
    Case("micro_accuracy", metrics.micro_accuracy, lambda p, y, where: micro(p == y, where), ("predictions", "labels")),
    Case(
        "top_k_accuracy",
        lambda s, y, where: metrics.top_k_accuracy(s, y, k=2, where=where),
        lambda s, y, where: micro(ranks(s, y) <= 2, where),
        ("scores", "labels"),
    ),
    Case(
        "per_class_top_k_accuracy",
        lambda s, y, where: metrics.per_class_top_k_accuracy(s, y, k=2, num_classes=C, where=where),
        lambda s, y, where: class_means(ranks(s, y) <= 2, y, where),
        ("scores", "labels"),
    ),
    Case(
        "label_rank",
        lambda s, y, where: metrics.label_rank(s, y),
        lambda s, y, where: ranks(s, y),
        ("scores", "labels"),
    ),
    Case(
        "average_precision",
        lambda s, y, where: metrics.average_precision(s, y, known=where),
        average_precision,
        ("attribute_scores", "attribute_labels"),
        2,
    ),
    Case(
        "mean_average_precision",
        lambda s, y, where: metrics.mean_average_precision(s, y, known=where),
        mean_average_precision,
        ("attribute_scores", "attribute_labels"),
        2,
    ),
    Case(
        "recall_at_k",
        lambda s, y, where: metrics.recall_at_k(s, y, k=2, known=where),
        recall_at_k,
        ("attribute_scores", "attribute_labels"),
        2,
    ),
    Case(
        "binary_counts",
        lambda s, y, where: metrics.binary_counts(s > 0, y, known=where),
        binary_counts,
        ("attribute_scores", "attribute_labels"),
        2,
    ),
    Case(
        "recall, f1, balanced_accuracy",
        lambda s, y, where: jax.numpy.stack(
            [
                f(metrics.binary_counts(s > 0, y, known=where))
                for f in (metrics.recall, metrics.f1, metrics.balanced_accuracy)
            ]
        ),
        binary_scores,
        ("attribute_scores", "attribute_labels"),
        2,
    ),
    Case("alignment", lambda a, b, where: metrics.alignment(a, b, power=3, where=where), alignment, ("a", "b")),
    Case("uniformity", metrics.uniformity, uniformity, ("a",)),
    Case("matrix_entropy", lambda z, where: metrics.matrix_entropy(z, order=2.5, where=where), entropy(2.5), ("a",)),
    Case("effective_rank", metrics.effective_rank, lambda z, where: np.exp(entropy(1)(z, where)), ("a",)),
    Case("k_occurrence", lambda s, where: metrics.k_occurrence(s, k=2, where=where), k_occurrence, ("scores",)),
    Case("hubness", lambda s, where: metrics.hubness(metrics.k_occurrence(s, k=2, where=where)), hubness, ("scores",)),
    Case("representativeness", metrics.representativeness, representativeness, ("probabilities",)),
    Case("seen_unseen_curve", summary(metrics.seen_unseen_curve), curve(True), ("scores", "labels", "is_seen")),
    Case("compositional_curve", summary(metrics.compositional_curve), curve(False), ("scores", "labels", "is_seen")),
)

# Counting functions, whose results are integers whatever the inputs.
INTEGER = {"per_class_counts", "label_rank", "binary_counts", "k_occurrence"}

cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def masks(case):
    shape = DATA[case.arrays[0]].shape[: case.mask_ndim]
    rng = np.random.default_rng(1)
    return {
        "all count": np.ones(shape, bool),
        "some count": rng.random(shape) < 0.6,
        "none counts": np.zeros(shape, bool),
    }


@cases
def test_equals_loops_under_every_mask(case):
    data = [DATA[name] for name in case.arrays]
    fn = jax.jit(lambda where, *xs: case.fn(*xs, where=where))
    for where in masks(case).values():
        contract.assert_close(fn(where, *data), case.oracle(*data, where=where))


@cases
def test_vmap_is_a_loop_and_no_mask_is_all(case):
    data = [DATA[name] for name in case.arrays]
    backwards = [x[::-1] for x in data]
    everything = masks(case)["all count"]
    batched = jax.jit(jax.vmap(lambda *xs: case.fn(*xs, where=None)))(*map(np.stack, zip(data, backwards)))
    for i, xs in enumerate((data, backwards)):
        contract.assert_close(jax.tree.map(lambda x: x[i], batched), case.oracle(*xs, where=everything))  # noqa: B023


DIVIDED = [case for case in CASES if len(DATA[case.arrays[0]]) == N]


@pytest.fixture(scope="module")
def on_eight_devices():
    """All cases on sharded arguments, in one program."""
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))

    def put(x):
        return jax.device_put(x, NamedSharding(mesh, PartitionSpec("data" if len(x) == N else None)))

    @jax.jit
    def everything(data, where):
        return {case.name: case.fn(*(data[name] for name in case.arrays), where=where[case.name]) for case in DIVIDED}

    return everything(
        {name: put(DATA[name]) for case in DIVIDED for name in case.arrays},
        {case.name: put(masks(case)["some count"]) for case in DIVIDED},
    )


@pytest.mark.parametrize("case", DIVIDED, ids=lambda case: case.name)
def test_eight_devices_are_one(case, on_eight_devices):
    data, where = [DATA[name] for name in case.arrays], masks(case)["some count"]
    contract.assert_close(on_eight_devices[case.name], case.oracle(*data, where=where))


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in INTEGER], ids=lambda case: case.name)
def test_half_precision_gives_float32(case):
    def dtypes(*xs):
        return jax.eval_shape(lambda *ys: case.fn(*ys, where=None), *xs)

    contract.check_half_precision(dtypes, *(DATA[name] for name in case.arrays))


@cases
def test_a_wrong_shape_is_refused_with_the_shapes(case):
    first, *others = [DATA[name] for name in case.arrays]
    wrong = first[:-1] if others else first[..., None]
    with pytest.raises(ValueError, match=re.escape(str(wrong.shape))):
        case.fn(wrong, *others, where=None)
