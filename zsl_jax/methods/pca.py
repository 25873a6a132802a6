"""Principal components: any method on the directions in which the inputs vary most."""

import jax
import jax.numpy as jnp

from zsl_jax import rules
from zsl_jax.methods import base, closed_form, reduced, registry

# Of subspace iteration: what is left of a direction whose variance is a tenth smaller than the last one's is .9^30.
_ROUNDS = 30


@registry.method(
    dimensions=reduced.DIMENSIONS,
    whiten=rules.Knob("whether each component is divided by its standard deviation", rules.one_of((False, True))),
    learn_from=reduced.LEARN_FROM,
)
def pca(
    scorer: base.Method, *, dimensions: int = 64, whiten: bool = False, learn_from: str = "training"
) -> base.Method:
    """A method on the first principal components of its inputs.

        x  -->  unit((x - m) V)       V [F, D]: the eigenvectors of (X - m)^T (X - m) with the largest eigenvalues

    What `tldr` is compared with at equal dimensions.

    Args:
      scorer: the method on reduced inputs; it trains as it would on others.
      dimensions: D, from 1 to the numbers of an input.
      whiten: divides each component by the standard deviation of the inputs along it.
      learn_from: see `tldr`.

    Raises:
      UserError: see `reduced.reduced`.

    Reference: Pearson, "On Lines and Planes of Closest Fit to Systems of Points in Space", Philosophical Magazine 1901.
    """

    def learn(key, inputs, labels, start):
        del key, labels
        return components(inputs, start, whiten=whiten)

    return reduced.reduced(scorer, learn, dimensions=dimensions, learn_from=learn_from)


def components(inputs: jax.Array, start: jax.Array, *, whiten: bool) -> jax.Array:
    """Returns `[F, D]` the first principal directions of inputs `[N, F]`, the most important first.

    By subspace iteration: a few seconds where all 2304 eigenvectors of bird features take half a minute. Directions of
    nearly equal variance may be exchanged.

    Args:
      inputs: `[N, F]`.
      start: `[F, D]`, of rank D; a random matrix.
      whiten: divides each direction by the standard deviation of the inputs along it.

    >>> x = jnp.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> print(abs(components(x, jnp.ones((2, 1)), whiten=False)).round(3))
    [[1.]
     [0.]]
    """
    with jax.default_matmul_precision("highest"):
        matrix = closed_form.gram(inputs - jnp.mean(inputs, axis=0, keepdims=True))
        basis = jax.lax.fori_loop(0, _ROUNDS, lambda _, x: jnp.linalg.qr(matrix @ x)[0], jnp.linalg.qr(start)[0])
        values, turn = jnp.linalg.eigh(basis.T @ matrix @ basis)
        vectors, values = (basis @ turn)[:, ::-1], values[::-1]
    if not whiten:
        return vectors
    # Directions without any variance stay short of infinity.
    smallest = 1e-6 * jnp.maximum(values[0], jnp.finfo(jnp.float32).tiny)
    return vectors / jnp.sqrt(jnp.maximum(values, smallest) / len(inputs))[None, :]
