"""How each kind of loss takes what a batch gives: a kind is known by its first arguments.

loss(scores, labels)                              takes the scores of the training classes
loss(image_embeddings, class_embeddings)          takes images and the descriptions of their classes
loss(embeddings, labels)                          takes both as one set of examples
"""

import functools
import inspect
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from zsl_jax import errors, similarity
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


def _columns(given):
    """Scores and, for each, whether it is of the own class; the image's swapped description comes last."""
    if given.swapped is None:
        return given.scores, given.is_own
    scores = jnp.sum(given.images * given.swapped, axis=1, keepdims=True)
    none = jnp.zeros((len(scores), 1), bool)
    return jnp.concatenate([given.scores, scores], axis=1), jnp.concatenate([given.is_own, none], axis=1)


def _for_margins(given, options):
    """The columns, in which a margin of its own for each class is one margin for all.

    m a_yc + s_c - s_y = m + (s_c + m (a_yc - 1)) - s_y, with a_yc in `Compared.apart`.
    """
    scores, is_own = _columns(given)
    if given.apart is None:
        return scores, is_own
    ratio = jnp.where(given.is_own, 1.0, given.apart[given.labels])
    ratio = jnp.pad(ratio, ((0, 0), (0, scores.shape[1] - ratio.shape[1])), constant_values=1.0)
    return scores + options["margin"] * (ratio - 1.0), is_own


def _of_scores(loss, given, options):
    return loss(_for_margins(given, options)[0], given.labels, where=given.candidates, **options)


def _of_evidence(loss, given, options):
    return loss(jax.nn.softplus(_columns(given)[0]), given.labels, where=given.candidates, **options)


def _of_sampled_scores(loss, given, options):
    return loss(given.key, _for_margins(given, options)[0], given.labels, where=given.candidates, **options)


def _of_targets(loss, given, options):
    return loss(*_for_margins(given, options), where=given.candidates, **options)


def _of_calibration(loss, given, options):
    is_trained = jnp.arange(len(given.classes)) < given.classes.num_trained
    # One that takes the logarithm of a mean over the batch must not count the rows that fill it up.
    where = given.where[:, None] if "axis_name" in inspect.signature(loss).parameters else None
    return loss(given.compare(given.images, given.described), is_trained, where=where, **options)


def _of_all_inputs(loss, given, options):
    is_trained = jnp.arange(len(given.classes)) < given.classes.num_trained
    return loss(given.compare(given.images, given.described), given.labels, is_trained, **options)


def _of_pairs(loss, given, options):
    return loss(given.images, given.own, where=given.where, **options)


def _of_map(loss, given, options):
    vectors, weights = given.through or (given.images, jnp.eye(given.images.shape[1]))
    return loss(vectors, given.own, weights.T, where=given.where, **options)


def _of_entailment(loss, given, options):
    lifted = similarity.lorentz_exp0(given.own), similarity.lorentz_exp0(given.images)
    return loss(*lifted, where=given.where, **options)


def _of_labelled_pairs(loss, given, options):
    return loss(given.images, given.own, given.labels, where=given.where, **options)


def _of_class_candidates(loss, given, options):
    # Every device has all classes: nothing is gathered.
    options = {name: value for name, value in options.items() if name != "axis_name"}
    if given.candidates is None:
        return loss(given.images, given.trained, given.labels, **options)

    def of_image(image, label, candidates):
        return loss(image[None, :], given.trained, label[None], where=candidates, **options)[0]

    return jax.vmap(of_image)(given.images, given.labels, given.candidates)


def _of_other_classes(loss, given, options):
    in_batch = jnp.any(given.is_own & given.where[:, None], axis=0)
    if given.axis_name is not None:
        in_batch = jax.lax.psum(in_batch, given.axis_name) > 0
        # The negatives are gathered over the devices, and each has them all.
        in_batch |= jax.lax.axis_index(given.axis_name) > 0
    others = given.trained
    if given.swapped is not None:
        others = jnp.concatenate([others, given.swapped])
        in_batch = jnp.concatenate([in_batch, ~given.where])
    return loss(given.images, given.own, others, where=given.where, where_negatives=~in_batch, **options)


def _of_groups(loss, given, options):
    both = jnp.concatenate([given.images, given.own]), jnp.concatenate([given.labels, given.labels])
    return loss(*both, where=jnp.concatenate([given.where, given.where]), **options)


def _of_images(loss, given, options):
    return loss(given.images, where=given.where, **options)


def _of_neighbours(loss, given, options):
    """Each image beside the other images of the batch and all training classes."""
    others = jnp.concatenate([given.images, given.trained])
    same = given.labels[:, None] == given.labels[None, :]
    itself = jnp.eye(len(given.labels), dtype=bool)
    counts = given.where[None, :] & ~itself
    all_classes = jnp.ones_like(given.is_own) if given.candidates is None else given.candidates
    return loss(
        similarity.dot(given.images, others),
        jnp.concatenate([same, given.is_own], axis=1),
        where=jnp.concatenate([counts, all_classes], axis=1),
        **options,
    )


def _of_bound(loss, given, options):
    return -loss(similarity.dot(given.images, given.own), where=given.where, **options)


def _of_matching(loss, given, options):
    """Images of one class are no negatives of each other."""
    itself = jnp.eye(len(given.labels), dtype=bool)
    same = given.labels[:, None] == given.labels[None, :]
    counts = (itself | ~same) & given.where[:, None] & given.where[None, :]
    return loss(similarity.dot(given.images, given.own), where=counts, **options)


def _of_kernel(loss, given, options):
    kernel = given.relations[given.labels][:, given.labels]
    if "within" in options:
        views = (given.images, given.own) if options["within"] else ()
        within = jnp.stack([similarity.dot(x, x) for x in views]) if views else None
        options = options | {"within": within}
    return loss(similarity.dot(given.images, given.own), kernel, where=given.where, **options)


def _of_views(loss, given, options):
    kernel = given.relations[given.labels][:, given.labels]
    return loss(jnp.stack([given.images, given.own], axis=1), kernel, where=given.where, **options)


def _of_triplets(loss, given, options):
    if given.apart is not None:
        options = options | {"margin": options["margin"] * given.apart[given.labels, given.hardest_class]}
    return loss(given.images, given.own, given.hardest, where=given.where, **options)


def _of_blocks(loss, given, options):
    """Blocks of one: every wrong class is a negative."""
    rows = jnp.arange(len(given.trained) - 1)
    wrong = given.trained[rows[None, :] + (rows[None, :] >= given.labels[:, None])]
    return loss(given.images, given.own[:, None, :], wrong[:, :, None, :], where=given.where, **options)


def _of_relations(loss, given, options):
    relations = given.relations[given.labels]
    return jnp.mean(loss(given.scores, relations, where=~given.is_own, **options), axis=1)


def _of_order(loss, given, options):
    return loss(given.scores, given.relations[given.labels], where=given.candidates, **options)


def _of_gates(loss, given, options):
    """The partner of an image is the next one; the gate opens where the descriptions of both classes agree."""
    classes = similarity.l2_normalize(given.own)
    partners = jnp.roll(given.images, -1, axis=0)
    gates = jax.nn.sigmoid(classes.shape[1] * classes * jnp.roll(classes, -1, axis=0))
    return loss(given.images, partners, gates, where=given.where & jnp.roll(given.where, -1), **options)


def _of_teacher(loss, given, options):
    """The teacher is the encoder that made both inputs and descriptions: it compares them as they came."""
    described = jnp.asarray(given.classes.embedding)[: given.classes.num_trained]
    shapes = tuple(getattr(x, "shape", ()) for x in (given.inputs, described))
    if len(shapes[0]) != 2 or shapes[0][1:] != shapes[1][1:]:
        raise errors.UserError(
            f"teacher_divergence compares inputs {shapes[0][1:]} with descriptions {shapes[1][1:]} as they came: both "
            "must be vectors of one encoder, as texts and names of classes are"
        )
    teacher = similarity.cosine(jnp.pad(given.inputs, ((0, len(given.images) - len(given.inputs)), (0, 0))), described)
    return loss(given.scores, teacher, where=given.candidates, **options)


def _of_matches(loss, given, options):
    """The own class counts as much as all others together."""
    squared = jnp.maximum(similarity.negative_squared_euclidean(given.images, given.trained) * -1.0, 0.0)
    values = loss(squared, given.is_own, **options)
    own = jnp.sum(jnp.where(given.is_own, values, 0.0), axis=1)
    return own + jnp.sum(jnp.where(given.is_own, 0.0, values), axis=1) / max(len(given.trained) - 1, 1)


def _of_critic(loss, given, options):
    return loss(given.key, jnp.dot, given.images, given.own, where=given.where, **options)


_SCORES = "scores of the training classes, and the class"
_PAIRS = "images, and the description of each image's class"
_TRIPLETS = "images, the class of each, and the wrong class with the highest score"
_BATCH = "scores of each image and the descriptions of the classes in the batch"
_UNSEEN = frozenset({"unseen descriptions"})

_on_training_classes = functools.partial(Kind, on_scores=True, swaps=True, chooses=True)
_ON_SCORES = _on_training_classes(_SCORES, _of_scores)
_ON_TARGETS = _on_training_classes("scores, and for each training class whether it is the one", _of_targets)

KINDS: dict[tuple[str, ...], Kind] = {
    ("scores", "labels"): _ON_SCORES,
    ("cosines", "labels"): _ON_SCORES,
    ("evidence", "labels"): _on_training_classes("evidence, log(1 + exp(score)), and the class", _of_evidence),
    ("key", "scores", "labels"): _on_training_classes(f"{_SCORES}; draws at random", _of_sampled_scores, by_row=False),
    ("scores", "targets"): _ON_TARGETS,
    ("logits", "labels"): _ON_TARGETS,
    ("scores", "is_seen"): Kind(
        "scores of all classes, and which have examples", _of_calibration, by_row=False, sees=_UNSEEN, on_scores=True
    ),
    ("scores", "labels", "is_seen"): Kind(
        "scores of all classes, the class or -1 for an input of the test, and which classes have examples",
        _of_all_inputs,
        sees=_UNSEEN | {"test inputs"},
        on_scores=True,
    ),
    ("image_embeddings", "class_embeddings"): Kind(_PAIRS, _of_pairs, by_row=False, joins=True),
    ("embeddings_a", "embeddings_b"): Kind(_PAIRS, _of_pairs, by_row=False, joins=True),
    ("anchors", "positives"): Kind(_PAIRS, _of_pairs, by_row=False, joins=True),
    ("predictions", "attributes"): Kind(_PAIRS, lambda loss, given, options: loss(given.images, given.own, **options)),
    ("embeddings", "attributes", "projection"): Kind(
        "what a linear map makes images of, the description of each image's class, and the map", _of_map
    ),
    ("parents", "children"): Kind(f"{_PAIRS}, as points of hyperbolic space", _of_entailment),
    ("image_embeddings", "class_embeddings", "labels"): Kind(
        f"{_PAIRS}, and the class", _of_labelled_pairs, by_row=False, joins=True
    ),
    ("anchors", "candidates", "positives"): Kind(
        "images, all training classes, and the class", _of_class_candidates, chooses=True
    ),
    ("image_embeddings", "class_embeddings", "negative_embeddings"): Kind(
        f"{_PAIRS}, and the training classes that are not in the batch",
        _of_other_classes,
        by_row=False,
        joins=True,
        swaps=True,
    ),
    ("embeddings", "labels"): Kind(
        "images and the descriptions of their classes as one set", _of_groups, by_row=False, joins=True
    ),
    ("embeddings",): Kind("images", _of_images, by_row=False, joins=True),
    ("similarities", "is_positive"): Kind(
        "each image beside the other images of the batch and all training classes",
        _of_neighbours,
        by_row=False,
        joins=True,
        chooses=True,
    ),
    ("bound",): Kind(f"{_BATCH}; the bound is made large", _of_bound, by_row=False, joins=True),
    ("scores",): Kind(
        f"{_BATCH}; images of one class are no negatives of each other", _of_matching, by_row=False, joins=True
    ),
    ("scores", "kernel"): Kind(f"{_BATCH}, and cosines of their descriptions", _of_kernel, by_row=False, joins=True),
    ("views", "kernel"): Kind(
        "an image and its class as two views, and cosines of descriptions", _of_views, False, divides=False
    ),
    ("embeddings_a", "embeddings_b", "gates"): Kind(
        "an image and the next of the batch, in the dimensions where the descriptions of their classes agree",
        _of_gates,
        by_row=False,
        divides=False,
    ),
    ("cosines", "relations"): Kind(
        "scores, and cosines of the descriptions, the own one among them", _of_order, chooses=True
    ),
    ("scores", "teacher"): Kind(
        "scores, and cosines of inputs and descriptions as they came, of one encoder",
        _of_teacher,
        raw=True,
        chooses=True,
    ),
    ("anchors", "positives", "negatives"): Kind(_TRIPLETS, _of_triplets, chooses=True),
    ("queries", "positives", "negatives"): Kind(_TRIPLETS, _of_triplets, chooses=True),
    ("anchors", "positives", "blocks"): Kind("images, the class of each, and all wrong classes", _of_blocks),
    ("similarities", "relations"): Kind("scores, and cosines of the descriptions", _of_relations, on_scores=True),
    ("squared_distances", "is_match"): Kind("squared distances to all training classes", _of_matches),
    ("key", "critic", "x", "y"): Kind(f"{_PAIRS}, compared by their product", _of_critic, by_row=False, divides=False),
}
