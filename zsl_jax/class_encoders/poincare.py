"""Vectors of a hierarchy in the Poincare ball, by Riemannian steps: the general near the origin, the special far out.

    loss(u, v) = -log exp(-d(u, v)) / sum_{v' in {v} and negatives of u} exp(-d(u, v'))        v above u, d the distance
    x <- project(x - rate (1 - ||x||^2)^2 / 4 * gradient)

Classes that are not among the nodes get a place of their own in the end, the nodes held: no class moves another one.

Reference: Nickel, Kiela, "Poincare Embeddings for Learning Hierarchical Representations", NeurIPS 2017.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import similarity

_START = 1e-3  # half the width of the cube that vectors start in
_NEGATIVES = 10
_PAIRS = 64  # of a step


def fit(above: np.ndarray, *, dimensions: int = 10, steps: int = 4000, rate: float = 0.1, seed: int = 0) -> np.ndarray:
    """Returns a point for each node of a hierarchy.

    Args:
      above: `[M, M]` bool, whether node j is above node i; the diagonal does not count.
      dimensions: D.
      steps: of 64 pairs with 10 negatives each; the first tenth at a tenth of the rate.
      rate: of a step.
      seed: of start, pairs and negatives.

    Returns:
      `[M, D]` float32, of norm below 1.

    >>> above = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 0]], bool)
    >>> root, one, other = fit(above, dimensions=2, steps=200)
    >>> bool(np.linalg.norm(root) < np.linalg.norm(one))
    True

    Raises:
      ValueError: no node is above another, or a matrix that is not square.
    """
    above = np.asarray(above, bool) & ~np.eye(len(above), dtype=bool)
    if above.ndim != 2 or above.shape[0] != above.shape[1] or not above.any():
        raise ValueError(f"above must be [M, M] bool with a node above another, not {above.shape}")
    key = jax.random.key(seed)
    pairs = jnp.asarray(np.argwhere(above), jnp.int32)
    return np.asarray(_fitted(key, pairs, jnp.asarray(above), rate, dimensions=dimensions, steps=steps))


def placed(points: np.ndarray, above: np.ndarray, *, steps: int = 300, rate: float = 0.3) -> np.ndarray:
    """Returns points for classes below some nodes, the nodes held; each class by itself.

    Args:
      points: `[M, D]` of the nodes.
      above: `[C, M]` bool, whether node j is at or above class i; one at least for each class.
      steps: gradient steps with all pairs of a class.
      rate: of a step.

    Returns:
      `[C, D]` float32, of norm below 1.
    """
    return np.asarray(_placed(jnp.asarray(points), jnp.asarray(above), rate, steps=steps))


def tangent(points: np.ndarray) -> np.ndarray:
    """Returns points as vectors of a linear space, as long as they are far from the origin: `poincare_log0`."""
    return np.asarray(similarity.poincare_log0(points))


@functools.partial(jax.jit, static_argnames=("dimensions", "steps"))
def _fitted(key, pairs, above, rate, *, dimensions, steps):
    count = len(above)
    start, key = jax.random.split(key)

    def step(points, numbered):
        number, key = numbered
        of_pair, of_negatives = jax.random.split(key)
        low, high = pairs[jax.random.randint(of_pair, (_PAIRS,), 0, len(pairs))].T
        others = jax.random.randint(of_negatives, (_PAIRS, _NEGATIVES), 0, count)
        counts = ~above[low[:, None], others] & (others != low[:, None])
        candidates = jnp.concatenate([high[:, None], others], axis=1)
        counts = jnp.concatenate([jnp.ones((_PAIRS, 1), bool), counts], axis=1)

        def loss(points):
            return jnp.sum(jax.vmap(_loss)(points[low], points[candidates], counts))

        burn = jnp.where(number < steps // 10, 0.1, 1.0)
        return _moved(points, jax.grad(loss)(points), rate * burn), None

    points = jax.random.uniform(start, (count, dimensions), minval=-_START, maxval=_START)
    return jax.lax.scan(step, points, (jnp.arange(steps), jax.random.split(key, steps)))[0]


@functools.partial(jax.jit, static_argnames="steps")
def _placed(points, above, rate, *, steps):
    def of_class(is_above):
        def loss(point):
            """The mean over the nodes above: near each of them, far from all others."""
            distances = -similarity.poincare(point[None], points)[0]
            others = jnp.where(is_above, -jnp.inf, -distances)
            each = jnp.logaddexp(-distances, jax.nn.logsumexp(others)) + distances
            return jnp.sum(jnp.where(is_above, each, 0.0)) / jnp.maximum(jnp.sum(is_above), 1)

        # From beside the lowest of them, the one furthest out.
        far = jnp.where(is_above, jnp.sum(points**2, axis=1), -1.0)
        start = points[jnp.argmax(far)] * 0.9

        def step(_, point):
            return _moved(point[None], jax.grad(loss)(point)[None], rate)[0]

        return jax.lax.fori_loop(0, steps, step, start)

    return jax.vmap(of_class)(above)


def _loss(point, candidates, counts):
    distances = -similarity.poincare(point[None], candidates)[0]
    return distances[0] + jax.nn.logsumexp(jnp.where(counts, -distances, -jnp.inf))


def _moved(points, gradient, rate):
    scale = (1 - jnp.sum(points**2, axis=1, keepdims=True)) ** 2 / 4
    return similarity.poincare_project(points - rate * scale * gradient)
