"""The end of every generative method: features are made for the classes without images, and a classifier is trained.

    real features of the seen classes + synthetic ones of the unseen (and of the seen, where asked)
        -> softmax over all classes

A class of that table is scored by its column of the classifier, whatever table it comes in, or, as in released code, a
table of some of the classes gets a classifier of its own (`zsl_classifier`). So does a table with a class that was not
there when the classifier was trained. It is trained on synthetic features of all classes of the table.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import rules
from zsl_jax.methods.generative import classifier

ZSL_CLASSIFIER = rules.Knob(
    "what scores some classes among themselves: their columns of the classifier of all, or one of their own",
    rules.one_of(("columns", "own")),
)
# A classifier is fitted to the descriptions of the candidates.
SEES = frozenset({"unseen descriptions", "other candidates"})


class Imagined(NamedTuple):
    """What scores classes: the networks, the descriptions `[C, A]` that the classifier knows, and the classifier."""

    networks: Any
    known: jax.Array
    classifier: dict[str, jax.Array]


class Ending(NamedTuple):
    """How a method ends; a generative method takes what is described and scored from here.

    Fields:
      finish: `(networks, train, classes, key) -> Imagined`.
      embed: `(imagined, features) -> [B, E]`, what the classifier sees.
      describe: `(imagined, classes) -> {"weights": [C, E], "bias": [C]}`, the columns of the classifier.
      scores: `(imagined, images, described) -> [B, C]`.
    """

    finish: Callable
    embed: Callable
    describe: Callable
    scores: Callable


def make_ending(
    *,
    synthesize: Callable,
    embed: Callable,
    represent: Callable | None = None,
    num_synthetic: int,
    num_synthetic_seen: int = 0,
    num_real: int | None = None,
    classifier_epochs: int,
    zsl_classifier: str = "columns",
) -> Ending:
    """Returns the ending that trains a softmax on real examples of the seen classes and synthetic ones of the unseen.

    Args:
      synthesize: `(networks, key, descriptions [M, A]) -> [M, E]`, what the classifier sees of a synthetic example.
      embed: `(networks, features [N, F]) -> [N, E]`, what it sees of an image in classification.
      represent: `(networks, key, features [N, F]) -> [N, E]`, what it sees of a real training image; None: `embed`.
      num_synthetic: examples made for each unseen class, >= 1.
      num_synthetic_seen: examples made for each seen class, beside its images, >= 0.
      num_real: examples drawn of each seen class, with replacement; None: every training image once.
      classifier_epochs: passes of the classifier over the examples, >= 1.
      zsl_classifier: `columns`, or `own` for a classifier of each table that is not the whole one.
    """

    def real(networks, key, train, num_seen):
        features, labels = train.inputs, train.labels
        row_key, key = jax.random.split(key)
        if num_real is not None:
            rows = rows_of_each_class(row_key, labels, num_seen, num_real)
            features, labels = features[rows], labels[rows]
        return (embed(networks, features) if represent is None else represent(networks, key, features)), labels

    def finish(networks, train, classes, key):
        num_seen = classes.num_trained
        known = jnp.asarray(classes.embedding, jnp.float32)
        real_key, synthesis_key, fit_key = jax.random.split(key, 3)
        seen, seen_labels = real(networks, real_key, train, num_seen)
        counts = np.where(np.arange(len(known)) < num_seen, num_synthetic_seen, num_synthetic)
        made = jnp.asarray(np.repeat(np.arange(len(known)), counts))
        examples = jnp.concatenate([seen, synthesize(networks, synthesis_key, known[made])])
        labels = jnp.concatenate([seen_labels, made])
        return Imagined(
            networks, known, classifier.fit(fit_key, examples, labels, len(known), epochs=classifier_epochs)
        )

    def describe(imagined, classes):
        networks, known, trained = imagined
        wanted = jnp.asarray(classes.embedding, jnp.float32)
        row, is_known = find(wanted, known)
        # Training has no gradient in what it was given.
        given = jax.lax.stop_gradient((networks, wanted))

        def examples(key, size):
            label_key, noise_key = jax.random.split(key)
            labels = jax.random.randint(label_key, (size,), 0, len(wanted))
            return synthesize(given[0], noise_key, given[1][labels]), labels

        # A loop of no steps where all are known, and not a condition: states side by side would pay for both its ways.
        all_known = jnp.all(is_known) & (zsl_classifier == "columns" or len(wanted) == len(known))
        num_steps = jnp.where(all_known, 0, classifier_epochs * classifier.steps_per_epoch(len(wanted) * num_synthetic))
        anew = classifier.fit_drawn(jax.random.key(0), examples, trained["weights"].shape[0], len(wanted), num_steps)
        columns = {"weights": trained["weights"][:, row], "bias": trained["bias"][row]}
        chosen = jax.tree.map(lambda known, new: jnp.where(all_known, known, new), columns, anew)
        return {"weights": chosen["weights"].T, "bias": chosen["bias"]}

    def scores(imagined, images, described):
        del imagined
        return classifier.logits({"weights": described["weights"].T, "bias": described["bias"]}, images)

    return Ending(finish, lambda imagined, features: embed(imagined.networks, features), describe, scores)


def find(wanted: jax.Array, known: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns for each description `[C, A]` the row of the nearest known one, and whether it is the same to rounding.

    Scaling may be compiled in another order here and there. One class at a time: no array of all differences is made.

    >>> import jax.numpy as jnp
    >>> row, is_known = find(jnp.array([[0.0, 1.0], [0.5, 0.0]]), jnp.eye(2))
    >>> row.tolist(), is_known.tolist()
    ([1, 0], [True, False])
    """

    def nearest(description):
        distances = jnp.sum(jnp.abs(description[None, :] - known), axis=-1)
        return jnp.argmin(distances), jnp.min(distances) <= 1e-5 * jnp.sum(jnp.abs(description))

    return jax.lax.map(nearest, wanted)


def rows_of_each_class(key, labels, num_classes: int, count: int):
    """Rows `[num_classes * count]` drawn with replacement, `count` of each class; every class must have a row."""
    order = jnp.argsort(labels)
    sizes = jax.ops.segment_sum(jnp.ones_like(labels), labels, num_classes)
    first = jnp.cumsum(sizes) - sizes
    drawn = jax.random.randint(key, (num_classes, count), 0, jnp.maximum(sizes, 1)[:, None])
    return order[first[:, None] + drawn].reshape(-1)
