"""ESZSL: the bilinear map by least squares, with a ridge on the side of the features and one on that of the classes."""

from zsl_jax import rules, similarity
from zsl_jax.methods import base, closed_form, registry, shifted


@registry.method(
    feature_ridge=rules.Knob("weight of the penalty on the side of the features", rules.number(0)),
    class_ridge=rules.Knob("weight of the penalty on the side of the class descriptions", rules.number(0)),
    other_target=rules.Knob("target of the other classes, where the right one has 1", rules.number(-1, 1, ends="[)")),
)
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

    return closed_form.from_sums(
        solve=solve,
        embed=lambda weights, inputs: inputs @ weights,
        scores=lambda weights, images, described: similarity.dot(images, described),
    )
