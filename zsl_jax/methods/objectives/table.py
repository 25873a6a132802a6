"""The losses that a method can be trained with, by name: the one table that config, tests and pages read.

What a loss takes is known by the names of its arguments (`kinds.KINDS`), the defaults of its knobs are those of the
function, or stand here where the function asks for a value.
"""

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from zsl_jax import losses
from zsl_jax.methods import registry
from zsl_jax.methods.objectives import kinds
from zsl_jax.rules import Knob, number, one_of


class Loss(NamedTuple):
    """A loss that can be chosen.

    Fields:
      function: of `zsl_jax.losses`.
      knobs: what its keyword arguments may be.
      values: defaults of knobs for which the function has none.
      unit: whether it compares unit vectors, as its paper does; scores are cosines then.
      learned: knobs that a method may train, from their value at the start.
      alone: False for a term that trains nothing by itself.
      axes: whether it looks at the attributes one by one, so that they must be as they came.
      margins: whether its margin stands between two classes, so that it may differ from pair to pair.
      takes: names that stand for the kind, where those of the function's arguments do not say it.
    """

    function: Callable
    knobs: Mapping[str, Knob] = types.MappingProxyType({})
    values: Mapping[str, Any] = types.MappingProxyType({})
    unit: bool = False
    learned: tuple[str, ...] = ()
    alone: bool = True
    axes: bool = False
    margins: bool = False
    takes: tuple[str, ...] | None = None

    @property
    def kind(self) -> kinds.Kind:
        return kinds.KINDS[self.takes or kinds.positional(self.function)]

    @property
    def defaults(self) -> dict[str, Any]:
        """The knobs with their defaults."""
        parameters = inspect.signature(self.function).parameters
        return {name: self.values.get(name, parameters[name].default) for name in self.knobs}


_MARGIN = {"margin": registry.MARGIN}
_ANGULAR = {
    "margin": Knob("margin, as a cosine or in radians", number(0, 1, ends="[]")),
    "scale": Knob("factor of the cosines", number(0)),
}
_TEMPERATURE = {"temperature": Knob("divisor of the cosines", number(0))}
_SCALE = {"scale": Knob("factor of the cosines", number(0))}
_BIAS = {"bias": Knob("added to the scaled cosines", number(-1e6, 1e6))}
_KL = {"kl_weight": Knob("weight of the divergence of the wrong evidence from none", number(0, ends="[)"))}
_CALIBRATION = {"bias": Knob("added to unseen and subtracted from seen scores", number(-1e6, 1e6))}
_RIDGE = {"ridge": Knob("ridge of the regression between descriptions", number(0))}
_WITHIN = {
    "within": Knob("whether images, and classes, are compared among themselves, as released", one_of((False, True)))
}
_RELEASED = {
    "released": Knob("whether the loss is that of the released code, see its docstring", one_of((False, True)))
}

LOSSES: dict[str, Loss] = {
    loss.function.__name__: loss
    for loss in (
        # Scores of the training classes.
        Loss(losses.softmax_cross_entropy, _SCALE, learned=("scale",)),
        Loss(losses.warp, _MARGIN, margins=True),
        Loss(losses.rank_hinge, _MARGIN, margins=True),
        Loss(losses.structured_hinge, _MARGIN, margins=True),
        Loss(losses.sampled_warp, _MARGIN, margins=True),
        Loss(losses.sampled_rank_hinge, _MARGIN, margins=True),
        Loss(losses.multilabel_hinge, _MARGIN, margins=True),
        Loss(losses.lsep),
        Loss(losses.multilabel_bce),
        Loss(losses.federated_bce),
        Loss(losses.class_sigmoid, _SCALE | _BIAS, {"scale": 10.0, "bias": -5.0}, True, ("scale", "bias")),
        Loss(losses.cosface, _ANGULAR, unit=True, margins=True),
        Loss(losses.arcface, _ANGULAR, unit=True),
        Loss(losses.class_circle, _ANGULAR, unit=True),
        Loss(losses.cosent, _SCALE, unit=True),
        Loss(losses.evidential_log, _KL),
        Loss(losses.evidential_digamma, _KL),
        Loss(losses.evidential_kl, alone=False),
        Loss(losses.self_calibration, _CALIBRATION, alone=False),
        Loss(losses.batch_self_calibration, _CALIBRATION, alone=False),
        Loss(
            losses.quasi_fully_supervised,
            _SCALE | {"unlabelled_weight": Knob("weight of inputs without a label", number(0, ends="[)"))},
            learned=("scale",),
        ),
        Loss(
            losses.semantic_relation,
            {"threshold": Knob("cosine of descriptions from which on classes are similar", number(-1, 1, ends="[]"))},
            {"threshold": 0.5},
            unit=True,
            alone=False,
        ),
        Loss(
            losses.teacher_divergence,
            _SCALE | {"teacher_scale": Knob("factor of the teacher's cosines", number(0))},
            {"scale": 10.0, "teacher_scale": 20.0},
            unit=True,
            alone=False,
        ),
        Loss(
            losses.consistency_hinge,
            _MARGIN | {"threshold": Knob("squared distance that separates matches from the rest", number(0))},
            {"threshold": 1.0},
            unit=True,
        ),
        # An image and the description of its class.
        Loss(losses.attribute_regression),
        Loss(losses.matrix_subspace_projection, alone=False),
        Loss(losses.multi_tag_softmax, _SCALE, {"scale": 10.0}, axes=True),
        Loss(losses.info_nce, _TEMPERATURE, {"temperature": 0.1}, True, ("temperature",)),
        Loss(losses.clip_softmax, _SCALE, {"scale": 10.0}, True, ("scale",)),
        Loss(losses.multi_positive_clip, _SCALE, {"scale": 10.0}, True, ("scale",)),
        Loss(losses.higher_order_compatibility, _SCALE, {"scale": 10.0}, unit=True),
        Loss(losses.sigmoid_contrastive, _SCALE | _BIAS, {"scale": 10.0, "bias": -5.0}, True, ("scale", "bias")),
        Loss(losses.hard_negative_clip, _SCALE, {"scale": 10.0}, True, ("scale",)),
        Loss(
            losses.hardness_weighted_contrastive,
            _SCALE | {"alpha": Knob("how much more a hard negative counts", number(0, ends="[)"))},
            {"scale": 10.0, "alpha": 9.0},
            unit=True,
        ),
        Loss(losses.nt_xent, _TEMPERATURE, {"temperature": 0.1}, True, ("temperature",)),
        Loss(
            losses.debiased_contrastive,
            _TEMPERATURE | {"tau_plus": Knob("chance of a negative of the own class", number(0, 1, ends="[)"))},
            {"temperature": 0.1, "tau_plus": 0.05},
            unit=True,
        ),
        Loss(losses.n_pair),
        Loss(losses.alignment, {"power": Knob("power of the distance", number(0))}),
        Loss(
            losses.barlow_twins,
            {"redundancy": Knob("weight of the correlations between dimensions", number(0, ends="[)"))},
        ),
        Loss(
            losses.vicreg,
            {
                "invariance": Knob("weight of the distance", number(0, ends="[)")),
                "variance": Knob("weight of the spread of each dimension", number(0, ends="[)")),
                "covariance": Knob("weight of the covariances", number(0, ends="[)")),
                **_RELEASED,
            },
        ),
        Loss(losses.wasserstein_dependency, {"penalty": Knob("weight of the slope of the critic", number(0))}),
        Loss(losses.nce_bound, takes=("bound",)),
        Loss(losses.nwj_bound, takes=("bound",)),
        Loss(
            losses.bidirectional_hinge,
            _MARGIN | {"hardest": Knob("whether the largest hinge alone counts", one_of((False, True)))},
            unit=True,
        ),
        Loss(losses.conditional_hard_negatives, _RIDGE | _WITHIN, {"within": False}),
        Loss(losses.conditional_positives, _RIDGE | _WITHIN, {"within": False}),
        Loss(losses.decoupled_uniformity, _RIDGE | {"scale": Knob("of the squared distances", number(0))}, unit=True),
        Loss(
            losses.entailment, {"min_radius": Knob("radius within which a class entails all", number(0))}, alone=False
        ),
        # A triplet.
        Loss(losses.triplet_margin, _MARGIN, unit=True, margins=True),
        Loss(losses.triplet_ratio, unit=True),
        Loss(losses.adaptive_relevance_margin, unit=True),
        Loss(
            losses.curl_block,
            {"surrogate": Knob("logistic or hinge", one_of(("logistic", "hinge")))},
            takes=("anchors", "positives", "blocks"),
        ),
        # Images and descriptions of classes as one set of examples.
        Loss(losses.supervised_contrastive, _TEMPERATURE | _RELEASED, {"temperature": 0.1}, True, ("temperature",)),
        Loss(losses.batch_hard_triplet, _MARGIN, unit=True),
        Loss(losses.batch_all_triplet, _MARGIN, unit=True),
        Loss(losses.semi_hard_triplet, _MARGIN, unit=True),
        Loss(losses.inter_set, _TEMPERATURE, {"temperature": 0.05}, unit=True, alone=False),
        Loss(losses.gated_contrastive, _TEMPERATURE, {"temperature": 0.1}, unit=True, alone=False),
        Loss(losses.uniformity, {"scale": Knob("of the squared distances", number(0))}, unit=True, alone=False),
        Loss(losses.circle, _ANGULAR, unit=True),
        Loss(
            losses.multi_similarity,
            {
                "positive_scale": Knob("scale of the positives", number(0)),
                "negative_scale": Knob("scale of the negatives", number(0)),
                "base": Knob("similarity around which both turn", number(-1, 1, ends="[]")),
                "epsilon": Knob("slack of the mining", number(-1e6, 1e6)),
            },
            unit=True,
        ),
    )
}
# Names of `zsl_jax.losses` that are no choice, and why.
ELSEWHERE = {
    "attribute_decorrelation": "of detectors of attributes in groups: `decorrelation` of `methods.attribute_network`",
    "attribute_decorrelation_published": "of detectors of attributes in groups: `methods.attribute_network`",
    "sharma_mittal": "of generated features: `methods.cizsl`",
    "standard_normal_kl": "of latents: `methods.cada_vae`, `methods.tf_vaegan`",
    "semantic_regularized_similarity": "of generated features: `methods.lsrgan`",
    "semantic_regularized_similarity_published": "of generated features: `methods.lsrgan`",
    "gradient_penalty": "of a critic of features",
    "two_layer_gradient_penalty": "of a critic of features: `methods.f_clswgan`",
    "squared_departure": "of a critic of features: `methods.f_clswgan`",
    "evidential_uncertainty": "is read off a model that an evidential loss has trained: `Trained.uncertainty`",
    "matryoshka": "is around any loss: `prefixes`",
}
