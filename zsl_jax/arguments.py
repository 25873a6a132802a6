"""Checks and conversions at the door of the pure functions: float32 at least, shapes that fit, masks broadcast."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def as_float(x: ArrayLike) -> jax.Array:
    """`x` as float32, or wider where it already is: losses and norms are never taken in half precision."""
    x = jnp.asarray(x)
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def as_scalar(**knob: ArrayLike) -> jax.Array:
    """A knob, given by its name, as one number in float32 at least; an array of them would broadcast somewhere."""
    ((name, value),) = knob.items()
    if jnp.shape(value) != ():
        raise ValueError(f"{name} must be one number, not an array {jnp.shape(value)}")
    return as_float(value)


def check_embeddings(x: ArrayLike, y: ArrayLike, x_name: str, y_name: str) -> None:
    """Raises unless `x` is `[B, D]` and `y` is `[C, D]`."""
    x_shape, y_shape = jnp.shape(x), jnp.shape(y)
    if len(x_shape) != 2 or len(y_shape) != 2 or x_shape[1] != y_shape[1]:
        raise ValueError(f"{x_name} must be [B, D] and {y_name} [C, D] with the same D, not {x_shape} and {y_shape}")


def check_same_shape(ndim: int, **arrays: ArrayLike) -> None:
    """Raises unless all arrays have the same shape, of `ndim` axes."""
    shapes = [jnp.shape(x) for x in arrays.values()]
    if len(shapes[0]) != ndim or any(shape != shapes[0] for shape in shapes):
        names, found = ", ".join(arrays), ", ".join(map(str, shapes))
        raise ValueError(f"{names} must have the same shape, of {ndim} axes; they have {found}")


def check_labels(scores: ArrayLike, labels: ArrayLike) -> None:
    """Raises unless `scores` is `[B, C]` and `labels` is `[B]` of integers."""
    scores_shape, labels_shape = jnp.shape(scores), jnp.shape(labels)
    if len(scores_shape) != 2 or labels_shape != scores_shape[:1]:
        raise ValueError(f"scores must be [B, C] and labels [B], not {scores_shape} and {labels_shape}")
    if not jnp.issubdtype(jnp.asarray(labels).dtype, jnp.integer):
        raise ValueError(f"labels must be integers (rows of the class table), not {jnp.asarray(labels).dtype}")


def mask_like(where: ArrayLike | None, shape: tuple[int, ...]) -> jax.Array:
    """The mask broadcast to `shape` as numpy would (`None`: all True); raises where numpy would."""
    if where is None:
        return jnp.ones(shape, bool)
    where = jnp.asarray(where)
    aligned = (1,) * (len(shape) - where.ndim) + where.shape
    if len(aligned) != len(shape) or any(have not in (1, want) for have, want in zip(aligned, shape)):
        raise ValueError(f"where must be broadcastable to {shape}, not {where.shape}")
    return jnp.broadcast_to(where.reshape(aligned).astype(bool), shape)
