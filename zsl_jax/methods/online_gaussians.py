"""Online Gaussians: each input is answered by what the inputs before it have shown, and is shown to those after."""

import jax
import jax.numpy as jnp

from zsl_jax import rules
from zsl_jax.methods import base, joint, registry


@registry.method(
    temperature=joint.TEMPERATURE,
    density=rules.Knob("weight of the log-densities, means over the dimensions", rules.number(0, ends="[)")),
    prior=rules.Knob("inputs that the common mean counts for in the mean of each class", rules.number(0)),
    seen_penalty=joint.SEEN_PENALTY,
    order=rules.Knob("of the inputs: 0 as they come, n for the nth that is drawn", rules.whole(0)),
    space=joint.SPACE,
)
def online_gaussians(
    scorer: base.Method,
    *,
    temperature: float = 0.4,
    density: float = 30.0,
    prior: float = 3.0,
    seen_penalty: float = 0.0,
    order: int = 0,
    space: str = "inputs",
) -> base.Method:
    """A Gaussian per class that is updated as inputs come; an answer is given at once and never taken back.

        y_i  = softmax((s_i - g [c is seen]) / t)
        z_i  = softmax(log y_i + a / D sum_d -(x_id - mu_cd)^2 / (2 v_d))
        mu_c = (sum_{j<i} z_jc x_j + k m) / (sum_{j<i} z_jc + k)
        v_d  = (1/D + sum_{j<i} sum_c z_jc (x_jd - mu_cd)^2) / i

    with unit vectors x, m their mean before i, and scores s of mean 0 and deviation 1 over the classes of an input. The
    scores returned are the logarithms of z. A class that nothing was given to is at the mean of all inputs, which
    favours nobody. It is `transclip` in one pass, without neighbours: the memory is that of C means.

    What an input is answered depends on those before it. `order` draws orders from the numbers of the inputs alone, so
    that several of them measure how much: benchmarks come sorted by class, as no stream does.

    Args:
      scorer: the method whose scores s are corrected; it trains as it would alone.
      temperature: t > 0, in units of the spread of the scores.
      density: a >= 0.
      prior: k > 0.
      seen_penalty: g >= 0, in units of the spread of the scores.
      order: 0 for the order in which inputs come, n >= 1 for the nth that is drawn.
      space: what x is: the scaled `inputs`, or the `embeddings` of the scorer.

    Raises:
      UserError: see `joint.around`.

    Reference: online k-means of MacQueen, "Some Methods for Classification and Analysis of Multivariate Observations",
    Berkeley Symposium 1967; for zero-shot: Qian, Hu, "Online Zero-Shot Classification with CLIP", ECCV 2024.
    """

    def decide(inputs: joint.Inputs) -> jax.Array:
        deviation = jnp.std(inputs.scores, axis=1, keepdims=True)
        scores = inputs.scores / jnp.maximum(deviation, jnp.finfo(jnp.float32).tiny)
        log_prior = joint.log_prior(inputs._replace(scores=scores), temperature, seen_penalty)

        def answer(so_far, one):
            sums, counts, squares = so_far
            vector, logs, counted = one
            number = jnp.sum(counts)
            common = jnp.sum(sums, axis=0) / jnp.maximum(number, 1.0)
            means = (sums + prior * common[None, :]) / (counts + prior)[:, None]
            apart = (vector[None, :] - means) ** 2
            variances = (1 / len(vector) + squares) / (number + 1)
            logs = jax.nn.log_softmax(logs - density / 2 * jnp.mean(apart / variances[None, :], axis=1))
            shares = jnp.exp(logs) * counted
            return (sums + shares[:, None] * vector[None, :], counts + shares, squares + shares @ apart), logs

        num_classes, width = scores.shape[1], inputs.vectors.shape[1]
        nothing = jnp.zeros((num_classes, width)), jnp.zeros(num_classes), jnp.zeros(width)
        return jax.lax.scan(answer, nothing, (inputs.vectors, log_prior, inputs.where.astype(jnp.float32)))[1]

    def arrange(vectors, where):
        return joint.own_order(vectors, where, order) if order else jnp.argsort(~where, stable=True)

    return joint.around(scorer, decide, space=space, arrange=arrange)
