"""Principal components: any method on the directions in which the inputs vary most."""

import jax
import jax.numpy as jnp

from zsl_jax import rules
from zsl_jax.methods import base, closed_form, reduced, registry


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

    def learn(key, inputs, start):
        del key, start
        return components(inputs, dimensions, whiten=whiten)

    return reduced.reduced(scorer, learn, dimensions=dimensions, learn_from=learn_from)


def components(inputs: jax.Array, count: int, *, whiten: bool) -> jax.Array:
    """Returns `[F, count]` the first principal directions of inputs `[N, F]`, the most important first.

    >>> x = jnp.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> print(abs(components(x, 1, whiten=False)))
    [[1.]
     [0.]]
    """
    centred = inputs - jnp.mean(inputs, axis=0, keepdims=True)
    with jax.default_matmul_precision("highest"):
        values, vectors = jnp.linalg.eigh(closed_form.gram(centred))
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    if not whiten:
        return vectors
    # Directions without any variance stay as they are.
    smallest = 1e-6 * jnp.maximum(values[0], jnp.finfo(jnp.float32).tiny)
    deviations = jnp.sqrt(jnp.maximum(values, smallest) / len(inputs))
    return vectors / deviations[None, :]
