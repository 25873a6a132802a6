"""Zero-shot methods: factories that take knobs and return a `Method`, a tuple of pure functions."""

from collections.abc import Callable

from zsl_jax import errors
from zsl_jax.methods.base import Method
from zsl_jax.methods.bilinear import ale, bilinear, devise, sje, softmax
from zsl_jax.methods.closed_form import Sums, from_sums
from zsl_jax.methods.eszsl import eszsl
from zsl_jax.methods.gradient import GradientState, by_gradient
from zsl_jax.methods.normalization import SCALINGS, normalized
from zsl_jax.methods.shifted import shifted_solve
from zsl_jax.methods.span import SpanState, in_class_span

METHODS: dict[str, Callable[..., Method]] = {
    "ale": ale,
    "devise": devise,
    "sje": sje,
    "softmax": softmax,
    "eszsl": eszsl,
}


def factory(name: str) -> Callable[..., Method]:
    """Returns the factory of a method by its name in `METHODS`."""
    if name not in METHODS:
        raise errors.unknown("method", name, METHODS)
    return METHODS[name]


__all__ = [
    "METHODS",
    "SCALINGS",
    "GradientState",
    "Method",
    "SpanState",
    "Sums",
    "ale",
    "bilinear",
    "by_gradient",
    "devise",
    "eszsl",
    "factory",
    "from_sums",
    "in_class_span",
    "normalized",
    "shifted_solve",
    "sje",
    "softmax",
]
