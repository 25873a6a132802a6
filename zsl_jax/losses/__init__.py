"""Losses of the field as pure functions: arrays in, one value per example out, never reduced, never normalised.

`attributes` compares predicted attribute values or their presence with labels, `attribute_space` constrains the weights
and embeddings that attributes live in, and `semantic` compares classes through the similarity of their descriptions,
`unseen_probability` leaves some to the classes without images.

Labels are whole numbers of any dtype. A label outside `[0, C)` is no class: the loss of its example is 0 and has no
gradient (`zsl_jax.arguments.class_labels` holds the rule). NaN in an example that counts gives a loss of NaN. A class
whose score is -inf is left out, as if `where` were False, unless it is the class of the example.

Each family is one file, helper modules begin with an underscore. `docs/losses.md` is generated from the docstrings,
which therefore hold, beside the usual sections:

    the formula          as the first code of the docstring: a paragraph in backticks, or a block after `::`
    Use when: ...        a paragraph of one or two lines: which problem calls for this loss and not for its neighbour
    Reference: ...       authors, "title", venue year; left out if the loss has no single source
"""

from zsl_jax.losses.attribute_space import (
    attribute_decorrelation,
    attribute_decorrelation_published,
    consistency_hinge,
    matrix_subspace_projection,
)
from zsl_jax.losses.attributes import attribute_regression, federated_bce, multilabel_bce
from zsl_jax.losses.compatibility import higher_order_compatibility
from zsl_jax.losses.conditional import conditional_hard_negatives, conditional_positives, decoupled_uniformity
from zsl_jax.losses.contrastive import class_sigmoid, clip_softmax, info_nce, multi_positive_clip, sigmoid_contrastive
from zsl_jax.losses.distillation import teacher_divergence
from zsl_jax.losses.divergences import sharma_mittal, standard_normal_kl
from zsl_jax.losses.entailment import entailment
from zsl_jax.losses.evidential import (
    evidential_digamma,
    evidential_kl,
    evidential_log,
    evidential_uncertainty,
)
from zsl_jax.losses.margin_softmax import arcface, cosface, softmax_cross_entropy
from zsl_jax.losses.multilabel import lsep, multi_tag_softmax, multilabel_hinge
from zsl_jax.losses.mutual_information import nce_bound, nwj_bound, wasserstein_dependency
from zsl_jax.losses.negatives import curl_block, debiased_contrastive, hard_negative_clip, hardness_weighted_contrastive
from zsl_jax.losses.ordering import cosent
from zsl_jax.losses.pair_weighting import circle, class_circle, multi_similarity
from zsl_jax.losses.prefixes import matryoshka
from zsl_jax.losses.ranking import rank_hinge, sampled_rank_hinge, sampled_warp, structured_hinge, warp
from zsl_jax.losses.redundancy import alignment, barlow_twins, uniformity, vicreg
from zsl_jax.losses.retrieval import adaptive_relevance_margin, bidirectional_hinge, n_pair
from zsl_jax.losses.self_contrastive import gated_contrastive, nt_xent, supervised_contrastive
from zsl_jax.losses.semantic import (
    semantic_regularized_similarity,
    semantic_regularized_similarity_published,
    semantic_relation,
)
from zsl_jax.losses.set_contrast import inter_set
from zsl_jax.losses.triplet import (
    batch_all_triplet,
    batch_hard_triplet,
    semi_hard_triplet,
    triplet_margin,
    triplet_ratio,
)
from zsl_jax.losses.unseen_probability import batch_self_calibration, quasi_fully_supervised, self_calibration
from zsl_jax.losses.wasserstein import gradient_penalty, squared_departure, two_layer_gradient_penalty

__all__ = [
    "adaptive_relevance_margin",
    "alignment",
    "arcface",
    "attribute_decorrelation",
    "attribute_decorrelation_published",
    "attribute_regression",
    "barlow_twins",
    "batch_all_triplet",
    "batch_hard_triplet",
    "batch_self_calibration",
    "bidirectional_hinge",
    "circle",
    "class_circle",
    "class_sigmoid",
    "clip_softmax",
    "conditional_hard_negatives",
    "conditional_positives",
    "consistency_hinge",
    "cosent",
    "cosface",
    "curl_block",
    "debiased_contrastive",
    "decoupled_uniformity",
    "entailment",
    "evidential_digamma",
    "evidential_kl",
    "evidential_log",
    "evidential_uncertainty",
    "federated_bce",
    "gated_contrastive",
    "gradient_penalty",
    "hard_negative_clip",
    "hardness_weighted_contrastive",
    "higher_order_compatibility",
    "info_nce",
    "inter_set",
    "lsep",
    "matrix_subspace_projection",
    "matryoshka",
    "multi_positive_clip",
    "multi_similarity",
    "multi_tag_softmax",
    "multilabel_bce",
    "multilabel_hinge",
    "n_pair",
    "nce_bound",
    "nt_xent",
    "nwj_bound",
    "quasi_fully_supervised",
    "rank_hinge",
    "sampled_rank_hinge",
    "sampled_warp",
    "self_calibration",
    "semantic_regularized_similarity",
    "semantic_regularized_similarity_published",
    "semantic_relation",
    "semi_hard_triplet",
    "sharma_mittal",
    "sigmoid_contrastive",
    "softmax_cross_entropy",
    "squared_departure",
    "standard_normal_kl",
    "structured_hinge",
    "supervised_contrastive",
    "teacher_divergence",
    "triplet_margin",
    "triplet_ratio",
    "two_layer_gradient_penalty",
    "uniformity",
    "vicreg",
    "warp",
    "wasserstein_dependency",
]
