"""Tables of tokens, and the transformer of CLIP and SigLIP.

Its blocks are pre-normalised, unrolled or one scanned program, recomputed where asked.

    x <- x + attention(norm_1(x));   x <- x + W_2 act(W_1 norm_2(x))        layers times

Modules carry the names of the published checkpoints of Hugging Face. With `scan` the weights of all layers are stacked,
`stacked` makes them so: a deep tower compiles as fast as a shallow one.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

ACTIVATIONS = {
    "quick_gelu": lambda x: x * jax.nn.sigmoid(1.702 * x),
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_pytorch_tanh": lambda x: jax.nn.gelu(x, approximate=True),
}


class Table(nn.Module):
    """Learned rows by their number."""

    rows: int
    width: int

    @nn.compact
    def __call__(self, ids):
        return self.param("weight", nn.initializers.normal(0.02), (self.rows, self.width))[ids]


class Shape(NamedTuple):
    """The numbers of a transformer.

    Fields:
      width: D.
      layers, heads: of it.
      hidden: width inside a block's perceptron.
      activation: a name in `ACTIVATIONS`.
      epsilon: of the normalisations.
      dtype: of products; normalisations and softmax are float32.
      scan: whether the layers are one scanned program.
      remat: whether the backward pass computes blocks once more.
    """

    width: int
    layers: int
    heads: int
    hidden: int
    activation: str
    epsilon: float
    dtype: str = "float32"
    scan: bool = False
    remat: bool = False


class Transformer(nn.Module):
    """`[B, L, D] -> [B, L, D]`; `causal` lets a place look at those before it alone."""

    shape: Shape
    causal: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        block = nn.remat(Block) if self.shape.remat else Block
        if self.shape.scan:
            over = nn.scan(
                lambda module, x, _: (module(x), None),
                variable_axes={"params": 0},
                split_rngs={"params": True},
                length=self.shape.layers,
            )
            return over(block(self.shape, self.causal, name="layers"), x, None)[0]
        for number in range(self.shape.layers):
            x = block(self.shape, self.causal, name=f"layers_{number}")(x)
        return x


class Block(nn.Module):
    """Attention and a perceptron, each after a normalisation and added to its input."""

    shape: Shape
    causal: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = layer_norm(self.shape, name="layer_norm1")(x)
        x = x + Attention(self.shape, self.causal, name="self_attn")(y).astype(x.dtype)
        y = layer_norm(self.shape, name="layer_norm2")(x)
        return x + Mlp(self.shape, name="mlp")(y).astype(x.dtype)


class Attention(nn.Module):
    """Self-attention by `jax.nn.dot_product_attention`: plain products and a softmax that XLA fuses.

    It takes no attention kernel of the device by itself: cuDNN's has to be asked for by name, takes bfloat16 alone, and
    cannot be compiled for a machine without one.
    """

    shape: Shape
    causal: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        width, heads = self.shape.width, self.shape.heads
        parts = (
            nn.Dense(width, dtype=self.shape.dtype, name=f"{name}_proj")(x).reshape(*x.shape[:2], heads, -1)
            for name in "qkv"
        )
        attended = jax.nn.dot_product_attention(*parts, is_causal=self.causal).reshape(x.shape)
        return nn.Dense(width, dtype=self.shape.dtype, name="out_proj")(attended)


class Mlp(nn.Module):
    shape: Shape

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        hidden = nn.Dense(self.shape.hidden, dtype=self.shape.dtype, name="fc1")(x)
        return nn.Dense(self.shape.width, dtype=self.shape.dtype, name="fc2")(
            ACTIVATIONS[self.shape.activation](hidden)
        )


def layer_norm(shape: Shape, *, name: str) -> nn.LayerNorm:
    return nn.LayerNorm(epsilon=shape.epsilon, dtype=jnp.float32, name=name)


def stacked(variables: Any, layers: int, name: str = "layers") -> Any:
    """Returns variables with those of `NAME_0`, `NAME_1`, ... as one stack under `NAME`, as `scan` takes them."""
    if not isinstance(variables, dict):
        return variables
    if f"{name}_0" in variables:
        return {name: jax.tree.map(lambda *x: jnp.stack(x), *(variables[f"{name}_{i}"] for i in range(layers)))}
    return {key: stacked(value, layers, name) for key, value in variables.items()}
