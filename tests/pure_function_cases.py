"""One call of every public function of losses, metrics and similarity, on small arrays whose places are known."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import bounds, losses, metrics, similarity

ROWS, CLASSES, WIDTH = 6, 5, 4
KEY = jax.random.key(0)
_rng = np.random.default_rng(0)


class Case(NamedTuple):
    """`fn(**arrays)`; `values` of them are real numbers, `labels` class labels (ids if `num_classes` is None)."""

    fn: Callable
    arrays: Mapping[str, Any]
    values: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    num_classes: int | None = CLASSES
    never_nan: bool = False  # counts, ranks and rates, where an example with NaN counts as wrong
    has_where: bool = True

    def __call__(self, **changed):
        return self.fn(**{**self.arrays, **changed})


def normal(*shape):
    return _rng.normal(size=shape).astype(np.float32)


def positive(*shape):
    return _rng.uniform(0.2, 0.9, shape).astype(np.float32)


LABELS = np.array([0, 1, 2, 0, 1, 4], np.int32)
NO_LABELS = np.where(np.arange(ROWS) % 2, LABELS, -1)
IS_SEEN = np.array([True, True, False, False, True])
IS_THERE = _rng.random((ROWS, CLASSES)) < 0.5
IS_THERE[:, 0], IS_THERE[:, 1] = True, False


def batch(*names, width=WIDTH):
    return {name: normal(ROWS, width) for name in names}


def of_scores(fn, *, make=normal, name="scores", **keywords):
    arrays = {name: make(ROWS, CLASSES), "labels": LABELS}
    return Case(lambda **a: fn(**keywords, **a), arrays, (name,), ("labels",))


def of_key(fn):
    return lambda **arrays: fn(KEY, **arrays)


def of(fn, arrays, values=None, *, has_where=True, **keywords):
    values = tuple(arrays) if values is None else values
    return Case(lambda **a: fn(**keywords, **a), arrays, values, has_where=has_where)


def of_ids(fn, *names, **keywords):
    return Case(lambda **a: fn(**keywords, **a), {**batch(*names), "labels": LABELS}, names, ("labels",), None)


def square(*names):
    return {name: normal(ROWS, ROWS) for name in names}


def kernel():
    z = normal(ROWS, 3)
    return np.exp(-((z[:, None] - z[None]) ** 2).sum(-1)).astype(np.float32)


def critic(x, y):
    return jnp.sum(x * y)


HINGE = {"similarities": normal(ROWS, CLASSES), "is_positive": IS_THERE}
RELATIONS = {
    "features": normal(ROWS, WIDTH),
    "labels": LABELS,
    "centroids": normal(3, WIDTH),
    "similarities": positive(CLASSES, 3),
    "neighbors": _rng.integers(0, 3, (CLASSES, 2)),
}

LOSSES = {
    "adaptive_relevance_margin": of(losses.adaptive_relevance_margin, batch("queries", "positives", "negatives")),
    "alignment": of(losses.alignment, batch("embeddings_a", "embeddings_b")),
    "arcface": of_scores(losses.arcface, make=positive, name="cosines", scale=4.0),
    "attribute_decorrelation": Case(
        lambda **a: losses.attribute_decorrelation(**a, num_groups=CLASSES),
        {"weights": normal(3, ROWS), "groups": LABELS},
        ("weights",),
        ("groups",),
        has_where=False,
    ),
    "attribute_decorrelation_published": Case(
        lambda **a: losses.attribute_decorrelation_published(**a, num_groups=CLASSES),
        {"weights": normal(3, ROWS), "groups": LABELS},
        ("weights",),
        ("groups",),
        has_where=False,
    ),
    "attribute_regression": of(losses.attribute_regression, batch("predictions", "attributes")),
    "barlow_twins": of(losses.barlow_twins, batch("embeddings_a", "embeddings_b")),
    "batch_all_triplet": of_ids(losses.batch_all_triplet, "embeddings", margin=9.0),
    "batch_hard_triplet": of_ids(losses.batch_hard_triplet, "embeddings", margin=9.0),
    "batch_self_calibration": of(
        losses.batch_self_calibration, {"scores": normal(ROWS, CLASSES), "is_seen": IS_SEEN}, ("scores",)
    ),
    "bidirectional_hinge": of(losses.bidirectional_hinge, square("scores"), margin=9.0),
    "circle": of(losses.circle, HINGE, ("similarities",), scale=4.0),
    "class_circle": of_scores(losses.class_circle, make=positive, scale=4.0),
    "class_sigmoid": of_scores(losses.class_sigmoid, make=positive, name="cosines", scale=4.0, bias=-1.0),
    "clip_softmax": of(losses.clip_softmax, batch("image_embeddings", "class_embeddings"), scale=2.0),
    "conditional_hard_negatives": of(losses.conditional_hard_negatives, {**square("scores"), "kernel": kernel()}),
    "conditional_positives": of(losses.conditional_positives, {**square("scores"), "kernel": kernel()}),
    "consistency_hinge": of(
        losses.consistency_hinge,
        {"squared_distances": positive(ROWS), "is_match": IS_THERE[:, 2]},
        ("squared_distances",),
        threshold=0.5,
    ),
    "cosent": of(losses.cosent, {"cosines": positive(ROWS, CLASSES), "relations": normal(ROWS, CLASSES)}, scale=2.0),
    "cosface": of_scores(losses.cosface, make=positive, name="cosines", scale=4.0),
    "curl_block": of(
        losses.curl_block,
        {"anchors": normal(ROWS, 3), "positives": normal(ROWS, 2, 3), "negatives": normal(ROWS, 2, 2, 3)},
    ),
    "debiased_contrastive": of(
        losses.debiased_contrastive, batch("embeddings_a", "embeddings_b"), temperature=0.5, tau_plus=0.1
    ),
    "decoupled_uniformity": of(losses.decoupled_uniformity, {"views": normal(ROWS, 2, 3), "kernel": kernel()}),
    "entailment": of(losses.entailment, batch("parents", "children")),
    "evidential_digamma": of_scores(losses.evidential_digamma, make=positive, name="evidence", kl_weight=0.5),
    "evidential_kl": of_scores(losses.evidential_kl, make=positive, name="evidence"),
    "evidential_log": of_scores(losses.evidential_log, make=positive, name="evidence", kl_weight=0.5),
    "evidential_uncertainty": of(losses.evidential_uncertainty, {"evidence": positive(ROWS, CLASSES)}),
    "federated_bce": of(losses.federated_bce, {"logits": normal(ROWS, 3), "labels": positive(ROWS, 3)}),
    "gated_contrastive": of(
        losses.gated_contrastive,
        {**batch("embeddings_a", "embeddings_b"), "gates": positive(ROWS, WIDTH)},
        temperature=0.5,
    ),
    "gradient_penalty": of(
        of_key(lambda key, real, fake: losses.gradient_penalty(key, lambda x: jnp.sum(x**2, axis=1), real, fake)),
        batch("real", "fake"),
        has_where=False,
    ),
    "hard_negative_clip": of(
        losses.hard_negative_clip,
        batch("image_embeddings", "class_embeddings", "negative_embeddings"),
        scale=2.0,
    ),
    "hardness_weighted_contrastive": of(
        losses.hardness_weighted_contrastive, batch("image_embeddings", "class_embeddings"), scale=2.0, alpha=0.5
    ),
    "info_nce": Case(
        lambda **a: losses.info_nce(**a, temperature=0.5),
        {"anchors": normal(ROWS, 3), "candidates": normal(CLASSES, 3), "positives": LABELS},
        ("anchors", "candidates"),
        ("positives",),
        has_where=False,  # it masks the candidates
    ),
    "higher_order_compatibility": of_ids(
        losses.higher_order_compatibility, "image_embeddings", "class_embeddings", scale=2.0
    ),
    "inter_set": of_ids(losses.inter_set, "embeddings", temperature=0.5),
    "multi_tag_softmax": of(
        losses.multi_tag_softmax, {"predictions": normal(ROWS, WIDTH), "attributes": positive(ROWS, WIDTH)}
    ),
    "lsep": of(losses.lsep, {"scores": normal(ROWS, CLASSES), "targets": IS_THERE.astype(np.float32)}),
    "matrix_subspace_projection": of(
        losses.matrix_subspace_projection,
        {"embeddings": normal(ROWS, 3), "attributes": normal(ROWS, 2), "projection": normal(2, 3)},
    ),
    "matryoshka": of(
        lambda x, y, **w: losses.matryoshka(lambda x, y: jnp.sum(x * y, axis=1), x, y, dims=(2, WIDTH), normalize=True),
        batch("x", "y"),
        has_where=False,
    ),
    "multi_positive_clip": of_ids(losses.multi_positive_clip, "image_embeddings", "class_embeddings", scale=2.0),
    "multi_similarity": of(losses.multi_similarity, HINGE, ("similarities",), negative_scale=4.0, epsilon=5.0),
    "multilabel_bce": of(losses.multilabel_bce, {"logits": normal(ROWS, 3), "labels": positive(ROWS, 3)}),
    "multilabel_hinge": of(
        losses.multilabel_hinge, {"scores": normal(ROWS, CLASSES), "targets": IS_THERE.astype(np.float32)}, margin=9.0
    ),
    "n_pair": of(losses.n_pair, batch("anchors", "positives")),
    "nce_bound": of(losses.nce_bound, square("scores")),
    "nt_xent": of(losses.nt_xent, batch("embeddings_a", "embeddings_b"), temperature=0.5),
    "nwj_bound": of(losses.nwj_bound, square("scores")),
    "quasi_fully_supervised": of(
        lambda scores, is_seen, **a: losses.quasi_fully_supervised(scores, NO_LABELS[: len(scores)], is_seen, **a),
        {"scores": normal(ROWS, CLASSES), "is_seen": IS_SEEN},
        ("scores",),
    ),
    "rank_hinge": of_scores(losses.rank_hinge, margin=9.0),
    "sampled_rank_hinge": of_scores(of_key(losses.sampled_rank_hinge), margin=9.0),
    "sampled_warp": of_scores(of_key(losses.sampled_warp), margin=9.0),
    "self_calibration": of(losses.self_calibration, {"scores": normal(ROWS, CLASSES), "is_seen": IS_SEEN}, ("scores",)),
    "semantic_regularized_similarity": Case(
        lambda **a: losses.semantic_regularized_similarity(**a, lower=-9.0, upper=-9.0),
        RELATIONS,
        ("features",),
        ("labels",),
    ),
    "semantic_regularized_similarity_published": Case(
        lambda **a: losses.semantic_regularized_similarity_published(**a, lower=-9.0, upper=-9.0),
        RELATIONS,
        ("features",),
        ("labels",),
    ),
    "semantic_relation": of(losses.semantic_relation, square("similarities", "relations"), threshold=0.0),
    "semi_hard_triplet": of_ids(losses.semi_hard_triplet, "embeddings", margin=9.0),
    "sharma_mittal": of(losses.sharma_mittal, {"p": positive(ROWS, 3), "q": positive(ROWS, 3)}, alpha=2.0, beta=0.5),
    "sigmoid_contrastive": of(
        losses.sigmoid_contrastive, batch("image_embeddings", "class_embeddings"), scale=2.0, bias=0.0
    ),
    "softmax_cross_entropy": of_scores(losses.softmax_cross_entropy),
    "squared_departure": of(losses.squared_departure, batch("slopes"), has_where=False),
    "standard_normal_kl": of(losses.standard_normal_kl, batch("means", "log_variances")),
    "structured_hinge": of_scores(losses.structured_hinge, margin=9.0),
    "supervised_contrastive": of_ids(losses.supervised_contrastive, "embeddings", temperature=0.5),
    "teacher_divergence": of(losses.teacher_divergence, {"scores": normal(ROWS, 3), "teacher": normal(ROWS, 3)}),
    "triplet_margin": of(losses.triplet_margin, batch("anchors", "positives", "negatives"), margin=9.0),
    "triplet_ratio": of(losses.triplet_ratio, batch("anchors", "positives", "negatives")),
    "two_layer_gradient_penalty": of(
        losses.two_layer_gradient_penalty,
        {"hidden": normal(ROWS, 3), "hidden_weights": normal(4, 3), "output_weights": normal(3)},
        has_where=False,
    ),
    "uniformity": of(losses.uniformity, batch("embeddings")),
    "vicreg": of(losses.vicreg, batch("embeddings_a", "embeddings_b")),
    "warp": of_scores(losses.warp, margin=9.0),
    "wasserstein_dependency": of(
        of_key(lambda key, x, y, **where: losses.wasserstein_dependency(key, critic, x, y, **where)), batch("x", "y")
    ),
}

COUNTS = {"correct": np.array([3.0, 2.0, 4.0], np.float32), "total": np.array([6.0, 5.0, 7.0], np.float32)}
RATES = {"a": positive(ROWS), "b": positive(ROWS)}
BINARY = metrics.BinaryCounts(*np.array([[3], [1], [2], [4]]))


def of_curve(fn):
    arrays = {"scores": normal(ROWS, CLASSES), "labels": LABELS, "is_seen": IS_SEEN}
    return Case(fn, arrays, ("scores",), ("labels",), never_nan=True)


WARM = np.float32([0.7, 2.0])


def of_rows(fn=lambda rows: rows, never_nan=False, temperatures=()):
    """A function of what is kept of scores."""
    groups, labels = IS_SEEN.astype(np.int32), LABELS
    return Case(
        lambda scores: fn(metrics.fold(scores, groups, labels, num_groups=2, temperatures=temperatures)),
        {"scores": normal(ROWS, CLASSES)},
        ("scores",),
        never_nan=never_nan,
        has_where=False,
    )


def of_attributes(fn, never_nan=False, **keywords):
    arrays = {"scores": normal(ROWS, 3), "labels": IS_THERE[:, :3]}
    return Case(lambda **a: fn(**keywords, **a), arrays, ("scores",), never_nan=never_nan, has_where=False)


METRICS = {
    "alignment": of(metrics.alignment, batch("a", "b")),
    "ausuc": of(metrics.ausuc, {"unseen": positive(ROWS), "seen": positive(ROWS)}, has_where=False),
    "average_precision": of_attributes(metrics.average_precision),
    "balanced_accuracy": Case(lambda: metrics.balanced_accuracy(BINARY), {}),
    "best_class": Case(metrics.best_class, {"scores": normal(ROWS, CLASSES)}, ("scores",), never_nan=True),
    "binary_counts": Case(metrics.binary_counts, {"predictions": IS_THERE, "labels": IS_THERE}),
    "binned_compositional_curve": of_curve(metrics.binned_compositional_curve),
    "binned_curve_of_rows": of_rows(lambda rows: metrics.binned_curve_of_rows(rows, IS_SEEN), never_nan=True),
    "calibrated_stacking": of(
        metrics.calibrated_stacking,
        {"scores": normal(ROWS, CLASSES), "is_seen": IS_SEEN, "gamma": np.float32(0.5)},
        ("scores",),
        has_where=False,
    ),
    "calibration_error": Case(
        lambda **a: metrics.calibration_error(correct=np.arange(ROWS) % 2 == 0, **a),
        {"confidence": positive(ROWS) / 10},
        ("confidence",),
    ),
    "compositional_curve": of_curve(metrics.compositional_curve),
    "curve_of_rows": of_rows(lambda rows: metrics.curve_of_rows(rows, IS_SEEN), never_nan=True),
    "curve_summary": of(metrics.curve_summary, {"unseen": positive(ROWS), "seen": positive(ROWS)}, has_where=False),
    "discovered": Case(
        lambda labels, **a: metrics.discovered(LABELS[::-1], labels, num_classes=CLASSES, **a),
        {"labels": LABELS},
        labels=("labels",),
    ),
    "effective_rank": of(metrics.effective_rank, batch("embeddings")),
    "f1": Case(lambda: metrics.f1(BINARY), {}),
    "fitted_temperature": of_scores(metrics.fitted_temperature),
    "fold": of_rows(),
    "harmonic_mean": of(metrics.harmonic_mean, RATES, has_where=False),
    "harmonic_of_means": of(metrics.harmonic_of_means, RATES, has_where=False),
    "hits_at_k": of_scores(metrics.hits_at_k, k=2)._replace(never_nan=True, has_where=False),
    "hubness": of(metrics.hubness, {"occurrences": positive(ROWS)}),
    "join": of_rows(lambda rows: metrics.join(rows, rows)),
    "k_occurrence": Case(
        lambda **a: metrics.k_occurrence(**a, k=2), {"scores": normal(ROWS, CLASSES)}, ("scores",), never_nan=True
    ),
    "label_rank": of_scores(metrics.label_rank)._replace(never_nan=True, has_where=False),
    "matching_accuracy": of(metrics.matching_accuracy, {"scores": normal(ROWS, 2, 2)})._replace(never_nan=True),
    "matrix_entropy": of(metrics.matrix_entropy, batch("embeddings")),
    "mean_and_deviation": of(metrics.mean_and_deviation, {"values": positive(ROWS)}, has_where=False),
    "mean_average_precision": of_attributes(metrics.mean_average_precision),
    "mean_of_harmonics": of(metrics.mean_of_harmonics, RATES, has_where=False),
    "mean_per_class": of(metrics.mean_per_class, COUNTS, has_where=False),
    "micro_accuracy": Case(
        metrics.micro_accuracy, {"predictions": LABELS[::-1].copy(), "labels": LABELS}, (), ("labels",), None
    ),
    "pair_feasibility": of(
        metrics.pair_feasibility,
        {"attribute_similarities": positive(3, 3), "object_similarities": positive(2, 2), "is_seen": np.eye(3, 2) > 0},
        (),
        has_where=False,
    ),
    "paired_p_value": of(metrics.paired_p_value, RATES, has_where=False),
    "per_class_accuracy": Case(
        lambda **a: metrics.per_class_accuracy(**a, num_classes=CLASSES),
        {"predictions": np.array([0, 2, 2, 1, 1, 4]), "labels": LABELS},
        (),
        ("labels",),
    ),
    "per_class_counts": Case(
        lambda **a: metrics.per_class_counts(**a, num_classes=CLASSES),
        {"predictions": np.array([0, 2, 2, 1, 1, 4]), "labels": LABELS},
        (),
        ("labels",),
    ),
    "per_class_top_k_accuracy": of_scores(metrics.per_class_top_k_accuracy, k=2, num_classes=CLASSES)._replace(
        never_nan=True
    ),
    "percentile_interval": of(metrics.percentile_interval, {"samples": positive(ROWS)}, has_where=False),
    "log_probabilities": of_rows(lambda rows: metrics.log_probabilities(rows, WARM), temperatures=WARM),
    "predicted_class": of_rows(metrics.predicted_class, never_nan=True),
    "recall": Case(lambda: metrics.recall(BINARY), {}),
    "recall_at_k": of_attributes(metrics.recall_at_k, True, k=2),
    "representativeness": of(metrics.representativeness, {"matrix": positive(CLASSES, 3)}),
    "resampled_accuracy": of(
        metrics.resampled_accuracy,
        {"counts": np.floor(6 * positive(2, 3)), "total": COUNTS["total"]},
        has_where=False,
    ),
    "resampled_counts": of(of_key(metrics.resampled_counts), COUNTS, has_where=False, num_samples=2),
    "resampled_gzsl": of(
        metrics.resampled_gzsl,
        {"counts": np.floor(6 * positive(2, 3)), "total": COUNTS["total"], "is_seen": IS_SEEN[:3]},
        ("counts", "total"),
        has_where=False,
    ),
    "resampled_pair": of(
        of_key(metrics.resampled_pair),
        {
            "correct_a": COUNTS["correct"],
            "correct_b": COUNTS["correct"] + 1,
            "correct_both": COUNTS["correct"] - 1,
            "total": COUNTS["total"],
        },
        ("correct_both", "total"),
        has_where=False,
        num_samples=2,
    ),
    "seen_unseen_curve": of_curve(metrics.seen_unseen_curve),
    "swap_accuracy": of(metrics.swap_accuracy, {"own": normal(ROWS), "swapped": normal(ROWS)})._replace(never_nan=True),
    "top_k": Case(
        lambda **a: metrics.top_k(**a, k=2),
        {"scores": normal(ROWS, CLASSES)},
        ("scores",),
        never_nan=True,
        has_where=False,
    ),
    "top_k_accuracy": of_scores(metrics.top_k_accuracy, k=2)._replace(never_nan=True),
    "uniformity": of(metrics.uniformity, batch("embeddings")),
    "unpaired_p_value": of(metrics.unpaired_p_value, RATES, has_where=False),
}

IMAGES_AND_CLASSES = {"image_embeddings": 0.3 * normal(ROWS, 3), "class_embeddings": 0.3 * normal(CLASSES, 3)}
SETS = {"image_sets": normal(ROWS, 2, 3), "class_sets": normal(CLASSES, 2, 3)}


def of_images(fn, **weights):
    return of(fn, {**IMAGES_AND_CLASSES, **weights}, has_where=False)


def of_points(fn, name):
    return of(fn, {name: 0.3 * normal(ROWS, 3)}, has_where=False)


SIMILARITIES = {
    "bilinear": of_images(similarity.bilinear, weights=normal(3, 3)),
    "cosine": of_images(similarity.cosine),
    "distmult": of(similarity.distmult, batch("heads", "relations", "tails"), has_where=False),
    "dot": of_images(similarity.dot),
    "gaussian_document": of(
        similarity.gaussian_document, {"means": normal(ROWS, 3), "variances": positive(ROWS, 3)}, has_where=False
    ),
    "gaussian_negative_kl": of(
        similarity.gaussian_negative_kl,
        {
            "image_means": normal(ROWS, 3),
            "image_variances": positive(ROWS, 3),
            "class_means": normal(CLASSES, 3),
            "class_variances": positive(CLASSES, 3),
        },
        has_where=False,
    ),
    "gaussian_query": of(
        similarity.gaussian_query, {"means": normal(ROWS, 3), "variances": positive(ROWS, 3)}, has_where=False
    ),
    "l2_normalize": of(similarity.l2_normalize, batch("x"), has_where=False),
    "pair_features": of(similarity.pair_features, batch("x", "y"), has_where=False),
    "set_query": of(
        similarity.set_query,
        {"embeddings": normal(ROWS, 3), "included": normal(2, 3, 3), "excluded": normal(1, 2, 3)},
        has_where=False,
    ),
    "late_interaction": of(similarity.late_interaction, SETS, has_where=False),
    "latent_bilinear": of_images(similarity.latent_bilinear, weights=normal(2, 3, 3)),
    "lorentz": of_images(similarity.lorentz),
    "lorentz_exp0": of_points(similarity.lorentz_exp0, "vectors"),
    "lorentz_exterior_angle": of(similarity.lorentz_exterior_angle, batch("parents", "children"), has_where=False),
    "lorentz_half_aperture": of_points(similarity.lorentz_half_aperture, "points"),
    "lorentz_log0": of_points(similarity.lorentz_log0, "points"),
    "low_rank_bilinear": of_images(
        similarity.low_rank_bilinear, image_weights=normal(3, 2), class_weights=normal(3, 2)
    ),
    "mahalanobis": of_images(similarity.mahalanobis, transform=normal(3, 2)),
    "nearest": of(similarity.nearest, batch("embeddings"), has_where=False, count=2),
    "negative_euclidean": of_images(similarity.negative_euclidean),
    "negative_squared_euclidean": of_images(similarity.negative_squared_euclidean),
    "optimal_transport": of(similarity.optimal_transport, SETS, has_where=False, iterations=4),
    "poincare": of_images(similarity.poincare),
    "poincare_exp0": of_points(similarity.poincare_exp0, "vectors"),
    "poincare_log0": of_points(similarity.poincare_log0, "points"),
    "poincare_project": of_points(similarity.poincare_project, "points"),
    "sinkhorn": of(
        similarity.sinkhorn,
        {"costs": positive(3, 2), "row_shares": np.full(3, 1 / 3, np.float32), "column_shares": np.full(2, 0.5, "f4")},
        has_where=False,
        iterations=4,
    ),
}

EACH_CLASS = np.array([0, 1, 2, 3, 1, 4])
BOUNDS = {
    "error_rates": Case(
        lambda **a: bounds.error_rates(**a, num_classes=CLASSES),
        {"detections": positive(ROWS, 3), "attributes": positive(ROWS, 3), "labels": EACH_CLASS},
        ("detections", "attributes"),
        ("labels",),
        has_where=False,
    ),
    "marginal_errors": Case(
        bounds.marginal_errors,
        {"detections": positive(ROWS, 3), "labels": EACH_CLASS, "matrix": positive(CLASSES, 3)},
        ("detections", "matrix"),
        ("labels",),
        has_where=False,
    ),
}

TABLES = {"losses": LOSSES, "metrics": METRICS, "similarity": SIMILARITIES, "bounds": BOUNDS}
EVERY = {f"{package}.{name}": case for package, table in TABLES.items() for name, case in table.items()}
