"""Classes described by several sources, whose weights are learned from the training classes and their images.

{"words": [C, D], "wordnet": [C, M]}  -->  [C, D + M], each part of unit length times the root of its weight
"""

import dataclasses

import jax
import jax.numpy as jnp

from zsl_jax import class_encoders, errors, similarity
from zsl_jax.methods import base


def weighted(method: base.Method) -> base.Method:
    """Returns the method on classes of several sources side by side, see `class_encoders.concatenated`.

    Weights are `class_encoders.aligned_weights`, with the mean input of each class, of unit length, as its prototype:
    classes are to be as similar as their images. They are learned in `prepare` from the training classes alone.

    Raises:
      UserError: in `init`, inputs that are no vectors of numbers, or examples with several labels.
    """

    def start(key, like, classes):
        del key
        inputs = like.inputs
        if isinstance(inputs, (tuple, list, dict)) or inputs.ndim != 2 or inputs.dtype.kind != "f":
            raise errors.UserError(
                "config.classes.weights=learned compares classes by features, and inputs are no vectors: set weights"
            )
        if like.labels.ndim != 1:
            raise errors.UserError("config.classes.weights=learned is for inputs of one class each: set weights")
        return dict.fromkeys(classes.embedding, jnp.ones(()))

    def learn(kept, train, classes, key):
        del key
        names, count = sorted(kept), len(classes)
        inputs = similarity.l2_normalize(train.inputs)
        labels = jnp.where(train.labels < 0, count, train.labels)  # an example without a label counts nowhere
        sums = jax.ops.segment_sum(inputs, labels, count)
        found = class_encoders.aligned_weights([classes.embedding[name] for name in names], _means(sums, labels))
        return dict(zip(names, found))

    def side_by_side(kept, classes):
        names = sorted(kept)
        joined = class_encoders.concatenated(
            [classes.embedding[name] for name in names], weights=[kept[name] for name in names]
        )
        return dataclasses.replace(classes, embedding=joined)

    return base.viewed(method, base.View(start=start, learn=learn, classes=side_by_side))


def _means(sums: jax.Array, labels: jax.Array) -> jax.Array:
    counts = jax.ops.segment_sum(jnp.ones(len(labels)), labels, len(sums))
    return sums / jnp.maximum(counts, 1)[:, None]


def of(state: base.Viewed) -> dict[str, float]:
    """Returns the weight of each source that a finished state has learned."""
    return {name: float(weight) for name, weight in sorted(state.kept.items())}
