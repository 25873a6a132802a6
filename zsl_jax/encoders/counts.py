"""How large an encoder is: its parameters, and the floating point operations of one input."""

from collections.abc import Mapping
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


def flops(encoder: nn.Module, variables: Any, inputs: Any) -> int:
    """Floating point operations of one of `inputs [B, ...]`, forward, as XLA counts them before it optimises.

    A multiply-add counts twice, so that the figure is about double the "multiply-adds" of the papers. Nothing is
    computed: arrays may be shapes. 0 where the program has a loop, as those over words have: XLA counts one turn of it.
    """
    one = inputs if isinstance(inputs, Mapping) else jax.ShapeDtypeStruct((1, *inputs.shape[1:]), inputs.dtype)
    lowered = jax.jit(lambda variables, x: encoder.apply(variables, x, train=False)).lower(variables, one)
    if "stablehlo.while" in lowered.as_text():
        return 0
    return int((lowered.cost_analysis() or {}).get("flops", 0))


def describe(encoder: nn.Module, variables: Any, inputs: Any) -> str:
    """Both in a line, e.g. `2.22 M parameters, 0.61 GFLOP per image of 224 x 224`; or of one node of a graph."""
    count, thousands = _scaled(parameters(variables) * 1000, ("M", "k", ""))
    said = f"{count} {thousands}{' ' if thousands else ''}parameters"
    found = flops(encoder, variables, inputs)
    if not found:
        return said
    operations, unit = _scaled(found, ("GFLOP", "MFLOP", "kFLOP"))
    if isinstance(inputs, Mapping):
        return f"{said}, {operations} {unit} per node"
    kind, shape = ("image", inputs.shape[1:3]) if len(inputs.shape) == 4 else ("input", inputs.shape[1:])
    return f"{said}, {operations} {unit} per {kind} of {' x '.join(map(str, shape))}"


def _scaled(number: int, units: tuple[str, str, str]) -> tuple[str, str]:
    """The number in 10^9, 10^6 or 10^3, as large as leaves one digit before the second decimal."""
    for exponent, unit in zip((9, 6), units):
        if number >= 10 ** (exponent - 1):
            return f"{number / 10**exponent:.2f}", unit
    return f"{number / 1000:.2f}".removesuffix(".00"), units[-1]
