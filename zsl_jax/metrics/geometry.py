"""The shape of an embedding space: how close pairs are, how evenly it is filled, how many directions it has; hubs."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import redundancy
from zsl_jax.metrics import ranking

__all__: Sequence[str] = (
    "alignment",
    "effective_rank",
    "hubness",
    "k_occurrence",
    "matrix_entropy",
    "representativeness",
    "uniformity",
)


def alignment(a: ArrayLike, b: ArrayLike, *, power: ArrayLike = 2.0, where: ArrayLike | None = None) -> jax.Array:
    """Mean distance between the two embeddings of a pair, to a power; small is good.

    `mean_i ||a_i - b_i||^power`

    Args:
      a, b: `[N, D]`; row i of one matches row i of the other. Normalise them first.
      power: > 0; may be traced.
      where: `[N]` bool, the pairs that count.

    Returns:
      A float32 scalar; 0 if no pair counts.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(alignment(jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 1.0]])))
    2.0

    Reference: Wang, Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere", ICML 2020.
    """
    distances = redundancy.alignment(a, b, power=power, where=where)
    return jnp.sum(distances) / arguments.count(arguments.mask_like(where, distances.shape))


def uniformity(embeddings: ArrayLike, *, scale: ArrayLike = 2.0, where: ArrayLike | None = None) -> jax.Array:
    """Logarithm of the mean Gaussian potential between different examples; the more negative the more evenly spread.

    `log mean_{i != j} exp(-scale ||z_i - z_j||^2)`

    Args:
      embeddings: `[N, D]`. Normalise them first.
      scale: >= 0; may be traced.
      where: `[N]` bool, the examples that count.

    Returns:
      A float32 scalar, at most 0; 0 with fewer than two examples. The `N x N` matrix is never held at once.

    Raises:
      ValueError: not a matrix.

    >>> import jax.numpy as jnp
    >>> print(uniformity(jnp.array([[1.0, 0.0], [-1.0, 0.0]])))
    -8.0

    Reference: Wang, Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere", ICML 2020.
    """
    return redundancy.uniformity(embeddings, scale=scale, where=where)


def matrix_entropy(embeddings: ArrayLike, *, order: ArrayLike = 1.0, where: ArrayLike | None = None) -> jax.Array:
    """Renyi entropy of the spectrum of the Gram matrix: how many directions the embeddings use, in nats.

    `S = log(sum_i p_i^order) / (1 - order)`, `p_i = lambda_i(Z Z^T) / tr(Z Z^T)`; at order 1 `-sum_i p_i log p_i`

    Args:
      embeddings: `[N, D]`, centred or not as the caller wants it.
      order: > 0; may be traced, and 1.
      where: `[N]` bool, the examples that count.

    Returns:
      A float32 scalar in [0, log min(N, D)]; 0 if all is zero.

    Raises:
      ValueError: not a matrix.

    >>> import jax.numpy as jnp
    >>> print(f"{matrix_entropy(jnp.eye(4)):.4f} {jnp.log(4):.4f}")
    1.3863 1.3863

    Reference: Skean et al., 2025.
    """
    arguments.check_same_shape(2, embeddings=embeddings)
    z = arguments.as_float(embeddings)
    z = jnp.where(arguments.mask_like(where, z.shape[:1])[:, None], z, 0.0)
    gram = z @ z.T if len(z) < z.shape[1] else z.T @ z
    eigenvalues = jnp.maximum(jnp.linalg.eigvalsh(gram), 0.0)
    total = jnp.sum(eigenvalues)
    share = eigenvalues / jnp.where(total > 0, total, 1.0)
    log_share = jnp.log(jnp.where(share > 0, share, 1.0))
    # With sum p = 1 this is log(sum p^order) / (1 - order), written so that nothing cancels near order 1.
    excess = arguments.as_float(order) - 1
    at_one = jnp.abs(excess) < 1e-6
    excess = jnp.where(at_one, 1.0, excess)
    renyi = -jnp.log1p(jnp.sum(share * jnp.expm1(excess * log_share))) / excess
    return jnp.where(at_one, -jnp.sum(share * log_share), renyi)


def effective_rank(embeddings: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """Exponential of the entropy of the Gram spectrum: the number of directions the embeddings use.

    `exp(-sum_i p_i log p_i)`, `p_i = lambda_i(Z Z^T) / tr(Z Z^T)`

    Args:
      embeddings: `[N, D]`, centred or not as the caller wants it.
      where: `[N]` bool, the examples that count.

    Returns:
      A float32 scalar in [1, min(N, D)].

    Raises:
      ValueError: not a matrix.

    >>> import jax.numpy as jnp
    >>> print(f"{effective_rank(jnp.eye(4)):.3f} {effective_rank(jnp.ones((4, 4))):.3f}")
    4.000 1.000

    Reference: Skean et al., 2025.
    """
    return jnp.exp(matrix_entropy(embeddings, where=where))


def k_occurrence(scores: ArrayLike, *, k: ArrayLike, where: ArrayLike | None = None) -> jax.Array:
    """How many examples have each class among their k best; a class that many have is a hub.

    `N_k(c) = #{i: c among the k best of s_i}`

    Args:
      scores: `[N, C]`.
      k: at least 1; may be traced.
      where: `[N]` bool, the examples that count.

    Returns:
      `[C]` int32, to be added over batches and devices.

    Raises:
      ValueError: not a matrix.

    >>> import jax.numpy as jnp
    >>> print(k_occurrence(jnp.array([[0.9, 0.1, 0.2], [0.8, 0.1, 0.3]]), k=1))
    [2 0 0]

    Reference: Radovanovic, Nanopoulos, Ivanovic, "Hubs in Space: Popular Nearest Neighbors in High-Dimensional Data",
    JMLR 2010.
    """
    best = ranking.top_k(scores, k=k)
    return jnp.sum(best & arguments.mask_like(where, best.shape[:1])[:, None], axis=0)


def hubness(occurrences: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """Skewness of the k-occurrences: 0 if no class is a hub, large if few classes are near everything.

    `mean_c (N_k(c) - mu)^3 / sigma^3`

    Args:
      occurrences: `[C]`, from `k_occurrence`.
      where: `[C]` bool, the classes that count.

    Returns:
      A float32 scalar; 0 if all occurrences are equal.

    Raises:
      ValueError: not a vector.

    >>> import jax.numpy as jnp
    >>> print(f"{hubness(jnp.array([9, 0, 0, 0])):.4f} {hubness(jnp.array([2, 2, 2, 2])):.4f}")
    1.1547 0.0000

    Reference: Radovanovic, Nanopoulos, Ivanovic, "Hubs in Space: Popular Nearest Neighbors in High-Dimensional Data",
    JMLR 2010.
    """
    arguments.check_same_shape(1, occurrences=occurrences)
    counts = arguments.as_float(occurrences)
    mask = arguments.mask_like(where, counts.shape)
    number = arguments.count(mask)
    centred = jnp.where(mask, counts - jnp.sum(jnp.where(mask, counts, 0.0)) / number, 0.0)
    variance = jnp.sum(centred**2) / number
    # Equal counts leave rounding of the mean behind, not a spread.
    flat = variance <= 1e-9 * jnp.max(jnp.where(mask, counts**2, 0.0), initial=1e-30)
    return jnp.where(flat, 0.0, jnp.sum(centred**3) / number / jnp.where(flat, 1.0, variance) ** 1.5)


def representativeness(
    matrix: ArrayLike, *, prior: ArrayLike | None = None, floor: ArrayLike = 1e-3, where: ArrayLike | None = None
) -> jax.Array:
    """How much an attribute speaks for a class against all others, in nats.

    `R[c, a] = log( P(a | c) / sum_{d != c} P(a | d) P(d | not c) )`, both at least `floor`

    Args:
      matrix: `[C, A]` in [0, 1], P(attribute present | class); class-attribute strengths scaled to it will do.
      prior: `[C]`, P(d) up to a factor; None for a uniform one.
      floor: > 0, below which a probability is not distinguished from 0.
      where: `[C]` bool, the classes that count.

    Returns:
      `[C, A]` float32; positive where the attribute is more likely for the class than for the others; 0 for a class
      that does not count, or that is alone.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(jnp.exp(representativeness(jnp.array([[1.0, 0.5], [0.25, 0.5]]))).round(3))
    [[4.   1.  ]
     [0.25 1.  ]]

    Reference: Shi et al., ICML 2023, after Tenenbaum and Griffiths; the form is as we remember it.
    """
    arguments.check_same_shape(2, matrix=matrix)
    matrix = arguments.as_float(matrix)
    mask = arguments.mask_like(where, matrix.shape[:1])
    prior = jnp.ones(len(matrix)) if prior is None else arguments.as_float(prior)
    if prior.shape != mask.shape:
        raise ValueError(f"matrix must be [C, A] and prior [C], not {matrix.shape} and {prior.shape}")
    others = jnp.where(mask[None, :] & ~jnp.eye(len(matrix), dtype=bool), prior[None, :], 0.0)
    total = jnp.sum(others, axis=1, keepdims=True)
    usable = mask[:, None] & ~(total <= 0)
    others = others / jnp.where(usable, total, 1.0)
    mixture = others @ jnp.where(mask[:, None], matrix, 0.0)
    return jnp.where(usable, jnp.log(jnp.maximum(matrix, floor)) - jnp.log(jnp.maximum(mixture, floor)), 0.0)
