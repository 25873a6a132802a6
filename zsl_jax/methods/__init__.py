"""Zero-shot methods: factories that take knobs and return a `Method`, a tuple of pure functions.

Every file of the package is imported, and every factory in `METHODS` is an attribute of the package by its name.
"""

import importlib
import pkgutil

from zsl_jax.methods.attribute_prediction import attribute_log_posterior
from zsl_jax.methods.base import Frozen, Method, View, Viewed, score, vector, viewed
from zsl_jax.methods.bilinear import by_bilinear
from zsl_jax.methods.closed_form import Solution, Sums, from_sums
from zsl_jax.methods.encoded import EncodedState, Parts, by_encoder
from zsl_jax.methods.gradient import GradientState, by_gradient
from zsl_jax.methods.normalization import SCALINGS, normalized
from zsl_jax.methods.objectives import LOSSES, Objective
from zsl_jax.methods.registry import KNOBS, METHODS, factory, learns_prompts, trains_encoder, wraps
from zsl_jax.methods.sae import sylvester
from zsl_jax.methods.seen_classes import as_proportions, keep_seen
from zsl_jax.methods.shifted import shifted_solve
from zsl_jax.methods.span import in_class_span
from zsl_jax.methods.sse import seen_proportions

for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    importlib.import_module(_module.name)
globals().update(METHODS)

__all__ = [
    "KNOBS",
    "LOSSES",
    "METHODS",
    "SCALINGS",
    "EncodedState",
    "Frozen",
    "GradientState",
    "Method",
    "Objective",
    "Parts",
    "Solution",
    "Sums",
    "View",
    "Viewed",
    "as_proportions",
    "attribute_log_posterior",
    "by_bilinear",
    "by_encoder",
    "by_gradient",
    "factory",
    "from_sums",
    "in_class_span",
    "keep_seen",
    "learns_prompts",
    "normalized",
    "score",
    "seen_proportions",
    "shifted_solve",
    "sylvester",
    "trains_encoder",
    "vector",
    "viewed",
    "wraps",
]
__all__.extend(METHODS)
