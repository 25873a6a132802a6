"""Ideal words: in a space of features the mean of a pair is a vector of its attribute plus one of its object."""

import jax
import jax.numpy as jnp

from zsl_jax.methods import base, centring, closed_form, registry
from zsl_jax.rules import Knob, number


@registry.method(
    ridge=Knob("training inputs that hold each vector at 0", number(0)),
    shrinkage=Knob("share of the covariance within classes that the identity takes", number(0, 1, ends="(]")),
)
def ideal_words(*, ridge: float = 1.0, shrinkage: float = 0.3) -> base.Method:
    """A linear space of meanings: class means are linear in the descriptions; with two-hot ones a sum of two vectors.

        U = argmin_U  sum_c n_c ||m_c - phi_c U||^2 + ridge ||U||^2          phi_(a,o) U = u_a + u_o
        F(x, c) = mu_c^T S^-1 x - mu_c^T S^-1 mu_c / 2,   mu_c = phi_c U

    n_c is the number of training inputs of class c and m_c their mean, both x and m_c around the mean of all; S is the
    covariance within classes, of which a share is replaced by a multiple of the identity. The score is that of linear
    discriminant analysis at the means that the descriptions give, so that an unseen class is scored as any other. One
    pass over the inputs, no step size. With word vectors or attributes as descriptions U maps those to means.

    Args:
      ridge: > 0, in inputs.
      shrinkage: in (0, 1].

    Reference: Trager, Perera, Zancato, Achille, Bhatia, Soatto, "Linear Spaces of Meanings: Compositional Structures in
    Vision-Language Models", ICCV 2023, there on text embeddings of all pairs; here on the means of image features, of
    the pairs that there are.
    """

    def solve(sums, attributes):
        hessian = attributes.T @ (sums.counts[:, None] * attributes) + ridge * jnp.eye(attributes.shape[1])
        vectors = _solved(hessian, attributes.T @ sums.features)
        means = sums.features / jnp.maximum(sums.counts, 1)[:, None]
        within = (sums.gram - means.T @ sums.features) / jnp.sum(sums.counts)
        width = len(within)
        share = jnp.maximum(jnp.trace(within) / width, 1e-12)
        within = (1 - shrinkage) * within + shrinkage * share * jnp.eye(width)
        return {"vectors": vectors, "normals": _solved(within, vectors.T).T}

    def describe(solution, classes):
        phi = jnp.asarray(classes.embedding, jnp.float32)
        normals = phi @ solution["normals"]
        return {"normals": normals, "offsets": -jnp.sum(normals * (phi @ solution["vectors"]), axis=1) / 2}

    return base.viewed(
        closed_form.from_sums(
            solve=solve,
            describe=describe,
            scores=lambda solution, images, of: images @ of["normals"].T + of["offsets"][None, :],
        ),
        centring.CENTRED,
    )


def _solved(matrix, right):
    """The solution of a symmetric positive definite system."""
    return jax.scipy.linalg.solve(matrix, right, assume_a="pos")
