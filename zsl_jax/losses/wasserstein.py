"""The gradient penalty that keeps a critic near slope 1, so that it estimates a Wasserstein distance."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments

__all__: Sequence[str] = ("gradient_penalty", "squared_departure", "two_layer_gradient_penalty")


def gradient_penalty(
    key: jax.Array, critic: Callable[[jax.Array], jax.Array], real: ArrayLike, fake: ArrayLike
) -> jax.Array:
    """Squared departure from 1 of a critic's slope at random points between real and generated features.

    `loss_i = (||grad critic(e_i real_i + (1 - e_i) fake_i)|| - 1)^2`

    Use when: a critic of any form is trained to tell real from generated features (WGAN-GP).

    Args:
      key: PRNG key of the `e_i`, uniform in [0, 1).
      critic: `(points [B, F]) -> [B]`, row by row; it may close over parameters that are differentiated.
      real: `[B, F]`.
      fake: `[B, F]`.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax, jax.numpy as jnp
    >>> slope = jnp.array([3.0, 4.0])
    >>> print(gradient_penalty(jax.random.key(0), lambda x: x @ slope, jnp.ones((2, 2)), jnp.zeros((2, 2))))
    [16. 16.]

    Reference: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved Training of Wasserstein GANs", NeurIPS 2017.
    """
    real, fake = arguments.as_float(real), arguments.as_float(fake)
    arguments.check_same_shape(2, real=real, fake=fake)
    share = jax.random.uniform(key, (len(real), 1))
    slopes = jax.grad(lambda x: jnp.sum(arguments.as_float(critic(x))))(share * real + (1 - share) * fake)
    return squared_departure(slopes)


def two_layer_gradient_penalty(
    hidden: ArrayLike, hidden_weights: ArrayLike, output_weights: ArrayLike, *, negative_slope: float = 0.2
) -> jax.Array:
    """The gradient penalty of a critic with one hidden layer of leaky ReLUs, in closed form.

    `loss_i = (||U (a'(h_i) w)|| - 1)^2` for the critic `a(x U + b) w`, with `h_i = x_i U + b`

    Use when: the critic has this form. At a point between two others `h_i` lies between theirs, so that the penalty
    needs no product of its own in the forward pass, and its gradient none with the points.

    Args:
      hidden: `[B, H]`, the hidden layer before its nonlinearity, at the points of the penalty.
      hidden_weights: `[F, H]` U, of the features alone.
      output_weights: `[H]` w.
      negative_slope: of the leaky ReLU a, in [0, 1].

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(two_layer_gradient_penalty(jnp.array([[1.0, -1.0]]), 3 * jnp.eye(2), jnp.array([1.0, 0.0])))
    [4.]

    Reference: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved Training of Wasserstein GANs", NeurIPS 2017.
    """
    hidden, hidden_weights = arguments.as_float(hidden), arguments.as_float(hidden_weights)
    output_weights = arguments.as_float(output_weights)
    ranks, width = (hidden.ndim, hidden_weights.ndim), hidden.shape[-1:]
    if ranks != (2, 2) or hidden_weights.shape[1:] != width or output_weights.shape != width:
        raise ValueError(
            f"hidden must be [B, H], hidden_weights [F, H] and output_weights [H], "
            f"not {hidden.shape}, {hidden_weights.shape} and {output_weights.shape}"
        )
    slope = jnp.where(hidden > 0, 1.0, jnp.where(jnp.isnan(hidden), jnp.nan, negative_slope)) * output_weights[None, :]
    return squared_departure(slope @ hidden_weights.T)


def squared_departure(slopes: ArrayLike) -> jax.Array:
    """Squared departure of lengths from 1, where the slopes of a critic are at hand.

    `loss_i = (||g_i|| - 1)^2`

    Use when: the slopes of a critic come from elsewhere, or something else is to have unit length.

    Args:
      slopes: `[B, F]` g.

    Returns:
      `[B]` losses, float32; the gradient at a slope of zero is zero.

    Raises:
      ValueError: not two axes.

    >>> import jax.numpy as jnp
    >>> print(squared_departure(jnp.array([[3.0, 4.0], [0.0, 0.0]])))
    [16.  1.]
    """
    slopes = arguments.as_float(slopes)
    if slopes.ndim != 2:
        raise ValueError(f"slopes must be [B, F], not {slopes.shape}")
    squares = jnp.sum(slopes**2, axis=1)
    is_flat = squares == 0
    return jnp.where(is_flat, 1.0, (jnp.sqrt(jnp.where(is_flat, 1.0, squares)) - 1) ** 2)
