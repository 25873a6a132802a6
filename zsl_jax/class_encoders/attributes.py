"""Forms of a class-attribute matrix: binary, signed, centred, several joined into one; and a matrix without meaning.

Unit length is `similarity.l2_normalize`; the config does it for every method (`normalize.classes`).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax import arguments, similarity

_TURNS = 500  # of each weight, to where they stay


def binarized(attributes: ArrayLike, *, threshold: ArrayLike | None = None) -> jax.Array:
    """Which class has which attribute, as 0 or 1.

    `1[attributes > threshold]`

    Args:
      attributes: `[C, A]`.
      threshold: scalar or `[A]`; None is the mean of the whole matrix, as usual in the field. That mean is over the
        classes given, the unseen ones among them.

    Returns:
      `[C, A]`, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(binarized(jnp.array([[0.9, 0.1], [0.2, 0.4]])))
    [[1. 0.]
     [0. 0.]]
    """
    attributes = _matrix(attributes)
    threshold = jnp.mean(attributes) if threshold is None else arguments.as_float(threshold)
    if threshold.shape not in ((), attributes.shape[1:]):
        raise ValueError(f"threshold must be a scalar or [A] for attributes {attributes.shape}, not {threshold.shape}")
    return (attributes > jnp.broadcast_to(threshold, attributes.shape)).astype(jnp.float32)


def signed(attributes: ArrayLike, *, threshold: ArrayLike | None = None) -> jax.Array:
    """Which class has which attribute, as -1 or 1: an attribute that is absent says as much as one that is present.

    `2 binarized(attributes) - 1`

    Args:
      attributes: `[C, A]`.
      threshold: as in `binarized`.

    Returns:
      `[C, A]`, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(signed(jnp.array([[0.9, 0.1], [0.2, 0.4]]), threshold=0.15))
    [[ 1. -1.]
     [ 1.  1.]]

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
    """
    return 2 * binarized(attributes, threshold=threshold) - 1


def centred(attributes: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """Attributes less their mean over classes, so that what all classes share does not count.

    `attributes - mean_{c in where} attributes_c`

    Args:
      attributes: `[C, A]`.
      where: `[C]` bool, the classes that the mean is over; `is_seen` keeps the unseen ones out of the training data.
        None takes all. With none at all the mean is 0.

    Returns:
      `[C, A]`, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(centred(jnp.array([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]]), where=jnp.array([True, True, False])))
    [[-1.  0.]
     [ 1.  0.]
     [-2.  5.]]

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
    """
    attributes = _matrix(attributes)
    weights = arguments.mask_like(where, attributes.shape[:1]).astype(attributes.dtype)
    mean = weights @ attributes / jnp.maximum(jnp.sum(weights), 1)
    return attributes - mean[None, :]


def concatenated(embeddings: Sequence[ArrayLike], *, weights: Sequence[ArrayLike] | None = None) -> jax.Array:
    """Several embeddings of the same classes side by side, each of unit length, weighted.

    `[sqrt(w_1) e_1 / ||e_1||, sqrt(w_2) e_2 / ||e_2||, ...]`, so that inner products are `sum_k w_k cos_k`

    Choose the weights on validation classes, or by `aligned_weights`. A bilinear map learns its own weighting of the
    columns on top; with unit length of the whole restored (`normalize.classes`), ratios of weights alone matter.

    Args:
      embeddings: arrays `[C, A_k]`.
      weights: a scalar >= 0 for each of them, None for 1.

    Returns:
      `[C, sum of A_k]`, float32.

    Raises:
      ValueError: shapes or lengths that do not fit.

    >>> import jax.numpy as jnp
    >>> print(concatenated([jnp.array([[3.0, 4.0]]), jnp.array([[2.0]])], weights=[1.0, 0.25]))
    [[0.6 0.8 0.5]]
    """
    shapes = [jnp.shape(e) for e in embeddings]
    if not shapes or any(len(s) != 2 or s[0] != shapes[0][0] for s in shapes):
        raise ValueError(f"embeddings must be one or more arrays [C, A_k] of the same classes, not {shapes}")
    weights = [1.0] * len(shapes) if weights is None else weights
    if len(weights) != len(shapes):
        raise ValueError(f"{len(shapes)} embeddings need as many weights, not {len(weights)}")
    parts = [jnp.sqrt(arguments.as_float(w)) * similarity.l2_normalize(e) for w, e in zip(weights, embeddings)]
    return jnp.concatenate(parts, axis=1)


def simplex(num_classes: int) -> jax.Array:
    """Class vectors as far from each other as can be: the corners of a regular simplex around 0.

    `v_i . v_j = 1 if i = j else -1 / (C - 1)`

    It says nothing of what the classes are like: a fixed classifier for ordinary learning, and a control for zero-shot.

    Args:
      num_classes: C >= 2.

    Returns:
      `[C, C - 1]`, float32, unit rows.

    Raises:
      ValueError: fewer than two classes.

    >>> print(simplex(2))
    [[ 1.]
     [-1.]]
    """
    if num_classes < 2:
        raise ValueError(f"a simplex needs at least 2 classes, not {num_classes}")
    # Column k of a Helmert matrix tells class k from those after it; the columns are orthonormal and sum to 0.
    k = np.arange(num_classes - 1)
    after = num_classes - 1.0 - k
    below = np.arange(num_classes)[:, None] > k[None, :]
    columns = np.where(below, -1 / after, 0.0) + np.eye(num_classes, num_classes - 1)
    columns *= np.sqrt(after / (after + 1))
    return jnp.asarray(columns * np.sqrt(num_classes / (num_classes - 1)), jnp.float32)


def _matrix(attributes: ArrayLike) -> jax.Array:
    attributes = arguments.as_float(attributes)
    if attributes.ndim != 2:
        raise ValueError(f"attributes must be [C, A], not {attributes.shape}")
    return attributes


def aligned_weights(embeddings: Sequence[ArrayLike], prototypes: ArrayLike) -> jax.Array:
    """Weights of embeddings for `concatenated`, such that classes are as similar as their images are.

    `min_{w >= 0} sum_{i != j} (sum_k w_k K_k[i, j] - K[i, j])^2`, `K_k = H cos(e_k, e_k) H`, `K = H cos(p, p) H`,
    `H = I - 1 1^T / C`, `p_i` the prototype of class i less their mean; then divided by the sum of the weights

    The source counts the pairs `i = j`, too, which say the same of every embedding. Weights are equal where no
    embedding agrees with the prototypes, as with fewer than three classes.

    Args:
      embeddings: arrays `[C, A_k]`, K of them.
      prototypes: `[C, F]`, for instance the mean feature of each class.

    Returns:
      `[K]` float32, >= 0, of sum 1.

    Raises:
      ValueError: shapes that do not fit.

    Reference: Cortes, Mohri, Rostamizadeh, "Algorithms for Learning Kernels Based on Centered Alignment", JMLR 2012.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> told, noise = jax.random.normal(jax.random.key(0), (2, 40, 5))
    >>> print(aligned_weights([told, noise], told).round(1))
    [1. 0.]
    """
    shapes = [jnp.shape(e) for e in (*embeddings, prototypes)]
    if len(shapes) < 2 or any(len(s) != 2 or s[0] != shapes[0][0] for s in shapes):
        raise ValueError(f"embeddings and prototypes must be arrays [C, A_k] of the same classes, not {shapes}")
    prototypes = arguments.as_float(prototypes)
    off = ~jnp.eye(shapes[0][0], dtype=bool)
    kernels = [_centred_cosines(e) for e in (*embeddings, prototypes - jnp.mean(prototypes, axis=0, keepdims=True))]
    *columns, wanted = (jnp.where(off, kernel, 0.0).ravel() for kernel in kernels)
    found = _non_negative(jnp.stack(columns, axis=1), wanted)
    total = jnp.sum(found)
    return jnp.where(total > 0, found / jnp.where(total > 0, total, 1.0), 1 / len(columns))


def _centred_cosines(x: ArrayLike) -> jax.Array:
    x = similarity.l2_normalize(x)
    return (x - jnp.mean(x, axis=0, keepdims=True)) @ (x - jnp.mean(x, axis=0, keepdims=True)).T


def _non_negative(matrix: jax.Array, wanted: jax.Array) -> jax.Array:
    """Least squares with weights >= 0, one weight after another until they stay."""
    products, with_wanted = matrix.T @ matrix, matrix.T @ wanted
    count = matrix.shape[1]

    def turn(step, weights):
        k = step % count
        square = products[k, k]
        best = weights[k] + (with_wanted[k] - products[k] @ weights) / jnp.where(square > 0, square, 1.0)
        return weights.at[k].set(jnp.where(square > 0, jnp.maximum(best, 0.0), 0.0))

    return jax.lax.fori_loop(0, _TURNS * count, turn, jnp.zeros(count))
