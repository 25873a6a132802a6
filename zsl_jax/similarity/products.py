"""Similarities that are inner products: plain, of unit vectors, through a matrix between two spaces, of triples."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.similarity import _scaling

__all__: Sequence[str] = (
    "bilinear",
    "cosine",
    "distmult",
    "dot",
    "l2_normalize",
    "latent_bilinear",
    "low_rank_bilinear",
    "pair_features",
)


def l2_normalize(x: ArrayLike, *, axis: int = -1) -> jax.Array:
    """Vectors of length one; a zero vector stays zero and gets a zero gradient.

    `x / ||x||_2`

    Vectors whose squares would overflow or underflow are scaled by a power of two first.

    Args:
      x: array of any shape.
      axis: the axis that holds the vectors.

    Returns:
      Array of the shape of `x`, float32.

    >>> import jax.numpy as jnp
    >>> print(l2_normalize(jnp.array([[3.0, 4.0], [0.0, 0.0]])))
    [[0.6 0.8]
     [0.  0. ]]
    """
    return _scaling.unit(arguments.as_float(x), axis)


def dot(image_embeddings: ArrayLike, class_embeddings: ArrayLike) -> jax.Array:
    """Inner products.

    `scores[b, c] = x_b . y_c`

    Args:
      image_embeddings: `[B, D]`.
      class_embeddings: `[C, D]`.

    Returns:
      `[B, C]` scores, float32 (half-precision inputs are accumulated in float32).

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(dot(jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 0.0], [0.0, 5.0]])))
    [[ 3. 10.]]
    """
    arguments.check_embeddings(image_embeddings, class_embeddings, "image_embeddings", "class_embeddings")
    return einsum("bd,cd->bc", image_embeddings, class_embeddings)


def cosine(image_embeddings: ArrayLike, class_embeddings: ArrayLike) -> jax.Array:
    """Cosines of the angles; a zero vector has cosine 0 with everything.

    `scores[b, c] = x_b . y_c / (||x_b|| ||y_c||)`

    Args:
      image_embeddings: `[B, D]`.
      class_embeddings: `[C, D]`.

    Returns:
      `[B, C]` scores in [-1, 1], float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(cosine(jnp.array([[3.0, 4.0]]), jnp.array([[0.0, 2.0], [-3.0, -4.0]])))
    [[ 0.8 -1. ]]
    """
    arguments.check_embeddings(image_embeddings, class_embeddings, "image_embeddings", "class_embeddings")
    return einsum("bd,cd->bc", l2_normalize(image_embeddings), l2_normalize(class_embeddings))


def bilinear(image_embeddings: ArrayLike, class_embeddings: ArrayLike, weights: ArrayLike) -> jax.Array:
    """Bilinear compatibility of two different spaces.

    `scores[b, c] = x_b^T W phi_c`, multiplied in the cheaper order.

    Args:
      image_embeddings: `[B, F]`.
      class_embeddings: `[C, A]`.
      weights: `[F, A]`.

    Returns:
      `[B, C]` scores, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(bilinear(jnp.array([[1.0, 2.0]]), jnp.eye(3), jnp.array([[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]])))
    [[1. 2. 8.]]

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
    """
    shapes = tuple(map(jnp.shape, (image_embeddings, weights, class_embeddings)))
    if any(len(shape) != 2 for shape in shapes) or shapes[1] != (shapes[0][1], shapes[2][1]):
        raise ValueError(
            f"image_embeddings must be [B, F], class_embeddings [C, A] and weights [F, A], "
            f"not {shapes[0]}, {shapes[2]} and {shapes[1]}"
        )
    return einsum("bf,fa,ca->bc", image_embeddings, weights, class_embeddings)


def low_rank_bilinear(
    image_embeddings: ArrayLike, class_embeddings: ArrayLike, image_weights: ArrayLike, class_weights: ArrayLike
) -> jax.Array:
    """Bilinear compatibility whose matrix is a product of two narrow ones: both sides meet in a common space.

    `scores[b, c] = (x_b^T U) . (phi_c^T V)`, which is `bilinear` with `W = U V^T`

    Args:
      image_embeddings: `[B, F]`.
      class_embeddings: `[C, A]`.
      image_weights: `[F, D]`, U.
      class_weights: `[A, D]`, V.

    Returns:
      `[B, C]` scores, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> image_weights, class_weights = jnp.ones((2, 1)), jnp.array([[1.0], [0.0], [2.0]])
    >>> print(low_rank_bilinear(jnp.array([[1.0, 2.0]]), jnp.eye(3), image_weights, class_weights))
    [[3. 0. 6.]]
    """
    shapes = tuple(map(jnp.shape, (image_embeddings, class_embeddings, image_weights, class_weights)))
    images, classes, left, right = shapes
    if any(len(shape) != 2 for shape in shapes) or left != (images[1], right[1]) or right[0] != classes[1]:
        raise ValueError(
            f"image_embeddings must be [B, F], class_embeddings [C, A], image_weights [F, D] and class_weights [A, D], "
            f"not {images}, {classes}, {left} and {right}"
        )
    return einsum("bf,fd,ad,ca->bc", image_embeddings, image_weights, class_weights, class_embeddings)


def latent_bilinear(image_embeddings: ArrayLike, class_embeddings: ArrayLike, weights: ArrayLike) -> jax.Array:
    """Largest of several bilinear compatibilities, each at home in one part of the image space.

    `scores[b, c] = max_k x_b^T W_k phi_c`; matrices that tie share the gradient.

    Args:
      image_embeddings: `[B, F]`.
      class_embeddings: `[C, A]`.
      weights: `[K, F, A]`.

    Returns:
      `[B, C]` scores, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> weights = jnp.array([[[1.0, 3.0]], [[2.0, 2.0]]])
    >>> print(latent_bilinear(jnp.array([[1.0], [-1.0]]), jnp.eye(2), weights))
    [[ 2.  3.]
     [-1. -2.]]

    Reference: Xian, Akata, Sharma, Nguyen, Hein, Schiele, "Latent Embeddings for Zero-shot Classification", CVPR 2016.
    """
    images, classes, matrices = map(jnp.shape, (image_embeddings, class_embeddings, weights))
    if (len(images), len(classes), len(matrices)) != (2, 2, 3) or matrices[1:] != (images[1], classes[1]):
        raise ValueError(
            f"image_embeddings must be [B, F], class_embeddings [C, A] and weights [K, F, A], "
            f"not {images}, {classes} and {matrices}"
        )
    return jnp.max(einsum("bf,kfa,ca->kbc", image_embeddings, weights, class_embeddings), axis=0)


def distmult(heads: ArrayLike, relations: ArrayLike, tails: ArrayLike) -> jax.Array:
    """Diagonal bilinear score of triples, such as (zebra, has, stripes); head and tail can be swapped.

    `scores[b] = sum_d h_bd r_bd t_bd`; for all tails of a table, `dot(heads * relations, table)`.

    Args:
      heads: `[B, D]`.
      relations: `[B, D]`.
      tails: `[B, D]`.

    Returns:
      `[B]` scores, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(distmult(jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 1.0]]), jnp.array([[1.0, -1.0]])))
    [1.]

    Reference: Yang, Yih, He, Gao, Deng, "Embedding Entities and Relations for Learning and Inference in Knowledge
    Bases", ICLR 2015.
    """
    arguments.check_same_shape(2, heads=heads, relations=relations, tails=tails)
    return jnp.sum(arguments.as_float(heads) * arguments.as_float(relations) * arguments.as_float(tails), axis=1)


def pair_features(x: ArrayLike, y: ArrayLike) -> jax.Array:
    """What a head that scores pairs is told of two vectors: both, how far apart they are, and where they agree.

    `[x_b, y_b, |x_b - y_b|, x_b * y_b]`; of |.| the gradient is 0 where both are equal.

    Args:
      x: `[B, D]`.
      y: `[B, D]`.

    Returns:
      `[B, 4 D]`, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(pair_features(jnp.array([[1.0, 2.0]]), jnp.array([[3.0, -1.0]])))
    [[ 1.  2.  3. -1.  2.  3.  3. -2.]]

    Reference: Mou, Men, Li, Xu, Zhang, Yan, Jin, "Natural Language Inference by Tree-Based Convolution and Heuristic
    Matching", ACL 2016; Conneau, Kiela, Schwenk, Barrault, Bordes, "Supervised Learning of Universal Sentence
    Representations from Natural Language Inference Data", EMNLP 2017.
    """
    arguments.check_same_shape(2, x=x, y=y)
    x, y = arguments.as_float(x), arguments.as_float(y)
    return jnp.concatenate([x, y, jnp.abs(x - y), x * y], axis=1)


def einsum(formula: str, *arrays: ArrayLike) -> jax.Array:
    """einsum that accumulates in float32 at least; the order of the products is the one of least work."""
    dtype = arguments.float_dtype(jnp.result_type(*arrays))
    return jnp.einsum(formula, *arrays, preferred_element_type=dtype)
