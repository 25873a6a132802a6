"""Category discovery: known classes have labelled images, every other class is a cluster of the unlabelled ones."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import errors, losses, rules, similarity
from zsl_jax.methods import base, joint, labelled, moved, registry

_TRIALS = 5  # inputs of which the best one begins a cluster
_ROUNDS = 20  # of k-means, before anything is maximised


@registry.method(
    certainty=rules.Knob("weight of the entropy of single answers", rules.number(0, ends="[)")),
    scale=rules.Knob("what the classifier's products with inputs are multiplied by", rules.number(0)),
    weight_decay=registry.WEIGHT_DECAY,
    learning_rate=registry.LEARNING_RATE,
    iterations=rules.Knob("steps of Adam; 0 leaves the clusters of k-means", rules.whole(0)),
)
def category_discovery(
    *,
    certainty: float = 1.0,
    scale: float = 25.0,
    weight_decay: float = 0.01,
    learning_rate: float = 0.001,
    iterations: int = 100,
) -> base.Method:
    """Parametric information maximisation: a classifier of labelled and unlabelled inputs with columns for new classes.

        F(x, c) = log p_c(x),    p(x) = softmax_c(scale w_c . unit(x - m)),    m the mean of all inputs
        w = argmin  -mean_{i labelled} log p_{y_i}(x_i) + certainty mean_{i unlabelled} H(p(x_i))
                    - H(mean_{all i} p(x_i)) + weight_decay ||w||^2 / 2

    by Adam, from the centres of k-means in which labelled inputs stay with their class. Nothing is read off the
    description of a class but whether it is that of a training class: a candidate that is none of them is a new class,
    and the number of new classes is that of such candidates. Its columns are clusters in no order: score them with
    `config.protocol=discovery`. The answers depend on all inputs of a question; alone, an input is only compared with
    the means of the known classes.

    Args:
      certainty: >= 0.
      scale: > 0.
      weight_decay: >= 0.
      learning_rate: of Adam, > 0.
      iterations: >= 0.

    Raises:
      UserError: in `init`, inputs that are no vectors of numbers.

    Reference: Chiaroni, Dolz, Masud, Mitiche, Ben Ayed, "Parametric Information Maximization for Generalized Category
    Discovery", ICCV 2023; of the start, Vaze, Han, Vedaldi, Zisserman, "Generalized Category Discovery", CVPR 2022, and
    Arthur, Vassilvitskii, "k-means++: The Advantages of Careful Seeding", SODA 2007.
    """
    optimizer = optax.adam(learning_rate)

    def init(key, like, classes, weights):
        inputs = like.inputs
        if isinstance(inputs, (tuple, list, dict)) or inputs.ndim != 2 or inputs.dtype.kind != "f":
            raise errors.UserError("clusters are of inputs that are vectors of numbers: choose features of the images")
        return ()

    def finish(state, train, classes, key):
        inputs = jnp.asarray(train.inputs, jnp.float32)
        return {"inputs": inputs, "labels": jnp.asarray(train.labels), "known": labelled.descriptions(classes)}

    def describe(state, classes):
        is_same = moved.same(labelled.descriptions(classes), state["known"])
        return jnp.where(jnp.any(is_same, axis=1), jnp.argmax(is_same, axis=1), -1)

    def scores(state, images, described):
        """Cosines to the means of the known classes; new ones are nowhere yet."""
        mean = jnp.mean(state["inputs"], axis=0)
        own = labelled.sums(state["inputs"] - mean[None, :], state["labels"], len(state["known"])).sums
        cosines = similarity.cosine(images - mean[None, :], own)
        return jnp.where(described[None, :] >= 0, cosines[:, jnp.maximum(described, 0)], -1.0)

    def together(state, images, where, described, key):
        del key
        order = joint.own_order(images, where)
        found = _decided(state, jnp.asarray(images, jnp.float32)[order], where[order], described)
        return jnp.zeros_like(found).at[order].set(found)

    def _decided(state, images, where, described):
        places = state["labels"][:, None] == described[None, :]
        is_there, own = jnp.any(places, axis=1), jnp.argmax(places, axis=1)
        number = jnp.maximum(jnp.sum(where) + len(own), 1)
        mean = (jnp.sum(images * where[:, None], axis=0) + jnp.sum(state["inputs"], axis=0)) / number
        known = similarity.l2_normalize(state["inputs"] - mean[None, :])
        new = similarity.l2_normalize(images - mean[None, :]) * where[:, None]
        sums = jax.nn.one_hot(jnp.where(is_there, own, -1), len(described)).T @ known
        centres = clusters(sums, described < 0, new, where)

        def loss(w):
            logs = jax.nn.log_softmax(scale * new @ w.T)
            shares = jnp.exp(logs) * where[:, None]
            of_known = jax.nn.softmax(scale * known @ w.T) * is_there[:, None]
            frequency = (jnp.sum(shares, axis=0) + jnp.sum(of_known, axis=0)) / (jnp.sum(where) + jnp.sum(is_there))
            wrong = base.mean(losses.softmax_cross_entropy(known @ w.T, own, scale=scale), is_there)
            unsure = -jnp.sum(shares * logs) / jnp.maximum(jnp.sum(where), 1)
            entropy = jnp.sum(jax.scipy.special.entr(frequency))
            return wrong + certainty * unsure - entropy + weight_decay * jnp.sum(w**2) / 2

        def update(carried, _):
            w, memory = carried
            step, memory = optimizer.update(jax.grad(loss)(w), memory)
            return (optax.apply_updates(w, step), memory), None

        (w, _), _ = jax.lax.scan(update, (centres, optimizer.init(centres)), length=iterations)
        return jax.nn.log_softmax(scale * new @ w.T)

    return base.Method(init=init, update=None, finish=finish, describe=describe, scores=scores, together=together)


def clusters(sums: jax.Array, is_new: jax.Array, vectors: jax.Array, where: jax.Array) -> jax.Array:
    """Returns `[C, D]` unit centres of k-means by cosine, in which the labelled inputs stay where they are.

    A new class begins at an input that is far from all centres so far: the best of five drawn by squared distance.

    Args:
      sums: `[C, D]` over the labelled inputs of each class; 0 for a new class.
      is_new: `[C]` bool.
      vectors: `[N, D]` unlabelled inputs of unit length.
      where: `[N]` bool, False for rows that only fill up.

    >>> points = jnp.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.0, 1.0]])
    >>> sums, is_new = jnp.array([[2.0, 0.0], [0.0, 0.0]]), jnp.array([False, True])
    >>> print(clusters(sums, is_new, points, jnp.ones(4, bool)).round(1))
    [[1.  0.2]
     [0.  1. ]]
    """
    rows = jnp.arange(len(vectors))

    def draws(column):
        """A number per row, whatever rows follow."""
        key = jax.random.fold_in(jax.random.key(0), column)
        return jax.vmap(lambda row: jax.random.gumbel(jax.random.fold_in(key, row)))(rows)

    def distances(centres):
        return jnp.maximum(2 - 2 * similarity.dot(vectors, centres), 0.0) * where[:, None]

    def begin(column, carried):
        centres, nearest = carried
        weights = jnp.where(where & (nearest > 0), jnp.log(jnp.maximum(nearest, 1e-12)), -jnp.inf)
        _, tried = jax.lax.top_k(weights + draws(column), min(_TRIALS, len(vectors)))
        after = jnp.minimum(nearest[:, None], distances(vectors[tried]))
        best = jnp.argmin(jnp.sum(after, axis=0))
        chosen = centres.at[column].set(vectors[tried[best]]), after[:, best]
        return jax.tree.map(lambda new, old: jnp.where(is_new[column], new, old), chosen, carried)

    first = similarity.l2_normalize(sums)
    far = jnp.where(where, 4.0, 0.0)
    nearest = jnp.minimum(far, jnp.min(jnp.where(is_new[None, :], 4.0, distances(first)), axis=1))
    centres, _ = jax.lax.fori_loop(0, len(sums), begin, (first, nearest))

    def move(_, centres):
        shares = jax.nn.one_hot(jnp.argmax(similarity.dot(vectors, centres), axis=1), len(sums)) * where[:, None]
        moved_on = sums + shares.T @ vectors
        return jnp.where(jnp.any(moved_on, axis=1, keepdims=True), similarity.l2_normalize(moved_on), centres)

    return jax.lax.fori_loop(0, _ROUNDS, move, centres)
