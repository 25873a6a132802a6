"""How the terms of a sum of losses are weighed against each other while they are trained.

fixed         sum_t w_t L_t, with the weights of the config
uncertainty   sum_t w_t L_t - log(w_t) / 2, with w_t = 1 / sigma_t^2 trained from the weights of the config
gradnorm      sum_t w_t L_t, with w_t trained until the gradients of all terms are equally long
mgda          of two terms the step a g_1 + (1 - a) g_2 of least length, which makes neither of them worse
mgda_ub       a L_1 + (1 - a) L_2, with a that of the gradients in the embedded images, as the released code takes it
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from zsl_jax import errors, rules

if TYPE_CHECKING:
    from zsl_jax.methods.objectives import making

CHOICES = ("fixed", "uncertainty", "mgda", "mgda_ub", "gradnorm")
KNOB = rules.Knob("how the terms of a sum are weighed", rules.one_of(CHOICES))


def balanced(objective: "making.Objective", balance: str) -> "making.Objective":
    """Returns the objective with its terms weighed in another way.

    `uncertainty` is for losses that are not negative: the weight of one that falls below 0 grows without end.

    `gradnorm` trains the weights by a loss of their own, from those of the config, and keeps their sum at T, the number
    of terms:

        sum_t | w_t n_t - mean_s w_s n_s |,   n_t the length of the gradient of L_t in the embedded images

    where the mean counts as a constant. This is the paper's with alpha 0, which does not look at how fast each loss
    falls. The paper takes the gradient in the last weights that all terms share and a step size of its own for the
    weights; here it is taken in what all terms share behind those, so that no encoder is differentiated twice, and the
    step is that of the method's optimiser. A term that has nothing left to learn keeps gaining weight, and a
    regulariser gets as much say as a loss.

    `mgda_ub` is the other form of MGDA in the released code of Sener and Koltun, for losses that are not negative: a is
    found from the gradients in the embedded images (their upper bound), each divided by its length and its loss (their
    `loss+`), and a constant to the step. One backward pass is made for `mgda`'s two, and a step may make a term worse.

    Args:
      objective: what training asks.
      balance: a name in `CHOICES`.

    Raises:
      UserError: an unknown choice, or a number of terms that it does not take.

    Reference: Kendall, Gal, Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry and
    Semantics", CVPR 2018; Sener, Koltun, "Multi-Task Learning as Multi-Objective Optimization", NeurIPS 2018; Chen,
    Badrinarayanan, Lee, Rabinovich, "GradNorm: Gradient Normalization for Adaptive Loss Balancing in Deep Multitask
    Networks", ICML 2018.
    """
    if balance not in CHOICES:
        raise errors.unknown("balance", balance, CHOICES)
    if balance == "fixed":
        return objective
    count = len(objective.names)
    of_two = balance.startswith("mgda")
    if count < 2 or (of_two and count > 2):
        wanted = "two terms" if of_two else "several terms"
        raise errors.UserError(
            f"balance={balance} weighs {wanted} against each other, and the loss has {count}: write a sum such as "
            "info_nce+0.1*alignment"
        )
    if balance == "mgda":
        return objective._replace(loss=lambda given, **learned: jnp.stack(objective.parts(given, **learned)))
    if balance == "mgda_ub":

        def of_shares(given, **learned):
            values, gradients, total = image_gradients(objective, given, learned)
            lengths = jnp.sqrt(total(jnp.sum(gradients**2, axis=(1, 2))))
            scaled = gradients / jnp.maximum(values * lengths, 1e-12)[:, None, None]
            share = first_share(*scaled, total)
            first, second = objective.parts(given, **learned)
            return share * first + (1 - share) * second

        return objective._replace(loss=of_shares)
    names = [f"{name}.weight" for name in objective.names]
    for name in names:
        if isinstance(objective.values[name], (int, float)) and objective.values[name] <= 0:
            raise errors.UserError(f"balance={balance}: loss.{name} starts at 0 and would stay there: say more")

    def of_uncertainty(given, **learned):
        penalty = sum(jnp.log(learned[name]) for name in names) / 2
        found = objective.parts(given, **learned)
        return sum(found[1:], found[0]) - penalty

    def of_gradnorm(given, **learned):
        weights = jnp.stack([learned[name] for name in names])
        weights = count * weights / jnp.sum(weights)
        others = learned | dict.fromkeys(names, 1.0)
        lengths = weights * gradient_lengths(objective, given, others)
        apart = jnp.sum(jnp.abs(lengths - jax.lax.stop_gradient(jnp.mean(lengths))))
        found = sum(w * part for w, part in zip(jax.lax.stop_gradient(weights), objective.parts(given, **others)))
        return found + (apart - jax.lax.stop_gradient(apart))

    loss = {"uncertainty": of_uncertainty, "gradnorm": of_gradnorm}[balance]
    return objective._replace(loss=loss, weights={name: objective.values[name] for name in names})


def gradient_lengths(objective: "making.Objective", given: Any, learned: dict[str, Any]) -> jax.Array:
    """Returns `[T]` the length of the gradient of each term's mean in the embedded images; it is no function of them.

    Args:
      objective: a sum of T terms.
      given: what a loss is given of a batch, see `compared`; where devices share it, the length is of all of it.
      learned: knobs that are trained, and weights, as `Objective.parts` takes them.
    """
    _, gradients, total = image_gradients(objective, given, learned)
    return jnp.sqrt(total(jnp.sum(gradients**2, axis=(1, 2))))


def image_gradients(
    objective: "making.Objective", given: Any, learned: dict[str, Any]
) -> tuple[jax.Array, jax.Array, Callable[[Any], Any]]:
    """Returns `[T]` the means of the terms, `[T, B, D]` their gradients in the embedded images, and a sum over devices.

    No gradient reaches what they are made of. Arguments are those of `gradient_lengths`.
    """
    images, described, swapped, learned = jax.lax.stop_gradient((given.images, given.described, given.swapped, learned))

    def total(tree):
        return tree if given.axis_name is None else jax.lax.psum(tree, given.axis_name)

    def means(images):
        still = dataclasses.replace(given, images=images, described=described, swapped=swapped)
        found = jnp.stack(objective.parts(still, **learned))
        return jnp.sum(found, axis=1, where=given.where[None, :])

    values, pull = jax.vjp(means, images)
    count = jnp.maximum(total(jnp.sum(given.where)), 1)
    gradients = jnp.stack([pull(row)[0] for row in jnp.eye(len(values), dtype=values.dtype)])
    return total(values) / count, gradients / count, total


def descent(
    function: Callable[[Any], tuple[jax.Array, Any]], params: Any, total: Callable[[Any], Any] = lambda tree: tree
) -> tuple[tuple[jax.Array, Any], Any]:
    """Returns `(value, aux), gradient` of a loss, or of two with the gradient that makes neither worse.

    Args:
      function: `params -> (value, aux)`; the value is a scalar, or `[2]`, of which the sum is returned.
      params: pytree.
      total: sums over devices that share a batch.
    """
    value, pull, aux = jax.vjp(function, params, has_aux=True)
    if value.ndim == 0:
        value, (gradient,) = total((value, pull(jnp.ones_like(value))))
        return (value, aux), gradient
    value, of_each = total((value, [pull(row)[0] for row in jnp.eye(2, dtype=value.dtype)]))
    return (jnp.sum(value), aux), least_length(*of_each)


def least_length(first: Any, second: Any) -> Any:
    """Returns the shortest vector between two gradients, pytrees of equal shapes.

    `a g_1 + (1 - a) g_2` with `a = min(max((g_2 - g_1) . g_2 / ||g_1 - g_2||^2, 0), 1)`

    A step against it makes neither loss larger, to first order; it is 0 where no step does.

    >>> print(least_length(jnp.array([2.0, 0.0]), jnp.array([0.0, 2.0])))
    [1. 1.]

    Reference: Desideri, "Multiple-Gradient Descent Algorithm (MGDA) for Multiobjective Optimization", Comptes Rendus
    Mathematique 2012.
    """

    share = first_share(first, second)
    return jax.tree.map(lambda x, y: share * x + (1 - share) * y, first, second)


def first_share(first: Any, second: Any, total: Callable[[Any], Any] = lambda tree: tree) -> jax.Array:
    """Returns a in [0, 1], the share of the first of two gradients in the shortest vector between them.

    Args:
      first, second: pytrees of equal shapes.
      total: sums over devices that hold parts of them.

    >>> print(first_share(jnp.array([2.0, 0.0]), jnp.array([0.0, 1.0])))
    0.2
    """

    def product(a, b):
        return total(sum(jax.tree.leaves(jax.tree.map(lambda x, y: jnp.sum(x.astype(jnp.float32) * y), a, b))))

    between = jax.tree.map(lambda x, y: y - x, first, second)
    squared = product(between, between)
    share = jnp.where(squared > 0, product(between, second) / jnp.where(squared > 0, squared, 1.0), 0.5)
    return jnp.clip(share, 0.0, 1.0)
