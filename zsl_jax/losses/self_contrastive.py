"""Contrastive losses of one encoder: every row of the batch is compared with all other rows, of both views.

Embeddings are used as given; the papers normalise them first. What `where`, `axis_name` and `chunk` mean is said in
`contrastive.py`.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments, similarity
from zsl_jax.losses import _in_batch, _pairwise

__all__: Sequence[str] = ("gated_contrastive", "nt_xent", "supervised_contrastive")

_BASE_TEMPERATURE = 0.07  # of the released code of supervised contrast


def nt_xent(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    *,
    temperature: ArrayLike,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """Normalised-temperature cross entropy: each of two views against the other view and all other examples' views.

    With `z` the `2B` rows of both views and `p(i)` the other view of the same example::

        loss_i = log sum_{k != i} exp(z_i . z_k / t) - z_i . z_p(i) / t

    Use when: two augmentations of the same inputs, one encoder, no labels.

    Args:
      embeddings_a: `[B, D]`, one view of each example.
      embeddings_b: `[B, D]`, the other view.
      temperature: scalar > 0 (0.1 for ImageNet in the paper).
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: rows at a time; None: chosen by size.

    Returns:
      `[2B]` losses, float32: those of `embeddings_a`, then those of `embeddings_b`.

    Raises:
      ValueError: shapes that differ.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(nt_xent(jnp.eye(2), jnp.eye(2), temperature=1.0)).round(4))
    [0.5514 0.5514 0.5514 0.5514]

    Reference: Chen, Kornblith, Norouzi, Hinton, "A Simple Framework for Contrastive Learning of Visual
    Representations", ICML 2020.
    """
    a, b = _in_batch.paired_sides(where, axis_name, embeddings_a=embeddings_a, embeddings_b=embeddings_b)
    scale = 1.0 / arguments.as_scalar(temperature=temperature)
    others_a, others_b = _in_batch.two_view_sums(a, b, scale, axis_name=axis_name, chunk=chunk)
    own = scale * _in_batch.dots(a, b)
    losses = _in_batch.loss_against(others_a, own), _in_batch.loss_against(others_b, own)
    return jnp.concatenate([jnp.where(_in_batch.is_example(a), loss, 0.0) for loss in losses])


def supervised_contrastive(
    embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    temperature: ArrayLike,
    released: bool = False,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """Each example against all others, those of its own class being positives (the average outside the logarithm).

    With `P(i)` the other examples of the class of `i`::

        loss_i = log sum_{a != i} exp(z_i . z_a / t) - mean_{p in P(i)} z_i . z_p / t        (0 where P(i) is empty)

    Use when: labelled examples, one encoder, several examples of a class in a batch. Two views of an example are two
    rows with the same label.

    The released code multiplies the loss by `t / 0.07`: alone that is another step size, in a sum another weight.

    Args:
      embeddings: `[B, D]`.
      labels: `[B]` int.
      temperature: scalar > 0 (0.07 or 0.1).
      released: whether the loss is multiplied by `t / 0.07`, a constant to the gradient, as in the released code.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: rows at a time; None: chosen by size.

    Returns:
      `[B]` losses, float32. The paper leaves anchors without a positive, which give 0 here, out of its mean.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(supervised_contrastive(jnp.eye(3), jnp.array([0, 0, 1]), temperature=1.0)).round(4))
    [0.6931 0.6931 0.    ]

    Reference: Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020.
    """
    labels = _in_batch.checked_labels(embeddings=embeddings, labels=labels)
    rows = _in_batch.side(embeddings, where, axis_name)._replace(labels=labels)
    scale = 1.0 / arguments.as_scalar(temperature=temperature)
    sums = _pairwise.symmetric_sums(rows, scale, axis_name=axis_name, chunk=chunk)
    loss = jnp.where(sums.positive_count > 0, _in_batch.mean_positive_loss(sums), 0.0)
    return loss / jax.lax.stop_gradient(scale * _BASE_TEMPERATURE) if released else loss


def gated_contrastive(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    gates: ArrayLike,
    *,
    temperature: ArrayLike,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """Each example finds its partner in the part of the space that a gate of its own leaves open.

    With the cosine `c_ik` of `g_i * a_i` and `g_i * b_k`, all of them in the space that the gate of row `i` opens::

        loss_i = log sum_k exp(c_ik / t) - c_ii / t

    Use when: two classes should be similar in some dimensions only, those that a gate made of both descriptions opens:
    any two classes can be a pair.

    Args:
      embeddings_a: `[B, D]`.
      embeddings_b: `[B, D]`; row `i` is the partner of row `i`.
      gates: `[B, D]`, at least 0. An embedding that a gate closes altogether has the cosine 0.
      temperature: scalar > 0.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: rows at a time; None: all.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp, numpy as np
    >>> a, b = jnp.array([[1.0, 5.0], [0.0, 1.0]]), jnp.array([[2.0, -5.0], [0.0, 3.0]])
    >>> print(np.array(gated_contrastive(a, b, jnp.array([[1.0, 0.0], [1.0, 0.0]]), temperature=1.0)).round(4))
    [0.3133 0.6931]

    Reference: Wu et al., 2024 (Hydra), for the gated space; the softmax over the batch is that of `clip_softmax`.
    """
    arguments.check_same_shape(2, embeddings_a=embeddings_a, embeddings_b=embeddings_b, gates=gates)
    rows, columns = _in_batch.paired_sides(where, axis_name, embeddings_a=embeddings_a, embeddings_b=embeddings_b)
    scale = 1.0 / arguments.as_scalar(temperature=temperature)
    mask = _in_batch.is_example(rows)
    squared = jnp.where(mask[:, None], arguments.as_float(gates), 0.0) ** 2
    partners = similarity.l2_normalize(columns.embeddings)
    candidates, biases = _pairwise.gather((partners, jnp.maximum(columns.bias, _pairwise.EMPTY)), axis_name)

    def one(row):
        anchor, partner, gate = row
        cosines = _cosines(gate * anchor, candidates, jnp.sum(gate * anchor**2), candidates**2 @ gate)
        own = _cosines(gate * anchor, partner[None, :], jnp.sum(gate * anchor**2), (partner**2 @ gate)[None])[0]
        return jax.nn.logsumexp(scale * cosines + biases) - scale * own

    given = similarity.l2_normalize(rows.embeddings), partners, squared
    found = jax.vmap(one)(given) if chunk is None else jax.lax.map(jax.checkpoint(one), given, batch_size=chunk)
    return jnp.where(mask, found, 0.0)


def _cosines(gated: jax.Array, candidates: jax.Array, of_anchor: jax.Array, of_candidates: jax.Array) -> jax.Array:
    """`[N]` products over the roots of the squared lengths; 0 where one of them is 0."""
    squared = of_anchor * of_candidates
    is_open = ~(squared <= 0)
    return jnp.where(is_open, candidates @ gated / jnp.sqrt(jnp.where(is_open, squared, 1.0)), 0.0)
