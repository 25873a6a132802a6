"""Attributes of a class that nobody annotated, told from its word vector and from classes that have both.

    nearest    sum_n p_n a_n,     p = softmax over the k nearest n of cos(w, w_n) / t
    ridge      mean + (w - m) W,  W = argmin sum_n ||(w_n - m) W - (a_n - mean)||^2 + lambda s ||W||^2

`w_n [D]` and `a_n [A]` are word vector and attributes of an annotated class, `m` and `mean` their means, `s` the mean
eigenvalue of the word vectors' scatter.

Reference: Lucy, Gauthier, "Are Distributional Representations Ready for the Real World? Evaluating Word Vectors for
Grounded Perceptual Meaning", RoboNLP 2017, for norms told from word vectors; Lampert, Nickisch, Harmeling,
"Attribute-Based Classification for Zero-Shot Visual Object Categorization", TPAMI 2014, for what takes the attributes.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments, similarity


def nearest_norms(
    words: ArrayLike, known_words: ArrayLike, attributes: ArrayLike, *, nearest: int = 5, temperature: ArrayLike = 0.1
) -> jax.Array:
    """Attributes as the mean over the k annotated classes with the nearest word vectors, nearer ones weighing more.

    Args:
      words: `[Q, D]` word vectors of classes without attributes.
      known_words: `[N, D]` of annotated classes.
      attributes: `[N, A]` of the same.
      nearest: k; N of them where it is more.
      temperature: t > 0; a large one weighs the k equally.

    Returns:
      `[Q, A]` float32, within the range of the attributes.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> words = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    >>> print(nearest_norms(jnp.array([[0.0, 1.0]]), words, jnp.array([[9.0], [1.0], [3.0]]), nearest=2))
    [[2.]]
    """
    words, known_words, attributes = _checked(words, known_words, attributes)
    scores, rows = jax.lax.top_k(similarity.cosine(words, known_words), min(nearest, len(known_words)))
    shares = jax.nn.softmax(scores / temperature, axis=1)
    return jnp.einsum("qk,qka->qa", shares, attributes[rows])


def ridge_norms(
    words: ArrayLike, known_words: ArrayLike, attributes: ArrayLike, *, strength: ArrayLike = 1.0
) -> jax.Array:
    """Attributes by ridge regression from word vectors of unit length.

    Args:
      words: `[Q, D]` word vectors of classes without attributes.
      known_words: `[N, D]` of annotated classes.
      attributes: `[N, A]` of the same.
      strength: lambda > 0, in units of the mean eigenvalue; a large one gives all classes the mean attributes.

    Returns:
      `[Q, A]` float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> words = jnp.array([[1.0, 0.0], [0.0, 1.0]])
    >>> print(ridge_norms(words[:1], words, jnp.array([[1.0], [0.0]]), strength=1e-6).round(3))
    [[1.]]
    """
    words, known_words, attributes = _checked(words, known_words, attributes)
    words, known_words = similarity.l2_normalize(words), similarity.l2_normalize(known_words)
    centre, mean = jnp.mean(known_words, axis=0), jnp.mean(attributes, axis=0)
    x = known_words - centre[None, :]
    # In the space of classes, which are fewer than numbers of a vector or about as many.
    products = x @ x.T
    shift = strength * jnp.trace(products) / x.shape[1]
    solved = jnp.linalg.solve(products + shift * jnp.eye(len(x)), attributes - mean[None, :])
    return mean[None, :] + (words - centre[None, :]) @ (x.T @ solved)


NORMS: dict[str, Callable[..., jax.Array]] = {"ridge": ridge_norms, "nearest": nearest_norms}


def _checked(words: ArrayLike, known_words: ArrayLike, attributes: ArrayLike) -> tuple[jax.Array, ...]:
    arguments.check_embeddings(words, known_words, "words", "known_words")
    shape = jnp.shape(attributes)
    if len(shape) != 2 or shape[0] != jnp.shape(known_words)[0] or not shape[0]:
        raise ValueError(f"attributes must be [N, A] for known_words {jnp.shape(known_words)}, not {shape}")
    return tuple(arguments.as_float(x) for x in (words, known_words, attributes))
