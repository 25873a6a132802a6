"""GFZSL: every class is a Gaussian with a diagonal covariance, whose mean and variances follow from its description."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from zsl_jax import errors, rules, similarity
from zsl_jax.methods import base, closed_form, registry, shifted

KERNELS = {
    "linear": lambda a, b, bandwidth: similarity.dot(a, b),
    "rbf": lambda a, b, bandwidth: jnp.exp(similarity.negative_squared_euclidean(a, b) / bandwidth**2),
}


class GaussianSums(NamedTuple):
    """Sums over the examples of each class: `counts [S]`, `features [S, F]` and their `squares [S, F]`."""

    counts: jax.Array
    features: jax.Array
    squares: jax.Array


class Gaussians(NamedTuple):
    """Kernel ridge regression from descriptions to means and log-variances.

    Fields:
      anchors: `[S, A]`, the seen descriptions.
      weights: `[2, S, F]`, of the means and of the log-variances.
      averages: `[2, F]`, of both over the seen classes.
    """

    anchors: jax.Array
    weights: jax.Array
    averages: jax.Array


@registry.method(
    class_ridge=rules.Knob("weight of the penalty on the side of the class descriptions", rules.number(0)),
    prior_count=rules.Knob("examples with the common variance added to each class", rules.number(0)),
    kernel=rules.Knob("kernel on class descriptions", rules.one_of(tuple(KERNELS))),
    bandwidth=rules.Knob("width of the kernel, in units of the distance of two descriptions", rules.number(0)),
)
def gfzsl(
    *, class_ridge: float = 0.1, prior_count: float = 1000.0, kernel: str = "linear", bandwidth: float = 1.0
) -> base.Method:
    """Generative framework for zero-shot learning: the class with the highest likelihood of the features.

        F(x, c) = 1/F log N(x; mu_c, diag(v_c)),    mu_c and log v_c by kernel ridge regression from phi_c

    Seen classes, too, are scored by what is regressed from their description, and not by their own examples: a class is
    its description, in whatever table.

    Args:
      class_ridge: of the regression, > 0.
      prior_count: examples with the variance of all classes together that are added to each class, > 0.
      kernel: `linear`, the dot product, or `rbf`, exp(-||phi - phi'||^2 / h^2).
      bandwidth: h > 0.

    Raises:
      UserError: an unknown kernel.

    Reference: Verma, Rai, "A Simple Exponential Family Framework for Zero-Shot Learning", ECML PKDD 2017.
    """
    if kernel not in KERNELS:
        raise errors.unknown("kernel", kernel, KERNELS)

    def solve(sums, attributes):
        parameters = _means_and_log_variances(sums, prior_count)
        averages = jnp.mean(parameters, axis=1)
        deviations = jnp.concatenate(list(parameters - averages[:, None]), axis=1)
        weights = shifted.shifted_solve(KERNELS[kernel](attributes, attributes, bandwidth), deviations, class_ridge)
        return Gaussians(attributes, jnp.stack(jnp.split(weights, 2, axis=1)), averages)

    def embed(gaussians, inputs):
        # Both sides without the average mean, so that the squares of the scores do not cancel.
        return inputs - gaussians.averages[0][None, :]

    def describe(gaussians, classes):
        kernels = KERNELS[kernel](classes.embedding, gaussians.anchors, bandwidth)
        offsets = kernels @ gaussians.weights[0]
        log_variances = kernels @ gaussians.weights[1] + gaussians.averages[1][None, :]
        precisions = jnp.exp(-log_variances)
        constants = jnp.sum(offsets**2 * precisions + log_variances, axis=1)
        return {"offsets": offsets * precisions, "precisions": precisions, "constants": constants}

    def scores(gaussians, images, described):
        del gaussians
        products = similarity.dot(images, described["offsets"])
        squares = similarity.dot(images**2, described["precisions"]) - 2 * products
        return -0.5 / images.shape[1] * (squares + described["constants"][None, :])

    return closed_form.from_sums(solve=solve, embed=embed, describe=describe, scores=scores, sums=_gaussian_sums)


def _gaussian_sums(inputs, one_hot):
    return GaussianSums(jnp.sum(one_hot, axis=0), one_hot.T @ inputs, one_hot.T @ inputs**2)


def _means_and_log_variances(sums: GaussianSums, prior_count) -> jax.Array:
    """Returns `[2, S, F]`; a class without examples gets mean 0 and the common variance."""
    counts = sums.counts[:, None]
    means = sums.features / jnp.maximum(counts, 1)
    scatter = jnp.maximum(sums.squares - counts * means**2, 0)
    common = jnp.sum(scatter, axis=0, keepdims=True) / jnp.sum(counts)
    common = jnp.maximum(common, 1e-3 * jnp.mean(common))
    return jnp.stack([means, jnp.log((scatter + prior_count * common) / (counts + prior_count))])
