"""ESZSL: the bilinear map by least squares, with a ridge on the side of the features and one on that of the classes."""

from zsl_jax import similarity
from zsl_jax.methods import base, closed_form, shifted


def eszsl(*, feature_ridge: float = 1.0, class_ridge: float = 0.3, other_target: float = 0.0) -> base.Method:
    """Embarrassingly simple zero-shot learning: the bilinear map W that solves

        (X^T X + gamma I) W (Phi^T Phi + lambda I) = X^T Y Phi

    with features X `[N, F]`, targets Y `[N, S]` and seen descriptions Phi `[S, A]`; a score is x^T W phi_c.

    Args:
      feature_ridge: gamma > 0; compare it with the number of examples, which is the trace of X^T X for unit features.
      class_ridge: lambda > 0; compare it with the number of seen classes.
      other_target: what Y holds, in [-1, 1), where the right class has 1: 0 for one-hot. The paper has -1, which adds
        the same image-wide term to the scores of all classes with alike descriptions; on validation classes described
        by attributes, which have a direction in common, that cost a third of the accuracy.

    Reference: Romera-Paredes, Torr, "An embarrassingly simple approach to zero-shot learning", ICML 2015.
    """

    def solve(sums, attributes):
        correlation = (1 - other_target) * sums.features.T + other_target * sums.features.sum(axis=0)[:, None]
        left = shifted.shifted_solve(sums.gram, correlation, feature_ridge)
        right = shifted.shifted_solve(attributes.T @ attributes, attributes.T, class_ridge)
        return left @ right.T

    def scores(weights, inputs, classes):
        return similarity.bilinear(inputs, classes.embedding, weights)

    return closed_form.from_sums(solve=solve, scores=scores)
