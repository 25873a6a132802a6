"""Zero-shot learning in JAX: a label is a point in a space of attributes, and a class never seen is scored by them.

    scores[b, c] = similarity(encode_image(x_b), encode_class(phi_c))

Submodules load on first use (`zsl_jax.losses`, `zsl_jax.metrics`, ...), so that importing the package is quick and
touches no device.
"""

import importlib

__version__ = "0.1.0"

_SUBMODULES = (
    *("bounds", "class_encoders", "config", "data", "encoders", "explain", "losses", "methods", "metrics"),
    *("plots", "similarity", "training"),
)
# Functions, and the modules that they are in.
_FUNCTIONS = {"fit": "fitting", "load": "training.answers"}

__all__ = ["__version__", *_SUBMODULES, *_FUNCTIONS]


def __getattr__(name: str):
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(f"{__name__}.{_FUNCTIONS[name]}"), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
