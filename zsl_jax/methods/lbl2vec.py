"""Lbl2Vec: a class is the mean of the inputs that are most similar to its description."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from zsl_jax import errors, rules, similarity
from zsl_jax.methods import base, moved, registry

_NEIGHBOURS = 20  # of the local outlier factor


@registry.method(
    share=rules.Knob("inputs that describe a class, in units of the inputs per class", rules.number(0)),
    outliers=rules.Knob(
        "local outlier factor above which they are left out; 0 leaves none out", rules.number(0, ends="[)")
    ),
)
def lbl2vec(*, share: float = 0.3, outliers: float = 1.5) -> base.Method:
    """Label vectors from documents: the inputs most similar to a description, cleaned of outliers, and their mean.

        D_c  = the K inputs with the largest cos(x_i, phi_c),       K = ceil(share N / C)
        mu_c = mean of the unit vectors x_i in D_c whose local outlier factor is at most `outliers`
        F(x, c) = cos(x, mu_c)

    of the N inputs at hand, without any label, for C classes. A class that the run did not know is at its description,
    moved as the others were on average (`moved`). The release takes the inputs within an offset of the best one's
    similarity instead, by default the best one alone; it cleans no outliers unless told to.

    Args:
      share: > 0.
      outliers: 0, or a factor; of even neighbourhoods it is 1, and 1.5 is usual.

    Raises:
      UserError: in `init`, inputs that are no vectors of the width of the descriptions.

    Reference: Schopf, Braun, Matthes, "Evaluating Unsupervised Text Classification: Zero-shot and Similarity-based
    Approaches", NLPIR 2022 (Lbl2TransformerVec); Schopf, Braun, Matthes, "Lbl2Vec: An Embedding-based Approach for
    Unsupervised Document Retrieval on Predefined Topics", WEBIST 2021; Breunig, Kriegel, Ng, Sander, "LOF: Identifying
    Density-Based Local Outliers", SIGMOD 2000.
    """

    def init(key, like, classes, weights):
        of_input, of_class = jnp.shape(like.inputs)[1:], classes.embedding.shape[1:]
        if of_input != of_class or len(of_input) != 1:
            raise errors.UserError(
                f"lbl2vec takes the mean of inputs that are similar to a description, but an input is {list(of_input)} "
                f"and a description {list(of_class)}: both must be vectors of one encoder, as texts and names are, or "
                "a tie must bring them together (config.towers.tie, made by zsl-jax tie)"
            )
        return {}

    def finish(state, train, classes, key):
        corpus = similarity.l2_normalize(train.inputs)
        count = min(max(1, math.ceil(share * len(corpus) / len(classes))), len(corpus))

        def mean_of_nearest(description):
            _, rows = jax.lax.top_k(corpus @ description, count)
            found = corpus[rows]
            kept = jnp.ones(count, bool)
            if outliers and count > 2:
                factors = local_outlier_factor(found, neighbours=min(_NEIGHBOURS, count - 1))
                kept = factors <= jnp.maximum(outliers, jnp.min(factors))
            return jnp.mean(found, axis=0, where=kept[:, None])

        # A class at a time: the distances of its inputs [K, K] would not fit for all of them.
        vectors = jax.lax.map(mean_of_nearest, similarity.l2_normalize(classes.embedding))
        return moved.keep(classes.embedding, vectors)

    return base.Method(
        init=init,
        update=None,
        finish=finish,
        describe=lambda state, classes: moved.describe(state, classes.embedding),
        scores=lambda state, images, described: similarity.cosine(images, described),
        sees=frozenset({"test inputs", "unseen descriptions"}),
    )


def local_outlier_factor(vectors: Any, *, neighbours: int) -> jax.Array:
    """How much thinner than around its neighbours the vectors lie around each one; about 1 inside a cluster.

        reach(i, j) = max(|x_i - x_j|, distance of x_j to its k-th neighbour)
        density(i)  = 1 / mean_{j in kNN(i)} reach(i, j),       factor(i) = mean_{j in kNN(i)} density(j) / density(i)

    Args:
      vectors: `[K, D]`, unit length.
      neighbours: k, from 1 to K - 1.

    Returns:
      `[K]`, float32.

    >>> import jax.numpy as jnp
    >>> angles = jnp.array([0.0, 0.1, 0.2, 1.5])
    >>> factors = local_outlier_factor(jnp.stack([jnp.cos(angles), jnp.sin(angles)], 1), neighbours=2)
    >>> [round(float(factor), 1) for factor in factors]
    [0.9, 1.3, 0.9, 7.3]
    """
    cosines, rows = similarity.nearest(vectors, count=neighbours)
    distances = jnp.sqrt(jnp.maximum(2 - 2 * cosines, 0))
    reach = jnp.maximum(distances, distances[rows, -1])
    density = 1 / (jnp.mean(reach, axis=1) + 1e-10)  # of equal vectors
    return jnp.mean(density[rows], axis=1) / density
