"""Label propagation: each input takes part of its answer from its nearest neighbours."""

import jax
import jax.numpy as jnp

from zsl_jax import rules
from zsl_jax.methods import base, joint, registry


@registry.method(
    temperature=joint.TEMPERATURE,
    pull=rules.Knob("share of an answer that comes from the neighbours", rules.number(0, 1, ends="[)")),
    neighbours=joint.NEIGHBOURS,
    iterations=rules.Knob("updates of the answers", rules.whole(1)),
    seen_penalty=joint.SEEN_PENALTY,
    space=joint.SPACE,
)
def label_propagation(
    scorer: base.Method,
    *,
    temperature: float = 0.3,
    pull: float = 0.8,
    neighbours: int = 5,
    iterations: int = 20,
    seen_penalty: float = 0.0,
    space: str = "inputs",
) -> base.Method:
    """Label propagation on the graph of nearest neighbours, from the probabilities of any method.

        y_i = softmax((s_i - g [c is seen]) / t),    f_i <- p sum_j w_ij f_j + (1 - p) y_i,    F(x_i, c) = log f_ic

    with w_ij the cosine of x_i and its neighbour x_j, 0 for others, summing to 1 over j: a random walk that goes back
    to y. An input without any neighbour keeps y.

    Args:
      scorer: the method that the answers start from.
      temperature: t > 0, in units of the spread of the scores.
      pull: p in [0, 1).
      neighbours: from 0 to 16.
      iterations: >= 1.
      seen_penalty: g >= 0, in units of the spread of the scores.
      space: what x is, see `transclip`.

    Reference: Zhou, Bousquet, Lal, Weston, Schoelkopf, "Learning with Local and Global Consistency", NeurIPS 2003.
    """

    def decide(inputs: joint.Inputs) -> jax.Array:
        start = jnp.exp(joint.log_prior(inputs, temperature, seen_penalty))
        near = joint.neighbours(inputs, neighbours)
        total = jnp.sum(near.weights, axis=0)
        near = near._replace(weights=near.weights / jnp.where(total > 0, total, 1)[None, :])
        pulls = jnp.where(total > 0, pull, 0)[:, None]

        def update(shares, _):
            return pulls * joint.spread(near, shares) + (1 - pulls) * start, None

        shares = jax.lax.scan(update, start, length=iterations)[0]
        return jnp.log(jnp.maximum(shares, jnp.finfo(shares.dtype).tiny))

    return joint.around(scorer, decide, space=space)
