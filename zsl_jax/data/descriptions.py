"""From the names of classes to what describes them, where a name is enough: the one place that `predict` asks.

A dataset whose class table is made of names says how in `info["described_by"]`, a dict with the way in `by`, and the
record of a run keeps it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zsl_jax import class_encoders, errors


def make(said: Mapping[str, Any]) -> Callable[[Sequence[str]], Any]:
    """Returns `names -> embedding`, as a record says it was made.

    Raises:
      UserError: an unknown way.

    >>> make({"by": "tokens", "length": 4})(["small red star"]).shape
    (1, 4)
    """
    way = said.get("by")
    if way not in WAYS:
        raise errors.unknown("description of classes", way, WAYS)
    options = {name: value for name, value in said.items() if name != "by"}
    return lambda names: WAYS[way](list(names), **options)


WAYS: dict[str, Callable[..., Any]] = {"tokens": class_encoders.tokens}
