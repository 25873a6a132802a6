"""Triplet losses: an anchor should be nearer to a positive than to a negative, for given triplets or mined in a batch.

    violation = margin + d(anchor, positive) - d(anchor, negative),    d the Euclidean distance

In a batch every other example of the same label is a positive and every example of another label a negative. The mined
forms differ in which of these triplets count; none of them makes the table of all triplets, and large batches are
walked `chunk` anchors at a time. Embeddings are used as given. What `where`, `axis_name` and the means over them are
is said in `contrastive`.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import _in_batch, _pairwise, _sorted_pairs
from zsl_jax.similarity import euclidean

__all__: Sequence[str] = (
    "batch_all_triplet",
    "batch_hard_triplet",
    "semi_hard_triplet",
    "triplet_margin",
    "triplet_ratio",
)


def triplet_margin(
    anchors: ArrayLike,
    positives: ArrayLike,
    negatives: ArrayLike,
    *,
    margin: ArrayLike = 1.0,
    where: ArrayLike | None = None,
) -> jax.Array:
    """Hinge on the difference of the distances to a positive and to a negative.

    `loss = max(0, margin + ||a - p|| - ||a - n||)`

    Use when: the triplets are given, for example image, its class and a wrong class; to find them in a batch see
    `batch_hard_triplet`.

    Args:
      anchors: `[B, D]`.
      positives: `[B, D]`.
      negatives: `[B, D]`.
      margin: scalar >= 0, or `[B]`, in units of the distance.
      where: bool, broadcastable to `[B]`: the triplets that count; the others give 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> anchors, positives = jnp.zeros((2, 2)), jnp.array([[0.0, 1.0], [0.0, 1.0]])
    >>> print(triplet_margin(anchors, positives, jnp.array([[1.5, 0.0], [3.0, 0.0]]), margin=1.0))
    [0.5 0. ]

    Reference: Hoffer, Ailon, "Deep Metric Learning Using Triplet Network", 2015.
    """
    difference, is_triplet = _distance_difference(anchors, positives, negatives, where)
    margin = arguments.as_float(margin)
    if margin.shape not in ((), difference.shape):
        raise ValueError(f"margin must be one number or [B] {difference.shape}, not an array {margin.shape}")
    violation = margin + difference
    return jnp.where(is_triplet & ~(violation <= 0), violation, 0.0)


def triplet_ratio(
    anchors: ArrayLike, positives: ArrayLike, negatives: ArrayLike, *, where: ArrayLike | None = None
) -> jax.Array:
    """Square of the softmax share of the distance to the positive.

    `loss = (exp(d_p) / (exp(d_p) + exp(d_n)))^2` with `d_p = ||a - p||` and `d_n = ||a - n||`

    Use when: the triplets are given and no margin has to be chosen; those that are already right still count a little.

    Args:
      anchors: `[B, D]`.
      positives: `[B, D]`.
      negatives: `[B, D]`.
      where: bool, broadcastable to `[B]`: the triplets that count; the others give 0.

    Returns:
      `[B]` losses in (0, 1), float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(triplet_ratio(jnp.zeros((1, 2)), jnp.ones((1, 2)), jnp.ones((1, 2))))
    [0.25]

    Reference: Hoffer, Ailon, "Deep Metric Learning Using Triplet Network", 2015.
    """
    difference, is_triplet = _distance_difference(anchors, positives, negatives, where)
    return jnp.where(is_triplet, jax.nn.sigmoid(difference) ** 2, 0.0)


def batch_hard_triplet(
    embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    margin: ArrayLike = 1.0,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """Hinge of each anchor with its farthest positive and its nearest negative in the batch.

    `loss_i = max(0, margin + max_{p: y_p = y_i, p != i} d_ip - min_{n: y_n != y_i} d_in)`

    If several tie, one of them gets the gradient.

    Use when: a batch holds several examples of each of its classes and most triplets are already right.

    Args:
      embeddings: `[B, D]`.
      labels: `[B]` int.
      margin: scalar >= 0, in units of the distance.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: anchors at a time; None: chosen by size.

    Returns:
      `[B]` losses, float32; 0 for an anchor without a positive or without a negative.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> embeddings = jnp.array([[0.0], [1.0], [3.0], [1.5]])
    >>> print(batch_hard_triplet(embeddings, jnp.array([0, 0, 0, 1]), margin=1.0))
    [2.5 2.5 2.5 0. ]

    Reference: Hermans, Beyer, Leibe, "In Defense of the Triplet Loss for Person Re-Identification", 2017.
    """
    rows, columns = _sides(embeddings, labels, where, axis_name)
    positive, negative, has_both = _hardest(rows, columns, chunk)
    margin = arguments.as_scalar(margin=margin)

    def one(triplet):
        places, is_triplet = triplet
        anchor, positive, negative = columns.embeddings[places]
        violation = margin + _distance(anchor, positive) - _distance(anchor, negative)
        return jnp.where(is_triplet & ~(violation <= 0), violation, 0.0)

    triplets = jnp.stack([rows.ids, positive, negative], axis=1), has_both
    row_bytes = 12 * columns.embeddings.shape[1] * columns.embeddings.dtype.itemsize
    return _pairwise.map_rows(one, triplets, row_bytes=row_bytes, chunk=chunk)


def batch_all_triplet(
    embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    margin: ArrayLike = 1.0,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """Mean hinge of each anchor over all its pairs of a positive and a negative in the batch.

    `loss_i = mean_{p: y_p = y_i, p != i; n: y_n != y_i} max(0, margin + d_ip - d_in)`

    The time is that of a sort of each anchor's distances.

    Use when: hard triplets alone are too noisy, as with wrong labels; the gradient fades as triplets become right.

    Args:
      embeddings: `[B, D]`.
      labels: `[B]` int.
      margin: scalar >= 0, in units of the distance.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: anchors at a time; None: chosen by size.

    Returns:
      `[B]` losses, float32; 0 for an anchor without a positive or without a negative.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> embeddings = jnp.array([[0.0], [1.0], [3.0], [1.5]])
    >>> print(batch_all_triplet(embeddings, jnp.array([0, 0, 0, 1]), margin=1.0))
    [1.5  2.   2.   0.  ]

    Reference: Hermans, Beyer, Leibe, "In Defense of the Triplet Loss for Person Re-Identification", 2017.
    """

    def mean_hinge(distances, is_positive, is_negative, margin):
        pairs = arguments.count(is_positive) * arguments.count(is_negative)
        total = _sorted_pairs.hinge_sum(distances + margin, distances, is_positive, is_negative)
        return total / pairs

    return _mined(mean_hinge, embeddings, labels, margin, where, axis_name, chunk)


def semi_hard_triplet(
    embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    margin: ArrayLike = 1.0,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """Mean hinge of each anchor over its positives, each with the nearest negative that is farther than it.

    `loss_i = mean_{p: y_p = y_i, p != i} max(0, margin + d_ip - min_{n: y_n != y_i, d_in > d_ip} d_in)`

    A positive that is farther than every negative is paired with the farthest negative. The time is that of a sort of
    each anchor's distances.

    Use when: the hardest negatives make training collapse, as early in training.

    Args:
      embeddings: `[B, D]`.
      labels: `[B]` int.
      margin: scalar >= 0, in units of the distance.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: anchors at a time; None: chosen by size.

    Returns:
      `[B]` losses, float32; 0 for an anchor without a positive or without a negative.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> embeddings = jnp.array([[0.0], [1.0], [3.0], [1.5]])
    >>> print(semi_hard_triplet(embeddings, jnp.array([0, 0, 0, 1]), margin=1.0))
    [1.5 2.  2.  0. ]

    Reference: Schroff, Kalenichenko, Philbin, "FaceNet: A Unified Embedding for Face Recognition and Clustering",
    CVPR 2015.
    """

    def mean_hinge(distances, is_positive, is_negative, margin):
        total = _sorted_pairs.semi_hard_hinge_sum(distances, is_positive, is_negative, margin)
        return total / arguments.count(is_positive)

    return _mined(mean_hinge, embeddings, labels, margin, where, axis_name, chunk)


def _distance_difference(
    anchors: ArrayLike, positives: ArrayLike, negatives: ArrayLike, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array]:
    """`||a - p|| - ||a - n||` and which triplets count, `[B]` each."""
    arguments.check_same_shape(2, anchors=anchors, positives=positives, negatives=negatives)
    is_triplet = arguments.mask_like(where, jnp.shape(anchors)[:1])
    anchors, positives, negatives = (
        jnp.where(is_triplet[:, None], arguments.as_float(x), 0.0) for x in (anchors, positives, negatives)
    )
    return _distance(anchors, positives) - _distance(anchors, negatives), is_triplet


def _distance(x: jax.Array, y: jax.Array) -> jax.Array:
    return euclidean.safe_sqrt(jnp.sum((x - y) ** 2, axis=-1))


def _sides(
    embeddings: ArrayLike, labels: ArrayLike, where: ArrayLike | None, axis_name: str | None
) -> tuple[_pairwise.Side, _pairwise.Side]:
    """The anchors of this device, and the examples of all devices."""
    labels = _in_batch.checked_labels(embeddings=embeddings, labels=labels)
    rows = _in_batch.side(embeddings, where, axis_name)._replace(labels=labels)
    return rows, _pairwise.gather(rows, axis_name)


def _pairs(row: _pairwise.Side, columns: _pairwise.Side) -> tuple[jax.Array, jax.Array]:
    """Which columns are a positive and which a negative of one row, `[B]` each."""
    is_pair = _in_batch.is_example(columns) & _in_batch.is_example(row)
    is_same = row.labels == columns.labels
    return is_pair & is_same & (row.ids != columns.ids), is_pair & ~is_same


@functools.partial(jax.jit, static_argnames="chunk")
def _hardest(
    rows: _pairwise.Side, columns: _pairwise.Side, chunk: int | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Column of the farthest positive and of the nearest negative of each row, and whether it has both, `[B]` each.

    Distances do not change when all points move; measured from their mean, the squares lose fewer digits.
    """
    rows, columns = jax.lax.stop_gradient((rows, columns))
    # Without what is not finite, which would hide where it is.
    middle = jnp.mean(jnp.where(jnp.isfinite(columns.embeddings), columns.embeddings, 0.0), axis=0)[None, :]
    rows, columns = (side._replace(embeddings=side.embeddings - middle) for side in (rows, columns))
    half_norms = 0.5 * jnp.sum(columns.embeddings**2, axis=1)
    places = jnp.arange(half_norms.shape[0])

    def one(row):
        nearness = columns.embeddings @ row.embeddings - half_norms  # falls with the distance
        is_positive, is_negative = _pairs(row, columns)
        # The place of an extreme by comparison with its value: an argmax takes several times as long on a CPU.
        # NaN is farthest and nearest, so that it reaches the loss.
        farthest = jnp.min(jnp.where(is_positive, nearness, jnp.inf), initial=jnp.inf)
        nearest = jnp.max(jnp.where(is_negative, nearness, -jnp.inf), initial=-jnp.inf)
        is_nan = jnp.isnan(nearness)
        positive = jnp.where(is_positive & ((nearness == farthest) | is_nan), places, -1)
        negative = jnp.where(is_negative & ((nearness == nearest) | is_nan), places, -1)
        return jnp.max(positive, initial=-1), jnp.max(negative, initial=-1)

    num_rows = rows.ids.shape[0]
    size = _pairwise.block_rows(num_rows, half_norms.nbytes, chunk)
    positive, negative = jax.lax.map(one, rows, batch_size=size)
    return jnp.maximum(positive, 0), jnp.maximum(negative, 0), (positive >= 0) & (negative >= 0)


def _mined(
    loss,
    embeddings: ArrayLike,
    labels: ArrayLike,
    margin: ArrayLike,
    where: ArrayLike | None,
    axis_name: str | None,
    chunk: int | None,
) -> jax.Array:
    """`loss(distances, is_positive, is_negative, margin)` of each anchor; 0 where one of the two is missing."""
    rows, columns = _sides(embeddings, labels, where, axis_name)
    margin = arguments.as_scalar(margin=margin)
    middle = jax.lax.stop_gradient(jnp.mean(columns.embeddings, axis=0))
    points = columns.embeddings - middle[None, :]
    squares = jnp.sum(points**2, axis=1)

    def one(row):
        point = row.embeddings - middle
        is_positive, is_negative = _pairs(row, columns)
        distances = euclidean.safe_sqrt(squares + jnp.sum(point**2) - 2.0 * points @ point)
        has_both = jnp.any(is_positive) & jnp.any(is_negative)
        return jnp.where(has_both, loss(distances, is_positive, is_negative, margin), 0.0)

    return _pairwise.map_rows(one, rows, row_bytes=8 * squares.nbytes, chunk=chunk)
