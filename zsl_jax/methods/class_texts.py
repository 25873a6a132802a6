"""Class tables of several texts per class, `{"texts": [C, K, E], "is_text": [C, K]}`: K slots, some of them free."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import errors, similarity

KEYS = {"texts", "is_text"}


def of(classes: Any) -> tuple[Any, Any]:
    """Returns the texts of a table `[C, K, E]`, and which slots hold one `[C, K]`; of a matrix one text per class.

    Raises:
      UserError: a table of another form, or a class without texts where that can be seen.
    """
    table = classes.embedding
    if isinstance(table, dict) and table.keys() == KEYS:
        texts, is_text = table["texts"], table["is_text"]
        if isinstance(is_text, np.ndarray) and not is_text.any(axis=1).all():
            row = int(np.argmin(is_text.any(axis=1)))
            raise errors.UserError(f"class {classes.names[row] if classes.names else row} of the table has no texts")
        return texts, is_text
    if getattr(table, "ndim", 0) != 2 or not jnp.issubdtype(table.dtype, jnp.floating):
        raise errors.UserError(
            "a class is described by texts, {'texts': [C, K, E], 'is_text': [C, K]}, or by one vector, [C, E]; this "
            "table has another form"
        )
    return table[:, None, :], np.ones((len(table), 1), bool)


def first(is_text: Any, count: Any) -> jax.Array:
    """Returns `[C, K]` bool, the first `count` texts of each class; one number, or `[C, 1]`.

    >>> print(first(jnp.array([[True, False, True, True]]), 2))
    [[ True False  True False]]
    """
    is_text = jnp.asarray(is_text)
    return is_text & (jnp.cumsum(is_text, axis=1) <= count)


def mean(texts: Any, shown: Any) -> jax.Array:
    """Returns `[C, E]`, the unit mean of the texts of each class that are shown."""
    return similarity.l2_normalize(jnp.sum(jnp.asarray(texts) * jnp.asarray(shown)[:, :, None], axis=1))
