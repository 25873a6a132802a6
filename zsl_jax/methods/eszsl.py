"""ESZSL: the bilinear map by least squares, with a ridge on the side of the features and one on that of the classes."""

from zsl_jax import errors, rules, similarity
from zsl_jax.methods import base, closed_form, registry, shifted

# What a penalty is multiplied with, of a matrix X^T X `[F, F]`, and of the sum `[F]` and the number of the rows of X.
UNITS = {
    "one": lambda gram, total, count: 1.0,
    "variance": lambda gram, total, count: (gram.trace() - total @ total / count) / len(gram),
}


@registry.method(
    feature_ridge=rules.Knob("weight of the penalty on the side of the features", rules.number(0)),
    class_ridge=rules.Knob("weight of the penalty on the side of the class descriptions", rules.number(0)),
    unit=rules.Knob("what the two penalties are measured in", rules.one_of(tuple(UNITS))),
    other_target=rules.Knob("target of the other classes, where the right one has 1", rules.number(-1, 1, ends="[)")),
)
def eszsl(
    *, feature_ridge: float = 1.0, class_ridge: float = 0.3, unit: str = "one", other_target: float = 0.0
) -> base.Method:
    """Embarrassingly simple zero-shot learning: the bilinear map W that solves

        (X^T X + gamma I) W (Phi^T Phi + lambda I) = X^T Y Phi

    with features X `[N, F]`, targets Y `[N, S]` and seen descriptions Phi `[S, A]`; a score is x^T W phi_c.

    Args:
      feature_ridge: gamma > 0; compare it with the number of examples, which is the trace of X^T X for unit features.
      class_ridge: lambda > 0; compare it with the number of seen classes.
      unit: of both; `one` as the equation has them, or `variance`: gamma and lambda are multiplied with the mean
        eigenvalues of the centred X^T X and Phi^T Phi. The scores then do not depend on the scale of features and
        descriptions, the penalties grow with the numbers of examples and classes, and a direction that all examples
        have in common, which tells nothing apart, does not make them larger: 1 and 1 are near the best on features as
        different as those of birds, groceries, digits and rendered shapes (docs/choices.md). With such penalties W
        falls as one over the number S of training classes, and is multiplied with it: a constant gamma that was chosen
        where fewer classes train is then right where all do.
      other_target: what Y holds, in [-1, 1), where the right class has 1: 0 for one-hot. The paper has -1, which adds
        the same image-wide term to the scores of all classes with similar descriptions; on validation classes described
        by attributes, which have a direction in common, that cost a third of the accuracy.

    Raises:
      UserError: an unknown unit.

    Reference: Romera-Paredes, Torr, "An embarrassingly simple approach to zero-shot learning", ICML 2015.
    """

    if unit not in UNITS:
        raise errors.unknown("unit", unit, UNITS)

    def solve(sums, attributes):
        class_gram, num_examples = attributes.T @ attributes, sums.counts.sum()
        gamma = feature_ridge * UNITS[unit](sums.gram, sums.features.sum(axis=0), num_examples)
        weight = class_ridge * UNITS[unit](class_gram, attributes.sum(axis=0), len(attributes))
        correlation = (1 - other_target) * sums.features.T + other_target * sums.features.sum(axis=0)[:, None]
        left = shifted.shifted_solve(sums.gram, correlation, gamma)
        right = shifted.shifted_solve(class_gram, attributes.T, weight)
        return left @ right.T * (len(attributes) if unit == "variance" else 1)

    return closed_form.from_sums(
        solve=solve,
        embed=lambda weights, inputs: inputs @ weights,
        scores=lambda weights, images, described: similarity.dot(images, described),
    )
