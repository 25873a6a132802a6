"""How large an encoder is: its parameters, and the floating point operations of one picture."""

from typing import Any

import flax.linen as nn
import jax
import numpy as np


def parameters(variables: Any) -> int:
    """The number of trained parameters in `variables["params"]` (arrays or their shapes).

    >>> parameters({"params": {"kernel": np.zeros((3, 4)), "bias": np.zeros(4)}, "batch_stats": {"mean": np.zeros(4)}})
    16
    """
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(variables["params"]))


def flops(encoder: nn.Module, variables: Any, shape: tuple[int, int, int]) -> int:
    """Floating point operations of one picture `[H, W, 3]`, forward, as XLA counts them before it optimises.

    A multiply-add counts twice, so that the figure is about double the "multiply-adds" of the papers. Nothing is
    computed.
    """
    pictures = jax.ShapeDtypeStruct((1, *shape), np.float32)
    lowered = jax.jit(lambda variables, x: encoder.apply(variables, x, train=False)).lower(variables, pictures)
    return int(lowered.cost_analysis()["flops"])


def describe(encoder: nn.Module, variables: Any, shape: tuple[int, int, int]) -> str:
    """Both in a line, e.g. `2.22 M parameters, 0.61 GFLOP a picture of 224 x 224`."""
    return (
        f"{parameters(variables) / 1e6:.2f} M parameters, {flops(encoder, variables, shape) / 1e9:.2f} GFLOP a picture "
        f"of {shape[0]} x {shape[1]}"
    )
