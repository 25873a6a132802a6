"""The losses over scores beside their definitions in plain float64 loops, and arguments to try them on."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from zsl_jax import losses


class Case(NamedTuple):
    """`loss(scores [B, C], target, **knobs, where=)`; `oracle(row, target, kept, **knobs)` of one row and its mask."""

    loss: Callable
    oracle: Callable
    knobs: Mapping[str, Any]
    target: str = "label"  # [B] rows of the class table, or "labels": [B, C] bool
    weights_are_fixed: bool = False  # the gradient holds weights constant that depend on the scores

    @property
    def name(self) -> str:
        return self.loss.__name__


def others(row, label, kept):
    """The classes that compete with the label; none where the label itself is not kept or is no class."""
    return [c for c in range(len(row)) if c != label and kept[c]] if 0 <= label < len(row) and kept[label] else []


def hinges(row, label, kept, margin):
    return [max(0.0, margin + row[c] - row[label]) for c in others(row, label, kept)]


def warp(row, label, kept, margin):
    violated = [h for h in hinges(row, label, kept, margin) if h > 0]
    return sum(1 / j for j in range(1, len(violated) + 1)) / max(len(violated), 1) * sum(violated)


def rank_hinge(row, label, kept, margin):
    return sum(hinges(row, label, kept, margin))


def structured_hinge(row, label, kept, margin):
    return max(hinges(row, label, kept, margin), default=0.0)


def softmax_cross_entropy(row, label, kept, scale, own=lambda score: score):
    rivals = others(row, label, kept)
    if not rivals:
        return 0.0
    return np.log1p(sum(np.exp(scale * (row[c] - own(row[label]))) for c in rivals))


def cosface(row, label, kept, margin, scale):
    return softmax_cross_entropy(row, label, kept, scale, lambda score: score - margin)


def arcface(row, label, kept, margin, scale):
    def own(score):
        angle = np.arccos(np.clip(score, -1, 1)) + margin
        return np.cos(angle) if angle < np.pi else score - margin * np.sin(margin)

    return softmax_cross_entropy(row, label, kept, scale, own)


def circle(row, is_positive, kept, margin, scale):
    positives, negatives = split(row, is_positive, kept)
    total = 0.0
    for n in negatives:
        for p in positives:
            pull = max(0.0, 1 + margin - p) * (p - (1 - margin))
            total += np.exp(scale * (max(0.0, n + margin) * (n - margin) - pull))
    return np.log1p(total)


def class_circle(row, label, kept, margin, scale):
    if not others(row, label, kept):
        return 0.0
    return circle(row, np.arange(len(row)) == label, kept, margin, scale)


def multi_similarity(row, is_positive, kept, positive_scale, negative_scale, base, epsilon):
    positives, negatives = split(row, is_positive, kept)
    if not positives or not negatives:
        return 0.0
    near = [n for n in negatives if n > min(positives) - epsilon]
    far = [p for p in positives if p < max(negatives) + epsilon]
    pull = np.log1p(sum(np.exp(-positive_scale * (p - base)) for p in far)) / positive_scale
    return pull + np.log1p(sum(np.exp(negative_scale * (n - base)) for n in near)) / negative_scale


def multilabel_hinge(row, is_there, kept, margin):
    there, absent = split(row, is_there, kept)
    return sum(max(0.0, margin - j + k) for j in there for k in absent)


def lsep(row, is_there, kept):
    there, absent = split(row, is_there, kept)
    return np.log1p(sum(np.exp(k - j) for j in there for k in absent))


def split(row, is_positive, kept):
    return [s for s, p, k in zip(row, is_positive, kept) if p and k], [
        s for s, p, k in zip(row, is_positive, kept) if not p and k
    ]


def class_sigmoid(row, label, kept, scale, bias):
    rivals = others(row, label, kept)
    if not rivals:
        return 0.0
    return np.log1p(np.exp(-scale * row[label] - bias)) + sum(np.log1p(np.exp(scale * row[c] + bias)) for c in rivals)


CASES = [
    Case(losses.warp, warp, {"margin": 0.8}),
    Case(losses.rank_hinge, rank_hinge, {"margin": 0.8}),
    Case(losses.structured_hinge, structured_hinge, {"margin": 0.8}),
    Case(losses.softmax_cross_entropy, softmax_cross_entropy, {"scale": 3.0}),
    Case(losses.cosface, cosface, {"margin": 0.3, "scale": 5.0}),
    Case(losses.arcface, arcface, {"margin": 0.5, "scale": 5.0}),
    Case(losses.class_circle, class_circle, {"margin": 0.25, "scale": 6.0}, weights_are_fixed=True),
    Case(losses.class_sigmoid, class_sigmoid, {"scale": 4.0, "bias": -1.0}),
    Case(losses.circle, circle, {"margin": 0.25, "scale": 6.0}, "labels", weights_are_fixed=True),
    Case(
        losses.multi_similarity,
        multi_similarity,
        {"positive_scale": 2.0, "negative_scale": 10.0, "base": 0.4, "epsilon": 0.2},
        "labels",
    ),
    Case(losses.multilabel_hinge, multilabel_hinge, {"margin": 0.8}, "labels"),
    Case(losses.lsep, lsep, {}, "labels"),
]

BATCH, CLASSES = 5, 6


@functools.cache
def arguments(target: str):
    """Scores within (-1, 1), so that they may be cosines, their targets, and a mask that leaves some out."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(-0.95, 0.95, (BATCH, CLASSES)).astype(np.float32)
    labels = np.array([0, 5, 2, 2, 1], np.int32)
    is_positive = rng.random((BATCH, CLASSES)) < 0.4
    is_positive[3], is_positive[4] = True, False
    where = rng.random((BATCH, CLASSES)) < 0.7
    where[0], where[1, 5], where[2] = True, False, False
    return scores, labels if target == "label" else is_positive, where


def expected(case: Case, scores, target, where) -> np.ndarray:
    where = np.broadcast_to(where, scores.shape)
    rows = zip(scores.astype(np.float64), target, where)
    return np.array([case.oracle(row, goal, kept, **case.knobs) for row, goal, kept in rows])
