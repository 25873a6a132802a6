"""A learned mixture of the layers of a frozen text tower: `[B, J, D] -> [B, D]`."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from zsl_jax import errors


class ScalarMix(nn.Module):
    """`gamma * sum_j softmax(s)_j h_j` over the layers j of a tower, h_j the mean over the tokens of a text.

    The mean over tokens of a mixture is the mixture of the means, so that a tower encodes a text once and J vectors of
    it are kept. All layers weigh the same at the start, and gamma is 1.

    Args:
      dropout: share of the entries of the embedding that a training step leaves out.

    Raises:
      UserError: inputs that are not `[B, J, D]`.

    >>> import jax, jax.numpy as jnp
    >>> layers = jnp.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> print(ScalarMix().init_with_output(jax.random.key(0), layers, train=False)[0])
    [[2. 3.]]

    Reference: Peters et al., "Deep contextualized word representations", NAACL 2018.
    """

    dropout: float = 0.0

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool) -> jax.Array:
        if jnp.ndim(inputs) != 3 or not jnp.issubdtype(jnp.asarray(inputs).dtype, jnp.floating):
            found = f"{jnp.asarray(inputs).dtype} {list(jnp.shape(inputs))}"
            raise errors.UserError(
                f"the encoder scalar_mix takes the layers of a text tower [B, J, D], not {found}: a recipe on texts, "
                "such as zsl_kg:texts, with --config.towers.text=FOLDER of a BERT"
            )
        share = jax.nn.softmax(self.param("layers", nn.initializers.zeros, (inputs.shape[1],)))
        gamma = self.param("gamma", nn.initializers.ones, ())
        mixed = gamma * jnp.einsum("j,bjd->bd", share, inputs)
        return nn.Dropout(self.dropout, deterministic=not train)(mixed)
