"""The map with the best guarantee as a method: attribute probabilities in, classes out, nothing learned of the images.

Where DAP assumes that attributes are independent given the class, this map assumes nothing but their marginals, and is
the best for the worst joint distribution that has them.

Reference: Mazzetto, Menghini, Yuan, Upfal, Bach, "Tight Lower Bounds on Worst-Case Guarantees for Zero-Shot Learning
with Attributes", NeurIPS 2022.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from zsl_jax import bounds
from zsl_jax.methods import base


class MinimaxState(NamedTuple):
    """Sums of detections `[S, A]` and counts `[S]` of the seen classes, and the error rates `[A]` that they give."""

    sums: jax.Array
    counts: jax.Array
    error_rates: jax.Array


def minimax(*, scale: float = 1.0, measure_errors: bool = True) -> base.Method:
    """The map from attributes to classes with the best guarantee for the classes at hand.

    Inputs are `[B, A]` probabilities of the attributes, from any detector. The scores are the activations of
    `bounds.AffineRule`: the largest names the class, and `bounds.probabilities` turns them into the randomised map that
    the guarantee is for. The map is solved for at every call, by `bounds.approximate`, for whatever classes the table
    has; `bounds.worst_case` finds a better one on the host and says what it guarantees.

    Training only measures, on the seen classes, how far the detections are from the class table on average
    (`bounds.marginal_errors`). Detectors are better on the images that they were trained on: feed others.

    Args:
      scale: by which the class table becomes probabilities, > 0: 0.01 for percentages. Values are clipped to [0, 1].
      measure_errors: whether the map allows for the errors that were measured, or takes detectors as perfect.
    """

    def matrix_of(classes) -> jax.Array:
        return jnp.clip(jnp.asarray(classes.embedding, jnp.float32) * scale, 0, 1)

    def init(key, batch, classes):
        del key, batch
        shape = jnp.shape(classes.embedding)
        return MinimaxState(jnp.zeros(shape), jnp.zeros(shape[0]), jnp.zeros(shape[1]))

    def update(state, batch, classes, key):
        del key
        matrix = matrix_of(classes)
        weight = jnp.asarray(batch.where, jnp.float32)
        detections = jnp.asarray(batch.inputs, jnp.float32)
        of_class = functools.partial(jax.ops.segment_sum, segment_ids=batch.labels, num_segments=len(matrix))
        sums = state.sums + of_class(detections * weight[:, None])
        counts = state.counts + of_class(weight)
        known = counts > 0
        off = jnp.abs(sums / jnp.maximum(counts, 1)[:, None] - matrix)
        rates = jnp.sum(off * known[:, None], axis=0) / jnp.maximum(jnp.sum(known), 1)
        return MinimaxState(sums, counts, rates), {"loss": jnp.mean(rates)}

    def scores(state, inputs, classes):
        rates = state.error_rates if measure_errors else None
        return bounds.activations(bounds.approximate(matrix_of(classes), error_rates=rates), inputs)

    return base.Method(init, update, scores)
