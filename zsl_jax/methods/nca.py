"""NCA: a learned metric for any method, in which the nearest neighbours of an image are of its class."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import errors, rules, similarity
from zsl_jax.methods import base, reduced, registry
from zsl_jax.methods.pca import components


@registry.method(
    dimensions=reduced.DIMENSIONS,
    temperature=rules.Knob("of the softmax over neighbours, in units of the cosine", rules.number(0)),
    epochs=rules.Knob("passes over the labelled inputs in which the map is learned", rules.whole(0)),
    batch_size=rules.Knob("inputs per step, which are neighbours of each other", rules.whole(2)),
    learning_rate=registry.LEARNING_RATE,
)
def nca(
    scorer: base.Method,
    *,
    dimensions: int = 64,
    temperature: float = 0.1,
    epochs: int = 10,
    batch_size: int = 512,
    learning_rate: float = 1e-3,
) -> base.Method:
    """Neighbourhood components analysis: a method on inputs of fewer numbers, in which classes are near to themselves.

        z_i = unit((x_i - m) W)
        W = argmax sum_i log p_i,    p_i = sum_{j != i, y_j = y_i} exp(z_i . z_j / t) / sum_{j != i} exp(z_i . z_j / t)

    W is [F, D], and the metric `(x - x')^T W W^T (x - x')` but for the length.
    p_i is the probability that a neighbour of x_i, drawn by nearness, has its class. j are the other inputs of a batch,
    which is drawn from the labelled inputs alone; one without another of its class in the batch is left out. W begins
    as the first principal components and is learned before the first step of the scorer, in one compiled loop of Adam.
    Around `nadaraya_watson` this is k nearest neighbours with a learned metric, around `class_means` a mean classifier
    with one. It is learned on seen classes: an unseen one gains where it differs from others in the same directions.

    The paper compares by Euclidean distance, in few dimensions, among all inputs; the cosine with a temperature is that
    of Wu et al.

    Args:
      scorer: the method on mapped inputs; it trains as it would on others.
      dimensions: D, from 1 to the numbers of an input.
      temperature: t > 0.
      epochs: >= 0; 0 leaves the principal components.
      batch_size: >= 2; of fewer inputs all are a batch. The rest of an epoch that fills no batch is left out.
      learning_rate: of Adam, > 0.

    Raises:
      UserError: several labels per input; see `reduced.reduced`.

    Reference: Goldberger, Roweis, Hinton, Salakhutdinov, "Neighbourhood Components Analysis", NeurIPS 2004; Wu, Efros,
    Yu, "Improving Generalization via Scalable Neighborhood Component Analysis", ECCV 2018.
    """

    def learn(key, inputs, labels, random):
        labels = jnp.asarray(labels)
        if labels.ndim != 1:
            raise errors.UserError("nca takes one label per input, these have several")
        first = components(inputs, random, whiten=False)
        # Steps of Adam are as long whatever the map: its entries are brought to the size of random ones.
        first = first * jnp.linalg.norm(random) / jnp.linalg.norm(first)
        inputs = inputs - jnp.mean(inputs, axis=0, keepdims=True)
        optimizer, size = optax.adam(learning_rate), min(batch_size, len(inputs))

        def step(carried, rows):
            matrix, memory = carried
            gradient = jax.grad(lambda w: disagreement(inputs[rows] @ w, labels[rows], temperature))(matrix)
            updates, memory = optimizer.update(gradient, memory, matrix)
            return (optax.apply_updates(matrix, updates), memory), None

        def epoch(number, carried):
            count = len(inputs) // size
            rows = jax.random.permutation(jax.random.fold_in(key, number), len(inputs))[: count * size]
            return jax.lax.scan(step, carried, rows.reshape(count, size))[0]

        return jax.lax.fori_loop(0, epochs, epoch, (first, optimizer.init(first)))[0]

    return reduced.reduced(scorer, learn, dimensions=dimensions, learn_from="training")


def disagreement(rows: jax.Array, labels: jax.Array, temperature: jax.typing.ArrayLike) -> jax.Array:
    """Returns the mean of -log p_i, see `nca`, over the inputs that have another of their class in the batch.

    Args:
      rows: `[B, D]`, scaled to unit length here.
      labels: `[B]`; inputs with -1 are nobody's neighbours.
      temperature: > 0.

    >>> x = jnp.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> print(f"{disagreement(x, jnp.array([4, 4, 7]), 1.0):.4f}")
    0.3133
    """
    vectors, is_labelled = similarity.l2_normalize(rows), labels >= 0
    others = is_labelled[:, None] & is_labelled[None, :] & ~jnp.eye(len(labels), dtype=bool)
    own = others & (labels[:, None] == labels[None, :])
    has_own = jnp.any(own, axis=1)
    logits = similarity.dot(vectors, vectors) / temperature

    def log_sum(where):
        # Of a row that is left out all are summed: its gradient stays finite.
        return jax.nn.logsumexp(jnp.where(where | ~has_own[:, None], logits, -jnp.inf), axis=1)

    losses = jnp.where(has_own, log_sum(others) - log_sum(own), 0)
    return base.mean(losses, has_own)
