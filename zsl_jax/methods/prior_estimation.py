"""Prior estimation: how frequent each class is among the inputs is found from the answers, and corrects them."""

import jax
import jax.numpy as jnp

from zsl_jax import rules
from zsl_jax.methods import base, joint, registry


@registry.method(
    temperature=joint.TEMPERATURE,
    equal=rules.Knob("inputs per class that equal frequencies count for", rules.number(0, ends="[)")),
    iterations=rules.Knob("updates of the frequencies", rules.whole(1)),
)
def prior_estimation(
    scorer: base.Method, *, temperature: float = 0.3, equal: float = 1.0, iterations: int = 100
) -> base.Method:
    """Class priors of the inputs by expectation maximisation, and the answers that follow from them.

        z_ic = y_ic pi_c / sum_d y_id pi_d,    pi_c = (sum_i z_ic + a) / (N + C a),    y_i = softmax(s_i / t)

    in turn from equal pi on, and F(x_i, c) = log z_ic. With a = 0 pi goes to the frequencies under which the inputs are
    the likeliest, where y are the probabilities of a classifier that was trained on equally frequent classes. More a
    holds them nearer to equal ones; the limit is the softmax. What is frequent among the answers becomes more frequent:
    the opposite of `sinkhorn_balancing`, right where classes are of uneven size and answers are good, and wrong where
    answers favour some classes for another reason, as those of zero-shot scorers favour seen ones
    (docs/transduction.md).

    Args:
      scorer: the method whose scores s are corrected, with mean 0 per input and deviation 1.
      temperature: t > 0, in units of the spread of the scores.
      equal: a >= 0.
      iterations: >= 1.

    Reference: Saerens, Latinne, Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori Probabilities: A
    Simple Procedure", Neural Computation 2002.
    """

    def decide(inputs: joint.Inputs) -> jax.Array:
        logs = joint.log_prior(inputs, temperature, 0.0)
        num_inputs, num_classes = jnp.sum(inputs.where), logs.shape[1]

        def answers(log_priors):
            return jax.nn.log_softmax(logs + log_priors)

        def update(log_priors, _):
            counted = jnp.sum(jnp.exp(answers(log_priors)), axis=0, keepdims=True, where=inputs.where[:, None])
            # A class that nothing is given to stays short of a frequency of 0.
            shares = jnp.maximum((counted + equal) / (num_inputs + num_classes * equal), jnp.finfo(logs.dtype).tiny)
            return jnp.log(shares), None

        return answers(jax.lax.scan(update, jnp.zeros((1, num_classes)), length=iterations)[0])

    return joint.around(scorer, decide)
