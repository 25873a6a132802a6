"""Nadaraya-Watson: the stored training images vote for their classes, the nearer ones with more weight."""

from typing import Any

import jax
import jax.numpy as jnp

from zsl_jax import rules
from zsl_jax.methods import base, closed_form, moved, prototypes, registry

# Stored images that are compared at a time.
_ROWS = 4096


@registry.method(
    temperature=rules.Knob("width of the kernel, in units of the similarity", rules.number(0)),
    neighbours=rules.Knob("nearest stored images that vote; 0 for all", rules.whole(0)),
    prior=rules.Knob("images that the described prototype of a class counts for", rules.number(0)),
    class_ridge=prototypes.CLASS_RIDGE,
    score=prototypes.SCORE,
)
def nadaraya_watson(
    *,
    temperature: float = 0.1,
    neighbours: int = 0,
    prior: float = 1.0,
    class_ridge: float = 0.3,
    score: str = "cosine",
) -> base.Method:
    """Nadaraya-Watson head: kernel regression of the labels on all stored images, or on the k nearest of them.

        F(x, c) = log (sum_{i of class c, near} exp(s(x, x_i) / t) + k exp(s(x, d_c) / t)) - log (n_c + k)

    with d_c the described prototype of `class_means` (there with k = 0), near the images among the `neighbours` that
    are the nearest to x of all, and s the cosine of what is left after m, the mean of the class means. A softmax over
    the candidates gives the probabilities of the head where classes are equally frequent; the paper has the sum alone,
    in which a class has as much weight as it has images. A class without a labelled image has the described prototype
    as its only support, at the weight of an image that is always near. A few `neighbours` and a large t make it a
    plain vote of nearest neighbours.

    Every image is kept in the state. They are compared 4096 at a time.

    Args:
      temperature: t > 0.
      neighbours: >= 0; 0 for all.
      prior: k > 0.
      class_ridge: > 0, see `class_means`.
      score: s, see `class_means`.

    Raises:
      UserError: an unknown score.

    Reference: Nadaraya, "On Estimating Regression", Theory of Probability and its Applications 1964; Wang, Sabuncu, "A
    Flexible Nadaraya-Watson Head Can Offer Explainable and Calibrated Classification", TMLR 2023.
    """
    compare = prototypes.similarity_of(score)
    summed = closed_form.from_sums(
        sums=prototypes.class_sums,
        solve=lambda sums, attributes: prototypes.means(sums, attributes, prior=0.0, class_ridge=class_ridge),
        scores=lambda found, images, described: compare(images, described),
    )

    def finish(state, train, classes, key):
        found = summed.finish(state, train, classes, key).value
        # Classes with the same description share their images: all vote for the first of them.
        first = jnp.argmax(moved.same(found.known, found.known), axis=1)
        labels = jnp.asarray(train.labels)
        labels = jnp.where(labels >= 0, first[jnp.maximum(labels, 0)], -1)
        images = jnp.asarray(train.inputs, jnp.float32) - found.centre[None, :]
        rows = min(_ROWS, len(labels))
        missing = -len(labels) % rows
        return {
            "means": found,
            "images": jnp.pad(images, ((0, missing), (0, 0))).reshape(-1, rows, images.shape[1]),
            "labels": jnp.pad(labels, (0, missing), constant_values=-1).reshape(-1, rows),
        }

    def describe(state, classes):
        attributes, found = jnp.asarray(classes.embedding), state["means"]
        is_same = moved.same(attributes, found.known)
        return {
            "prototype": prototypes.predicted(found, attributes),
            "row": jnp.where(jnp.any(is_same, axis=1), jnp.argmax(is_same, axis=1), -1),
            "count": is_same.astype(jnp.float32) @ found.counts,
        }

    def scores(state, images, described):
        stored = state["images"], state["labels"]
        largest = _largest(compare, images, stored, max(neighbours, 1))
        least = largest[:, -1] if neighbours else jnp.full_like(largest[:, 0], -jnp.inf)
        top, num_known = largest[:, :1], len(state["means"].known)

        def add(votes, some):
            rows, labels = some
            found = compare(images, rows)
            counts = (labels >= 0)[None, :] & (found >= least[:, None])
            weights = jnp.where(counts, jnp.exp((found - top) / temperature), 0)
            return votes + weights @ jax.nn.one_hot(labels, num_known), None

        start = jnp.zeros_like(images, shape=(images.shape[0], num_known))
        votes = jax.lax.scan(add, start, stored)[0][:, jnp.maximum(described["row"], 0)]
        has_votes = (described["row"] >= 0)[None, :] & (votes > 0)
        of_images = jnp.where(has_votes, jnp.log(jnp.where(has_votes, votes, 1)) + top / temperature, -jnp.inf)
        of_description = jnp.log(prior) + compare(images, described["prototype"]) / temperature
        return jnp.logaddexp(of_images, of_description) - jnp.log(described["count"] + prior)[None, :]

    return summed._replace(
        finish=finish,
        embed=lambda state, inputs: inputs - state["means"].centre[None, :],
        describe=describe,
        scores=scores,
    )


def _largest(compare: Any, images: jax.Array, stored: tuple, count: int) -> jax.Array:
    """Returns `[B, count]` the largest similarities with stored images, descending; -inf where there are fewer."""

    def more(best, some):
        rows, labels = some
        found = jnp.where((labels >= 0)[None, :], compare(images, rows), -jnp.inf)
        return jax.lax.top_k(jnp.concatenate([best, found], axis=1), count)[0], None

    start = jnp.full_like(images, -jnp.inf, shape=(images.shape[0], count))
    return jax.lax.scan(more, start, stored)[0]
