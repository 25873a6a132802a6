"""How a loss of each kind is called with what a batch gives: `(loss, compared, options) -> values`, see `kinds`."""

import inspect

import jax
import jax.numpy as jnp

from zsl_jax import errors, similarity


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


def of_scores(loss, given, options):
    return loss(_for_margins(given, options)[0], given.labels, where=given.candidates, **options)


def of_evidence(loss, given, options):
    return loss(jax.nn.softplus(_columns(given)[0]), given.labels, where=given.candidates, **options)


def of_sampled_scores(loss, given, options):
    return loss(given.key, _for_margins(given, options)[0], given.labels, where=given.candidates, **options)


def of_targets(loss, given, options):
    return loss(*_for_margins(given, options), where=given.candidates, **options)


def of_calibration(loss, given, options):
    is_trained = jnp.arange(len(given.classes)) < given.classes.num_trained
    # One that takes the logarithm of a mean over the batch must not count the rows that fill it up.
    where = given.where[:, None] if "axis_name" in inspect.signature(loss).parameters else None
    return loss(given.compare(given.images, given.described), is_trained, where=where, **options)


def of_all_inputs(loss, given, options):
    is_trained = jnp.arange(len(given.classes)) < given.classes.num_trained
    return loss(given.compare(given.images, given.described), given.labels, is_trained, **options)


def of_pairs(loss, given, options):
    return loss(given.images, given.own, where=given.where, **options)


def of_map(loss, given, options):
    vectors, weights = given.through or (given.images, jnp.eye(given.images.shape[1]))
    return loss(vectors, given.own, weights.T, where=given.where, **options)


def of_entailment(loss, given, options):
    lifted = similarity.lorentz_exp0(given.own), similarity.lorentz_exp0(given.images)
    return loss(*lifted, where=given.where, **options)


def of_labelled_pairs(loss, given, options):
    return loss(given.images, given.own, given.labels, where=given.where, **options)


def of_class_candidates(loss, given, options):
    # Every device has all classes: nothing is gathered.
    options = {name: value for name, value in options.items() if name != "axis_name"}
    if given.candidates is None:
        return loss(given.images, given.trained, given.labels, **options)

    def of_image(image, label, candidates):
        return loss(image[None, :], given.trained, label[None], where=candidates, **options)[0]

    return jax.vmap(of_image)(given.images, given.labels, given.candidates)


def of_other_classes(loss, given, options):
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


def of_groups(loss, given, options):
    both = jnp.concatenate([given.images, given.own]), jnp.concatenate([given.labels, given.labels])
    return loss(*both, where=jnp.concatenate([given.where, given.where]), **options)


def of_images(loss, given, options):
    return loss(given.images, where=given.where, **options)


def of_neighbours(loss, given, options):
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


def of_bound(loss, given, options):
    return -loss(similarity.dot(given.images, given.own), where=given.where, **options)


def of_matching(loss, given, options):
    """Images of one class are no negatives of each other."""
    itself = jnp.eye(len(given.labels), dtype=bool)
    same = given.labels[:, None] == given.labels[None, :]
    counts = (itself | ~same) & given.where[:, None] & given.where[None, :]
    return loss(similarity.dot(given.images, given.own), where=counts, **options)


def of_kernel(loss, given, options):
    kernel = given.relations[given.labels][:, given.labels]
    if "within" in options:
        views = (given.images, given.own) if options["within"] else ()
        within = jnp.stack([similarity.dot(x, x) for x in views]) if views else None
        options = options | {"within": within}
    return loss(similarity.dot(given.images, given.own), kernel, where=given.where, **options)


def of_views(loss, given, options):
    kernel = given.relations[given.labels][:, given.labels]
    return loss(jnp.stack([given.images, given.own], axis=1), kernel, where=given.where, **options)


def of_triplets(loss, given, options):
    if given.apart is not None:
        options = options | {"margin": options["margin"] * given.apart[given.labels, given.hardest_class]}
    return loss(given.images, given.own, given.hardest, where=given.where, **options)


def of_blocks(loss, given, options):
    """Blocks of one: every wrong class is a negative."""
    rows = jnp.arange(len(given.trained) - 1)
    wrong = given.trained[rows[None, :] + (rows[None, :] >= given.labels[:, None])]
    return loss(given.images, given.own[:, None, :], wrong[:, :, None, :], where=given.where, **options)


def of_relations(loss, given, options):
    relations = given.relations[given.labels]
    return jnp.mean(loss(given.scores, relations, where=~given.is_own, **options), axis=1)


def of_order(loss, given, options):
    return loss(given.scores, given.relations[given.labels], where=given.candidates, **options)


def of_gates(loss, given, options):
    """The partner of an image is the next one; the gate opens where the descriptions of both classes agree."""
    classes = similarity.l2_normalize(given.own)
    partners = jnp.roll(given.images, -1, axis=0)
    gates = jax.nn.sigmoid(classes.shape[1] * classes * jnp.roll(classes, -1, axis=0))
    return loss(given.images, partners, gates, where=given.where & jnp.roll(given.where, -1), **options)


def of_teacher(loss, given, options):
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


def of_matches(loss, given, options):
    """The own class counts as much as all others together."""
    squared = jnp.maximum(similarity.negative_squared_euclidean(given.images, given.trained) * -1.0, 0.0)
    values = loss(squared, given.is_own, **options)
    own = jnp.sum(jnp.where(given.is_own, values, 0.0), axis=1)
    return own + jnp.sum(jnp.where(given.is_own, 0.0, values), axis=1) / max(len(given.trained) - 1, 1)


def of_critic(loss, given, options):
    return loss(given.key, jnp.dot, given.images, given.own, where=given.where, **options)
