"""The in-batch contrastive losses beside their definitions in plain float64 loops, and arguments to try them on."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from zsl_jax.losses import compatibility, contrastive, negatives, self_contrastive


class Case(NamedTuple):
    """`loss(*arrays, where=, axis_name=, chunk=)`; `oracle(*arrays, where)`; floating `arrays` are differentiated."""

    name: str
    loss: Callable
    oracle: Callable
    arrays: tuple[Any, ...]
    views: int = 1  # losses of 2B rows come as [first views, second views]


def make(batch: int, width: int = 3, seed: int = 0) -> list[Case]:
    rng = np.random.default_rng(seed)

    def unit(*shape):
        x = rng.normal(size=shape)
        return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)

    x, y, hard = (unit(batch, width) for _ in range(3))
    gates = np.random.default_rng(seed + 1).uniform(0.2, 1, (batch, width)).astype(np.float32)
    labels, chosen = rng.integers(0, 3, batch), rng.integers(0, batch, batch)
    scale, bias, temperature, alpha, tau_plus, smoothing = map(np.float32, (3.0, -1.5, 0.4, 2.0, 0.1, 0.2))
    frozen = x.astype(float) @ y.astype(float).T

    return [
        Case(
            "info_nce",
            lambda a, c, t, p, **k: contrastive.info_nce(a, c, p, temperature=t, **k),
            info_nce,
            (x, y, temperature, chosen),
        ),
        Case(
            "info_nce_paired",
            lambda a, c, t, **k: contrastive.info_nce(a, c, temperature=t, **k),
            lambda a, c, t, where: info_nce(a, c, t, np.arange(len(a)), where),
            (x, y, temperature),
        ),
        Case(
            "clip_softmax",
            lambda x, y, s, e, **k: contrastive.clip_softmax(x, y, scale=s, label_smoothing=e, **k),
            clip_softmax,
            (x, y, scale, smoothing),
        ),
        Case(
            "sigmoid_contrastive",
            lambda x, y, s, b, **k: contrastive.sigmoid_contrastive(x, y, scale=s, bias=b, **k),
            sigmoid_contrastive,
            (x, y, scale, bias),
        ),
        Case(
            "multi_positive_clip",
            lambda x, y, s, labels, **k: contrastive.multi_positive_clip(x, y, labels, scale=s, **k),
            multi_positive_clip,
            (x, y, scale, labels),
        ),
        Case(
            "higher_order_compatibility",
            lambda x, c, s, labels, **k: compatibility.higher_order_compatibility(x, c, labels, scale=s, **k),
            higher_order_compatibility,
            (x, y, scale, labels),
        ),
        Case(
            "supervised_contrastive",
            lambda z, t, labels, **k: self_contrastive.supervised_contrastive(z, labels, temperature=t, **k),
            supervised_contrastive,
            (x, temperature, labels),
        ),
        Case(
            "nt_xent",
            lambda a, b, t, **k: self_contrastive.nt_xent(a, b, temperature=t, **k),
            lambda a, b, t, where: debiased_contrastive(a, b, t, None, where),
            (x, y, temperature),
            views=2,
        ),
        Case(
            "gated_contrastive",
            lambda a, b, g, t, **k: self_contrastive.gated_contrastive(a, b, g, temperature=t, **k),
            gated_contrastive,
            (x, y, gates, temperature),
        ),
        Case(
            "debiased_contrastive",
            lambda a, b, t, p, **k: negatives.debiased_contrastive(a, b, temperature=t, tau_plus=p, **k),
            debiased_contrastive,
            (x, y, temperature, tau_plus),
            views=2,
        ),
        Case(
            "debiased_contrastive_at_its_floor",
            lambda a, b, t, p, **k: negatives.debiased_contrastive(a, b, temperature=t, tau_plus=p, **k),
            debiased_contrastive,
            (x, x + 0.1 * y, temperature, np.float32(0.6)),
            views=2,
        ),
        Case(
            "hardness_weighted_contrastive",
            lambda x, y, s, a, **k: negatives.hardness_weighted_contrastive(x, y, scale=s, alpha=a, **k),
            lambda x, y, s, a, where: hardness_weighted_contrastive(x, y, s, a, frozen, where),
            (x, y, scale, alpha),
        ),
        Case(
            "hard_negative_clip",
            lambda x, y, n, s, **k: negatives.hard_negative_clip(x, y, n, scale=s, where_negatives=k["where"], **k),
            hard_negative_clip,
            (x, y, hard, scale),
        ),
    ]


def log_sum(values) -> float:
    values = list(values)
    if not values:
        return -np.inf
    top = max(values)
    return top + np.log(sum(np.exp(v - top) for v in values))


def per_row(loss: Callable, where) -> np.ndarray:
    return np.array([loss(i) if where[i] else 0.0 for i in range(len(where))])


def info_nce(a, c, t, positives, where):
    def loss(i):
        p = positives[i]
        return log_sum(a[i] @ c[j] / t for j in range(len(c)) if where[j]) - a[i] @ c[p] / t if where[p] else 0.0

    return np.array([loss(i) for i in range(len(a))])


def clip_softmax(x, y, s, smoothing, where):
    rows = np.flatnonzero(where)

    def one_way(x, y, i):
        log_p = [s * x[i] @ y[j] - log_sum(s * x[i] @ y[k] for k in rows) for j in rows]
        return -sum(((1 - smoothing) * (j == i) + smoothing / len(rows)) * p for j, p in zip(rows, log_p))

    return per_row(lambda i: (one_way(x, y, i) + one_way(y, x, i)) / 2, where)


def sigmoid_contrastive(x, y, s, b, where):
    rows = np.flatnonzero(where)

    def loss(i):
        total = 0.0
        for j in rows:
            sign = 1 if i == j else -1
            total += np.log(1 + np.exp(-sign * (s * x[i] @ y[j] + b)))
        return total

    return per_row(loss, where)


def multi_positive_clip(x, y, s, labels, where):
    rows = np.flatnonzero(where)

    def one_way(x, y, i):
        log_z = log_sum(s * x[i] @ y[j] for j in rows)
        return np.mean([log_z - s * x[i] @ y[j] for j in rows if labels[i] == labels[j]])

    return per_row(lambda i: (one_way(x, y, i) + one_way(y, x, i)) / 2, where)


def higher_order_compatibility(x, c, s, labels, where):
    def loss(i):
        others = [s * c[i] @ x[j] for j in np.flatnonzero(where) if labels[j] != labels[i]]
        return log_sum(others) - s * c[i] @ x[i] if others else 0.0

    return per_row(loss, where)


def supervised_contrastive(z, t, labels, where):
    rows = np.flatnonzero(where)

    def loss(i):
        positives = [j for j in rows if j != i and labels[i] == labels[j]]
        log_z = log_sum(z[i] @ z[j] / t for j in rows if j != i)
        return np.mean([log_z - z[i] @ z[j] / t for j in positives]) if positives else 0.0

    return per_row(loss, where)


def debiased_contrastive(a, b, t, tau_plus, where):
    """With `tau_plus` None: NT-Xent, without the floor."""
    z, batch, valid = np.concatenate([a, b]), len(a), np.concatenate([where, where])

    def loss(i):
        partner = (i + batch) % (2 * batch)
        positive = np.exp(z[i] @ z[partner] / t)
        others = [k for k in range(2 * batch) if valid[k] and k not in (i, partner)]
        total = sum(np.exp(z[i] @ z[k] / t) for k in others)
        if tau_plus is not None:
            total = (total - len(others) * tau_plus * positive) / (1 - tau_plus)
            total = max(total, len(others) * np.exp(-1 / t))
        return -np.log(positive / (positive + total))

    return per_row(loss, valid)


def gated_contrastive(a, b, gates, t, where):
    rows = np.flatnonzero(where)

    def cosine(i, k):
        x, y = gates[i] * a[i], gates[i] * b[k]
        lengths = np.sqrt(sum(x**2)) * np.sqrt(sum(y**2))
        return x @ y / lengths if lengths else 0.0

    return per_row(lambda i: log_sum(cosine(i, k) / t for k in rows) - cosine(i, i) / t, where)


def hardness_weighted_contrastive(x, y, s, alpha, frozen, where):
    """`frozen [B, B]` are the similarities that make the weights; the published gradient does not see them move."""
    rows = np.flatnonzero(where)

    def one_way(x, y, frozen, i):
        weighted = [s * x[i] @ y[j] + alpha * frozen[i, j] * (i != j) for j in rows]
        return log_sum(weighted) - s * x[i] @ y[i]

    return per_row(lambda i: (one_way(x, y, frozen, i) + one_way(y, x, frozen.T, i)) / 2, where)


def hard_negative_clip(x, y, n, s, where):
    rows = np.flatnonzero(where)

    def loss(i):
        captions = [s * x[i] @ y[j] for j in rows] + [s * x[i] @ n[j] for j in rows]
        images = [s * y[i] @ x[j] for j in rows]
        return (log_sum(captions) + log_sum(images)) / 2 - s * x[i] @ y[i]

    return per_row(loss, where)
