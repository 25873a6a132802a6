"""Any method on inputs of fewer numbers: a linear map that is learned from all inputs, before the first step.

    x [F]  -->  unit((x - m) W)  [D]  -->  the method, in training and in scoring

W is learned in `prepare`, from all training examples, by most methods without their labels, and stays as it is.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from zsl_jax import errors, rules, similarity
from zsl_jax.methods import base, labelled, mlp

# Which inputs a map is learned from, and what a method that does so asks for.
LEARNED_FROM: dict[str, frozenset[str]] = {"training": frozenset(), "all": frozenset({"test inputs"})}
DIMENSIONS = rules.Knob("numbers that are left of an input", rules.whole(1))
LEARN_FROM = rules.Knob(
    "inputs that the map is learned from: training ones, or all at hand, tested ones too",
    rules.one_of(tuple(LEARNED_FROM)),
)


def reduced(
    scorer: base.Method,
    learn: Callable[[jax.Array, jax.Array, Any, jax.Array], jax.Array],
    *,
    dimensions: int,
    learn_from: str,
) -> base.Method:
    """Returns the method on reduced inputs.

    Args:
      scorer: the method behind; it trains on reduced inputs as it would on others.
      learn: `(key, inputs [N, F], labels [N], start [F, D]) -> W [F, D]`; the start is random, a label of -1 is none.
      dimensions: D, from 1 to F.
      learn_from: `training`, or `all`: the inputs of the test beside them, without labels, which makes the run
        instance-transductive. The scorer trains on the labelled ones alone; where it looks at all training examples at
        once, the places of the others hold labelled ones again.

    Raises:
      UserError: an unknown `learn_from`; in `init`, inputs that are no vectors of numbers, or of fewer than D.
    """
    if learn_from not in LEARNED_FROM:
        raise errors.unknown("learn_from", learn_from, LEARNED_FROM)

    def start(key, like, classes):
        del classes
        inputs = like.inputs
        if isinstance(inputs, (tuple, list, dict)) or inputs.ndim != 2 or inputs.dtype.kind != "f":
            raise errors.UserError(
                "only inputs that are vectors of numbers have dimensions to reduce: choose features of the images"
            )
        width = inputs.shape[1]
        if dimensions > width:
            raise errors.UserError(
                f"config.method.dimensions={dimensions} is more than the {width} numbers of an input: choose fewer"
            )
        random = mlp.dense(jax.random.fold_in(key, 0), width, dimensions)
        return {"mean": jnp.zeros(width), "map": random, "learned": jnp.zeros((), bool)}

    def find(kept, train, classes, key):
        del classes
        inputs = jnp.asarray(train.inputs, jnp.float32)

        def learned():
            found = learn(key, inputs, train.labels, kept["map"])
            return {"mean": jnp.mean(inputs, axis=0), "map": found, "learned": jnp.ones((), bool)}

        # A scorer that is prepared again finds the inputs as they were.
        return jax.lax.cond(kept["learned"], lambda: kept, learned)

    def inputs_of(kept, inputs):
        return similarity.l2_normalize((inputs - kept["mean"][None, :]) @ kept["map"])

    method = base.viewed(labelled.only(scorer), base.View(start=start, learn=find, inputs=inputs_of))
    return method._replace(sees=method.sees | LEARNED_FROM[learn_from])
