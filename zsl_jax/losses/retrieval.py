"""Losses for matching the rows of two batches: queries and documents, images and captions."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import contrastive

__all__: Sequence[str] = ("adaptive_relevance_margin", "bidirectional_hinge", "n_pair")


def n_pair(
    anchors: ArrayLike,
    positives: ArrayLike,
    *,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """Softmax of each anchor over the positives of the whole batch, on inner products as they are.

    `loss_i = log(1 + sum_{j != i} exp(a_i . p_j - a_i . p_i))`

    The paper also penalises the squared lengths, which the caller adds. It is `info_nce` at temperature 1.

    Use when: a batch holds one pair of each of many classes, and embeddings are not normalised.

    Args:
      anchors: `[B, D]`.
      positives: `[B, D]`; row `i` belongs to anchor `i`, all others are its negatives.
      where: bool, broadcastable to `[B]`: which rows are examples; the others give 0 and are nobody's negative.
      axis_name: mapped axis over which the batch is divided.
      chunk: anchors at a time; None: chosen by size.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(n_pair(jnp.zeros((3, 2)), jnp.ones((3, 2))))
    [1.0986123 1.0986123 1.0986123]

    Reference: Sohn, "Improved Deep Metric Learning with Multi-class N-pair Loss Objective", NeurIPS 2016.
    """
    return contrastive.info_nce(anchors, positives, temperature=1.0, where=where, axis_name=axis_name, chunk=chunk)


def bidirectional_hinge(
    scores: ArrayLike, *, margin: ArrayLike = 0.2, hardest: bool = False, where: ArrayLike | None = None
) -> jax.Array:
    """Hinges of each matching pair against the other columns of its row and the other rows of its column.

    `loss_i = sum_{j != i} max(0, margin - s_ii + s_ij) + sum_{j != i} max(0, margin - s_ii + s_ji)`

    Use when: two batches match row by row and a margin is wanted, as in image-caption retrieval; without one see
    `clip_softmax`.

    Args:
      scores: `[B, B]`; the diagonal holds the pairs that match.
      margin: scalar >= 0.
      hardest: whether each sum becomes its largest term; ties share its gradient.
      where: bool, broadcastable to `[B, B]`: the pairs that count. False off the diagonal is no negative (two captions
        of one image); an example that is False on the diagonal gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(bidirectional_hinge(jnp.array([[0.5, 0.5], [0.0, 1.0]]), margin=0.25))
    [0.25 0.  ]

    Reference: Merkx, Frank, "Learning Semantic Sentence Representations from Visually Grounded Language without Lexical
    Knowledge", 2019; the hardest form: Faghri, Fleet, Kiros, Fidler, "VSE++: Improving Visual-Semantic Embeddings with
    Hard Negatives", BMVC 2018.
    """
    shape = jnp.shape(scores)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"scores must be [B, B], the matching pairs on the diagonal, not {shape}")
    is_pair = arguments.mask_like(where, shape)
    scores = jnp.where(is_pair, arguments.as_float(scores), 0.0)
    is_match = jnp.eye(shape[0], dtype=bool)
    matched = jnp.any(is_match & is_pair, axis=1)
    violation = arguments.as_scalar(margin=margin) - jnp.diagonal(scores)[:, None]

    def one_way(scores, is_pair):
        negative = is_pair & ~is_match & matched[:, None]
        hinge = jnp.where(negative & ~(violation + scores <= 0), violation + scores, 0.0)
        return jnp.max(hinge, axis=1, initial=0.0) if hardest else jnp.sum(hinge, axis=1)

    return one_way(scores, is_pair) + one_way(scores.T, is_pair.T)


def adaptive_relevance_margin(
    queries: ArrayLike, positives: ArrayLike, negatives: ArrayLike, *, where: ArrayLike | None = None
) -> jax.Array:
    """Squared error of the margin between a positive and a negative, against a target from how similar those two are.

    `loss = (q . p - q . n - (p . n + 1) / 2)^2`

    The formula and the gradient through the target are those of the released code; embeddings have length one there.

    Use when: a retrieval model is tuned with mined negatives, some of which are nearly relevant themselves.

    Args:
      queries: `[B, D]`.
      positives: `[B, D]`, a relevant document each.
      negatives: `[B, D]`, an irrelevant document each.
      where: bool, broadcastable to `[B]`: the triplets that count; the others give 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> x, y = jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 1.0]])
    >>> print(adaptive_relevance_margin(x, x, y))
    [0.25]

    Reference: Gienapp, Deckers, Potthast, Scells, "Learning Effective Representations for Retrieval Using
    Self-Distillation with Adaptive Relevance Margins", ICTIR 2025.
    """
    arguments.check_same_shape(2, queries=queries, positives=positives, negatives=negatives)
    is_triplet = arguments.mask_like(where, jnp.shape(queries)[:1])
    queries, positives, negatives = (
        jnp.where(is_triplet[:, None], arguments.as_float(x), 0.0) for x in (queries, positives, negatives)
    )
    margin = jnp.sum(queries * (positives - negatives), axis=1)
    target = (jnp.sum(positives * negatives, axis=1) + 1.0) / 2.0
    return jnp.where(is_triplet, (margin - target) ** 2, 0.0)
