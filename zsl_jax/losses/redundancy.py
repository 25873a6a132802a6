"""Losses on the shape of a batch of embeddings: no two dimensions equal, pairs close, examples spread out.

Those that are statistics of the batch as a whole return a scalar. What `where` and `axis_name` mean is said in
`contrastive.py`: with `axis_name` the statistics are those of all devices, and every device returns the same scalar.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import _in_batch, _pairwise

__all__: Sequence[str] = ("alignment", "barlow_twins", "uniformity", "vicreg")


def barlow_twins(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    *,
    redundancy: ArrayLike = 5e-3,
    epsilon: ArrayLike = 1e-5,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
) -> jax.Array:
    """Distance of the correlation between the dimensions of two views from the identity.

    With each dimension of both views brought to mean 0 and variance 1 over the batch, and `C = Z_a^T Z_b / B`::

        loss = sum_i (1 - C_ii)^2 + redundancy * sum_{i != j} C_ij^2

    Use when: two views without labels, and no negatives are wanted: small batches, wide embeddings.

    Args:
      embeddings_a: `[B, D]`, not normalised: that happens here, by dimension.
      embeddings_b: `[B, D]`.
      redundancy: scalar >= 0.
      epsilon: scalar > 0, added to the variances; a dimension that is constant has correlation 0.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.

    Returns:
      A float32 scalar. No `D x D` matrix is made where the batch on one device is smaller than `D`.

    Raises:
      ValueError: shapes that differ.

    >>> import jax.numpy as jnp
    >>> z = jnp.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> print(barlow_twins(z, -z, redundancy=1.0, epsilon=0.0))
    8.0

    Reference: Zbontar, Jing, Misra, LeCun, Deny, "Barlow Twins: Self-Supervised Learning via Redundancy Reduction",
    ICML 2021.
    """
    sides = _in_batch.paired_sides(where, axis_name, embeddings_a=embeddings_a, embeddings_b=embeddings_b)
    redundancy, epsilon = arguments.as_scalar(redundancy=redundancy), arguments.as_scalar(epsilon=epsilon)
    count = jnp.maximum(_in_batch.count(sides[0], axis_name), 1.0)
    a, b = (_centred(side, axis_name) for side in sides)
    a, b = (z * jax.lax.rsqrt(_total(z * z, axis_name) / count + epsilon)[None, :] for z in (a, b))
    diagonal = _total(a * b, axis_name) / count
    loss = jnp.sum((1.0 - diagonal) ** 2) + redundancy * _off_diagonal(a, b, axis_name) / count**2
    return _everywhere(loss, sides[0], axis_name)


def vicreg(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    *,
    invariance: ArrayLike = 25.0,
    variance: ArrayLike = 25.0,
    covariance: ArrayLike = 1.0,
    epsilon: ArrayLike = 1e-4,
    released: bool = False,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
) -> jax.Array:
    """Views close, every dimension with a spread of at least 1, and no two dimensions that vary together.

    With `var_j` and `Cov` those of a view over the batch (divided by `B - 1`)::

        loss = invariance * mean_ij (a_ij - b_ij)^2
             + variance   * sum over both views of mean_j max(0, 1 - sqrt(var_j + epsilon))
             + covariance * sum over both views of sum_{i != j} Cov_ij^2 / D

    Use when: two views without labels and no negatives, and the two encoders differ or only one normalises.

    The released code halves the term of the variance, a mean over both views where the formula has their sum.

    Args:
      embeddings_a: `[B, D]`, not normalised.
      embeddings_b: `[B, D]`.
      invariance: scalar >= 0.
      variance: scalar >= 0.
      covariance: scalar >= 0.
      epsilon: scalar > 0, keeps the gradient of the square root finite.
      released: whether the term of the variance is halved, as in the released code.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.

    Returns:
      A float32 scalar; one term alone with the weights of the others 0. No `D x D` matrix is made where the batch on
      one device is smaller than `D`.

    Raises:
      ValueError: shapes that differ.

    >>> import jax.numpy as jnp
    >>> z = jnp.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> print(vicreg(z, z), vicreg(z, -z, variance=0.0, covariance=0.0))
    8.0 100.0

    Reference: Bardes, Ponce, LeCun, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised
    Learning", ICLR 2022.
    """
    sides = _in_batch.paired_sides(where, axis_name, embeddings_a=embeddings_a, embeddings_b=embeddings_b)
    invariance, variance = arguments.as_scalar(invariance=invariance), arguments.as_scalar(variance=variance)
    covariance, epsilon = arguments.as_scalar(covariance=covariance), arguments.as_scalar(epsilon=epsilon)
    variance = variance / 2 if released else variance
    count, width = jnp.maximum(_in_batch.count(sides[0], axis_name), 1.0), sides[0].embeddings.shape[1]
    differences = sides[0].embeddings - sides[1].embeddings
    loss = invariance * jnp.sum(_total(differences**2, axis_name)) / (count * width)
    for side in sides:
        z, freedom = _centred(side, axis_name), jnp.maximum(count - 1.0, 1.0)
        variances = _total(z * z, axis_name) / freedom
        loss += variance * jnp.mean(jnp.maximum(1.0 - jnp.sqrt(variances + epsilon), 0.0))
        loss += covariance * _off_diagonal(z, z, axis_name) / (freedom**2 * width)
    return _everywhere(loss, sides[0], axis_name)


def alignment(
    embeddings_a: ArrayLike, embeddings_b: ArrayLike, *, power: ArrayLike = 2.0, where: ArrayLike | None = None
) -> jax.Array:
    """Distance between the two embeddings of a pair, to a power.

    `loss_i = ||a_i - b_i||^power`

    Use when: pairs should be close, and `uniformity` or another term keeps the embeddings from falling together.

    Args:
      embeddings_a: `[B, D]`; unit vectors in the paper.
      embeddings_b: `[B, D]`.
      power: scalar > 0.
      where: bool, broadcastable to `[B]`: which rows are examples.

    Returns:
      `[B]` losses, float32; the gradient at distance 0 is taken to be 0.

    Raises:
      ValueError: shapes that differ.

    >>> import jax.numpy as jnp
    >>> print(alignment(jnp.array([[3.0, 4.0]]), jnp.zeros((1, 2)), power=1.0))
    [5.]

    Reference: Wang, Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere", ICML 2020.
    """
    a, b = _in_batch.paired_sides(where, None, embeddings_a=embeddings_a, embeddings_b=embeddings_b)
    squared = jnp.sum((a.embeddings - b.embeddings) ** 2, axis=1)
    is_apart = ~(squared <= 0)
    distance = jnp.where(is_apart, squared, 1.0) ** (arguments.as_float(power) / 2)
    return jnp.where(is_apart, distance, 0.0)


def uniformity(
    embeddings: ArrayLike,
    *,
    scale: ArrayLike = 2.0,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """Logarithm of the mean Gaussian potential between different examples; least where they are spread evenly.

    `loss = log mean_{i != j} exp(-scale * ||z_i - z_j||^2)`

    Use when: embeddings should fill the sphere; beside `alignment` it is what a contrastive loss tends to with many
    negatives.

    Args:
      embeddings: `[B, D]`; unit vectors in the paper. Squared distances are made from inner products, so rows that are
        long and close lose digits.
      scale: scalar >= 0.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: rows at a time; None: chosen by size.

    Returns:
      A float32 scalar; 0 with fewer than two examples.

    Raises:
      ValueError: not a matrix.

    >>> import jax.numpy as jnp
    >>> print(uniformity(jnp.array([[1.0, 0.0], [-1.0, 0.0]])))
    -8.0

    Reference: Wang, Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere", ICML 2020.
    """
    arguments.check_same_shape(2, embeddings=embeddings)
    rows = _in_batch.side(embeddings, where, axis_name)
    scale = arguments.as_scalar(scale=scale)
    norms = jnp.sum(rows.embeddings**2, axis=1)
    sums = _pairwise.symmetric_sums(
        rows._replace(bias=rows.bias - scale * norms), 2.0 * scale, axis_name=axis_name, chunk=chunk
    )
    count = _in_batch.count(rows, axis_name)
    has_pairs = count > 1.0
    total = jax.nn.logsumexp(_pairwise.gather(sums.log_sum, axis_name))
    return jnp.where(has_pairs, total - jnp.log(jnp.where(has_pairs, count * (count - 1.0), 1.0)), 0.0)


def _total(x: jax.Array, axis_name: str | None) -> jax.Array:
    """The sum over the whole batch, `[D]`."""
    total = jnp.sum(x, axis=0)
    return total if axis_name is None else jax.lax.psum(total, axis_name)


def _centred(rows: _pairwise.Side, axis_name: str | None) -> jax.Array:
    centred = rows.embeddings - _in_batch.mean_embedding(rows, axis_name)[None, :]
    return jnp.where(_in_batch.is_example(rows)[:, None], centred, 0.0)


def _off_diagonal(a: jax.Array, b: jax.Array, axis_name: str | None) -> jax.Array:
    """`sum_{i != j} (a^T b)_ij^2`, without the `D x D` matrix where there are fewer rows than dimensions.

    The sum over all `i, j` is then a product of two smaller matrices. Taking the diagonal off it costs few digits:
    with fewer rows than dimensions the rest cannot be small beside it.
    """
    if axis_name is None and a.shape[0] < a.shape[1]:
        return jnp.sum((a @ a.T) * (b @ b.T)) - jnp.sum(jnp.sum(a * b, axis=0) ** 2)
    product = a.T @ b
    product = product if axis_name is None else jax.lax.psum(product, axis_name)
    return jnp.sum(jnp.fill_diagonal(product, 0.0, inplace=False) ** 2)


def _everywhere(loss: jax.Array, rows: _pairwise.Side, axis_name: str | None) -> jax.Array:
    """A loss that is the same on all devices as one that each holds for itself, which the convention asks for.

    It is 0 where there is no example.
    """
    loss = jnp.where(_in_batch.count(rows, axis_name) > 0, loss, 0.0)
    return _pairwise.vary_alike((loss, rows.bias))[0]
