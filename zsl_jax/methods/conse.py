"""ConSE: an image is the mixture of the descriptions of the seen classes that it is taken for."""

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from zsl_jax import rules, similarity
from zsl_jax.methods import base, registry, seen_classes


@registry.method(
    num_top=rules.Knob("seen classes that an image is a mixture of", rules.whole(1)),
    learning_rate=registry.LEARNING_RATE,
    momentum=registry.MOMENTUM,
)
def conse(*, num_top: int = 10, learning_rate: float = 3.0, momentum: float = 0.9) -> base.Method:
    """Convex combination of semantic embeddings: a softmax classifier of the seen classes, and nothing else trained.

        F(x, c) = cos(e(x), phi_c),    e(x) = sum_{t <= T} p(s_t | x) phi_{s_t} / sum_{t <= T} p(s_t | x)

    over the T most probable seen classes s_t.

    Args:
      num_top: T >= 1; more than there are seen classes stands for all of them.
      learning_rate: of gradient descent, > 0.
      momentum: of gradient descent, in [0, 1).

    Reference: Norouzi, Mikolov, Bengio, Singer, Shlens, Frome, Corrado, Dean, "Zero-Shot Learning by Convex Combination
    of Semantic Embeddings", ICLR 2014.
    """

    return seen_classes.keep_seen(
        seen_classes.seen_softmax(optax.sgd(learning_rate, momentum=momentum)),
        embed=lambda logits, seen: mixture(jax.nn.softmax(logits), seen, num_top=num_top),
        scores=lambda mixed, attributes, seen: similarity.cosine(mixed, attributes),
    )


def mixture(probabilities: ArrayLike, seen: ArrayLike, *, num_top: int) -> jax.Array:
    """Mean of the descriptions of the most probable seen classes, weighted by their probabilities.

    Args:
      probabilities: `[B, S]`.
      seen: `[S, A]`.
      num_top: T >= 1.

    Returns:
      `[B, A]`.

    >>> import jax.numpy as jnp
    >>> print(mixture(jnp.array([[0.6, 0.2, 0.2]]), jnp.array([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]), num_top=2))
    [[0.75 0.25]]
    """
    top, rows = jax.lax.top_k(probabilities, min(num_top, probabilities.shape[1]))
    return jnp.einsum("bt,bta->ba", top / jnp.sum(top, axis=1, keepdims=True), jnp.asarray(seen)[rows])
