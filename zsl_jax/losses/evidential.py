"""Evidential classification: scores are evidence for a Dirichlet distribution over the class probabilities.

    alpha = evidence + 1        S = sum_c alpha_c        belief_c = evidence_c / S        uncertainty = C / S

The uncertainty depends on the number of candidate classes, so compute it for the candidates at hand (`where`).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments

__all__: Sequence[str] = (
    "evidential_digamma",
    "evidential_kl",
    "evidential_log",
    "evidential_uncertainty",
)


def evidential_log(
    evidence: ArrayLike, labels: ArrayLike, *, kl_weight: ArrayLike = 0.0, where: ArrayLike | None = None
) -> jax.Array:
    """Negative logarithm of the expected probability of the class (type-II maximum likelihood).

    `loss = log S - log alpha_y + kl_weight * evidential_kl`, alpha = evidence + 1, S = sum_c alpha_c

    Use when: the classifier should say how much it knows, and unknown classes should come out as uncertain.

    Args:
      evidence: `[B, C]`, at least 0, such as softplus of the scores.
      labels: `[B]` int; an example whose label is not in `[0, C)` gives 0.
      kl_weight: scalar >= 0. Raise it slowly, as by `min(1, epoch / 10)`: at full weight from the start the evidence
        never grows.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is not a candidate
        gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(evidential_log(jnp.array([[3.0, 0.0]]), jnp.array([0])), -jnp.log(4 / 5))
    [0.22314358] 0.22314353

    Reference: Sensoy et al., "Evidential Deep Learning to Quantify Classification Uncertainty", NeurIPS 2018.
    """
    alpha, is_label, is_candidate = _dirichlet(evidence, labels, where)
    own = jnp.sum(jnp.where(is_label, alpha, 0.0), axis=1)
    total = jnp.sum(jnp.where(is_candidate, alpha, 0.0), axis=1)
    has_class = jnp.any(is_label, axis=1)
    fit = jnp.log(jnp.where(has_class, total, 1.0)) - jnp.log(jnp.where(has_class, own, 1.0))
    return fit + arguments.as_float(kl_weight) * evidential_kl(evidence, labels, where=where)


def evidential_digamma(
    evidence: ArrayLike, labels: ArrayLike, *, kl_weight: ArrayLike = 0.0, where: ArrayLike | None = None
) -> jax.Array:
    """Expected cross-entropy of the class under the Dirichlet distribution.

    `loss = digamma(S) - digamma(alpha_y) + kl_weight * evidential_kl`, alpha = evidence + 1, S = sum_c alpha_c

    Use when: as for `evidential_log`, which it exceeds, with more push where there is little evidence.

    Args:
      evidence: `[B, C]`, at least 0, such as softplus of the scores.
      labels: `[B]` int; an example whose label is not in `[0, C)` gives 0.
      kl_weight: scalar >= 0, raised slowly; see `evidential_log`.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is not a candidate
        gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(f"{evidential_digamma(jnp.array([[1.0, 0.0]]), jnp.array([0]))[0]:.4f}")       # 1 / 2
    0.5000

    Reference: Sensoy et al., "Evidential Deep Learning to Quantify Classification Uncertainty", NeurIPS 2018.
    """
    alpha, is_label, is_candidate = _dirichlet(evidence, labels, where)
    has_class = jnp.any(is_label, axis=1)
    own = jnp.where(has_class, jnp.sum(jnp.where(is_label, alpha, 0.0), axis=1), 1.0)
    total = jnp.where(has_class, jnp.sum(jnp.where(is_candidate, alpha, 0.0), axis=1), 1.0)
    fit = jax.scipy.special.digamma(total) - jax.scipy.special.digamma(own)
    return fit + arguments.as_float(kl_weight) * evidential_kl(evidence, labels, where=where)


def evidential_kl(evidence: ArrayLike, labels: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """Divergence of the evidence for the wrong classes from none.

    `loss = KL(Dirichlet(a) || Dirichlet(1))`, a_c = 1 for c = y, evidence_c + 1 otherwise

    Use when: misleading evidence should be taken back; the second term of the evidential losses.

    Args:
      evidence: `[B, C]`, at least 0.
      labels: `[B]` int; an example whose label is not in `[0, C)` gives 0.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is not a candidate
        gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> right, wrong = evidential_kl(jnp.array([[5.0, 0.0], [0.0, 1.0]]), jnp.array([0, 0]))
    >>> print(f"{right:.4f} {wrong:.4f}")                                                 # 0 and log 2 - 1 / 2
    0.0000 0.1931

    Reference: Sensoy et al., "Evidential Deep Learning to Quantify Classification Uncertainty", NeurIPS 2018.
    """
    alpha, is_label, is_candidate = _dirichlet(evidence, labels, where)
    has_class = jnp.any(is_label, axis=1, keepdims=True)
    alpha = jnp.where((is_label & ~jnp.isnan(alpha)) | ~has_class, 1.0, alpha)
    number = jnp.where(has_class, jnp.sum(is_candidate, axis=1, keepdims=True), 1).astype(alpha.dtype)
    total = number + jnp.sum(alpha - 1, axis=1, keepdims=True)
    log_gamma, digamma = jax.scipy.special.gammaln, jax.scipy.special.digamma
    each = (alpha - 1) * (digamma(alpha) - digamma(total)) - log_gamma(alpha)
    # log_gamma(1) is some 1e-7 and not 0: a class without evidence must not add that.
    each = jnp.where(alpha > 1, each, 0.0)
    return jnp.sum(each, axis=1) + (log_gamma(total) - log_gamma(number))[:, 0]


def evidential_uncertainty(evidence: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """Share of belief that is given to no class.

    `uncertainty = C / (C + sum_c evidence_c)`

    Use when: an image of an unknown class must be distinguished from one of a known class.

    Args:
      evidence: `[B, C]`, at least 0.
      where: bool, broadcastable to `[B, C]`: the candidate classes; C is their number.

    Returns:
      `[B]` in (0, 1], float32; 1 without a candidate.

    Raises:
      ValueError: not a matrix.

    >>> import jax.numpy as jnp
    >>> print(evidential_uncertainty(jnp.array([[0.0, 0.0], [3.0, 3.0]])))
    [1.   0.25]

    Reference: Sensoy et al., "Evidential Deep Learning to Quantify Classification Uncertainty", NeurIPS 2018.
    """
    arguments.check_same_shape(2, evidence=evidence)
    mask = arguments.mask_like(where, jnp.shape(evidence))
    number = arguments.count(mask, 1)
    return number / (number + jnp.sum(jnp.where(mask, arguments.as_float(evidence), 0.0), axis=1))


def _dirichlet(
    evidence: ArrayLike, labels: ArrayLike, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`[B, C]` alpha (1 where masked), the class of each example, the candidate classes."""
    labels = arguments.score_labels(evidence, labels, "evidence")
    evidence = arguments.as_float(evidence)
    is_candidate = arguments.mask_like(where, evidence.shape)
    is_label = (labels[:, None] == jnp.arange(evidence.shape[1])[None, :]) & is_candidate
    return jnp.where(is_candidate, evidence, 0.0) + 1, is_label, is_candidate
