"""Ridge regression from features to class descriptions: the plainest semantic regression."""

from zsl_jax import errors, rules, similarity
from zsl_jax.methods import base, closed_form, registry, shifted

SCORES = {"cosine": similarity.cosine, "dot": similarity.dot}


@registry.method(
    feature_ridge=rules.Knob("weight of the penalty on the side of the features", rules.number(0)),
    score=rules.Knob("how an embedded image is compared with a class", rules.one_of(tuple(SCORES))),
)
def ridge(*, feature_ridge: float = 0.3, score: str = "cosine") -> base.Method:
    """The least squares map from features to the descriptions of their classes, compared with the candidates.

        min_W sum_i ||W^T x_i - phi_{y_i}||^2 + gamma ||W||^2,    F(x, c) = cos(W^T x, phi_c)  or  x^T W phi_c

    Args:
      feature_ridge: gamma > 0; compare it with the number of examples, which is the trace of X^T X for unit features.
      score: `cosine` or `dot`.

    Raises:
      UserError: an unknown score.
    """
    if score not in SCORES:
        raise errors.unknown("score", score, SCORES)

    def solve(sums, attributes):
        return shifted.shifted_solve(sums.gram, sums.features.T @ attributes, feature_ridge)

    return closed_form.from_sums(
        solve=solve,
        embed=lambda weights, inputs: inputs @ weights,
        scores=lambda weights, images, described: SCORES[score](images, described),
    )
