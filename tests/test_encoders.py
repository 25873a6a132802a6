"""Encoders: the matrix product is the convolution, every encoder gives [B, D], wrong inputs are named."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import encoders, errors
from zsl_jax.encoders import convnet, convolution, pixels


@pytest.mark.parametrize(("strides", "padding"), [((1, 1), "SAME"), ((2, 2), ((1, 1), (2, 0))), ((2, 1), "VALID")])
def test_matrix_product_is_the_convolution(strides, padding):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((2, 7, 6, 3)).astype(np.float32)
    kernel = rng.standard_normal((3, 2, 3, 4)).astype(np.float32)
    pads = jax.lax.padtype_to_pads((7, 6), (3, 2), strides, padding) if isinstance(padding, str) else padding
    padded = np.pad(images, ((0, 0), *pads, (0, 0)))
    rows, columns = (padded.shape[1] - 3) // strides[0] + 1, (padded.shape[2] - 2) // strides[1] + 1
    expected = np.zeros((2, rows, columns, 4))
    for i in range(rows):
        for j in range(columns):
            window = padded[:, i * strides[0] : i * strides[0] + 3, j * strides[1] : j * strides[1] + 2]
            expected[:, i, j] = np.einsum("bhwc,hwcd->bd", window, kernel)
    np.testing.assert_allclose(convolution.by_matmul(images, kernel, strides, padding), expected, atol=1e-4)


def test_groups_and_dilation_are_refused():
    images, kernel = jnp.zeros((1, 4, 4, 2)), jnp.zeros((3, 3, 1, 2))
    with pytest.raises(ValueError, match="groups"):
        convolution.by_matmul(images, kernel, (1, 1), "SAME", feature_group_count=2)
    with pytest.raises(ValueError, match="dilation"):
        convolution.by_matmul(images, jnp.zeros((3, 3, 2, 2)), (1, 1), "SAME", rhs_dilation=(2, 2))


def test_merge_puts_squares_together():
    x = np.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    merged = convnet.merge(jnp.asarray(x), 2)
    for i in range(2):
        for j in range(3):
            expected = [x[:, 2 * i + a, 2 * j + b] for a in range(2) for b in range(2)]
            np.testing.assert_array_equal(merged[:, i, j], np.concatenate(expected, axis=-1))


def test_pixels_of_bytes_are_those_of_floats():
    encoder = encoders.ConvNet(widths=(4, 8), merges=(2, 2))
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    variables = jax.jit(lambda: encoder.init(jax.random.key(0), images, train=False))()
    apply = jax.jit(lambda x: encoder.apply(variables, x, train=False, local=True))
    embeddings, local = apply(images)
    assert embeddings.shape == (2, 8)
    assert local.shape == (2, 4, 8)
    np.testing.assert_allclose(local.mean(1), embeddings, rtol=1e-5)
    np.testing.assert_allclose(apply(pixels.as_float(images))[0], embeddings, rtol=1e-5)


def test_an_mlp_is_its_formula_and_dropout_is_for_training():
    encoder = encoders.MLP(widths=(5, 3), dropout=0.5)
    x = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    variables = encoder.init(jax.random.key(0), x, train=False)
    first, second = (jax.tree.map(np.asarray, variables["params"][f"Dense_{i}"]) for i in range(2))
    expected = np.maximum(x @ first["kernel"] + first["bias"], 0) @ second["kernel"] + second["bias"]
    np.testing.assert_allclose(encoder.apply(variables, x, train=False), expected, atol=1e-5)
    dropped = encoder.apply(variables, x, train=True, rngs={"dropout": jax.random.key(1)})
    assert not np.allclose(dropped, expected)


@pytest.mark.parametrize(
    ("shape", "knobs", "message"),
    [
        ((1, 30, 32, 3), {}, "images of 30x32 pixels: both must be multiples of 8, the nearest is 32x32"),
        ((1, 718), {}, r"takes images .*, not inputs \[1, 718\]: data.inputs=pixels"),
        ((1, 8, 8, 3), {"pool": "maxx"}, "did you mean 'max'"),
        ((1, 8, 8, 3), {"merges": (2,)}, r"encoder.merges=\(2,\) needs one entry"),
    ],
)
def test_what_a_convnet_cannot_take_is_named(shape, knobs, message):
    with pytest.raises(errors.UserError, match=message):
        jax.eval_shape(lambda: encoders.ConvNet(**knobs).init(jax.random.key(0), jnp.zeros(shape), train=False))


def test_unknown_encoder_comes_with_the_nearest():
    with pytest.raises(errors.UserError, match="unknown encoder 'convnett': did you mean 'convnet'"):
        encoders.factory("convnett")


@pytest.mark.parametrize("name", sorted(encoders.ENCODERS))
def test_every_knob_has_a_default(name):
    parameters = inspect.signature(encoders.factory(name)).parameters.values()
    assert all(p.default is not inspect.Parameter.empty for p in parameters if p.name not in ("parent", "name"))
