"""Training on every class that has examples, the unseen ones with a few examples among them."""

from zsl_jax.methods import base


def any_shot(method: base.Method, num_classes: int) -> base.Method:
    """Returns the method trained on the first classes of the table: the seen ones, and those with a few examples.

    For tasks of `data.few_shot.few_shot`. Its setting is `few-shot`, in which the trainer shows the whole table; the
    classes beyond the first `num_classes` are cut off here and take no part in training.

    Args:
      method: any method.
      num_classes: the classes with training examples, see `data.few_shot.num_trained`.
    """
    return method._replace(
        init=lambda key, batch, classes: method.init(key, batch, classes[:num_classes]),
        prepare=lambda state, train, classes, key: method.prepare(state, train, classes[:num_classes], key),
        update=lambda state, batch, classes, key: method.update(state, batch, classes[:num_classes], key),
        setting="few-shot",
    )
