"""The kinds of losses: a kind is known by its first arguments, and says how it is called and what it looks at.

loss(scores, labels)                              takes the scores of the training classes
loss(image_embeddings, class_embeddings)          takes images and the descriptions of their classes
loss(embeddings, labels)                          takes both as one set of examples
"""

import functools
import inspect
from collections.abc import Callable
from typing import NamedTuple

import jax

from zsl_jax import errors
from zsl_jax.methods.objectives import calls
from zsl_jax.methods.objectives.compared import Compared


class Kind(NamedTuple):
    """What a loss takes.

    Fields:
      says: in words, for the page of the losses.
      call: `(loss, compared, options) -> values`; the options are the knobs, and `axis_name` for a loss that has it.
      by_row: whether the loss of an image depends on no other image.
      sees: what a method with such a loss asks for, see `base.Method.sees`.
      divides: whether a loss that has `axis_name` may see a device's share of the batch: not where it takes something
        of the whole batch, or draws for it.
      joins: whether images of earlier batches may join the batch, to be compared with its own.
      on_scores: whether it looks at scores of classes alone.
      raw: whether it compares inputs with descriptions as they came.
      swaps: whether it looks at `Compared.swapped`, a wrong description made for each image.
      chooses: whether it looks at `Compared.candidates`, the classes that were chosen for each image.
    """

    says: str
    call: Callable[[Callable, Compared, dict], jax.Array]
    by_row: bool = True
    sees: frozenset[str] = frozenset()
    divides: bool = True
    joins: bool = False
    on_scores: bool = False
    raw: bool = False
    swaps: bool = False
    chooses: bool = False


def kind_of(name: str, loss: Callable) -> Kind:
    """Returns the kind of a loss, known by the names of its arguments that are not keywords.

    Raises:
      UserError: a function that takes something else.
    """
    taken = positional(loss)
    if taken not in KINDS:
        choices = "; ".join(f"({', '.join(names)})" for names in KINDS)
        raise errors.UserError(f"loss {name!r} takes ({', '.join(taken)}): a loss takes one of {choices}")
    return KINDS[taken]


def positional(loss: Callable) -> tuple[str, ...]:
    """Returns the names of the arguments that are not keywords."""
    parameters = inspect.signature(loss).parameters.values()
    return tuple(p.name for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY)


_SCORES = "scores of the training classes, and the class"
_PAIRS = "images, and the description of each image's class"
_TRIPLETS = "images, the class of each, and the wrong class with the highest score"
_BATCH = "scores of each image and the descriptions of the classes in the batch"
_UNSEEN = frozenset({"unseen descriptions"})

_on_training_classes = functools.partial(Kind, on_scores=True, swaps=True, chooses=True)
_ON_SCORES = _on_training_classes(_SCORES, calls.of_scores)
_ON_TARGETS = _on_training_classes("scores, and for each training class whether it is the one", calls.of_targets)

KINDS: dict[tuple[str, ...], Kind] = {
    ("scores", "labels"): _ON_SCORES,
    ("cosines", "labels"): _ON_SCORES,
    ("evidence", "labels"): _on_training_classes("evidence, log(1 + exp(score)), and the class", calls.of_evidence),
    ("key", "scores", "labels"): _on_training_classes(
        f"{_SCORES}; draws at random", calls.of_sampled_scores, by_row=False
    ),
    ("scores", "targets"): _ON_TARGETS,
    ("logits", "labels"): _ON_TARGETS,
    ("scores", "is_seen"): Kind(
        "scores of all classes, and which have examples",
        calls.of_calibration,
        by_row=False,
        sees=_UNSEEN,
        on_scores=True,
    ),
    ("scores", "labels", "is_seen"): Kind(
        "scores of all classes, the class or -1 for an input of the test, and which classes have examples",
        calls.of_all_inputs,
        sees=_UNSEEN | {"test inputs"},
        on_scores=True,
    ),
    ("image_embeddings", "class_embeddings"): Kind(_PAIRS, calls.of_pairs, by_row=False, joins=True),
    ("embeddings_a", "embeddings_b"): Kind(_PAIRS, calls.of_pairs, by_row=False, joins=True),
    ("anchors", "positives"): Kind(_PAIRS, calls.of_pairs, by_row=False, joins=True),
    ("predictions", "attributes"): Kind(_PAIRS, lambda loss, given, options: loss(given.images, given.own, **options)),
    ("embeddings", "attributes", "projection"): Kind(
        "what a linear map makes images of, the description of each image's class, and the map", calls.of_map
    ),
    ("parents", "children"): Kind(f"{_PAIRS}, as points of hyperbolic space", calls.of_entailment),
    ("image_embeddings", "class_embeddings", "labels"): Kind(
        f"{_PAIRS}, and the class", calls.of_labelled_pairs, by_row=False, joins=True
    ),
    ("anchors", "candidates", "positives"): Kind(
        "images, all training classes, and the class", calls.of_class_candidates, chooses=True
    ),
    ("image_embeddings", "class_embeddings", "negative_embeddings"): Kind(
        f"{_PAIRS}, and the training classes that are not in the batch",
        calls.of_other_classes,
        by_row=False,
        joins=True,
        swaps=True,
    ),
    ("embeddings", "labels"): Kind(
        "images and the descriptions of their classes as one set", calls.of_groups, by_row=False, joins=True
    ),
    ("embeddings",): Kind("images", calls.of_images, by_row=False, joins=True),
    ("similarities", "is_positive"): Kind(
        "each image beside the other images of the batch and all training classes",
        calls.of_neighbours,
        by_row=False,
        joins=True,
        chooses=True,
    ),
    ("bound",): Kind(f"{_BATCH}; the bound is made large", calls.of_bound, by_row=False, joins=True),
    ("scores",): Kind(
        f"{_BATCH}; images of one class are no negatives of each other", calls.of_matching, by_row=False, joins=True
    ),
    ("scores", "kernel"): Kind(
        f"{_BATCH}, and cosines of their descriptions", calls.of_kernel, by_row=False, joins=True
    ),
    ("views", "kernel"): Kind(
        "an image and its class as two views, and cosines of descriptions", calls.of_views, False, divides=False
    ),
    ("embeddings_a", "embeddings_b", "gates"): Kind(
        "an image and the next of the batch, in the dimensions where the descriptions of their classes agree",
        calls.of_gates,
        by_row=False,
        divides=False,
    ),
    ("cosines", "relations"): Kind(
        "scores, and cosines of the descriptions, the own one among them", calls.of_order, chooses=True
    ),
    ("scores", "teacher"): Kind(
        "scores, and cosines of inputs and descriptions as they came, of one encoder",
        calls.of_teacher,
        raw=True,
        chooses=True,
    ),
    ("anchors", "positives", "negatives"): Kind(_TRIPLETS, calls.of_triplets, chooses=True),
    ("queries", "positives", "negatives"): Kind(_TRIPLETS, calls.of_triplets, chooses=True),
    ("anchors", "positives", "blocks"): Kind("images, the class of each, and all wrong classes", calls.of_blocks),
    ("similarities", "relations"): Kind("scores, and cosines of the descriptions", calls.of_relations, on_scores=True),
    ("squared_distances", "is_match"): Kind("squared distances to all training classes", calls.of_matches),
    ("key", "critic", "x", "y"): Kind(
        f"{_PAIRS}, compared by their product", calls.of_critic, by_row=False, divides=False
    ),
}
