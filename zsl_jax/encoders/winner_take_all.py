"""Sparse codes of texts: each word keeps the few largest of many answers, and a text those of its words."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from zsl_jax import errors
from zsl_jax.encoders import text


def winners(x: jax.Array, count: int) -> jax.Array:
    """`x [..., D]` with all but its `count` largest entries set to 0; entries that tie with the last winner stay.

    >>> import jax.numpy as jnp
    >>> print(winners(jnp.array([3.0, 1.0, 2.0, -1.0]), 2))
    [3. 0. 2. 0.]
    """
    # The least of the largest of a matrix, and not the last one: then XLA on a CPU takes its kernel for the largest of
    # rows, where it would sort all of each row, which takes 15 times as long.
    rows = jnp.reshape(x, (-1, x.shape[-1]))
    least = jnp.min(jax.lax.top_k(rows, count)[0], axis=-1, keepdims=True)
    return jnp.reshape(jnp.where(rows >= least, rows, 0.0), x.shape)


class WinnerTakeAll(nn.Module):
    """`max_l winners(relu(W x_l + b))`, optionally as bits: a sparse code of the words x_l of a text.

    Args:
      width: D, much larger than a word vector.
      winners: entries that a word keeps, at most D.
      binary: whether what is left is 1; gradients are those of what is left itself (straight through).
      vocabulary, embedding_width: of a table of words that is learned, as for `text.BagOfWords`.

    Raises:
      UserError: more winners than entries.

    >>> import jax, jax.numpy as jnp
    >>> module, tokens = WinnerTakeAll(width=8, winners=2, binary=True), jnp.array([[7, 9, 0], [9, 0, 0]])
    >>> code = module.init_with_output(jax.random.key(0), tokens, train=False)[0]
    >>> code.shape, sorted(set(code.ravel().tolist())), bool((code.sum(axis=1) <= jnp.array([4, 2])).all())
    ((2, 8), [0.0, 1.0], True)

    Reference: Jang et al., "Ultra-High Dimensional Sparse Representations with Binarization for Efficient Text
    Retrieval", EMNLP 2021.
    """

    width: int = 1024
    winners: int = 16
    binary: bool = False
    vocabulary: int = 4096
    embedding_width: int = 64

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool) -> jax.Array:
        del train
        if self.winners > self.width:
            raise errors.UserError(f"winners={self.winners} of winner_take_all are more than its width={self.width}")
        tokens = text.checked(inputs, "winner_take_all")
        words, where = text.vectors(self, tokens, self.vocabulary, self.embedding_width)
        kept = winners(nn.relu(nn.Dense(self.width)(words)), self.winners)
        code = text.masked_max(kept, where)
        return code + jax.lax.stop_gradient((code > 0).astype(code.dtype) - code) if self.binary else code
