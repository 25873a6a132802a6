"""How far a measured accuracy may be from the true one, by the bootstrap over test images.

The test images of every class are drawn again, with replacement, and the spread is looked at.

A class's accuracy depends on its images only through the number of right ones, so that drawing images again is drawing
that number: `Binomial(total_c, correct_c / total_c)`, exactly. For two methods on the same images it is a multinomial
over (both right, one right, none right).
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.metrics import accuracy

__all__: Sequence[str] = (
    "percentile_interval",
    "resampled_accuracy",
    "resampled_counts",
    "resampled_gzsl",
    "resampled_pair",
)


def resampled_counts(key: jax.Array, correct: ArrayLike, total: ArrayLike, *, num_samples: int) -> jax.Array:
    """Right predictions of every class after its test images are drawn again with replacement.

    `X_rc ~ Binomial(total_c, correct_c / total_c)`

    Right counts that are means over seeds, which need not be whole, are welcome: the seeds share their test images, and
    the spread is then that of seeds which are right on the same images, the largest possible.

    The variance of a class of n images comes out (n - 1) / n times the unbiased one, as in every bootstrap; a class of
    one image does not vary at all.

    Args:
      key: of the draws.
      correct: `[C]` in [0, total].
      total: `[C]`, test images per class; 0 for a class without any.
      num_samples: R, static.

    Returns:
      `[R, C]` float32, whole numbers.

    Raises:
      ValueError: shapes that do not match.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> counts = resampled_counts(jax.random.key(0), jnp.array([20, 0, 7]), jnp.array([40, 0, 7]), num_samples=500)
    >>> print(counts.shape, counts[:, 1:].min(axis=0), counts[:, 1:].max(axis=0))
    (500, 3) [0. 7.] [0. 7.]

    Reference: Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics, 1979.
    """
    arguments.check_same_shape(1, correct=correct, total=total)
    correct, total = arguments.as_float(correct), arguments.as_float(total)
    return _binomial(key, total[None, :], _ratio(correct, total)[None, :], (num_samples, len(total)))


def resampled_pair(
    key: jax.Array,
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    correct_both: ArrayLike,
    total: ArrayLike,
    *,
    num_samples: int,
) -> tuple[jax.Array, jax.Array]:
    """Right predictions of two methods after the test images, the same for both, are drawn again with replacement.

    `(both, only a, only b, none) ~ Multinomial(total_c, shares)` of every class

    The spread of the difference is smaller than from two calls of `resampled_counts` where the methods tend to be right
    on the same images.

    Args:
      key: of the draws.
      correct_a: `[C]`, images on which one method is right.
      correct_b: `[C]`, those on which the other is.
      correct_both: `[C]`, those on which both are.
      total: `[C]`, test images per class; 0 for a class without any.
      num_samples: R, static.

    Returns:
      `(counts_a [R, C], counts_b [R, C])`, float32, whole numbers.

    Raises:
      ValueError: shapes that do not match.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> right, total = jnp.array([20]), jnp.array([40])
    >>> a, b = resampled_pair(jax.random.key(0), right, right, right, total, num_samples=100)
    >>> print((a == b).all())                                                   # always right on the same images
    True
    """
    arguments.check_same_shape(1, correct_a=correct_a, correct_b=correct_b, correct_both=correct_both, total=total)
    correct_a, correct_b, both, total = map(arguments.as_float, (correct_a, correct_b, correct_both, total))
    shape = (num_samples, len(total))
    key_both, key_a, key_b = jax.random.split(key, 3)
    drawn_both = _binomial(key_both, total[None, :], _ratio(both, total)[None, :], shape)
    rest, left = total - both, total[None, :] - drawn_both
    only_a = _binomial(key_a, left, _ratio(correct_a - both, rest)[None, :], shape)
    rest, left = rest - (correct_a - both), left - only_a
    only_b = _binomial(key_b, left, _ratio(correct_b - both, rest)[None, :], shape)
    return drawn_both + only_a, drawn_both + only_b


def resampled_accuracy(counts: ArrayLike, total: ArrayLike) -> jax.Array:
    """Per-class accuracy of every sample.

    `a_r = (1 / |P|) sum_{c in P} counts_rc / total_c`, P the classes with an image

    Args:
      counts: `[R, C]`, as `resampled_counts` returns.
      total: `[C]`.

    Returns:
      `[R]` float32 in [0, 1].

    Raises:
      ValueError: shapes that do not match.

    >>> import jax.numpy as jnp
    >>> print(resampled_accuracy(jnp.array([[1.0, 3.0], [2.0, 3.0]]), jnp.array([2, 3])))
    [0.75 1.  ]
    """
    counts_shape, total_shape = jnp.shape(counts), jnp.shape(total)
    if len(counts_shape) != 2 or total_shape != counts_shape[1:]:
        raise ValueError(f"counts must be [R, C] and total [C], not {counts_shape} and {total_shape}")
    return jax.vmap(accuracy.mean_per_class, (0, None))(counts, total)


def resampled_gzsl(counts: ArrayLike, total: ArrayLike, is_seen: ArrayLike) -> dict[str, jax.Array]:
    """GZSL accuracies of every sample: per class on the unseen and on the seen classes, and their harmonic mean.

    Args:
      counts: `[R, C]`, as `resampled_counts` returns.
      total: `[C]`.
      is_seen: `[C]` bool.

    Returns:
      `unseen`, `seen` and `harmonic`, each `[R]` float32 in [0, 1].

    Raises:
      ValueError: shapes that do not match.

    >>> import jax.numpy as jnp
    >>> samples = resampled_gzsl(jnp.array([[1.0, 3.0]]), jnp.array([2, 3]), jnp.array([False, True]))
    >>> print(*(f"{name} {value[0]:.3f}" for name, value in samples.items()))
    unseen 0.500 seen 1.000 harmonic 0.667
    """
    arguments.check_same_shape(1, total=total, is_seen=is_seen)
    total, is_seen = jnp.asarray(total), jnp.asarray(is_seen, bool)
    unseen = resampled_accuracy(counts, jnp.where(is_seen, 0, total))
    seen = resampled_accuracy(counts, jnp.where(is_seen, total, 0))
    return {"unseen": unseen, "seen": seen, "harmonic": accuracy.harmonic_mean(unseen, seen)}


def percentile_interval(samples: ArrayLike, *, level: ArrayLike = 0.95) -> tuple[jax.Array, jax.Array]:
    """The bootstrap interval of samples: the middle share `level` of them.

    Args:
      samples: `[R]`, of a metric or of a difference of two.
      level: in (0, 1).

    Returns:
      `(low, high)`, float32 scalars.

    Raises:
      ValueError: not a vector, or no sample.

    >>> import jax.numpy as jnp
    >>> low, high = percentile_interval(jnp.arange(101) / 100, level=0.9)
    >>> print(f"{low:.2f} {high:.2f}")
    0.05 0.95
    """
    arguments.check_same_shape(1, samples=samples)
    if not jnp.size(samples):
        raise ValueError("samples must hold at least one")
    tail = (1 - jnp.asarray(level, jnp.float32)) / 2
    low, high = jnp.quantile(arguments.as_float(samples), jnp.stack([tail, 1 - tail]))
    return low, high


@functools.partial(jax.jit, static_argnames="shape")
def _binomial(key: jax.Array, total: jax.Array, share: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draws of `Binomial(total, share)`, by inverting the distribution function.

    One uniform number per draw and a loop over the outcomes, in place of `jax.random.binomial`: it compiles in half the
    time and, with the tens of images that a test class has, runs ten times as fast; past 2000 images it is slower.
    """
    varies = (share > 0) & (share < 1) & (total > 0)
    p, n = jnp.where(varies, share, 0.5), jnp.where(varies, total, 1.0)
    log_odds, log_none = jnp.log(p) - jnp.log1p(-p), n * jnp.log1p(-p)
    outcomes = jnp.max(n).astype(jnp.int32)

    def log_mass_after(k, log_mass):
        k = k.astype(n.dtype)
        return jnp.where(k < n, log_mass + jnp.log(jnp.maximum(n - k, 1.0) / (k + 1)) + log_odds, -jnp.inf)

    def add_up(k, carry):
        log_mass, mass = carry
        return log_mass_after(k, log_mass), mass + jnp.exp(log_mass)

    def count_below(k, carry):
        log_mass, mass, counts = carry
        mass = mass + jnp.exp(log_mass)
        return log_mass_after(k, log_mass), mass, counts + ((uniform >= mass) & (k < n)).astype(counts.dtype)

    none = jnp.zeros_like(log_none)
    # The sum is 1 but for rounding; scaled by it, the largest outcome is neither cut short nor overshot.
    _, whole = jax.lax.fori_loop(0, outcomes + 1, add_up, (log_none, none))
    uniform = jax.random.uniform(key, shape) * jnp.broadcast_to(whole, shape)
    _, _, counts = jax.lax.fori_loop(0, outcomes, count_below, (log_none, none, jnp.zeros(shape)))
    return jnp.where(varies, counts, total * share)


def _ratio(part: jax.Array, whole: jax.Array) -> jax.Array:
    is_any = ~(whole <= 0)  # so that NaN stays NaN
    return jnp.where(is_any, jnp.clip(part / jnp.where(is_any, whole, 1.0), 0.0, 1.0), 0.0)
