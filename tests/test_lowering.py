"""What accelerators are asked to multiply: bfloat16 where that was asked for, and float32 nowhere beside it.

The programs are lowered for them without one at hand, and their products are read in StableHLO.
"""

import inspect
import re

import jax
import jax.numpy as jnp
import pytest

from zsl_jax import encoders
from zsl_jax.encoders import bert, clip, clip_resnet, transformer

PIXELS = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.uint8)
IDS = jax.ShapeDtypeStruct((2, 8), jnp.int32)
MASK = jax.ShapeDtypeStruct((2, 8), jnp.bool_)


def shape(dtype, **knobs):
    return transformer.Shape(16, 1, 2, 32, "quick_gelu", 1e-5, dtype, **knobs)


def image(dtype, **knobs):
    return clip.ImageTower(clip.VisionSize(shape(dtype, **knobs), 32, 8, 12))


def text(dtype, **knobs):
    return clip.TextTower(clip.TextSize(shape(dtype, **knobs), 50, 8, 12, end=49))


def berts(dtype, **knobs):
    return bert.Bert(bert.Size(50, 16, 1, 2, 32, 8, 2, 1e-12), dtype=dtype, **knobs)


TOWERS = {
    "clip image": (image, (PIXELS,)),
    "siglip image": (lambda dtype: clip.ImageTower(clip.VisionSize(shape(dtype), 32, 8, 16, siglip=True)), (PIXELS,)),
    "clip resnet": (
        lambda dtype: clip_resnet.ResNetTower(clip_resnet.ResNetSize((1, 1, 1, 1), 8, 2, 32, 12, dtype)),
        (PIXELS,),
    ),
    "clip text": (text, (IDS,)),
    "siglip text": (lambda dtype: clip.TextTower(clip.TextSize(shape(dtype), 50, 8, 16, siglip=True)), (IDS,)),
    "bert": (berts, (IDS, MASK)),
    "bert, scanned and computed again": (lambda dtype: berts(dtype, scan=True, remat=True), (IDS, MASK)),
    "clip text, scanned and computed again": (lambda dtype: text(dtype, scan=True, remat=True), (IDS,)),
    "vit": (lambda dtype: encoders.factory("vit_tiny")(depth=1, dtype=dtype), (PIXELS,)),
}
# Two seconds and more.
LONG = ("siglip image", "clip resnet", "clip text, scanned and computed again", "bert, scanned and computed again")


def products(module, inputs, *, gradient=False):
    """The dtypes that each product and convolution of a program for accelerators multiplies."""
    knobs = {"train": False} if "train" in inspect.signature(type(module).__call__).parameters else {}
    variables = jax.eval_shape(lambda *x: module.init(jax.random.key(0), *x, **knobs), *inputs)

    def run(variables, *x):
        return module.apply(variables, *x, **knobs).astype(jnp.float32)

    def loss(variables, *x):
        return jnp.sum(run(variables, *x) ** 2)

    traced = jax.jit(jax.grad(loss) if gradient else run).trace(variables, *inputs)
    lines = traced.lower(lowering_platforms=("cuda", "tpu")).as_text().splitlines()
    found = [multiplied(line) for line in lines if re.search(r"stablehlo\.(?:dot_general|convolution)\b", line)]
    assert found
    return set(found)


def multiplied(line):
    """The algorithm that a product asks for, or else the dtypes of its operands."""
    asked = re.search(r"lhs_precision_type = (\w+), rhs_precision_type = (\w+)", line)
    return (asked or re.search(r" : \(tensor<(?:\d+x)*(\w+)>, tensor<(?:\d+x)*(\w+)>\) ->", line)).groups()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in TOWERS]
)
def test_products_are_of_the_dtype_that_was_asked_for(name):
    make, inputs = TOWERS[name]
    assert products(make("bfloat16"), inputs) == {("bf16", "bf16")}
    assert products(make("float32"), inputs) == {("f32", "f32")}


@pytest.mark.long
@pytest.mark.parametrize("name", ["clip image", "siglip image", "bert, scanned and computed again"])
def test_products_of_a_backward_pass_are_too(name):
    """But for the gradient of the scores of an attention, float32, whose products are made in bfloat16 all the same."""
    make, inputs = TOWERS[name]
    found = products(make("bfloat16"), inputs, gradient=True)
    assert found == {("bf16", "bf16")}
    assert products(make("float32"), inputs, gradient=True) == {("f32", "f32")}
