"""What clusters of inputs are worth where no name says which class a cluster is: matched one to one with the classes.

m = argmax over permutations of #{i: m(cluster_i) = y_i},    accuracy = #{i: m(cluster_i) = y_i} / N
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax import arguments

__all__: Sequence[str] = ("discovered",)


def discovered(
    clusters: ArrayLike, labels: ArrayLike, *, num_classes: int, where: ArrayLike | None = None
) -> jax.Array:
    """Class that the cluster of each example stands for, in the matching with the most right examples.

    Give it to an accuracy in place of predictions. One matching is made for all examples that count: known and unknown
    classes compete for the clusters, and a part of the examples is measured with the matching of all. It looks at the
    labels, so it is no prediction, and an accuracy with it is at least that of the clusters as they are numbered.

    Args:
      clusters: `[N]` int, the cluster of each example; one outside `[0, num_classes)` stands for no class.
      labels: `[N]` int, the true class; a label outside `[0, num_classes)` counts nowhere.
      num_classes: C, the number of classes and of clusters, static.
      where: `[N]` bool, the examples that count; None for all.

    Returns:
      `[N]` int32 in `[0, num_classes)`, -1 for an example without a cluster.

    Raises:
      ValueError: shapes that do not match.

    >>> import jax.numpy as jnp
    >>> print(discovered(jnp.array([2, 2, 0, 0, 1]), jnp.array([0, 0, 1, 1, 1]), num_classes=3))
    [0 0 1 1 2]

    Reference: Vaze, Han, Vedaldi, Zisserman, "Generalized Category Discovery", CVPR 2022; Kuhn, "The Hungarian Method
    for the Assignment Problem", Naval Research Logistics Quarterly 1955.
    """
    clusters = arguments.class_labels(clusters, num_classes, name="clusters")
    labels = arguments.class_labels(labels, num_classes)
    arguments.check_same_shape(1, clusters=clusters, labels=labels)
    counts = arguments.mask_like(where, labels.shape) & (labels >= 0) & (clusters >= 0)
    # Rows that do not count go beyond the table, and are dropped.
    places = jnp.where(counts, clusters, num_classes), jnp.where(counts, labels, num_classes)
    table = jnp.zeros((num_classes, num_classes), jnp.int32).at[places].add(1, mode="drop")
    like = jax.ShapeDtypeStruct((num_classes,), jnp.int32)
    matched = jax.pure_callback(_matched, like, table, vmap_method="sequential")
    return jnp.where(clusters >= 0, matched[jnp.maximum(clusters, 0)], -1)


def _matched(table):
    from scipy import optimize  # a third of a second, which no other metric needs

    return optimize.linear_sum_assignment(np.asarray(table), maximize=True)[1].astype(np.int32)
