"""Similarities of sets: an image as a set of regions or patches, a class as a set of parts, prompts or words.

`image_sets [B, M, D]` and `class_sets [C, N, D]` with masks for the elements that only fill up the arrays. A set
without elements scores -inf with everything, so that it is never the best. The arrays over all pairs of elements,
`B * M * C * N`, are made for a few images at a time if they are large, and made again for the gradient.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.similarity import euclidean, products

__all__: Sequence[str] = ("late_interaction", "optimal_transport", "set_query", "sinkhorn")

GRADIENTS = ("unrolled", "implicit")
_TINY = 1e-6
KEPT_BYTES = 64 * 2**20
BLOCK_BYTES = 8 * 2**20


def late_interaction(
    image_sets: ArrayLike,
    class_sets: ArrayLike,
    *,
    image_where: ArrayLike | None = None,
    class_where: ArrayLike | None = None,
) -> jax.Array:
    """Sum over the elements of an image of the best match of each among the elements of a class.

    `scores[b, c] = sum_m max_n x_bm . y_cn`

    It is not symmetric: the elements of the first set must all be matched, those of the second need not be.

    Args:
      image_sets: `[B, M, D]`.
      class_sets: `[C, N, D]`.
      image_where: bool, broadcastable to `[B, M]`: the elements that are there.
      class_where: bool, broadcastable to `[C, N]`: the elements that are there.

    Returns:
      `[B, C]` scores, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> image_sets = jnp.array([[[1.0, 0.0], [0.0, 1.0]]])
    >>> print(late_interaction(image_sets, jnp.array([[[2.0, 0.0], [0.0, 3.0]], [[1.0, 1.0], [-1.0, 0.0]]])))
    [[5. 2.]]

    Reference: Khattab, Zaharia, "ColBERT: Efficient and Effective Passage Search via Contextualized Late Interaction
    over BERT", SIGIR 2020.
    """
    (image_sets, image_where), (class_sets, class_where) = _masked(image_sets, class_sets, image_where, class_where)
    is_element = image_where[:, :, None] & jnp.any(class_where, axis=1)[None, None, :]

    def one(image):
        elements, is_element = image
        similarities = products.einsum("md,cnd->mcn", elements, class_sets)
        best = jnp.max(jnp.where(class_where[None], similarities, -jnp.inf), axis=2)
        return jnp.sum(jnp.where(is_element, best, 0.0), axis=0)

    scores = _map_images(one, (image_sets, is_element), _pair_bytes(image_sets, class_sets))
    return _never_best_without_elements(scores, image_where, class_where)


def optimal_transport(
    image_sets: ArrayLike,
    class_sets: ArrayLike,
    *,
    epsilon: ArrayLike = 0.1,
    iterations: int = 50,
    gradient: str = "unrolled",
    image_where: ArrayLike | None = None,
    class_where: ArrayLike | None = None,
) -> jax.Array:
    """Negative cost of moving the elements of an image onto those of a class, each set spread evenly over its elements.

    `scores[b, c] = -sum_mn P_mn ||x_bm - y_cn||^2` with the plan P that `sinkhorn` finds for these costs

    For unit vectors the cost is `2 - 2 cos`.

    Args:
      image_sets: `[B, M, D]`.
      class_sets: `[C, N, D]`.
      epsilon: scalar > 0, smoothing of the plan in units of the cost; small values need more iterations.
      iterations: number of Sinkhorn updates, fixed.
      gradient: `unrolled` or `implicit`, see `sinkhorn`; the second one's memory does not grow with the iterations.
      image_where: bool, broadcastable to `[B, M]`: the elements that are there.
      class_where: bool, broadcastable to `[C, N]`: the elements that are there.

    Returns:
      `[B, C]` scores, at most 0, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> image_sets, class_sets = jnp.array([[[0.0], [4.0]]]), jnp.array([[[5.0], [1.0]], [[4.0], [2.0]]])
    >>> print(optimal_transport(image_sets, class_sets).round(3))
    [[-1. -2.]]

    Reference: Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", NeurIPS 2013.
    """
    images, classes = _masked(image_sets, class_sets, image_where, class_where)
    given = {"epsilon": epsilon, "iterations": iterations, "gradient": gradient}

    def one_pair(elements, is_element, others, is_other):
        costs = -euclidean.negative_squared_euclidean(elements, others)
        shares = (mask.astype(jnp.float32) / arguments.count(mask) for mask in (is_element, is_other))
        return -jnp.sum(sinkhorn(costs, *shares, **given) * costs)

    def one(image):
        return jax.vmap(one_pair, in_axes=(None, None, 0, 0))(*image, *classes)

    scores = _map_images(one, images, _pair_bytes(image_sets, class_sets) * (2 + iterations * (gradient == "unrolled")))
    return _never_best_without_elements(scores, images[1], classes[1])


def set_query(embeddings: ArrayLike, included: ArrayLike, excluded: ArrayLike | None = None) -> jax.Array:
    """How well each embedding answers "like all of these sets, and like none of those".

    `scores[n] = sum_p mean_m x_n . y_pm - sum_q mean_m x_n . w_qm`

    Args:
      embeddings: `[N, D]`.
      included: `[P, M, D]`, sets of examples.
      excluded: `[Q, M, D]`; None for no set.

    Returns:
      `[N]` scores, float32; for unit vectors a mean cosine for each set.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> round_, red = jnp.array([[[1.0, 0.0, 0.0]]]), jnp.array([[[0.0, 1.0, 0.0]]])
    >>> print(set_query(jnp.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]), round_, red))
    [0. 1.]

    Reference: Liu, "SetCSE: Set Operations using Contrastive Learning of Sentence Embeddings", ICLR 2024.
    """
    x = arguments.as_float(embeddings)
    total = jnp.zeros(x.shape[:1])
    for sign, sets in ((1.0, included), (-1.0, excluded)):
        if sets is None:
            continue
        if x.ndim != 2 or jnp.ndim(sets) != 3 or jnp.shape(sets)[2] != x.shape[1]:
            raise ValueError(f"sets must be [P, M, D] for embeddings [N, D] = {x.shape}, not {jnp.shape(sets)}")
        total += sign * (x @ jnp.sum(jnp.mean(arguments.as_float(sets), axis=1), axis=0))
    return total


def sinkhorn(
    costs: ArrayLike,
    row_shares: ArrayLike | None = None,
    column_shares: ArrayLike | None = None,
    *,
    epsilon: ArrayLike = 0.1,
    iterations: int = 50,
    gradient: str = "unrolled",
) -> jax.Array:
    """Plan that moves one distribution onto another at the least cost, smoothed by its entropy.

    `argmin_P sum_mn P_mn C_mn + epsilon sum_mn P_mn log P_mn`, the rows of P summing to a, its columns to b

    In the log domain, so that no epsilon underflows. The last update makes the columns exact; the rows are off by what
    a fixed number of iterations leaves. The gradient goes through the iterations (`unrolled`), or is that of the plan
    in which they end (`implicit`): for a loss L with `G = dL/dP` and `H = P G`, entry by entry,

        dL/dC = -P (G - u - v) / epsilon,  a_m u_m + sum_n P_mn v_n = sum_n H_mn,  b_n v_n + sum_m P_mn u_m = sum_m H_mn

    one system of N equations instead of M N numbers per iteration. It holds where the iterations have converged: a
    small epsilon needs more of them.

    Args:
      costs: `[M, N]`, C.
      row_shares: `[M]`, at least 0, summing to 1: a; None spreads evenly. A row with 0 gets nothing.
      column_shares: `[N]`, likewise: b.
      epsilon: scalar > 0, in units of the costs.
      iterations: number of updates of both sides, fixed, at least 1.
      gradient: `unrolled` or `implicit`.

    Returns:
      `[M, N]` plan, float32; all 0 where the shares of a side are all 0.

    Raises:
      ValueError: shapes that do not fit, or an unknown gradient.

    >>> import jax.numpy as jnp
    >>> print(sinkhorn(jnp.array([[0.0, 1.0], [1.0, 0.0]]), epsilon=0.05).round(3))
    [[0.5 0. ]
     [0.  0.5]]

    Reference: Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", NeurIPS 2013; the implicit
    gradient: Eisenberger, Toker, Leal-Taixé, Bernard, Cremers, "A Unified Framework for Implicit Sinkhorn
    Differentiation", CVPR 2022.
    """
    if gradient not in GRADIENTS:
        raise ValueError(f"gradient={gradient!r} should be {' or '.join(GRADIENTS)}")
    costs = arguments.as_float(costs)
    if costs.ndim != 2:
        raise ValueError(f"costs must be [M, N], not {costs.shape}")
    shares = [
        jnp.full(size, 1.0 / size) if given is None else arguments.as_float(given)
        for size, given in zip(costs.shape, (row_shares, column_shares))
    ]
    if (shares[0].shape, shares[1].shape) != ((costs.shape[0],), (costs.shape[1],)):
        raise ValueError(
            f"row_shares must be [M] and column_shares [N] for costs {costs.shape}, "
            f"not {shares[0].shape} and {shares[1].shape}"
        )
    log_kernel = -costs / arguments.as_scalar(epsilon=epsilon)
    plan = _plan if gradient == "unrolled" else _implicit_plan
    return plan(log_kernel, shares[0], shares[1], iterations)


def _plan(log_kernel: jax.Array, row_share: jax.Array, column_share: jax.Array, iterations: int) -> jax.Array:
    shares = (row_share, column_share)
    in_row, in_column = (~(share <= 0) for share in shares)
    is_pair = in_row[:, None] & in_column[None, :]
    log_row, log_column = (jnp.log(jnp.where(share <= 0, 1.0, share)) for share in shares)
    # Pairs without a share get a cost so large that they drop out of every sum, yet finite: no gradient turns NaN.
    log_kernel = jnp.where(is_pair, log_kernel, -1e30)

    def update(potentials, _):
        _, column = potentials
        row = log_row - jax.nn.logsumexp(log_kernel + column[None, :], axis=1)
        row = jnp.where(in_row, row, 0.0)
        column = log_column - jax.nn.logsumexp(log_kernel + row[:, None], axis=0)
        return (row, jnp.where(in_column, column, 0.0)), None

    (row, column), _ = jax.lax.scan(update, (jnp.zeros_like(log_row), jnp.zeros_like(log_column)), length=iterations)
    return jnp.where(is_pair, jnp.exp(jnp.where(is_pair, log_kernel + row[:, None] + column[None, :], 0.0)), 0.0)


_implicit_plan = jax.custom_vjp(_plan, nondiff_argnums=(3,))


def _planned(log_kernel, row_share, column_share, iterations):
    plan = _plan(log_kernel, row_share, column_share, iterations)
    return plan, (plan, row_share, column_share)


def _back_from_plan(iterations, held, gradient):
    """Solves the equations of `sinkhorn`, brought to v alone.

    A constant may move from v to u: b b^T fixes it. The same holds of each part of a plan that falls apart, which the
    small number on the diagonal is for.
    """
    del iterations
    plan, row_share, column_share = held
    weighted = plan * gradient
    per_row = jnp.where(row_share > 0, 1 / jnp.where(row_share > 0, row_share, 1.0), 0.0)
    matrix = jnp.diag(jnp.where(column_share > 0, column_share, 1.0) + _TINY) - plan.T @ (per_row[:, None] * plan)
    given = jnp.sum(weighted, axis=0) - plan.T @ (per_row * jnp.sum(weighted, axis=1))
    column = jnp.linalg.solve(matrix + column_share[:, None] * column_share[None, :], given)
    row = per_row * (jnp.sum(weighted, axis=1) - plan @ column)
    return plan * (gradient - row[:, None] - column[None, :]), row, column


_implicit_plan.defvjp(_planned, _back_from_plan)


def _masked(
    image_sets: ArrayLike, class_sets: ArrayLike, image_where: ArrayLike | None, class_where: ArrayLike | None
) -> list[tuple[jax.Array, jax.Array]]:
    """Elements (0 where masked) and masks, of the images and of the classes."""
    shapes = images, classes = jnp.shape(image_sets), jnp.shape(class_sets)
    if len(images) != 3 or len(classes) != 3 or images[2] != classes[2]:
        raise ValueError(
            f"image_sets must be [B, M, D] and class_sets [C, N, D] with the same D, not {images} and {classes}"
        )
    masks = [arguments.mask_like(where, shape[:2]) for where, shape in zip((image_where, class_where), shapes)]
    return [(jnp.where(mask[:, :, None], sets, 0), mask) for mask, sets in zip(masks, (image_sets, class_sets))]


def _never_best_without_elements(scores: jax.Array, image_where: jax.Array, class_where: jax.Array) -> jax.Array:
    has_elements = jnp.any(image_where, axis=1)[:, None] & jnp.any(class_where, axis=1)[None, :]
    return jnp.where(has_elements, scores, -jnp.inf)


def _pair_bytes(image_sets: ArrayLike, class_sets: ArrayLike) -> int:
    """Size of an array over all pairs of an element of one image and one of any class."""
    (_, elements, _), (classes, others, _) = jnp.shape(image_sets), jnp.shape(class_sets)
    return 4 * elements * classes * others


def _map_images(fn: Callable, images, image_bytes: int) -> jax.Array:
    """`fn` of each image; a few images at a time, and again for the gradient, where all at once would be large."""
    count = images[0].shape[0]
    if isinstance(count, int) and count * image_bytes <= KEPT_BYTES:
        return jax.vmap(fn)(images)
    return arguments.map_rows(jax.checkpoint(fn), images, size=max(BLOCK_BYTES // image_bytes, 1))
