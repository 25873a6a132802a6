"""TLDR: a linear map to fewer numbers on which neighbours agree, learned from pairs of neighbours."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from zsl_jax import errors, losses, rules, similarity
from zsl_jax.methods import base, mlp, reduced, registry
from zsl_jax.methods.pca import components

STARTS = ("components", "random")


@registry.method(
    dimensions=reduced.DIMENSIONS,
    neighbours=rules.Knob("nearest inputs of each, one of which is its twin in a step", rules.whole(1)),
    projected=rules.Knob("width of both layers of the projector", rules.whole(1)),
    redundancy=rules.Knob("weight of the correlations between different dimensions", rules.number(0, ends="[)")),
    start=rules.Knob("of the map: whitened principal components, or random", rules.one_of(STARTS)),
    epochs=rules.Knob("passes over the inputs in which the map is learned", rules.whole(0)),
    batch_size=rules.Knob("inputs per step, each with its twin", rules.whole(2)),
    learning_rate=registry.LEARNING_RATE,
    learn_from=reduced.LEARN_FROM,
)
def tldr(
    scorer: base.Method,
    *,
    dimensions: int = 64,
    neighbours: int = 3,
    projected: int = 512,
    redundancy: float = 4e-3,
    start: str = "components",
    epochs: int = 10,
    batch_size: int = 512,
    learning_rate: float = 1e-3,
    learn_from: str = "training",
) -> base.Method:
    """Twin learning for dimensionality reduction: a method on inputs of fewer numbers, which neighbours agree on.

        x  -->  unit((x - m) W)             W [F, D]
        W = argmin  BarlowTwins(p(X W), p(X' W)),      X' one of the k nearest neighbours of each row of X, drawn anew

    p is a projector that is thrown away: two layers of `projected` units, a rectifier on standardised values between
    them. Neighbours are exact, by the cosine of the inputs as they come; no label takes part. The map is learned before
    the first step of the scorer, in one compiled loop of Adam. What is left of an input has unit length.

    Published are a random start, a projector of two hidden layers of 2048 units, batches of 1024 and 100 epochs of
    LARS, on a million inputs and more. On a thousand inputs a start at the whitened principal components is better than
    a random one (docs/reduction.md).

    Args:
      scorer: the method on reduced inputs; it trains as it would on others.
      dimensions: D, from 1 to the numbers of an input.
      neighbours: k >= 1.
      projected: >= 1.
      redundancy: >= 0.
      start: `components` or `random`.
      epochs: >= 0; 0 leaves the map as it starts.
      batch_size: >= 2; of fewer inputs all are a batch. The rest of an epoch that fills no batch is left out.
      learning_rate: of Adam, > 0.
      learn_from: `training` inputs, or `all`, the tested ones too, which makes the run instance-transductive.

    Raises:
      UserError: an unknown start; see `reduced.reduced`.

    Reference: Kalantidis, Lassance, Almazan, Larlus, "TLDR: Twin Learning for Dimensionality Reduction", TMLR 2022.
    """

    if start not in STARTS:
        raise errors.unknown("start", start, STARTS)

    def learn(key, inputs, labels, random):
        del labels
        near, first = twins_of(inputs, neighbours), random
        if start == "components":
            whitened = components(inputs, random, whiten=True)
            # Steps of Adam are as long whatever the map: its entries are brought to the size of random ones.
            first = whitened * jnp.linalg.norm(random) / jnp.linalg.norm(whitened)
        inputs = inputs - jnp.mean(inputs, axis=0, keepdims=True)
        keys = jax.random.split(key, 2)
        params = {"map": first, "projector": mlp.init_layers(keys[0], (dimensions, projected, projected))}
        optimizer, size = optax.adam(learning_rate), min(batch_size, len(inputs))

        def loss(params, rows, twins):
            sides = (_projected(params["projector"], inputs[which] @ params["map"]) for which in (rows, twins))
            return losses.barlow_twins(*sides, redundancy=redundancy)

        def step(carried, drawn):
            params, memory = carried
            rows, key = drawn
            twins = near[rows, jax.random.randint(key, rows.shape, 0, near.shape[1])]
            updates, memory = optimizer.update(jax.grad(loss)(params, rows, twins), memory, params)
            return (optax.apply_updates(params, updates), memory), None

        def epoch(number, carried):
            of_order, of_twins = jax.random.split(jax.random.fold_in(keys[1], number))
            count = len(inputs) // size
            rows = jax.random.permutation(of_order, len(inputs))[: count * size].reshape(count, size)
            return jax.lax.scan(step, carried, (rows, jax.random.split(of_twins, count)))[0]

        return jax.lax.fori_loop(0, epochs, epoch, (params, optimizer.init(params)))[0]["map"]

    return reduced.reduced(scorer, learn, dimensions=dimensions, learn_from=learn_from)


def twins_of(inputs: Any, count: int) -> jax.Array:
    """Returns `[N, count]` the nearest inputs of each by their cosine; itself where there are fewer.

    >>> print(twins_of(jnp.array([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]]), 1)[:, 0])
    [2 2 0]
    """
    return similarity.nearest(similarity.l2_normalize(inputs), count=count)[1]


def _projected(layers: list[dict[str, jax.Array]], rows: jax.Array) -> jax.Array:
    """The projector's output; what enters the rectifier has mean 0 and variance 1 over the batch."""

    def rectified(hidden):
        centred = hidden - jnp.mean(hidden, axis=0, keepdims=True)
        scale = jax.lax.rsqrt(jnp.mean(centred**2, axis=0, keepdims=True) + 1e-5)
        return jax.nn.relu(centred * scale)

    return mlp.apply_layers(layers, rows, rectified)
