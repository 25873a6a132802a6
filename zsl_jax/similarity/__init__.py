"""Similarities between image and class embeddings: `[B, D] x [C, D] -> [B, C]`, larger is more similar.

Embeddings are used as given: call `l2_normalize` for unit vectors. A distance enters with a minus sign. Learned parts
(a matrix, a curvature) are arguments like any other. NaN in an embedding gives NaN scores.
"""

from zsl_jax.similarity.euclidean import mahalanobis, negative_euclidean, negative_squared_euclidean
from zsl_jax.similarity.gaussian import gaussian_document, gaussian_negative_kl, gaussian_query
from zsl_jax.similarity.hyperbolic import (
    lorentz,
    lorentz_exp0,
    lorentz_exterior_angle,
    lorentz_half_aperture,
    lorentz_log0,
    poincare,
    poincare_exp0,
    poincare_log0,
    poincare_project,
)
from zsl_jax.similarity.neighbours import nearest
from zsl_jax.similarity.products import (
    bilinear,
    cosine,
    distmult,
    dot,
    l2_normalize,
    latent_bilinear,
    low_rank_bilinear,
    pair_features,
)
from zsl_jax.similarity.sets import late_interaction, optimal_transport, set_query, sinkhorn

__all__ = [
    "bilinear",
    "cosine",
    "distmult",
    "dot",
    "gaussian_document",
    "gaussian_negative_kl",
    "gaussian_query",
    "l2_normalize",
    "late_interaction",
    "latent_bilinear",
    "lorentz",
    "lorentz_exp0",
    "lorentz_exterior_angle",
    "lorentz_half_aperture",
    "lorentz_log0",
    "low_rank_bilinear",
    "mahalanobis",
    "nearest",
    "negative_euclidean",
    "negative_squared_euclidean",
    "optimal_transport",
    "pair_features",
    "poincare",
    "poincare_exp0",
    "poincare_log0",
    "poincare_project",
    "set_query",
    "sinkhorn",
]
