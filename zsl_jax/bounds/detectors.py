"""How often detectors of attributes are wrong, as the bound takes it: per attribute and class, or per attribute.

Measured on validation classes, whose images the detectors have not seen, and carried over to classes to come by the
mean over classes (`rates.mean(axis=0)`, `[A]`): a promise then rests on the unseen classes being no harder on average.
"""

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments


def error_rates(detections: ArrayLike, attributes: ArrayLike, labels: ArrayLike, *, num_classes: int) -> jax.Array:
    """How often a detector disagrees with the attributes of the images.

    `rates[c, a] = mean over examples of class c of |detections_na - attributes_na|`

    Args:
      detections: `[N, A]` in [0, 1]: 0 or 1, or the probability with which 1 is said.
      attributes: `[N, A]` in [0, 1]: what is annotated for the image.
      labels: `[N]` int; a label outside [0, C) counts nowhere.
      num_classes: C.

    Returns:
      `[C, A]`; NaN for a class without examples.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> labels = jnp.array([0, 0, 1])
    >>> print(error_rates(jnp.array([[1.0], [0.0], [0.25]]), jnp.array([[1.0], [1.0], [0.0]]), labels, num_classes=2))
    [[0.5 ]
     [0.25]]
    """
    if jnp.ndim(detections) != 2 or jnp.shape(attributes) != jnp.shape(detections):
        raise ValueError(
            f"detections and attributes must be [N, A], not {jnp.shape(detections)} and {jnp.shape(attributes)}"
        )
    labels = arguments.class_labels(labels, num_classes)
    wrong = jnp.abs(jnp.asarray(detections, jnp.float32) - jnp.asarray(attributes, jnp.float32))
    return _class_means(wrong, labels, num_classes)


def marginal_errors(detections: ArrayLike, labels: ArrayLike, matrix: ArrayLike) -> jax.Array:
    """How far the detections of each class are from its row of the matrix: no attribute of any image need be known.

    `errors[c, a] = |mean over examples of class c of detections_na - matrix_ca|`

    This is all that the bound asks of a detector, and at most its error rate.

    Args:
      detections: `[N, A]` in [0, 1].
      labels: `[N]` int; a label outside [0, C) counts nowhere.
      matrix: `[C, A]` in [0, 1], P(attribute present | class).

    Returns:
      `[C, A]`; NaN for a class without examples.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> detections, matrix = jnp.array([[1.0], [0.0], [0.25]]), jnp.array([[0.75], [0.25]])
    >>> print(marginal_errors(detections, jnp.array([0, 0, 1]), matrix))
    [[0.25]
     [0.  ]]
    """
    if jnp.ndim(matrix) != 2 or jnp.ndim(detections) != 2 or jnp.shape(detections)[1] != jnp.shape(matrix)[1]:
        raise ValueError(
            f"detections must be [N, A] and matrix [C, A], not {jnp.shape(detections)} and {jnp.shape(matrix)}"
        )
    labels = arguments.class_labels(labels, jnp.shape(matrix)[0])
    means = _class_means(jnp.asarray(detections, jnp.float32), labels, jnp.shape(matrix)[0])
    return jnp.abs(means - jnp.asarray(matrix, jnp.float32))


@functools.partial(jax.jit, static_argnames="num_classes")
def _class_means(values: jax.Array, labels: jax.Array, num_classes: int) -> jax.Array:
    if labels.shape != values.shape[:1]:
        raise ValueError(f"labels must be [N] of [N, A] {values.shape}, not {labels.shape}")
    rows = jnp.where(labels >= 0, labels, num_classes)  # beyond the end, where it is dropped
    sums = jax.ops.segment_sum(values, rows, num_segments=num_classes)
    counts = jax.ops.segment_sum(jnp.ones(len(values)), rows, num_segments=num_classes)
    return sums / counts[:, None]
