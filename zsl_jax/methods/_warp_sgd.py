"""One pass of stochastic gradient descent with one example per step, for a bilinear model, done in blocks.

    scores_n = x_n^T W phi^T,    W <- W - learning_rate * x_n (g_n phi),    g_n = d loss(scores_n, label_n) / d scores_n

Within a block every step changes the scores of the later examples only through the inner products of the inputs,

    scores_n = x_n^T W_start phi^T - learning_rate * sum_{m < n} (x_n . x_m) g_m phi phi^T,

so that the g of a block solve a triangular system. A fixed-point iteration on all of them at once ends at the very
sequence of the loop: the first example is right from the start, and each sweep settles at least one more. The gradients
of ranking losses take few values (which classes violate), so that in practice a few sweeps settle the whole block. What
is left is a few matrix products per block instead of one tiny step per example.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import ranking


def warp_sgd(
    weights: ArrayLike,
    inputs: ArrayLike,
    labels: ArrayLike,
    attributes: ArrayLike,
    *,
    learning_rate: ArrayLike,
    margin: ArrayLike = 1.0,
    order: ArrayLike | None = None,
    block: int = 32,
) -> jax.Array:
    """The weights of a bilinear model after one epoch of SGD on `warp`, one example per step, as ALE was trained.

    The literal loop is::

        for n in order: weights -= learning_rate * gradient of warp(x_n^T weights attributes^T, label_n)

    The result is the same up to rounding. Where rounding moves a violation across zero, in the loop or here, that step
    differs, and what follows from it; over an epoch of a million violations that can happen once in float32.

    Use when: ALE should be trained as published, with steps of one example, without paying for a loop over them.

    Args:
      weights: `[F, A]`.
      inputs: `[N, F]`; the margin is in units of the scores, so their scale matters (unit length is usual).
      labels: `[N]` int, rows of `attributes`; an example whose label is not in `[0, C)` takes no step.
      attributes: `[C, A]`, the descriptions of the training classes.
      learning_rate: scalar > 0.
      margin: scalar >= 0.
      order: `[M]` int, the rows of `inputs` to visit, in this order; None visits all from the first to the last.
      block: examples that are solved together; it changes the speed alone. 32 is good on a CPU; where a small product
        takes as long as a large one, more is better.

    Returns:
      `[F, A]` weights, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> inputs, attributes = jnp.eye(3), jnp.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    >>> print(warp_sgd(jnp.zeros((3, 2)), inputs, jnp.array([0, 1, 1]), attributes, learning_rate=0.5))
    [[ 0.5625 -0.5625]
     [-0.5625  0.5625]
     [-0.5625  0.5625]]

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
    """

    def loss(scores, labels):
        return ranking.warp(scores, labels, margin=margin)

    return blocked_sgd(loss, weights, inputs, labels, attributes, learning_rate=learning_rate, order=order, block=block)


def blocked_sgd(
    loss: Callable[[jax.Array, jax.Array], jax.Array],
    weights: ArrayLike,
    inputs: ArrayLike,
    labels: ArrayLike,
    attributes: ArrayLike,
    *,
    learning_rate: ArrayLike,
    order: ArrayLike | None = None,
    block: int = 32,
) -> jax.Array:
    """The weights of a bilinear model after one pass of SGD with one example per step, on any loss of the scores.

    `for n in order: weights -= learning_rate * gradient of loss(x_n^T weights attributes^T, label_n)`

    `warp_sgd` is this with `warp`. A loss with a piecewise constant gradient (the hinges) is fastest; a smooth one
    takes as many sweeps per block as its rounding needs to settle, `block` at most.

    Use when: another score loss (`structured_hinge`, `softmax_cross_entropy`) should be trained one example per step.

    Args:
      loss: `(scores [B, C], labels [B]) -> [B]`, each value a function of its own row alone.
      weights: `[F, A]`.
      inputs: `[N, F]`.
      labels: `[N]` int, rows of `attributes`.
      attributes: `[C, A]`.
      learning_rate: scalar > 0.
      order: `[M]` int, the rows of `inputs` to visit, in this order; None visits all from the first to the last.
      block: examples that are solved together; it changes the speed alone.

    Returns:
      `[F, A]` weights, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> from zsl_jax import losses
    >>> labels, attributes = jnp.array([0, 1]), jnp.eye(2)
    >>> loss = losses.structured_hinge
    >>> print(blocked_sgd(loss, jnp.zeros((2, 2)), jnp.eye(2), labels, attributes, learning_rate=1.0))
    [[ 1. -1.]
     [-1.  1.]]
    """
    weights, inputs, attributes = map(arguments.as_float, (weights, inputs, attributes))
    if inputs.ndim != 2 or attributes.ndim != 2 or weights.shape != (inputs.shape[1], attributes.shape[1]):
        raise ValueError(
            f"weights must be [F, A], inputs [N, F] and attributes [C, A], "
            f"not {weights.shape}, {inputs.shape} and {attributes.shape}"
        )
    learning_rate = arguments.as_scalar(learning_rate=learning_rate)
    labels = arguments.class_labels(labels, attributes.shape[0])
    if labels.shape != inputs.shape[:1]:
        raise ValueError(f"inputs must be [N, F] and labels [N], not {inputs.shape} and {labels.shape}")
    order = None if order is None else jnp.asarray(order)
    visits = inputs.shape[0] if order is None else order.shape[0]
    if visits == 0:
        return weights
    block = min(block, visits)

    # The steps stay in the span of the attributes: with fewer classes than attributes, work in that smaller space.
    num_classes, num_attributes = attributes.shape
    if num_classes < num_attributes:
        basis, triangle = jnp.linalg.qr(attributes.T)  # attributes = triangle^T basis^T
        start, attributes = (weights @ basis).T, triangle.T
    else:
        basis, start = None, weights.T

    def take(first, size):
        if order is None:
            return tuple(jax.lax.dynamic_slice_in_dim(x, first, size) for x in (inputs, labels))
        rows = jax.lax.dynamic_slice_in_dim(order, first, size)
        return inputs[rows], labels[rows]

    gram = attributes @ attributes.T

    def solve_block(rows, first, size):
        """`rows [size + A, F]`: room for the inputs of the block, above the transposed weights."""
        x, y = take(first, size)
        rows = rows.at[:size].set(x)
        products = rows @ x.T  # one product for the Gram matrix of the inputs and for their scores
        scores = products[size:].T @ attributes.T
        later = jnp.arange(size)[:, None] > jnp.arange(size)[None, :]
        coupling = learning_rate * jnp.where(later, products[:size], 0.0)

        def gradient(scores):
            return jax.grad(lambda s: jnp.sum(loss(s, y)))(scores)

        def is_unsettled(carry):
            current, previous, sweep = carry
            return jnp.any(current != previous) & (sweep < size)

        def sweep_once(carry):
            current, _, sweep = carry
            return gradient(scores - coupling @ (current @ gram)), current, sweep + 1

        guess = gradient(scores)
        settled, *_ = jax.lax.while_loop(is_unsettled, sweep_once, (guess, jnp.full_like(guess, jnp.nan), 0))
        return rows.at[size:].add(-learning_rate * ((settled @ attributes).T @ x))

    full, rest = divmod(visits, block)
    rows = jnp.concatenate([jnp.zeros((block, inputs.shape[1]), inputs.dtype), start])
    rows = jax.lax.fori_loop(0, full, lambda i, rows: solve_block(rows, i * block, block), rows)
    rows = solve_block(rows[block - rest :], full * block, rest)[rest:] if rest else rows[block:]
    return rows.T if basis is None else weights + (basis @ (rows - start)).T
