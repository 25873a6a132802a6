"""A multilayer perceptron on features, or on pixels in a row."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from zsl_jax.encoders import pixels


class MLP(nn.Module):
    """x -> relu(W_n ... relu(W_1 x + b_1) ...), without a nonlinearity after the last layer.

    Args:
      widths: of the layers; the last is D.
      dropout: share of the hidden units that a training step leaves out.
      dtype: of the products of matrices; what comes out is float32.
      remat: whether the backward pass computes the layers once more instead of keeping what is inside.

    Called with inputs `[B, ...]`, which are flattened to `[B, F]`, it returns `[B, D]`.

    >>> import jax, jax.numpy as jnp
    >>> images = jnp.zeros((2, 8, 8, 1))
    >>> MLP((16, 4)).init_with_output(jax.random.key(0), images, train=False)[0].shape
    (2, 4)
    """

    widths: tuple[int, ...] = (256, 128)
    dropout: float = 0.0
    dtype: str = "float32"
    remat: bool = False

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool) -> jax.Array:
        x = pixels.as_float(jnp.reshape(inputs, (inputs.shape[0], -1)))

        def layer(module, x, number):
            if number:
                x = nn.Dropout(self.dropout, deterministic=not train)(nn.relu(x))
            return nn.Dense(self.widths[number], dtype=jnp.dtype(self.dtype))(x)

        if self.remat:
            layer = nn.remat(layer, static_argnums=2)
        for number in range(len(self.widths)):
            x = layer(self, x, number)
        return x.astype(jnp.float32)
