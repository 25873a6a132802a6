"""Zero-shot methods: factories that take knobs and return a `Method`, a tuple of pure functions."""

from collections.abc import Callable

from zsl_jax import errors
from zsl_jax.methods.ale_learned import ale_learned
from zsl_jax.methods.ale_sgd import ale_sgd
from zsl_jax.methods.any_shot import any_shot
from zsl_jax.methods.attribute_network import attribute_network
from zsl_jax.methods.attribute_prediction import attribute_log_posterior, dap, iap
from zsl_jax.methods.base import Method
from zsl_jax.methods.bilinear import ale, bilinear, devise, sje, softmax
from zsl_jax.methods.closed_form import Solution, Sums, from_sums
from zsl_jax.methods.cmt import cmt, cmt_novelty
from zsl_jax.methods.conse import conse
from zsl_jax.methods.dem import dem
from zsl_jax.methods.encoded import EncodedState, Parts, by_encoder
from zsl_jax.methods.eszsl import eszsl
from zsl_jax.methods.generative import cada_vae, ce_gzsl, cizsl, f_clswgan, lsrgan, tf_vaegan
from zsl_jax.methods.gfzsl import gfzsl
from zsl_jax.methods.gradient import GradientState, by_gradient
from zsl_jax.methods.label_embedding import label_embedding
from zsl_jax.methods.latem import latem
from zsl_jax.methods.normalization import SCALINGS, normalized
from zsl_jax.methods.psr import psr
from zsl_jax.methods.ridge import ridge
from zsl_jax.methods.sae import sae, sylvester
from zsl_jax.methods.seen_classes import SeenState, as_proportions, keep_seen
from zsl_jax.methods.semantic_consistency import semantic_consistency
from zsl_jax.methods.shifted import shifted_solve
from zsl_jax.methods.span import SpanState, in_class_span
from zsl_jax.methods.sse import seen_proportions, sse
from zsl_jax.methods.sync import sync
from zsl_jax.methods.two_tower import two_tower

METHODS: dict[str, Callable[..., Method]] = {
    "ale": ale,
    "ale_sgd": ale_sgd,
    "ale_learned": ale_learned,
    "devise": devise,
    "sje": sje,
    "softmax": softmax,
    "cmt": cmt,
    "cmt_novelty": cmt_novelty,
    "dem": dem,
    "latem": latem,
    "psr": psr,
    "semantic_consistency": semantic_consistency,
    "eszsl": eszsl,
    "ridge": ridge,
    "sae": sae,
    "gfzsl": gfzsl,
    "dap": dap,
    "iap": iap,
    "conse": conse,
    "sync": sync,
    "sse": sse,
    "f_clswgan": f_clswgan,
    "cada_vae": cada_vae,
    "tf_vaegan": tf_vaegan,
    "lsrgan": lsrgan,
    "cizsl": cizsl,
    "ce_gzsl": ce_gzsl,
}

# Methods that train an encoder: their factories take `Parts` first.
ON_ENCODERS: dict[str, Callable[..., Method]] = {
    "label_embedding": label_embedding,
    "attribute_network": attribute_network,
    "two_tower": two_tower,
}


def factory(name: str) -> Callable[..., Method]:
    """Returns the factory of a method by its name in `METHODS` or `ON_ENCODERS`."""
    known = METHODS | ON_ENCODERS
    if name not in known:
        raise errors.unknown("method", name, known)
    return known[name]


__all__ = [
    "METHODS",
    "ON_ENCODERS",
    "SCALINGS",
    "EncodedState",
    "GradientState",
    "Method",
    "Parts",
    "SeenState",
    "Solution",
    "SpanState",
    "Sums",
    "ale",
    "ale_learned",
    "ale_sgd",
    "any_shot",
    "as_proportions",
    "attribute_log_posterior",
    "attribute_network",
    "bilinear",
    "by_encoder",
    "by_gradient",
    "cada_vae",
    "ce_gzsl",
    "cizsl",
    "cmt",
    "cmt_novelty",
    "conse",
    "dap",
    "dem",
    "devise",
    "eszsl",
    "f_clswgan",
    "factory",
    "from_sums",
    "gfzsl",
    "iap",
    "in_class_span",
    "keep_seen",
    "label_embedding",
    "latem",
    "lsrgan",
    "normalized",
    "psr",
    "ridge",
    "sae",
    "seen_proportions",
    "semantic_consistency",
    "shifted_solve",
    "sje",
    "softmax",
    "sse",
    "sylvester",
    "sync",
    "tf_vaegan",
    "two_tower",
]
