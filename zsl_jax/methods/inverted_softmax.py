"""Inverted softmax and Sinkhorn balancing: classes choose among the inputs as inputs do among the classes."""

import jax
import jax.numpy as jnp

from zsl_jax import rules
from zsl_jax.methods import base, joint, registry


@registry.method(temperature=joint.TEMPERATURE)
def inverted_softmax(scorer: base.Method, *, temperature: float = 0.3) -> base.Method:
    """Inverted softmax of a method's scores: each class chooses among the inputs, so that none is near to all of them.

        F(x_i, c) = s_ic / t - log sum_j exp(s_jc / t)

    with scores s of mean 0 per input and deviation 1.

    Args:
      scorer: the method whose scores s are corrected.
      temperature: t > 0, in units of the spread of the scores.

    Reference: Smith, Turban, Hamblin, Hammerla, "Offline bilingual word vectors, orthogonal transformations and the
    inverted softmax", ICLR 2017.
    """

    def decide(inputs: joint.Inputs) -> jax.Array:
        logits = inputs.scores / temperature
        return logits - _log_sums(logits, inputs.where)

    return joint.around(scorer, decide)


@registry.method(
    temperature=joint.TEMPERATURE,
    balance=rules.Knob("how far classes are made equally frequent", rules.number(0, 1, ends="[]")),
    iterations=rules.Knob("updates of both sides", rules.whole(1)),
)
def sinkhorn_balancing(
    scorer: base.Method, *, temperature: float = 0.3, balance: float = 1.0, iterations: int = 20
) -> base.Method:
    """Sinkhorn balancing of a method's scores: every input has one class, every class about equally many inputs.

        P_ic = exp(s_ic / t) u_i v_c,    u_i = 1 / sum_d exp(s_id / t) v_d,    v_c = (1 / sum_j exp(s_jc / t) u_j)^b

    in turn, and F(x_i, c) = log P_ic. With b = 1 this ends at the entropic optimal transport onto classes of equal
    size. With b < 1 the sizes are only drawn together (unbalanced transport), and with b = 0 it is the softmax: classes
    of very different sizes want a small b.

    Args:
      scorer: the method whose scores s are corrected.
      temperature: t > 0, in units of the spread of the scores.
      balance: b in [0, 1].
      iterations: >= 1.

    Reference: Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", NeurIPS 2013; Chizat, Peyre,
    Schmitzer, Vialard, "Scaling Algorithms for Unbalanced Optimal Transport Problems", Mathematics of Computation 2018.
    """

    def decide(inputs: joint.Inputs) -> jax.Array:
        log_kernel = inputs.scores / temperature

        def plan(column):
            return jax.nn.log_softmax(log_kernel + column)

        def update(column, _):
            return -balance * _log_sums(plan(column) - column, inputs.where), None

        return plan(jax.lax.scan(update, jnp.zeros((1, log_kernel.shape[1])), length=iterations)[0])

    return joint.around(scorer, decide)


def _log_sums(logs: jax.Array, where: jax.Array) -> jax.Array:
    """Returns `[1, C]` the logarithms of the sums over the inputs that count."""
    return jax.nn.logsumexp(logs, axis=0, keepdims=True, where=where[:, None])
