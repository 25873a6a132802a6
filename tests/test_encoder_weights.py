"""Checkpoints load by the names that torchvision, timm and the folded export give them, or not at all."""

import pickle

import jax
import numpy as np
import pytest
import safetensors.numpy

from zsl_jax import encoders, errors
from zsl_jax.data import images, xlsa17
from zsl_jax.encoders import weights


def shapes(name, size=32, **knobs):
    module = encoders.factory(name)(**knobs)
    return module, jax.eval_shape(
        lambda: module.init(jax.random.key(0), np.zeros((1, size, size, 3), np.uint8), train=False)
    )


def checkpoint(variables):
    """Tensors as a file holds them, with random values."""
    rng = np.random.default_rng(0)
    return {name: rng.random(shape).astype(np.float32) for name, (_, shape, _) in weights.names(variables).items()}


def test_names_and_axes_of_torchvision(tmp_path):
    _, variables = shapes("resnet50", width=8)
    tensors = checkpoint(variables)
    for name, shape in {
        "conv1.weight": (8, 3, 7, 7),
        "bn1.running_var": (8,),
        "layer1.0.downsample.0.weight": (32, 8, 1, 1),
        "layer1.0.downsample.1.weight": (32,),
        "layer3.5.conv2.weight": (32, 32, 3, 3),
        "layer4.2.bn3.bias": (256,),
    }.items():
        assert tensors[name].shape == shape
    extra = {"fc.weight": np.zeros((1000, 256), np.float32), "bn1.num_batches_tracked": np.zeros((), np.int64)}
    safetensors.numpy.save_file(tensors | extra, tmp_path / "resnet.safetensors")
    np.savez(tmp_path / "resnet.npz", **tensors)
    for file in ("resnet.safetensors", "resnet.npz"):
        loaded = weights.load(tmp_path / file, variables)
        kernel = loaded["params"]["layer3_5"]["conv2"]["kernel"]
        assert kernel[2, 0, 5, 7] == tensors["layer3.5.conv2.weight"][7, 5, 2, 0]
        np.testing.assert_array_equal(loaded["batch_stats"]["bn1"]["mean"], tensors["bn1.running_mean"])
        np.testing.assert_array_equal(loaded["params"]["layer1_0"]["bn2"]["scale"], tensors["layer1.0.bn2.weight"])
        assert jax.tree.map(np.shape, loaded) == jax.tree.map(lambda leaf: leaf.shape, variables)


@pytest.mark.long
def test_names_of_mobilenet_and_vit():
    names = weights.names(shapes("mobilenet_v2")[1])
    assert {
        "features.0.0.weight": (32, 3, 3, 3),
        "features.1.conv.0.0.weight": (32, 1, 3, 3),
        "features.1.conv.1.weight": (16, 32, 1, 1),
        "features.1.conv.2.running_mean": (16,),
        "features.17.conv.1.0.weight": (960, 1, 3, 3),
        "features.17.conv.3.bias": (320,),
        "features.18.1.weight": (1280,),
    }.items() <= {name: shape for name, (_, shape, _) in names.items()}.items()
    names = weights.names(shapes("vit_tiny", size=224)[1])
    assert len(names) == 4 + 12 * 12 + 2
    assert {
        "cls_token": (1, 1, 192),
        "pos_embed": (1, 197, 192),
        "patch_embed.proj.weight": (192, 3, 16, 16),
        "blocks.11.attn.qkv.weight": (576, 192),
        "blocks.0.mlp.fc2.bias": (192,),
        "norm.weight": (192,),
    }.items() <= {name: shape for name, (_, shape, _) in names.items()}.items()


def test_folded_layers_compute_what_they_say():
    """The first convolution, and an inverted residual's depthwise one, by their own weights and biases."""
    _, variables = shapes("mobilenet_v2", width_multiplier=0.1)
    rng = np.random.default_rng(0)
    table = weights.names(variables)
    folded = {}
    convolutions = [shape for _, shape, _ in table.values() if len(shape) == 4]
    order = sorted((n for n, (_, s, _) in table.items() if len(s) == 4), key=weights._natural)
    for i, name in enumerate(order):
        out, inside, height, width = table[name][1]
        each = inside == 1
        kind = "DEPTHWISE_CONV_2D" if each else "CONV_2D"
        shape = (1, height, width, out) if each else (out, height, width, inside)
        folded[f"{i:03}_{kind}_w"] = rng.normal(size=shape).astype(np.float32)
        folded[f"{i:03}_{kind}_b"] = rng.normal(size=out).astype(np.float32)
    assert len(convolutions) == len(order) == 52
    folded["052_FULLY_CONNECTED_w"] = np.zeros((1000, 1280), np.float32)
    folded["052_FULLY_CONNECTED_b"] = np.zeros(1000, np.float32)
    loaded = weights.assign(folded, variables, "folded.npz")
    first = loaded["params"]["features_0_0"]["kernel"]
    np.testing.assert_array_equal(first, np.transpose(folded["000_CONV_2D_w"], (1, 2, 3, 0)))
    deep = loaded["params"]["features_2"]["conv_1_0"]["kernel"]
    np.testing.assert_array_equal(deep[:, :, 0], folded["004_DEPTHWISE_CONV_2D_w"][0])
    norm, stats = loaded["params"]["features_2"]["conv_1_1"], loaded["batch_stats"]["features_2"]["conv_1_1"]
    x = rng.normal(size=len(norm["bias"]))
    y = (x - stats["mean"]) / np.sqrt(stats["var"] + 1e-5) * norm["scale"] + norm["bias"]
    np.testing.assert_allclose(y, x + folded["004_DEPTHWISE_CONV_2D_b"], rtol=1e-6)
    del folded["051_CONV_2D_w"]
    with pytest.raises(errors.UserError, match="51 folded convolutions, where this one has 52"):
        weights.assign(folded, variables, "folded.npz")


def test_weights_of_another_encoder_are_listed_by_name(tmp_path):
    _, small = shapes("resnet18", width=8)
    _, deep = shapes("resnet34", width=8)
    with pytest.raises(errors.UserError) as caught:
        weights.assign(checkpoint(small), deep, "r18.npz")
    assert str(caught.value).startswith(
        "weights r18.npz are of another encoder: 80 missing: layer1.2.bn1.running_mean, "
    )
    with pytest.raises(errors.UserError, match=r"80 left over: layer1.2.bn1.bias, .* and 76 more"):
        weights.assign(checkpoint(deep), small, "r34.npz")
    _, wide = shapes("resnet18", width=16)
    with pytest.raises(
        errors.UserError, match=r"of another shape: bn1.running_mean is \[8\], not \[16\], .* and 96 more"
    ):
        weights.assign(checkpoint(small), wide, "r18.npz")


def test_files_that_are_no_weights(tmp_path):
    _, variables = shapes("resnet18", width=8)
    for name, content, says in [
        ("w.safetensors", b"not safe", "cannot be read"),
        ("w.npz", b"not a zip", "cannot be read"),
        ("w.pt", b"", "a .safetensors, .npz or .pth file is wanted"),
        ("w.pth", b"PK", "cannot be read"),
        ("w.pth", pickle.dumps(0x1950A86A20F9469CFC6C) + pickle.dumps(print), "it would call builtins.print"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(errors.UserError, match=says) as caught:
            weights.load(tmp_path / name, variables)
        assert "\n" not in str(caught.value)
    with pytest.raises(errors.UserError, match="no weights file"):
        weights.load(tmp_path / "absent.npz", variables)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x: np.where(x == x.flat[0], np.nan, x), "holds a value that is not finite, or beyond float32"),
        (lambda x: x.astype(np.float64) * 1e300, "holds a value that is not finite, or beyond float32"),
        (lambda x: x.astype(np.int32), "is int32, not floating-point numbers"),
        (lambda x: x.astype(complex), "is complex128, not floating-point numbers"),
    ],
)
def test_tensors_that_are_no_weights(change, says):
    variables = {"params": {"head_0": {"kernel": np.ones((2, 3), np.float32)}}}
    tensors = {"head.0.weight": np.full((3, 2), 2.0, np.float32)}
    assert np.all(weights.assign(tensors, variables, "w")["params"]["head_0"]["kernel"] == 2)
    with pytest.raises(errors.UserError, match=f"weights w: head.0.weight {says}"), np.errstate(over="ignore"):
        weights.assign({name: change(tensor) for name, tensor in tensors.items()}, variables, "w")


@pytest.mark.long
def test_mobilenet_reproduces_the_features_of_real_pixels(shared_data):
    """The first 1280 columns of the features are this network's, of the same images, each of length 1."""
    held = xlsa17.read(shared_data / "xlsa17" / "CUB127").variables
    rows = np.arange(0, len(held["image_files"]), 470)
    paths = [shared_data / "cub127_images" / held["image_files"][row] for row in rows]
    module, variables = shapes("mobilenet_v2", size=224, padding="same", scaling="symmetric")
    variables = weights.load(shared_data / "weights" / "mobilenet_v2.npz", variables)
    size = images.Preprocessing(224, "stretch", 1.0, "bilinear")
    pixels = np.stack(list(images.load(paths, size)))
    found = np.asarray(jax.jit(lambda v, x: module.apply(v, x, train=False))(variables, pixels))
    expected = held["features"][:1280, rows].T
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosines = np.sum(found * expected, axis=1) / norms
    assert len(rows) == 16
    assert cosines.mean() > 0.99
    assert cosines.min() > 0.95
