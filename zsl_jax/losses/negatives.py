"""Contrastive losses that choose, weigh or correct their negatives.

Embeddings are used as given; the papers normalise them first. What `where`, `axis_name` and `chunk` mean is said in
`contrastive.py`.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments, errors
from zsl_jax.losses import _in_batch, _pairwise

__all__: Sequence[str] = (
    "curl_block",
    "debiased_contrastive",
    "hard_negative_clip",
    "hardness_weighted_contrastive",
)


def debiased_contrastive(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    *,
    temperature: ArrayLike,
    tau_plus: ArrayLike,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """`nt_xent` with the negatives corrected for those that share the anchor's class by chance.

    With `pos = exp(z_i . z_p(i) / t)` and the sum over the `N = 2B - 2` rows of other examples::

        g      = max((sum_k exp(z_i . z_k / t) - N * tau_plus * pos) / (1 - tau_plus), N * exp(-1 / t))
        loss_i = log(1 + g / pos)

    Use when: few classes, so that many negatives are of the anchor's own class (`tau_plus` is 1 / C where classes are
    balanced).

    Args:
      embeddings_a: `[B, D]` unit vectors, one view of each example; the floor of `g` is the least sum that they allow.
      embeddings_b: `[B, D]` unit vectors, the other view.
      temperature: scalar > 0 (0.5).
      tau_plus: scalar in [0, 1), the chance that a negative is of the anchor's class (0.1); 0: `nt_xent`.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: rows at a time; None: chosen by size.

    Returns:
      `[2B]` losses, float32: those of `embeddings_a`, then those of `embeddings_b`.

    Raises:
      ValueError: shapes that differ.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(debiased_contrastive(jnp.eye(2), jnp.eye(2), temperature=1.0, tau_plus=0.1)).round(4))
    [0.4671 0.4671 0.4671 0.4671]

    Reference: Chuang, Robinson, Lin, Torralba, Jegelka, "Debiased Contrastive Learning", NeurIPS 2020.
    """
    a, b = _in_batch.paired_sides(where, axis_name, embeddings_a=embeddings_a, embeddings_b=embeddings_b)
    scale = 1.0 / arguments.as_scalar(temperature=temperature)
    tau_plus = arguments.as_scalar(tau_plus=tau_plus)
    others_a, others_b = _in_batch.two_view_sums(a, b, scale, axis_name=axis_name, chunk=chunk)
    own = scale * _in_batch.dots(a, b)
    count = 2.0 * jnp.maximum(_in_batch.count(a, axis_name) - 1.0, 0.0)
    losses = (_debiased(others, own, scale, tau_plus, count) for others in (others_a, others_b))
    return jnp.concatenate([jnp.where(_in_batch.is_example(a), loss, 0.0) for loss in losses])


def hardness_weighted_contrastive(
    image_embeddings: ArrayLike,
    class_embeddings: ArrayLike,
    *,
    scale: ArrayLike,
    alpha: ArrayLike,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """`clip_softmax` in which a negative counts by its hardness `exp(alpha * similarity)`, a constant to the gradient.

    With `c_ij = x_i . y_j`, and `sg` for what carries no gradient::

        n_ij   = scale * c_ij + alpha * sg(c_ij)
        loss_i = mean over n = n_ij and n = n_ji of log(exp(scale * c_ii) + sum_{j != i} exp(n)) - scale * c_ii

    Use when: a batch of pairs with few hard negatives, which a plain softmax hardly notices.

    Args:
      image_embeddings: `[B, D]` unit vectors.
      class_embeddings: `[B, D]` unit vectors.
      scale: scalar > 0, the inverse temperature (50).
      alpha: scalar >= 0 (9); 0: `clip_softmax`.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: rows at a time; None: chosen by size.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that differ.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(hardness_weighted_contrastive(jnp.eye(2), 1 - jnp.eye(2), scale=1.0, alpha=1.0)).round(4))
    [2.1269 2.1269]

    Reference: Lan et al., "LLaVE: Large Language and Vision Embedding Models with Hardness-Weighted Contrastive
    Learning", 2025.
    """
    sides = _in_batch.paired_sides(
        where, axis_name, image_embeddings=image_embeddings, class_embeddings=class_embeddings
    )
    scale, alpha = arguments.as_scalar(scale=scale), arguments.as_scalar(alpha=alpha)
    # The logits have the slope of `scale` but the value of `scale + alpha`: each factor passes on only its share.
    share = scale / (scale + alpha)
    rows, columns = (side._replace(embeddings=_scale_gradient(side.embeddings, share)) for side in sides)
    of_rows, of_columns = _pairwise.both_sums(rows, columns, scale + alpha, axis_name=axis_name, chunk=chunk)
    own = scale * _in_batch.dots(*sides)
    loss = 0.5 * sum(_in_batch.loss_against(sums.log_sum, own) for sums in (of_rows, of_columns))
    return jnp.where(_in_batch.is_example(rows), loss, 0.0)


def hard_negative_clip(
    image_embeddings: ArrayLike,
    class_embeddings: ArrayLike,
    negative_embeddings: ArrayLike,
    *,
    scale: ArrayLike,
    where: ArrayLike | None = None,
    where_negatives: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """`clip_softmax` whose images choose among the captions of the batch and hard negative captions.

    With `s_ij = scale * x_i . y_j` for captions `y` and `h_ik = scale * x_i . n_k` for the `M` hard negatives::

        loss_i = (log(sum_j exp(s_ij) + sum_k exp(h_ik)) + log sum_j exp(s_ji)) / 2 - s_ii

    Use when: for each caption there is a wrong one that differs in word order or in one attribute. Captions choose
    among images as in `clip_softmax`; a hard negative has no image and chooses nothing.

    Args:
      image_embeddings: `[B, D]`.
      class_embeddings: `[B, D]`, the caption of each image.
      negative_embeddings: `[M, D]`, captions that belong to no image.
      scale: scalar, the inverse temperature.
      where: bool, broadcastable to `[B]`: which rows are examples.
      where_negatives: bool, broadcastable to `[M]`: which of the hard negatives count.
      axis_name: mapped axis over which the batch is divided.
      chunk: rows at a time; None: chosen by size.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(hard_negative_clip(jnp.eye(2), jnp.eye(2), -jnp.eye(2), scale=1.0)).round(4))
    [0.4699 0.4699]

    Reference: Yuksekgonul, Bianchi, Kalluri, Jurafsky, Zou, "When and Why Vision-Language Models Behave like
    Bags-of-Words, and What to Do About It?", ICLR 2023.
    """
    rows, columns = _in_batch.paired_sides(
        where, axis_name, image_embeddings=image_embeddings, class_embeddings=class_embeddings
    )
    arguments.check_embeddings(image_embeddings, negative_embeddings, "image_embeddings", "negative_embeddings")
    negatives = _in_batch.side(negative_embeddings, where_negatives, axis_name)._replace(ids=None)
    scale = arguments.as_scalar(scale=scale)
    parts = [("both", columns), ("rows", negatives)]
    (of_rows, of_columns), (of_negatives, _) = _pairwise.sums(rows, parts, scale, axis_name=axis_name, chunk=chunk)
    own = scale * _in_batch.dots(rows, columns)
    to_captions = _in_batch.loss_against(jnp.logaddexp(of_rows.log_sum, of_negatives.log_sum), own)
    to_images = _in_batch.loss_against(of_columns.log_sum, own)
    return jnp.where(_in_batch.is_example(rows), 0.5 * (to_captions + to_images), 0.0)


def curl_block(
    anchors: ArrayLike,
    positives: ArrayLike,
    negatives: ArrayLike,
    *,
    surrogate: str = "logistic",
    where: ArrayLike | None = None,
) -> jax.Array:
    """Contrastive loss against blocks: the mean of several examples of the same origin stands for their class.

    With `v_k = a . (mean_b p_b - mean_b n_kb)`::

        logistic: log2(1 + sum_k exp(-v_k))          hinge: max(0, 1 - min_k v_k)

    Use when: several positives and several negatives of one origin come together; a block is a better stand-in for a
    class than one example, and with blocks of one this is the plain loss.

    Args:
      anchors: `[B, D]`.
      positives: `[B, b, D]`, blocks of examples like the anchor.
      negatives: `[B, K, b, D]`, `K` blocks of examples, each of one origin; `b` may differ from that of the positives.
      surrogate: `logistic` or `hinge`.
      where: bool, broadcastable to `[B]`: which anchors count, with their blocks.

    Returns:
      `[B]` losses, float32; 0 for an anchor left out.

    Raises:
      ValueError: shapes that do not fit.
      UserError: an unknown surrogate.

    >>> import jax.numpy as jnp, numpy as np
    >>> anchors, positives, negatives = jnp.ones((1, 2)), jnp.ones((1, 3, 2)), jnp.ones((1, 4, 3, 2))
    >>> print(np.array(curl_block(anchors, positives, negatives)).round(4))
    [2.3219]

    Reference: Arora, Khandeparkar, Khodak, Plevrakis, Saunshi, "A Theoretical Analysis of Contrastive Unsupervised
    Representation Learning", ICML 2019.
    """
    if surrogate not in _SURROGATES:
        raise errors.unknown("surrogate", surrogate, _SURROGATES)
    a, p, n = jnp.shape(anchors), jnp.shape(positives), jnp.shape(negatives)
    if len(a) != 2 or len(p) != 3 or len(n) != 4 or (p[0], p[2]) != a or (n[0], n[3]) != a:
        raise ValueError(f"anchors must be [B, D], positives [B, b, D], negatives [B, K, b, D], not {a}, {p} and {n}")
    anchors, positives, negatives = (arguments.as_float(x) for x in (anchors, positives, negatives))
    mask = arguments.mask_like(where, a[:1])
    differences = jnp.mean(positives, axis=1)[:, None, :] - jnp.mean(negatives, axis=2)
    differences = jnp.where(mask[:, None, None], differences, 0.0)
    anchors = jnp.where(mask[:, None], anchors, 0.0)
    return jnp.where(mask, _SURROGATES[surrogate](jnp.einsum("bd,bkd->bk", anchors, differences)), 0.0)


_SURROGATES = {
    "logistic": lambda v: jax.nn.softplus(jax.nn.logsumexp(-v, axis=1)) / math.log(2.0),
    "hinge": lambda v: jnp.maximum(1.0 - jnp.min(v, axis=1), 0.0),
}


def _debiased(others: jax.Array, own: jax.Array, scale: jax.Array, tau_plus: jax.Array, count: jax.Array) -> jax.Array:
    """`log(1 + g / pos)` from the logarithms of the sum over the negatives and of `pos`."""
    # Past 40 the ratio below is above 1 and the floor holds, so the cap changes nothing but an overflow.
    removed = tau_plus * count * jnp.exp(jnp.minimum(own - others, 40.0))
    is_left = ~(removed >= 1.0)
    log_g = others + jnp.log1p(-jnp.where(is_left, removed, 0.0)) - jnp.log1p(-tau_plus)
    floor = jnp.log(jnp.maximum(count, 1.0)) - scale
    log_g = jnp.where(is_left, jnp.maximum(log_g, floor), floor)
    return _in_batch.loss_against(jnp.where(count > 0, log_g, _pairwise.EMPTY), own)


@jax.custom_vjp
def _scale_gradient(x: jax.Array, factor: jax.Array) -> jax.Array:
    """`x`, whose gradient is multiplied by a constant factor."""
    return x


_scale_gradient.defvjp(lambda x, factor: (x, factor), lambda factor, grad: (factor * grad, jnp.zeros_like(factor)))
