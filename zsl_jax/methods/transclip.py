"""TransCLIP: a Gaussian per class and the nearest neighbours of each input correct the scores of any method."""

from typing import Any

import jax
import jax.numpy as jnp

from zsl_jax import rules, similarity
from zsl_jax.methods import base, joint, registry

_WEIGHT = rules.number(0, ends="[)")


@registry.method(
    temperature=joint.TEMPERATURE,
    prior=rules.Knob("lambda, weight of the probabilities by the scores", _WEIGHT),
    density=rules.Knob("weight of the log-densities, means over the dimensions", _WEIGHT),
    affinity=rules.Knob("weight of the neighbours", _WEIGHT),
    neighbours=joint.NEIGHBOURS,
    seen_penalty=joint.SEEN_PENALTY,
    labelled=rules.Knob("what a labelled training image counts for in the Gaussian of its class", _WEIGHT),
    rounds=rules.Knob("updates of the Gaussians", rules.whole(1)),
    steps=rules.Knob("updates of the assignments per round", rules.whole(1)),
    space=joint.SPACE,
)
def transclip(
    scorer: base.Method,
    *,
    temperature: float = 0.4,
    prior: float = 1.0,
    density: float = 30.0,
    affinity: float = 1.0,
    neighbours: int = 3,
    seen_penalty: float = 0.0,
    labelled: float = 0.0,
    rounds: int = 5,
    steps: int = 3,
    space: str = "inputs",
) -> base.Method:
    """Transductive inference around a method: assignments z, means mu_c and variances v of all inputs, in turn.

        y_i  = softmax((s_i - g [c is seen]) / t),    z = y at the start
        z_i  = softmax(lambda log y_i + a / D sum_d -(x_id - mu_cd)^2 / (2 v_d) + w sum_{j in kNN(i)} x_i . x_j z_j)
        mu_c = unit(sum_i z_ic x_i),    v_d = (1/D + sum_ic z_ic (x_id - mu_cd)^2) / (N + 1)

    with unit vectors x and scores s of mean 0 per input and deviation 1. The scores returned are the logarithms of z.
    The variances start from that of one vector on the sphere, so that one input, or equal ones, leave them above 0. An
    input listens to its own neighbours and not to those whose neighbour it is, so that equal inputs get equal answers;
    on validation classes that costs nothing. The means begin with all inputs instead of the 8 likeliest of a class.

    The few-shot form, for candidates with labelled training images: their assignments are fixed, and each counts for b,

        mu_c = unit(sum_i z_ic x_i + b sum_{l in L_c} x_l)
        v_d  = (1/D + sum_ic z_ic (x_id - mu_cd)^2 + b sum_c sum_{l in L_c} (x_ld - mu_cd)^2) / (N + b L + 1)

    with L_c the images labelled c and L their number over the candidates. The paper's gamma is b = 50 gamma N / L, with
    gamma among 0.002, 0.01, 0.02 and 0.2. There labelled images are neighbours, too; here they speak through the
    Gaussians alone, so that a state holds two sums per class and no image. In GZSL the seen classes have such images,
    with few-shot learning the unseen ones do.

    Args:
      scorer: the method whose scores s are corrected; it trains as it would alone.
      temperature: t > 0, in units of the spread of the scores.
      prior: lambda >= 0.
      density: a >= 0. The paper's is D / 50.
      affinity: w >= 0.
      neighbours: from 0 to 16.
      seen_penalty: g >= 0, in units of the spread of the scores.
      labelled: b >= 0, in inputs. 0 keeps nothing of the training images; to choose it late, among 0 and others, let
        training know a value above 0.
      rounds, steps: >= 1.
      space: what x is: the scaled `inputs`, or the `embeddings` of the scorer.

    Raises:
      UserError: see `joint.around`.

    Reference: Zanella, Gerin, Ben Ayed, "Boosting Vision-Language Models with Transduction", NeurIPS 2024.
    """

    def decide(inputs: joint.Inputs) -> jax.Array:
        return assignments(
            inputs,
            temperature=temperature,
            prior=prior,
            density=density,
            affinity=affinity,
            neighbours=neighbours,
            seen_penalty=seen_penalty,
            labelled=labelled,
            rounds=rounds,
            steps=steps,
        )

    return joint.around(scorer, decide, space=space, labelled=labelled)


def assignments(
    inputs: joint.Inputs,
    *,
    temperature: Any,
    prior: Any = 1.0,
    density: Any,
    affinity: Any = 1.0,
    neighbours: Any = 3,
    seen_penalty: Any,
    labelled: Any = 0.0,
    rounds: int = 5,
    steps: int = 3,
) -> jax.Array:
    """Returns `[N, C]` the logarithms of z; the knobs are those of `transclip`."""
    log_prior = joint.log_prior(inputs, temperature, seen_penalty)
    near = joint.neighbours(inputs, neighbours)

    def round_of(log_shares, _):
        means, variances = gaussians(inputs, jnp.exp(log_shares), labelled)
        fixed = prior * log_prior + density * mean_log_density(inputs.vectors, means, variances)

        def step(log_shares, _):
            return jax.nn.log_softmax(fixed + affinity * joint.spread(near, jnp.exp(log_shares))), None

        return jax.lax.scan(step, log_shares, length=steps)[0], None

    return jax.lax.scan(round_of, log_prior, length=rounds)[0]


def gaussians(inputs: joint.Inputs, shares: jax.Array, weight: Any = 0.0) -> tuple[jax.Array, jax.Array]:
    """Returns the unit means `[C, D]` and the variances `[D]` that all classes share.

    Args:
      inputs: of the decision.
      shares: `[N, C]`, assignments.
      weight: what a labelled training image counts for, where `inputs.labelled` has their sums.
    """
    shares, vectors = shares * inputs.where[:, None], inputs.vectors
    sums, sizes, squares = similarity.dot(shares.T, vectors.T), jnp.sum(shares, axis=0), jnp.sum(vectors**2, axis=0)
    number = jnp.sum(inputs.where)
    if inputs.labelled is not None:
        own = jax.tree.map(lambda x: weight * x, inputs.labelled)
        sums, sizes, squares = sums + own.sums, sizes + own.counts, squares + jnp.sum(own.squares, axis=0)
        number = number + jnp.sum(own.counts)
    means = similarity.l2_normalize(sums)
    squares -= 2 * jnp.sum(sums * means, axis=0)
    squares += jnp.sum(sizes[:, None] * means**2, axis=0)
    return means, (jnp.maximum(squares, 0) + 1 / vectors.shape[1]) / (number + 1)


def mean_log_density(vectors: jax.Array, means: jax.Array, variances: jax.Array) -> Any:
    """Returns `[N, C]` the log-densities up to what all classes share, divided by D."""
    scaled = means / variances[None, :]
    return (similarity.dot(vectors, scaled) - jnp.sum(means * scaled, axis=1)[None, :] / 2) / vectors.shape[1]
