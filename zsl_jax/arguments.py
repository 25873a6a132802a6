"""Checks and conversions of the arguments of pure functions: float32 at least, whole labels, shapes that fit, masks."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike


def as_float(x: ArrayLike) -> jax.Array:
    """`x` as float32, or wider if it already is: losses and norms are never computed in half precision."""
    x = jnp.asarray(x)
    return x.astype(float_dtype(x.dtype))


def float_dtype(dtype) -> jnp.dtype:
    """The dtype in which values of another are computed with: float32 at least."""
    is_wide = jnp.issubdtype(dtype, jnp.inexact) and jnp.dtype(dtype).itemsize >= 4
    return jnp.dtype(dtype if is_wide else jnp.float32)


def as_scalar(**knob: ArrayLike) -> jax.Array:
    """A knob, given by its name, as one number in float32 at least; an array of them would broadcast silently."""
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


def as_bool(**named: ArrayLike) -> jax.Array:
    """Yes or no, given by the name of the argument, as bool: 0 is no, any other number yes; NaN is neither and raises.

    Under `jit`, where values cannot be checked, NaN is yes, as in numpy.
    """
    ((name, values),) = named.items()
    is_traced = isinstance(values, jax.core.Tracer)
    if not is_traced and jnp.issubdtype(np.asarray(values).dtype, jnp.floating) and np.isnan(values).any():
        raise ValueError(f"{name} must be bool, or 0 and 1: NaN is neither; mark what is unknown in the mask")
    return jnp.asarray(values).astype(bool)


def class_labels(labels: ArrayLike, num_classes: int | None = None, *, name: str = "labels") -> jax.Array:
    """Labels that are rows of a class table, as int32: -1 for one that is no class, outside `[0, num_classes)`.

    The one rule of this library for labels. They are whole numbers of any integer dtype, or floats with whole values,
    and are widened before anything is computed from them. An example whose label is no class counts nowhere: a metric
    leaves it out, a loss of it is 0 and so is its gradient. Where C is not known (None), only a negative label, or one
    beyond int32, is no class. Under `jit`, where values cannot be checked, a float that is not whole is no class.

    Raises:
      ValueError: labels that are not whole numbers.

    >>> import numpy as np
    >>> print(class_labels(np.array([0, 255, 300, 2**40 + 1]), 256))
    [  0 255  -1  -1]
    """
    labels = _whole(labels, name)
    last = np.iinfo(np.int32).max if num_classes is None else num_classes - 1
    is_class = (labels >= 0) & (labels <= last)
    if isinstance(labels, np.ndarray):
        result = np.full(labels.shape, -1, np.int32)
        result[is_class] = labels[is_class]
        return jax.device_put(result)  # which compiles nothing
    return jnp.where(is_class, labels, -1).astype(jnp.int32)


def score_labels(scores: ArrayLike, labels: ArrayLike, name: str = "scores") -> jax.Array:
    """`class_labels` of `labels [B]` for `scores [B, C]`; raises unless the shapes fit."""
    scores_shape, labels_shape = jnp.shape(scores), np.shape(labels)
    if len(scores_shape) != 2 or labels_shape != scores_shape[:1]:
        raise ValueError(f"{name} must be [B, C] and labels [B], not {scores_shape} and {labels_shape}")
    return class_labels(labels, scores_shape[1])


def group_labels(labels: ArrayLike, *, name: str = "labels") -> jax.Array:
    """Labels that only say which examples belong together, as integers: different whole numbers stay different.

    Raises:
      ValueError: labels that are not whole numbers.

    >>> import numpy as np
    >>> print(group_labels(np.array([7, 7 + 2**32, 7])))
    [0 1 0]
    """
    labels = _whole(labels, name)
    if isinstance(labels, np.ndarray):
        fits = labels.size == 0 or (labels.min() >= -(2**31) and labels.max() < 2**31)
        numbers = labels if fits else np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
        return jnp.asarray(numbers.astype(np.int32))
    return labels


def _whole(labels: ArrayLike, name: str) -> np.ndarray | jax.Array:
    """Whole numbers: an array of numpy where the values are at hand, or integers of at least 32 bits of jax."""
    if not isinstance(labels, jax.Array):
        labels = np.asarray(labels)
    is_integer, is_float = (jnp.issubdtype(labels.dtype, kind) for kind in (jnp.integer, jnp.floating))
    if not is_integer and not is_float:
        raise ValueError(f"{name} must be whole numbers (integers, such as rows of a class table), not {labels.dtype}")
    if is_float and not isinstance(labels, jax.core.Tracer):
        labels = np.asarray(labels)
    if isinstance(labels, np.ndarray):
        if is_float and not np.all(is_whole := np.isfinite(labels) & (labels == np.floor(labels))):
            place = tuple(int(i) for i in np.argwhere(~is_whole)[0])
            raise ValueError(f"{name} must be whole numbers (integers), not {labels[place]} at {place}")
        return labels
    if is_integer:
        return labels.astype(jnp.int64 if labels.dtype.itemsize == 8 else jnp.int32)
    is_whole = (labels == jnp.floor(labels)) & (jnp.abs(labels) < 2.0**31)
    return jnp.where(is_whole, labels, -1).astype(jnp.int32)


def count(where: ArrayLike, axis: int | None = None, *, keepdims: bool = False) -> jax.Array:
    """Number of True as float32, at least 1: the divisor of a mean over what counts, which is 0 if nothing does."""
    return jnp.maximum(jnp.sum(where, axis=axis, keepdims=keepdims), 1).astype(jnp.float32)


def mask_like(where: ArrayLike | None, shape: tuple[int, ...]) -> jax.Array:
    """The mask broadcast to `shape` as numpy would (`None`: all True); raises where numpy would."""
    if where is None:
        return jnp.ones(shape, bool)
    where = jnp.asarray(where)
    aligned = (1,) * (len(shape) - where.ndim) + where.shape
    if len(aligned) != len(shape) or any(have not in (1, want) for have, want in zip(aligned, shape)):
        raise ValueError(f"where must be broadcastable to {shape}, not {where.shape}")
    return jnp.broadcast_to(where.reshape(aligned).astype(bool), shape)


def map_rows(function, rows, *, size: int):
    """`function` of each row of a tree of arrays, `size` of them side by side, so that it needs the memory of those.

    Where the number of rows is a symbol, as in an exported file, one row is taken after another.

    >>> print(map_rows(lambda x: 2 * x, jnp.arange(5), size=2))
    [0 2 4 6 8]
    """
    is_known = isinstance(jax.tree.leaves(rows)[0].shape[0], int)
    return jax.lax.map(function, rows, batch_size=size if is_known else None)
