"""What the in-batch losses share: a batch made into rows and columns at the door, sums made into losses at the end."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import _pairwise


def side(embeddings: ArrayLike, where: ArrayLike | None, axis_name: str | None) -> _pairwise.Side:
    """A batch as rows or columns: those outside `where` are left out, the id is the row of the whole (global) batch."""
    embeddings = arguments.as_float(embeddings)
    num_rows = embeddings.shape[0]
    mask = arguments.mask_like(where, (num_rows,))
    if where is not None:
        embeddings = jnp.where(mask[:, None], embeddings, 0.0)
    first = 0 if axis_name is None else num_rows * jax.lax.axis_index(axis_name)
    bias = jnp.where(mask, 0.0, -jnp.inf).astype(embeddings.dtype)
    return _pairwise.Side(embeddings, bias, first + jnp.arange(num_rows))


def paired_sides(where: ArrayLike | None, axis_name: str | None, **embeddings: ArrayLike) -> list[_pairwise.Side]:
    """Two batches `[B, D]`, by the names of the arguments, whose rows belong together."""
    arguments.check_same_shape(2, **embeddings)
    return [side(x, where, axis_name) for x in embeddings.values()]


def is_example(rows: _pairwise.Side) -> jax.Array:
    """`[B]` bool, the rows that `where` did not leave out."""
    return rows.bias > -jnp.inf


def checked_labels(num_classes: int | None = None, /, **arrays: ArrayLike) -> jax.Array:
    """The second of two named arrays as labels `[B]`, one for each row of the first, `[B, D]`.

    Rows of a table of `num_classes`; where that is None they only say which rows belong together.
    """
    (name, embeddings), (labels_name, labels) = arrays.items()
    if jnp.ndim(embeddings) != 2 or np.shape(labels) != jnp.shape(embeddings)[:1]:
        raise ValueError(
            f"{name} must be [B, D] and {labels_name} [B], not {jnp.shape(embeddings)} and {np.shape(labels)}"
        )
    if num_classes is not None:
        return arguments.class_labels(labels, num_classes, name=labels_name)
    return arguments.group_labels(labels, name=labels_name)


def dots(rows: _pairwise.Side, columns: _pairwise.Side) -> jax.Array:
    """`x_i . y_i`, `[B]`."""
    return jnp.sum(rows.embeddings * columns.embeddings, axis=1)


def count(rows: _pairwise.Side, axis_name: str | None) -> jax.Array:
    """The number of examples in the whole batch."""
    number = jnp.sum(is_example(rows), dtype=rows.embeddings.dtype)
    return number if axis_name is None else jax.lax.psum(number, axis_name)


def mean_embedding(rows: _pairwise.Side, axis_name: str | None) -> jax.Array:
    """The mean of the examples of the whole batch, `[D]`."""
    total = jnp.sum(rows.embeddings, axis=0)
    total = total if axis_name is None else jax.lax.psum(total, axis_name)
    return total / jnp.maximum(count(rows, axis_name), 1.0)


def two_view_sums(
    a: _pairwise.Side, b: _pairwise.Side, scale: jax.Array, *, axis_name: str | None, chunk: int | None
) -> tuple[jax.Array, jax.Array]:
    """Log-sum-exp of each row of either view over both views of all other examples, `[B]` and `[B]`."""
    options: dict[str, Any] = {"axis_name": axis_name, "chunk": chunk}
    (a_to_a, _), (a_to_b, b_to_a) = _pairwise.sums(a, [("symmetric", a), ("both", b)], scale, **options)
    b_to_b = _pairwise.symmetric_sums(b, scale, **options)
    return jnp.logaddexp(a_to_a.log_sum, a_to_b.log_sum), jnp.logaddexp(b_to_b.log_sum, b_to_a.log_sum)


def loss_against(log_sum: jax.Array, positive: jax.Array) -> jax.Array:
    """Negative log-probability of the positive logit beside others of which `log_sum` is the log-sum-exp.

    The positive is kept out of the sum: a small loss is then not the difference of two large numbers, nor below 0.
    """
    return jax.nn.softplus(log_sum - positive)


def mean_positive_loss(sums: _pairwise.Sums) -> jax.Array:
    """Mean negative log-probability of the positives; meaningless where there are none."""
    return sums.log_sum - sums.positive_sum / jnp.maximum(sums.positive_count, 1.0)
