"""Information maximisation: a classifier of all inputs at once, sure of each of them and of no class in particular."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import rules
from zsl_jax.methods import base, joint, registry


@registry.method(
    temperature=joint.TEMPERATURE,
    certainty=rules.Knob("weight of the entropy of single answers", rules.number(0, ends="[)")),
    scale=rules.Knob("what the classifier's products with inputs are multiplied by", rules.number(0)),
    weight_decay=registry.WEIGHT_DECAY,
    learning_rate=registry.LEARNING_RATE,
    iterations=rules.Knob("steps of Adam", rules.whole(0)),
    seen_penalty=joint.SEEN_PENALTY,
    space=joint.SPACE,
)
def information_maximization(
    scorer: base.Method,
    *,
    temperature: float = 0.3,
    certainty: float = 1.0,
    scale: float = 25.0,
    weight_decay: float = 0.01,
    learning_rate: float = 0.001,
    iterations: int = 100,
    seen_penalty: float = 0.0,
    space: str = "inputs",
) -> base.Method:
    """Weighted mutual information of inputs and answers, maximised from the probabilities of any method on.

        log p_i = log softmax_c((s_ic - g [c is seen]) / t + scale w_c . (x_i - mean x)),    F(x_i, c) = log p_ic
        w = argmax H(mean_i p_i) - certainty mean_i H(p_i) - weight_decay ||w||^2 / 2

    by Adam from w = 0, where the answers are those of the scores. The first entropy draws classes to be equally
    frequent, the second makes each answer sure. Unlike the paper, which discovers classes without a description, the
    scores stand for its labelled examples and its first prototypes.

    Args:
      scorer: the method that the answers start from.
      temperature: t > 0, in units of the spread of the scores.
      certainty: >= 0.
      scale: > 0.
      weight_decay: >= 0.
      learning_rate: of Adam, > 0.
      iterations: >= 0.
      seen_penalty: g >= 0, in units of the spread of the scores.
      space: what x is, see `transclip`.

    Reference: Chiaroni, Dolz, Masud, Mitiche, Ben Ayed, "Parametric Information Maximization for Generalized Category
    Discovery", ICCV 2023; Boudiaf, Masud, Rony, Dolz, Piantanida, Ben Ayed, "Transductive Information Maximization For
    Few-Shot Learning", NeurIPS 2020.
    """
    optimizer = optax.adam(learning_rate)

    def decide(inputs: joint.Inputs) -> jax.Array:
        counts = inputs.where[:, None].astype(jnp.float32)
        number = jnp.maximum(jnp.sum(counts), 1)
        prior = joint.log_prior(inputs, temperature, seen_penalty)
        vectors = (inputs.vectors - jnp.sum(inputs.vectors, axis=0, keepdims=True) / number) * counts

        def answers(w):
            return jax.nn.log_softmax(prior + scale * vectors @ w.T)

        def loss(w):
            logs = answers(w)
            shares = jnp.exp(logs) * counts
            frequency = jnp.sum(shares, axis=0) / number
            unsure = -jnp.sum(shares * logs) / number
            return certainty * unsure - jnp.sum(jax.scipy.special.entr(frequency)) + weight_decay * jnp.sum(w**2) / 2

        def update(carried, _):
            w, memory = carried
            step, memory = optimizer.update(jax.grad(loss)(w), memory)
            return (optax.apply_updates(w, step), memory), None

        start = jnp.zeros((prior.shape[1], vectors.shape[1]))
        (w, _), _ = jax.lax.scan(update, (start, optimizer.init(start)), length=iterations)
        return answers(w)

    return joint.around(scorer, decide, space=space)
