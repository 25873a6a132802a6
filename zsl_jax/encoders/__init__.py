"""Encoders: flax.linen modules from inputs to embeddings `[B, D]`, by name in `ENCODERS`.

A module is called as `encoder(inputs, *, train)`. Pixels are uint8 in 0..255 or float in 0..1; both are taken, see
`pixels.as_float`. The knobs of an encoder are the fields of its module, each with a default: they are the keys of
`config.encoder`.
"""

from collections.abc import Callable

from flax import linen as nn

from zsl_jax import errors
from zsl_jax.encoders.convnet import ConvNet
from zsl_jax.encoders.mlp import MLP

ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "mlp": MLP,
    "convnet": ConvNet,
}


def factory(name: str) -> Callable[..., nn.Module]:
    """Returns what makes the encoder of that name from its knobs.

    Raises:
      UserError: an unknown name.

    >>> factory("mlp")(widths=(8, 4)).widths
    (8, 4)
    """
    if name not in ENCODERS:
        raise errors.unknown("encoder", name, ENCODERS)
    return ENCODERS[name]


__all__ = ["ENCODERS", "MLP", "ConvNet", "factory"]
