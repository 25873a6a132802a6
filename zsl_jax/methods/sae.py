"""SAE: a linear map to the class descriptions whose transpose maps back, by a Sylvester equation."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import errors, rules, similarity
from zsl_jax.methods import base, closed_form, registry

# What becomes of an input, and of a description, before they are compared.
DIRECTIONS = {
    "to_attributes": (lambda weights, inputs: inputs @ weights.T, lambda weights, embedding: embedding),
    "to_features": (lambda weights, inputs: inputs, lambda weights, embedding: embedding @ weights),
}
# What becomes of the rows of W `[A, F]` after the equation is solved.
ROWS = {"solved": lambda weights: weights, "unit": similarity.l2_normalize}


@registry.method(
    encoder_weight=rules.Knob("weight of the encoder, where the decoder has 1", rules.number(0)),
    direction=rules.Knob("space in which images meet classes", rules.one_of(tuple(DIRECTIONS))),
    rows=rules.Knob("rows of W when classes are scored: as solved, or of unit length", rules.one_of(tuple(ROWS))),
)
def sae(*, encoder_weight: float = 0.3, direction: str = "to_features", rows: str = "solved") -> base.Method:
    """Semantic autoencoder: W `[A, F]` that encodes features X as descriptions S, tied to the decoder W^T.

        min_W ||X - W^T S||^2 + lambda ||W X - S||^2,    X [F, N],  S [A, N]
        S S^T W + lambda W X X^T = (1 + lambda) S X^T

    Args:
      encoder_weight: lambda > 0.
      direction: `to_attributes` scores cos(W x, phi_c), `to_features` scores cos(x, W^T phi_c). Each wants a weight of
        its own: on CUB127 `to_attributes` has validation ZSL .28 at the .3 that is good for the other, .52 at 100.
      rows: `solved` scores with W as it solves the equation, `unit` with each row of W at unit length, as the authors'
        released demonstration does.

    Raises:
      UserError: an unknown direction, or unknown rows.

    Reference: Kodirov, Xiang, Gong, "Semantic Autoencoder for Zero-Shot Learning", CVPR 2017.
    """
    if direction not in DIRECTIONS:
        raise errors.unknown("direction", direction, DIRECTIONS)
    if rows not in ROWS:
        raise errors.unknown("rows", rows, ROWS)
    embed, describe = DIRECTIONS[direction]

    def solve(sums, attributes):
        semantic_gram = (attributes * sums.counts[:, None]).T @ attributes
        targets = (1 + encoder_weight) * attributes.T @ sums.features
        return ROWS[rows](sylvester(semantic_gram, sums.gram, targets, weight=encoder_weight))

    return closed_form.from_sums(
        solve=solve,
        embed=embed,
        describe=lambda weights, classes: describe(weights, classes.embedding),
        scores=lambda weights, images, described: similarity.cosine(images, described),
    )


def sylvester(left: ArrayLike, right: ArrayLike, targets: ArrayLike, *, weight: ArrayLike = 1.0) -> jax.Array:
    """Returns W with `left W + weight W right = targets`, from an eigendecomposition of each of the matrices.

    With `left = U a U^T` and `right = V b V^T`: `W = U ((U^T targets V)_ij / (a_i + weight b_j)) V^T`. Under `jax.vmap`
    over the weight alone, all solutions share the two eigendecompositions. Where both matrices are singular, sums of
    eigenvalues below four float32 roundings of the traces are taken as that much.

    Args:
      left: `[A, A]`, symmetric, no negative eigenvalue.
      right: `[F, F]`, likewise.
      targets: `[A, F]`.
      weight: scalar, > 0.

    Returns:
      `[A, F]`, float32.

    >>> import jax.numpy as jnp
    >>> print(sylvester(jnp.eye(1), jnp.diag(jnp.array([1.0, 3.0])), jnp.array([[2.0, 8.0]])))
    [[1. 2.]]
    """
    left, right, targets = (jnp.asarray(x, jnp.float32) for x in (left, right, targets))
    (a, u), (b, v) = jnp.linalg.eigh(left), jnp.linalg.eigh(right)
    smallest = 4 * jnp.finfo(jnp.float32).eps * (jnp.trace(left) + weight * jnp.trace(right))
    sums = jnp.maximum(a, 0)[:, None] + weight * jnp.maximum(b, 0)[None, :]
    return u @ ((u.T @ targets @ v) / jnp.maximum(sums, smallest)) @ v.T
