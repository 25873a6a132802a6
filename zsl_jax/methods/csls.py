"""CSLS: a class that is near to many inputs loses what it has with its nearest ones."""

import jax
import jax.numpy as jnp

from zsl_jax import rules
from zsl_jax.methods import base, joint, registry


@registry.method(neighbours=rules.Knob("likeliest inputs of a class that say how near it is", rules.whole(1)))
def csls(scorer: base.Method, *, neighbours: int = 10) -> base.Method:
    """Cross-domain similarity local scaling of a method's scores: hubs among the classes are corrected.

        F(x_i, c) = 2 s_ic - mean of the k largest s_id over classes d - mean of the k largest s_jc over inputs j

    with scores s of mean 0 per input and deviation 1. Where fewer than k are there, the mean is over all of them.

    Args:
      scorer: the method whose scores s are corrected.
      neighbours: k >= 1.

    Reference: Lample, Conneau, Ranzato, Denoyer, Jegou, "Word translation without parallel data", ICLR 2018.
    """

    def decide(inputs: joint.Inputs) -> jax.Array:
        of_inputs = _mean_of_largest(inputs.scores, neighbours)
        counted = jnp.where(inputs.where[:, None], inputs.scores, -jnp.inf)
        of_classes = _mean_of_largest(counted.T, neighbours)
        return 2 * inputs.scores - of_inputs[:, None] - of_classes[None, :]

    return joint.around(scorer, decide)


def _mean_of_largest(values: jax.Array, count: int) -> jax.Array:
    """`[M]` mean of the largest finite values of each row of `[M, N]`."""
    largest, _ = jax.lax.top_k(values, min(count, values.shape[1]))
    return jnp.mean(largest, axis=1, where=jnp.isfinite(largest))
