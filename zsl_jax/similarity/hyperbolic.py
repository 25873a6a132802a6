"""Similarities in hyperbolic space, which has room for hierarchies: the general near the origin, the special far out.

Two models of the space of curvature `-c`. In the Poincare ball a point is a vector of norm below `1 / sqrt(c)`. In the
Lorentz model it is any vector `x`, the space part of a point on a hyperboloid; the time part is
`sqrt(1 / c + ||x||^2)`, and there is no edge to run into. A vector from a network becomes a point by `poincare_exp0` or
`lorentz_exp0`.

All of it is computed in float32 at least, by formulas that lose no digits near the origin. The distance of two near
points far from it is a small difference of large numbers.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.similarity import _scaling, euclidean

__all__: Sequence[str] = (
    "lorentz",
    "lorentz_exp0",
    "lorentz_exterior_angle",
    "lorentz_half_aperture",
    "lorentz_log0",
    "poincare",
    "poincare_exp0",
    "poincare_log0",
    "poincare_project",
)

EDGE = 1e-5  # points of the ball stay this share of its radius away from its edge
LONGEST = math.asinh(2**15)  # tangent vectors of the Lorentz model are cut here, so that float32 holds the squares


def poincare(image_embeddings: ArrayLike, class_embeddings: ArrayLike, *, curvature: ArrayLike = 1.0) -> jax.Array:
    """Negative hyperbolic distances in the Poincare ball; the gradient at a distance of 0 is 0.

    `scores[b, c] = -1/sqrt(c) arcosh(1 + 2 c ||x_b - y_c||^2 / ((1 - c ||x_b||^2) (1 - c ||y_c||^2)))`

    The differences are taken one by one, since near the edge a matrix product leaves no digits of them; the cost is
    that of `B * C * D` elementwise operations. For wide embeddings use `lorentz`, which is one matrix product.

    Args:
      image_embeddings: `[B, D]`, of norm below `1 / sqrt(curvature)`; points nearer to the edge than `poincare_project`
        leaves them are taken to lie there.
      class_embeddings: `[C, D]`, likewise.
      curvature: scalar > 0, c.

    Returns:
      `[B, C]` scores, at most 0, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(poincare(jnp.array([[0.0, 0.0]]), jnp.array([[0.6, 0.0], [0.0, 0.0]])).round(4))
    [[-1.3863 -0.    ]]

    Reference: Nickel, Kiela, "Poincare Embeddings for Learning Hierarchical Representations", NeurIPS 2017.
    """
    arguments.check_embeddings(image_embeddings, class_embeddings, "image_embeddings", "class_embeddings")
    curvature = arguments.as_scalar(curvature=curvature)
    x, y = arguments.as_float(image_embeddings), arguments.as_float(class_embeddings)
    squared = jnp.sum((x[:, None, :] - y[None, :, :]) ** 2, axis=-1)
    room = _room(x, curvature)[:, None] * _room(y, curvature)[None, :]
    # arcosh(1 + 2 t) = 2 arsinh(sqrt(t)), which is accurate for small t.
    return -2.0 / jnp.sqrt(curvature) * jnp.arcsinh(euclidean.safe_sqrt(curvature * squared / room))


def poincare_project(points: ArrayLike, *, curvature: ArrayLike = 1.0) -> jax.Array:
    """Points moved back into the Poincare ball: those beyond `(1 - 1e-5) / sqrt(c)` are shortened to that norm.

    `x * min(1, (1 - 1e-5) / (sqrt(c) ||x||))`

    Args:
      points: `[..., D]`.
      curvature: scalar > 0, c.

    Returns:
      `[..., D]`, float32.

    >>> import jax.numpy as jnp
    >>> print(poincare_project(jnp.array([[3.0, 4.0], [0.3, 0.4]])).round(3))
    [[0.6 0.8]
     [0.3 0.4]]

    Reference: Nickel, Kiela, "Poincare Embeddings for Learning Hierarchical Representations", NeurIPS 2017.
    """
    points, curvature = arguments.as_float(points), arguments.as_scalar(curvature=curvature)
    norm = jnp.sqrt(curvature) * _scaling.length(points)
    is_outside = norm > 1.0 - EDGE
    return points * jnp.where(is_outside, (1.0 - EDGE) / jnp.where(is_outside, norm, 1.0), 1.0)


def poincare_exp0(vectors: ArrayLike, *, curvature: ArrayLike = 1.0) -> jax.Array:
    """Exponential map at the origin of the Poincare ball: tangent vectors become points.

    `tanh(sqrt(c) ||v||) v / (sqrt(c) ||v||)`, within the reach of `poincare_project`

    Args:
      vectors: `[..., D]`.
      curvature: scalar > 0, c.

    Returns:
      `[..., D]` points, float32.

    >>> import jax.numpy as jnp
    >>> print(poincare_exp0(jnp.array([[0.0, 0.0], [0.5, 0.0]])).round(4))
    [[0.     0.    ]
     [0.4621 0.    ]]

    Reference: Ganea, Becigneul, Hofmann, "Hyperbolic Neural Networks", NeurIPS 2018.
    """
    vectors, curvature = arguments.as_float(vectors), arguments.as_scalar(curvature=curvature)
    scaled = _over_argument(jnp.tanh, -1.0 / 3.0, vectors, curvature)
    return poincare_project(vectors * scaled, curvature=curvature)


def poincare_log0(points: ArrayLike, *, curvature: ArrayLike = 1.0) -> jax.Array:
    """Logarithmic map at the origin of the Poincare ball, the inverse of `poincare_exp0`.

    `artanh(sqrt(c) ||x||) x / (sqrt(c) ||x||)`

    Args:
      points: `[..., D]`, of norm below `1 / sqrt(curvature)`; others are projected first.
      curvature: scalar > 0, c.

    Returns:
      `[..., D]` tangent vectors, float32.

    >>> import jax.numpy as jnp
    >>> print(poincare_log0(jnp.array([[0.6, 0.0]])).round(4))
    [[0.6931 0.    ]]

    Reference: Ganea, Becigneul, Hofmann, "Hyperbolic Neural Networks", NeurIPS 2018.
    """
    curvature = arguments.as_scalar(curvature=curvature)
    points = poincare_project(points, curvature=curvature)
    return points * _over_argument(jnp.arctanh, 1.0 / 3.0, points, curvature)


def lorentz(image_embeddings: ArrayLike, class_embeddings: ArrayLike, *, curvature: ArrayLike = 1.0) -> jax.Array:
    """Negative hyperbolic distances in the Lorentz model; the gradient at a distance of 0 is 0.

    `scores[b, c] = -1/sqrt(c) arcosh(c (t_b t_c - x_b . y_c))` with the times `t = sqrt(1 / c + ||x||^2)`

    Args:
      image_embeddings: `[B, D]` space parts.
      class_embeddings: `[C, D]` space parts.
      curvature: scalar > 0, c (learned from 1 within [0.1, 10] in MERU).

    Returns:
      `[B, C]` scores, at most 0, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(lorentz(jnp.array([[0.0, 0.0]]), jnp.array([[0.75, 0.0], [0.0, 0.0]])).round(4))
    [[-0.6931 -0.    ]]

    Reference: Desai, Nickel, Rajpurohit, Johnson, Vedantam, "Hyperbolic Image-Text Representations", ICML 2023 (MERU).
    """
    arguments.check_embeddings(image_embeddings, class_embeddings, "image_embeddings", "class_embeddings")
    curvature = arguments.as_scalar(curvature=curvature)
    x, y = arguments.as_float(image_embeddings), arguments.as_float(class_embeddings)
    products = jnp.matmul(x, y.T, precision=jax.lax.Precision.HIGHEST)
    rise_x, rise_y = (_rise(z, curvature) for z in (x, y))
    excess = _excess(rise_x[:, None], rise_y[None, :], products, curvature)
    return -2.0 / jnp.sqrt(curvature) * jnp.arcsinh(euclidean.safe_sqrt(0.5 * excess))


def lorentz_exp0(vectors: ArrayLike, *, curvature: ArrayLike = 1.0) -> jax.Array:
    """Exponential map at the origin of the Lorentz model: tangent vectors become (the space parts of) points.

    `sinh(sqrt(c) ||v||) v / (sqrt(c) ||v||)`; the argument of sinh is cut at `arsinh(2^15)`

    Args:
      vectors: `[..., D]`.
      curvature: scalar > 0, c.

    Returns:
      `[..., D]` space parts, float32.

    >>> import jax.numpy as jnp
    >>> print(lorentz_exp0(jnp.array([[0.0, 0.0], [0.6931472, 0.0]])).round(4))
    [[0.   0.  ]
     [0.75 0.  ]]

    Reference: Desai, Nickel, Rajpurohit, Johnson, Vedantam, "Hyperbolic Image-Text Representations", ICML 2023 (MERU).
    """
    vectors, curvature = arguments.as_float(vectors), arguments.as_scalar(curvature=curvature)
    return vectors * _over_argument(lambda r: jnp.sinh(jnp.minimum(r, LONGEST)), 1.0 / 6.0, vectors, curvature)


def lorentz_log0(points: ArrayLike, *, curvature: ArrayLike = 1.0) -> jax.Array:
    """Logarithmic map at the origin of the Lorentz model, the inverse of `lorentz_exp0`.

    `arsinh(sqrt(c) ||x||) x / (sqrt(c) ||x||)`

    Args:
      points: `[..., D]` space parts.
      curvature: scalar > 0, c.

    Returns:
      `[..., D]` tangent vectors, float32.

    >>> import jax.numpy as jnp
    >>> print(lorentz_log0(jnp.array([[0.75, 0.0]])).round(4))
    [[0.6931 0.    ]]

    Reference: Desai, Nickel, Rajpurohit, Johnson, Vedantam, "Hyperbolic Image-Text Representations", ICML 2023 (MERU).
    """
    points, curvature = arguments.as_float(points), arguments.as_scalar(curvature=curvature)
    return points * _over_argument(jnp.arcsinh, -1.0 / 6.0, points, curvature)


def lorentz_half_aperture(points: ArrayLike, *, curvature: ArrayLike = 1.0, min_radius: ArrayLike = 0.1) -> jax.Array:
    """Half the opening angle of the cone of all that a point entails: wide for the general near the origin.

    `arcsin(2 K / (sqrt(c) ||x||))`; pi / 2 where that is not below 1

    Args:
      points: `[..., D]` space parts.
      curvature: scalar > 0, c.
      min_radius: scalar > 0, K; nearer to the origin than `2 K / sqrt(c)` there are no cones.

    Returns:
      `[...]` angles in (0, pi / 2], float32.

    >>> import jax.numpy as jnp
    >>> print(lorentz_half_aperture(jnp.array([[0.4, 0.0], [0.0, 0.1]])).round(4))
    [0.5236 1.5708]

    Reference: Desai, Nickel, Rajpurohit, Johnson, Vedantam, "Hyperbolic Image-Text Representations", ICML 2023 (MERU).
    """
    points, curvature = arguments.as_float(points), arguments.as_scalar(curvature=curvature)
    norm = jnp.sqrt(curvature) * _scaling.length(points)[..., 0]
    reach = 2.0 * arguments.as_scalar(min_radius=min_radius)
    has_cone = ~(norm <= reach)
    return jnp.where(has_cone, jnp.arcsin(reach / jnp.where(has_cone, norm, 2.0 * reach)), jnp.pi / 2.0)


def lorentz_exterior_angle(parents: ArrayLike, children: ArrayLike, *, curvature: ArrayLike = 1.0) -> jax.Array:
    """Angle at each parent between the ray from the origin through it, prolonged, and the line to its child.

    `arccos((t_y + t_x c <x, y>) / (||x|| sqrt((c <x, y>)^2 - 1)))` with `<x, y> = x . y - t_x t_y`

    0 for a child further out on the ray, pi for one on the way to the origin. 0 also, with gradient 0, where there is
    no angle: a parent at the origin, or a child so near to its parent that float32 does not tell them apart.

    Args:
      parents: `[B, D]` space parts, x.
      children: `[B, D]` space parts, y.
      curvature: scalar > 0, c.

    Returns:
      `[B]` angles in [0, pi], float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> parents, children = jnp.array([[1.0, 0.0], [1.0, 0.0]]), jnp.array([[2.0, 0.0], [0.5, 0.0]])
    >>> print(lorentz_exterior_angle(parents, children).round(4))
    [0.     3.1416]

    Reference: Desai, Nickel, Rajpurohit, Johnson, Vedantam, "Hyperbolic Image-Text Representations", ICML 2023 (MERU).
    """
    arguments.check_same_shape(2, parents=parents, children=children)
    curvature = arguments.as_scalar(curvature=curvature)
    x, y = arguments.as_float(parents), arguments.as_float(children)
    rise_x, rise_y = _rise(x, curvature), _rise(y, curvature)
    products, squares_x, squares_y = jnp.sum(x * y, axis=-1), _squared(x)[:, 0], _squared(y)[:, 0]
    excess = _excess(rise_x, rise_y, products, curvature)
    has_angle = ~((squares_x <= 0) | (excess <= 1e-6 * curvature * (squares_x + squares_y)))
    # The sine rule gives the sine over the same denominator, so that no arccos is taken near 1.
    aside = y - (products / jnp.where(has_angle, squares_x, 1.0))[:, None] * x
    sine = jnp.sqrt(curvature) * euclidean.safe_sqrt(squares_x) * _scaling.length(aside)[:, 0]
    # t_y + t_x c <x, y> with the times written as 1 / sqrt(c) + rise, and c <x, y> as -(1 + excess).
    cosine = rise_y - rise_x - (1.0 / jnp.sqrt(curvature) + rise_x) * excess
    return jnp.where(has_angle, jnp.arctan2(sine, jnp.where(has_angle, cosine, 1.0)), 0.0)


def _squared(x: jax.Array) -> jax.Array:
    return jnp.sum(x * x, axis=-1, keepdims=True)


def _room(x: jax.Array, curvature: jax.Array) -> jax.Array:
    """`1 - c ||x||^2`, at least that of the points that `poincare_project` leaves, `[N]`."""
    return jnp.maximum(1.0 - curvature * _squared(x)[:, 0], 2.0 * EDGE)


def _over_argument(
    fn: Callable[[jax.Array], jax.Array], second_order: float, x: jax.Array, curvature: jax.Array
) -> jax.Array:
    """`fn(r) / r` of `r = sqrt(c) ||x||`; for small r, where that is 0 / 0, the series `1 + second_order * r^2`."""
    squared = curvature * _squared(x)
    is_small, is_large = squared < 1e-6, squared > 1e30
    r = jnp.sqrt(jnp.where(is_small | is_large, 1e-6, squared))
    r = jnp.where(is_large, jnp.sqrt(curvature) * _scaling.length(x), r)
    return jnp.where(is_small, 1.0 + second_order * squared, fn(r) / r)


def _rise(x: jax.Array, curvature: jax.Array) -> jax.Array:
    """By how much the time part exceeds its least value `1 / sqrt(c)`, without taking their difference, `[...]`."""
    squared = _squared(x)[..., 0]
    return squared / (jnp.sqrt(1.0 / curvature + squared) + 1.0 / jnp.sqrt(curvature))


def _excess(rise_x: jax.Array, rise_y: jax.Array, products: jax.Array, curvature: jax.Array) -> jax.Array:
    """`-c <x, y> - 1`, which is 0 for equal points: `cosh(sqrt(c) d) - 1`."""
    excess = curvature * (rise_x * rise_y - products) + jnp.sqrt(curvature) * (rise_x + rise_y)
    return jnp.maximum(excess, 0.0)
