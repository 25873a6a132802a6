"""From scores to probabilities: the temperature of a softmax, fitted to labels, and how far these can be believed.

p(c | x) = softmax_c(s_c / T)
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.similarity import _scaling

__all__: Sequence[str] = ("calibration_error", "fitted_temperature")

_STEPS = 25  # halvings of the interval, to 1e-6 of the temperature
_RANGE = 1e4


def fitted_temperature(scores: ArrayLike, labels: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """The temperature of the softmax under which the labels are most likely.

    `T = argmin_T mean_b [log sum_c exp(s_bc / T) - s_by / T]`

    The mean is convex in 1/T; its derivative, the mean over examples of `E_p[s] - s_y`, is brought to zero by
    bisection. T is sought within a factor of 10^4 of the standard deviation of the scores. Fit it on validation
    classes: a temperature fitted to training images is too sure of itself.

    Args:
      scores: `[B, C]`, after calibration if there is any (`calibrated_stacking`); -inf leaves a class out.
      labels: `[B]` int, columns of `scores`; an example whose label is none of them counts nowhere.
      where: `[B]` bool, the examples that count; None for all.

    Returns:
      A float32 scalar > 0, in units of the scores; NaN if a score of an example that counts is NaN or inf.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> scores = jnp.array([[1.0, 0.0]] * 4)  # right three times out of four: softmax(1 / T) = 3/4
    >>> print(f"{fitted_temperature(scores, jnp.array([0, 0, 0, 1])):.3f}")
    0.910

    Reference: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
    """
    labels = arguments.score_labels(scores, labels)
    given = arguments.as_float(scores)
    where = arguments.mask_like(where, given.shape[:1]) & (labels >= 0)
    is_candidate = given != -jnp.inf
    unit = _scaling.power_of_two(jnp.where(where[:, None] & is_candidate, given, 0.0), axis=None)
    scaled = given * unit
    own = jnp.take_along_axis(scaled, jnp.maximum(labels, 0)[:, None], axis=1)[:, 0]
    scale = jnp.sqrt(_variance(scaled, where))

    def is_too_cold(log_temperature):
        inverse = jnp.exp(-log_temperature)
        expected = jnp.sum(jnp.where(is_candidate, jax.nn.softmax(scaled * inverse) * scaled, 0.0), axis=1)
        return jnp.sum(expected - own, where=where) > 0

    def halve(_, interval):
        low, high = interval
        middle = (low + high) / 2
        cold = is_too_cold(middle)
        return jnp.where(cold, middle, low), jnp.where(cold, high, middle)

    centre, reach = jnp.log(scale), jnp.log(_RANGE)
    low, high = jax.lax.fori_loop(0, _STEPS, halve, (centre - reach, centre + reach))
    is_no_score = jnp.any(~(scaled < jnp.inf) & where[:, None])
    return jnp.where(is_no_score, jnp.nan, jnp.exp((low + high) / 2) / unit[0, 0])


def calibration_error(
    confidence: ArrayLike, correct: ArrayLike, *, num_bins: int = 15, where: ArrayLike | None = None
) -> jax.Array:
    """The expected calibration error: how far confidence is from the share of right answers.

    `sum_b n_b / N |mean confidence of bin b - share of right answers in bin b|`, over bins of equal width, the upper
    end of each its own.

    Args:
      confidence: `[N]`, the probability of the predicted class, in [0, 1].
      correct: `[N]` bool, whether the prediction is right.
      num_bins: >= 1, static.
      where: `[N]` bool, the examples that count; None for all.

    Returns:
      A float32 scalar in [0, 1]; 0 without examples, NaN if the confidence of one that counts is NaN.

    Raises:
      ValueError: shapes that do not fit, or no bins.

    >>> import jax.numpy as jnp
    >>> confidence = jnp.array([0.9, 0.9, 0.6, 0.6])  # right every time, and every other time
    >>> print(f"{calibration_error(confidence, jnp.array([True, True, True, False])):.3f}")
    0.100

    Reference: Naeini, Cooper, Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015;
    Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
    """
    confidence, correct = arguments.as_float(confidence), jnp.asarray(correct)
    if confidence.ndim != 1 or correct.shape != confidence.shape or num_bins < 1:
        raise ValueError(
            f"confidence and correct must be [N] each, and num_bins >= 1, not {confidence.shape}, {correct.shape} and "
            f"{num_bins}"
        )
    weight = arguments.mask_like(where, confidence.shape).astype(confidence.dtype)
    place = jnp.clip(jnp.ceil(confidence * num_bins).astype(jnp.int32) - 1, 0, num_bins - 1)
    gap = jnp.where(weight > 0, confidence - correct.astype(confidence.dtype), 0.0)
    of_bin = jax.ops.segment_sum(gap, place, num_segments=num_bins)
    return jnp.sum(jnp.abs(of_bin)) / jnp.maximum(jnp.sum(weight), 1.0)


def _variance(scores: jax.Array, where: jax.Array) -> jax.Array:
    """The mean variance of a row; 1 where all scores of every row are equal, or a class is left out by -inf."""
    variance = jnp.sum(jnp.var(scores, axis=1), where=where) / arguments.count(where)
    return jnp.where((variance > 0) & (variance < jnp.inf), variance, 1.0)
