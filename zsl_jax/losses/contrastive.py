"""In-batch contrastive losses: an embedding should find its partner among all others of the batch.

Embeddings are used as given; the papers normalise them first (`x / ||x||`), and the scales quoted below assume it.
No loss here ever holds the whole `B x B` matrix beyond 64 MiB: larger ones are walked `chunk` rows at a time (chosen by
size where `chunk` is None), and computed a second time for the gradient. Reverse-mode differentiation only.

`where [B]` marks the rows that are examples. A row that is False is no anchor (its loss is 0), no positive and no
negative. A mean over the examples is `sum(loss) / sum(where)`.

Several devices. Under `jit` with sharded batches a loss is what it is on one device; nothing is asked of the caller.
Inside `shard_map` or `pmap` each device passes its own rows and `axis_name`. The negatives are then those of all
devices, and the result is the device's own rows of the global loss. The convention, here and in every loss that takes
`axis_name`: mean the loss over the devices. `jax.lax.pmean(jnp.mean(loss), axis_name)` is the loss of the whole batch,
and where each device differentiates its own `jnp.mean(loss)` in its own copy of the parameters, the `pmean` of those
gradients is its gradient.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import _class_scores, _in_batch, _pairwise, _pairwise_softplus

__all__: Sequence[str] = (
    "class_sigmoid",
    "clip_softmax",
    "info_nce",
    "multi_positive_clip",
    "sigmoid_contrastive",
)


def info_nce(
    anchors: ArrayLike,
    candidates: ArrayLike,
    positives: ArrayLike | None = None,
    *,
    temperature: ArrayLike,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """Negative log-probability of each anchor's positive among all candidates.

    `loss_i = log sum_j exp(a_i . c_j / t) - a_i . c_{p(i)} / t`

    Use when: anchors choose among candidates in one direction (a memory bank, a queue, predicted codes). For scores
    that are at hand already see `softmax_cross_entropy`.

    Args:
      anchors: `[B, D]`.
      candidates: `[N, D]`.
      positives: `[B]` int in `[0, N)`, the positive of each anchor; None: candidate `i`
        for anchor `i`. An anchor whose positive is outside that range gives 0.
      temperature: scalar > 0.
      where: bool, broadcastable to `[N]`: the candidates. An anchor whose positive is not one of them gives 0.
      axis_name: mapped axis over which candidates are gathered; `positives` count in the gathered ones.
      chunk: anchors at a time; None: chosen by size.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(info_nce(jnp.eye(2), jnp.eye(2), jnp.array([0, 0]), temperature=1.0)).round(4))
    [0.3133 1.3133]

    Reference: van den Oord, Li, Vinyals, "Representation Learning with Contrastive Predictive Coding", 2018.
    """
    columns = _in_batch.side(candidates, where, axis_name)
    if positives is None:
        arguments.check_same_shape(2, anchors=anchors, candidates=candidates)
        rows = _in_batch.side(anchors, where, axis_name)
        own, has_positive = columns.embeddings, _in_batch.is_example(columns)
    else:
        arguments.check_embeddings(anchors, candidates, "anchors", "candidates")
        everything = _pairwise.gather(columns, axis_name)
        positives = _in_batch.checked_labels(everything.bias.shape[0], anchors=anchors, positives=positives)
        rows = _in_batch.side(anchors, None, axis_name)._replace(ids=positives)
        own, has_positive = everything.embeddings[positives], _in_batch.is_example(everything)[positives]
        has_positive &= positives >= 0
    scale = 1.0 / arguments.as_scalar(temperature=temperature)
    others = _pairwise.row_sums(rows, columns, scale, axis_name=axis_name, chunk=chunk)
    positive = scale * jnp.sum(rows.embeddings * own, axis=1)
    return jnp.where(has_positive, _in_batch.loss_against(others.log_sum, positive), 0.0)


def clip_softmax(
    image_embeddings: ArrayLike,
    class_embeddings: ArrayLike,
    *,
    scale: ArrayLike,
    label_smoothing: ArrayLike = 0.0,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """Softmax over the batch in both directions, averaged: row `i` of one side matches row `i` of the other.

    With `s_ij = scale * x_i . y_j` and smoothing 0::

        loss_i = (log sum_j exp(s_ij) + log sum_j exp(s_ji)) / 2 - s_ii

    Smoothing `e` makes the target `(1 - e)` at the match plus `e / B` everywhere.

    Use when: matched pairs of two modalities, each pair a class of its own; for rows that share a class see
    `multi_positive_clip`.

    Args:
      image_embeddings: `[B, D]`.
      class_embeddings: `[B, D]`.
      scale: scalar, the inverse temperature. CLIP learns its logarithm from `1 / 0.07` and keeps it below 100; the
        caller does that.
      label_smoothing: scalar in [0, 1) (0.1 for ALIGN).
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: rows at a time; None: chosen by size.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that differ.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(clip_softmax(jnp.eye(3), jnp.eye(3), scale=2.0)).round(4))
    [0.2395 0.2395 0.2395]

    Reference: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021;
    Jia et al., "Scaling Up Visual and Vision-Language Representation Learning With Noisy Text Supervision", ICML 2021.
    """
    rows, columns = _in_batch.paired_sides(
        where, axis_name, image_embeddings=image_embeddings, class_embeddings=class_embeddings
    )
    scale, label_smoothing = arguments.as_scalar(scale=scale), arguments.as_scalar(label_smoothing=label_smoothing)
    of_rows, of_columns = _pairwise.both_sums(rows, columns, scale, axis_name=axis_name, chunk=chunk)
    own = scale * _in_batch.dots(rows, columns)
    mean_rows, mean_columns = (_in_batch.mean_embedding(side, axis_name) for side in (rows, columns))
    mean_logit = 0.5 * scale * (rows.embeddings @ mean_columns + columns.embeddings @ mean_rows)
    loss = 0.5 * (
        _in_batch.loss_against(of_rows.log_sum, own) + _in_batch.loss_against(of_columns.log_sum, own)
    ) + label_smoothing * (own - mean_logit)
    return jnp.where(_in_batch.is_example(rows), loss, 0.0)


def sigmoid_contrastive(
    image_embeddings: ArrayLike,
    class_embeddings: ArrayLike,
    *,
    scale: ArrayLike,
    bias: ArrayLike,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """Every pair of the batch as a binary question of its own: does it match or not.

    With `s_ij = scale * x_i . y_j + bias`::

        loss_i = log(1 + exp(-s_ii)) + sum_{j != i} log(1 + exp(s_ij))

    The sum over all `B^2` pairs is `B * mean(loss)`; the paper divides it by `B`, which is `mean(loss)`.

    Use when: large batches of matched pairs, where a softmax over the whole batch is not wanted.

    Args:
      image_embeddings: `[B, D]`.
      class_embeddings: `[B, D]`.
      scale: scalar; the paper learns its logarithm, from log 10.
      bias: scalar; the paper learns it from -10, so that at first most pairs are taken not to match.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: rows at a time; None: chosen by size.

    Returns:
      `[B]` losses, float32. Value and gradient take one pass if the losses have equal weights, as in their mean.

    Raises:
      ValueError: shapes that differ.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(sigmoid_contrastive(jnp.eye(3), jnp.eye(3), scale=0.0, bias=0.0)).round(4))
    [2.0794 2.0794 2.0794]

    Reference: Zhai, Mustafa, Kolesnikov, Beyer, "Sigmoid Loss for Language Image Pre-Training", ICCV 2023 (SigLIP).
    """
    rows, columns = _in_batch.paired_sides(
        where, axis_name, image_embeddings=image_embeddings, class_embeddings=class_embeddings
    )
    scale, bias = arguments.as_scalar(scale=scale), arguments.as_scalar(bias=bias)
    others = _pairwise_softplus.row_softplus_sums(
        rows._replace(bias=rows.bias + bias), columns, scale, axis_name=axis_name, chunk=chunk
    )
    own = scale * _in_batch.dots(rows, columns) + bias
    return jnp.where(_in_batch.is_example(rows), jax.nn.softplus(-own) + others, 0.0)


def class_sigmoid(
    cosines: ArrayLike,
    labels: ArrayLike,
    *,
    scale: ArrayLike,
    bias: ArrayLike,
    where: ArrayLike | None = None,
) -> jax.Array:
    """Every class as a binary question of its own: is it the class of the example or not.

    `loss = log(1 + exp(-scale * s_y - bias)) + sum_{c != y} log(1 + exp(scale * s_c + bias))`

    Use when: `sigmoid_contrastive` on class descriptions, where several rows of a batch share a class.

    Args:
      cosines: `[B, C]` similarity of each example to each class.
      labels: `[B]` int, the class of each example; an example whose label is not in `[0, C)` gives 0.
      scale: scalar > 0.
      bias: scalar; negative where most classes should at first be taken not to match.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is
        not a candidate, or the only one, gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(class_sigmoid(jnp.zeros((1, 3)), jnp.array([0]), scale=1.0, bias=0.0)).round(4))
    [2.0794]

    Reference: Zhai, Mustafa, Kolesnikov, Beyer, "Sigmoid Loss for Language Image Pre-Training", ICCV 2023 (SigLIP),
    there between the rows of a batch.
    """
    cosines, is_label, is_candidate = _class_scores.candidates(cosines, labels, where)
    logits = arguments.as_scalar(scale=scale) * cosines + arguments.as_scalar(bias=bias)
    has_both = jnp.any(is_label, axis=1, keepdims=True) & jnp.any(is_candidate & ~is_label, axis=1, keepdims=True)
    terms = jax.nn.softplus(jnp.where(is_label, -logits, logits))
    return jnp.sum(jnp.where(is_candidate & has_both, terms, 0.0), axis=1)


def multi_positive_clip(
    image_embeddings: ArrayLike,
    class_embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    scale: ArrayLike,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """`clip_softmax` where every row with the same label is a match: the average over the matches, outside the log.

    With `s_ij = scale * x_i . y_j` and `P(i)` the rows of the class of `i`, itself among them::

        loss_i = (log sum_j exp(s_ij) - mean_{p in P(i)} s_ip + log sum_j exp(s_ji) - mean_{p in P(i)} s_pi) / 2

    Use when: pairs of two modalities where several rows of a batch share a class, as images with class embeddings do.

    Args:
      image_embeddings: `[B, D]`.
      class_embeddings: `[B, D]`, row `i` for the class of image `i`.
      labels: `[B]` int.
      scale: scalar, the inverse temperature.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: rows at a time; None: chosen by size.

    Returns:
      `[B]` losses, float32; with labels all different they are those of `clip_softmax`.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(multi_positive_clip(jnp.eye(2), jnp.eye(2), jnp.array([7, 7]), scale=1.0)).round(4))
    [0.8133 0.8133]

    Reference: Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, between two sets of embeddings.
    """
    rows, columns = _in_batch.paired_sides(
        where, axis_name, image_embeddings=image_embeddings, class_embeddings=class_embeddings
    )
    labels = _in_batch.checked_labels(image_embeddings=image_embeddings, labels=labels)
    rows, columns = (side._replace(ids=None, labels=labels) for side in (rows, columns))
    scale = arguments.as_scalar(scale=scale)
    both = _pairwise.both_sums(rows, columns, scale, axis_name=axis_name, chunk=chunk)
    return jnp.where(_in_batch.is_example(rows), 0.5 * sum(_in_batch.mean_positive_loss(sums) for sums in both), 0.0)
