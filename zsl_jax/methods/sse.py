"""SSE: a class is a mixture of seen classes, and so are its scores."""

import functools

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from zsl_jax import rules
from zsl_jax.methods import base, objectives, registry, seen_classes
from zsl_jax.methods.bilinear import by_bilinear


@registry.method(
    spread=rules.Knob("penalty that makes a class a mixture of more seen ones", rules.number(0)),
    margin=registry.MARGIN,
    learning_rate=registry.LEARNING_RATE,
    momentum=registry.MOMENTUM,
)
def sse(*, spread: float = 0.01, margin: float = 1.0, learning_rate: float = 0.3, momentum: float = 0.9) -> base.Method:
    """Semantic similarity embedding: classes as proportions of the seen ones, matched with images by a large margin.

        F(x, c) = sum_s alpha_cs f_s(x),    alpha_c = argmin ||phi_c - sum_s alpha_s phi_s||^2 + rho ||alpha||^2
        over proportions alpha_s >= 0 that sum to 1

    The images' side is linear here, f_s(x) = v_s . x, where the paper has a nonlinear one.

    Args:
      spread: rho > 0; more of it makes a class a mixture of more seen ones.
      margin: m > 0, in units of the score.
      learning_rate: of gradient descent, > 0.
      momentum: of gradient descent, in [0, 1).

    Reference: Zhang, Saligrama, "Zero-Shot Learning via Semantic Similarity Embedding", ICCV 2015.
    """
    hinge = objectives.make("structured_hinge", margin=margin)
    classifiers = by_bilinear(hinge, optax.sgd(learning_rate, momentum=momentum))
    return seen_classes.as_proportions(classifiers, functools.partial(seen_proportions, spread=spread))


def seen_proportions(attributes: ArrayLike, seen: ArrayLike, *, spread: ArrayLike, num_steps: int = 300) -> jax.Array:
    """The mixture of seen classes nearest to each class, by accelerated projected gradient descent.

    `alpha_c = argmin_{alpha >= 0, sum alpha = 1} ||phi_c - alpha Phi||^2 + rho ||alpha||^2`

    Args:
      attributes: `[C, A]`.
      seen: `[S, A]`, Phi.
      spread: rho > 0.
      num_steps: of the descent.

    Returns:
      `[C, S]`, rows that sum to 1.

    >>> import jax.numpy as jnp
    >>> print(seen_proportions(jnp.array([[0.5, 0.0]]), jnp.array([[0.0, 0.0], [1.0, 0.0]]), spread=1e-6).round(3))
    [[0.5 0.5]]
    """
    attributes, seen = jnp.asarray(attributes, jnp.float32), jnp.asarray(seen, jnp.float32)
    gram = seen @ seen.T
    step = 1 / (jnp.linalg.norm(gram, ord=2) + spread)

    def descend(carry, t):
        alpha, ahead = carry
        gradient = ahead @ gram - attributes @ seen.T + spread * ahead
        following = on_simplex(ahead - step * gradient)
        return (following, following + t / (t + 3) * (following - alpha)), None

    start = jnp.full((len(attributes), len(seen)), 1 / len(seen))
    (alpha, _), _ = jax.lax.scan(descend, (start, start), jnp.arange(num_steps, dtype=jnp.float32))
    return alpha


def on_simplex(x: ArrayLike) -> jax.Array:
    """Returns the rows of x `[C, S]`, each moved to the nearest point with no negative entry and sum 1.

    >>> import jax.numpy as jnp
    >>> print(on_simplex(jnp.array([[0.5, 0.5], [2.0, 0.0], [0.0, -1.0]])))
    [[0.5 0.5]
     [1.  0. ]
     [1.  0. ]]
    """
    descending = -jnp.sort(-jnp.asarray(x), axis=1)
    excess = (jnp.cumsum(descending, axis=1) - 1) / jnp.arange(1, x.shape[1] + 1)[None, :]
    kept = jnp.sum(descending > excess, axis=1, keepdims=True)
    return jnp.maximum(x - jnp.take_along_axis(excess, kept - 1, axis=1), 0)
