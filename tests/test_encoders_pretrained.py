"""ResNet, MobileNetV2 and ViT against plain numpy, block by block, and against the sizes of the public checkpoints."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import numpy_layers as oracle
import PIL.Image
import pytest
import tiny_photos

from zsl_jax import encoders, errors
from zsl_jax.encoders import counts, mobilenet, positions, resnet, vit

pytestmark = pytest.mark.long


def random_variables(module, *args, **kwargs):
    """Variables of a module, random everywhere so that nothing cancels; variances are positive."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *args, **kwargs))
    rng = np.random.default_rng(0)
    return jax.tree.map_with_path(
        lambda path, leaf: (
            rng.random(leaf.shape) + 0.5 if path[-1].key == "var" else rng.normal(size=leaf.shape) / 2
        ).astype(np.float32),
        shapes,
    )


def pixels(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("expansion", "channels", "stride", "padding", "size"),
    [
        (1, 3, 1, "same", 5),
        (2, 3, 1, "symmetric", 4),
        (2, 5, 2, "same", 6),
        (2, 3, 2, "symmetric", 6),
        (2, 4, 2, "same", 5),
    ],
)
def test_inverted_residual(expansion, channels, stride, padding, size):
    block = mobilenet.InvertedResidual(expansion, channels, stride, padding, train=False, dtype=jnp.float32)
    x = pixels(2, size, size, 3)
    variables = random_variables(block, x)
    p, s = variables["params"], variables["batch_stats"]
    i = 1 if expansion > 1 else 0
    y = x
    if expansion > 1:
        y = np.clip(oracle.batch_norm(oracle.conv(y, p["conv_0_0"]["kernel"]), p["conv_0_1"], s["conv_0_1"]), 0, 6)
    pads = (oracle.same(size, stride),) * 2 if padding == "same" else ((1, 1), (1, 1))
    y = oracle.conv(y, p[f"conv_{i}_0"]["kernel"], stride=stride, padding=pads, each_channel=True)
    y = np.clip(oracle.batch_norm(y, p[f"conv_{i}_1"], s[f"conv_{i}_1"]), 0, 6)
    y = oracle.conv(y, p[f"conv_{i + 1}"]["kernel"])
    y = oracle.batch_norm(y, p[f"conv_{i + 2}"], s[f"conv_{i + 2}"])
    if stride == 1 and channels == 3:
        y = y + x
    np.testing.assert_allclose(block.apply(variables, x), y, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("stride", "channels"), [(1, 8), (1, 3), (2, 8)])
@pytest.mark.parametrize(
    ("kind", "version_d"), [(resnet.Basic, False), (resnet.Bottleneck, False), (resnet.Bottleneck, True)]
)
def test_residual_block(kind, version_d, stride, channels):
    width = 8 if kind is resnet.Basic else 2
    block = kind(width, stride, version_d, train=False, dtype=jnp.float32)
    x = pixels(2, 6, 6, channels)
    variables = random_variables(block, x)
    p, s = variables["params"], variables["batch_stats"]

    def norm(y, name):
        return oracle.batch_norm(y, p[name], s[name])

    one = ((1, 1), (1, 1))
    if kind is resnet.Basic:
        y = np.maximum(norm(oracle.conv(x, p["conv1"]["kernel"], stride=stride, padding=one), "bn1"), 0)
        y = norm(oracle.conv(y, p["conv2"]["kernel"], padding=one), "bn2")
    else:
        y = np.maximum(norm(oracle.conv(x, p["conv1"]["kernel"]), "bn1"), 0)
        y = np.maximum(norm(oracle.conv(y, p["conv2"]["kernel"], stride=stride, padding=one), "bn2"), 0)
        y = norm(oracle.conv(y, p["conv3"]["kernel"]), "bn3")
    around, place = x, int(version_d)
    if stride > 1 or channels != 8:
        if version_d and stride > 1:
            around, stride = x.reshape(2, 3, 2, 3, 2, channels).mean(axis=(2, 4)), 1
        around = oracle.conv(around, p[f"downsample_{place}"]["kernel"], stride=1 if version_d else stride)
        around = norm(around, f"downsample_{place + 1}")
    assert (f"downsample_{place}" in p) == (stride > 1 or channels != 8 or around is not x)
    np.testing.assert_allclose(block.apply(variables, x), np.maximum(y + around, 0), rtol=1e-4, atol=1e-4)


def test_a_whole_resnet_and_its_places():
    """Stem, pooling and one block; the pooled embedding is the mean of the places."""
    module = resnet.ResNet((1, 0, 0, 0), False, 4, False, "symmetric", jnp.dtype("float32"), remat=False)
    images = np.random.default_rng(2).integers(0, 256, (2, 12, 16, 3)).astype(np.uint8)
    variables = random_variables(module, images, train=False)
    p, s = variables["params"], variables["batch_stats"]
    three = ((3, 3), (3, 3))
    x = oracle.conv(images / 127.5 - 1, p["conv1"]["kernel"], stride=2, padding=three)
    x = np.maximum(oracle.batch_norm(x, p["bn1"], s["bn1"]), 0)
    x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))  # zeros never win: x is not negative
    x = np.stack([[x[:, i : i + 3, j : j + 3].max(axis=(1, 2)) for j in (0, 2, 4, 6)] for i in (0, 2, 4)])
    x = np.moveaxis(x, 2, 0).astype(np.float32)
    block = resnet.Basic(4, 1, False, train=False, dtype=jnp.float32)
    x = block.apply({"params": p["layer1_0"], "batch_stats": s["layer1_0"]}, x).reshape(2, 12, 4)
    embeddings, places = module.apply(variables, images, train=False, local=True)
    np.testing.assert_allclose(places, x, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(embeddings, x.mean(axis=1), rtol=1e-4, atol=1e-4)
    jitted = jax.jit(lambda v, x: module.apply(v, x, train=False))(variables, images / np.float32(255))
    np.testing.assert_allclose(jitted, embeddings, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("padding", ["same", "symmetric"])
def test_a_whole_mobilenet_and_its_places(padding):
    module = mobilenet.MobileNetV2(((1, 2, 1, 1),), 3, 5, padding, "none", jnp.dtype("float32"), remat=False)
    images = np.random.default_rng(2).integers(0, 256, (2, 6, 8, 3)).astype(np.uint8)
    variables = random_variables(module, images, train=False)
    p, s = variables["params"], variables["batch_stats"]
    pads = ((0, 1), (0, 1)) if padding == "same" else ((1, 1), (1, 1))
    x = oracle.conv(images / 255, p["features_0_0"]["kernel"], stride=2, padding=pads)
    x = np.clip(oracle.batch_norm(x, p["features_0_1"], s["features_0_1"]), 0, 6).astype(np.float32)
    block = mobilenet.InvertedResidual(1, 2, 1, padding, train=False, dtype=jnp.float32)
    x = np.asarray(block.apply({"params": p["features_1"], "batch_stats": s["features_1"]}, x))
    x = oracle.conv(x, p["features_2_0"]["kernel"])
    x = np.clip(oracle.batch_norm(x, p["features_2_1"], s["features_2_1"]), 0, 6).reshape(2, 12, 5)
    embeddings, places = module.apply(variables, images, train=False, local=True)
    np.testing.assert_allclose(places, x, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(embeddings, x.mean(axis=1), rtol=1e-4, atol=1e-4)


def tiny_vit(variant="plain"):
    module = vit.ViT(8, 1, 2, 4, "token", vit.VARIANTS[variant], "symmetric", jnp.dtype("float32"), remat=False)
    images = np.random.default_rng(2).integers(0, 256, (2, 8, 12, 3)).astype(np.uint8)
    return module, random_variables(module, images, train=False), images


@pytest.mark.long
@pytest.mark.parametrize("name", vit.VARIANTS)
def test_vit(name):
    module, variables, images = tiny_vit(name)
    variant, p = module.variant, variables["params"]
    activation = (lambda x: x / (1 + np.exp(-1.702 * x))) if name == "clip_quickgelu" else oracle.gelu

    def norm(x, params):
        return oracle.layer_norm(x, params, 1e-5 if name.startswith("clip") else 1e-6)

    def mlp(x, params):
        return oracle.dense(activation(oracle.dense(x, params["fc1"])), params["fc2"])

    unit = images / 127.5 - 1
    patches = [
        np.einsum("bijc,ijcd->bd", unit[:, i : i + 4, j : j + 4], p["patch_embed"]["proj"]["kernel"])
        for i in (0, 4)
        for j in (0, 4, 8)
    ]
    x = np.stack(patches, axis=1)
    assert ("bias" in p["patch_embed"]["proj"]) == (not name.startswith("clip"))
    x = x + p["patch_embed"]["proj"].get("bias", 0)
    tokens = {"siglip": [], "distilled": ["cls_token", "dist_token"]}.get(name, ["cls_token"])
    x = np.concatenate([*(np.repeat(p[token], 2, axis=0) for token in tokens), x], axis=1) + p["pos_embed"]
    if name.startswith("clip"):
        x = norm(x, p["norm_pre"])
    b = p["blocks_0"]
    first, second = (b[scale]["gamma"] if name == "dinov2" else 1 for scale in ("ls1", "ls2"))
    x = x + first * oracle.attention(norm(x, b["norm1"]), b["attn"], 2)
    x = norm(x + second * mlp(norm(x, b["norm2"]), b["mlp"]), p["norm"])
    if name == "siglip":
        pool = p["attn_pool"]
        query = np.repeat(oracle.dense(pool["latent"], pool["q"]), 2, axis=0)
        found = oracle.attended(query, *np.split(oracle.dense(x, pool["kv"]), 2, axis=-1), 2)
        found = oracle.dense(found, pool["proj"])
        expected = (found + mlp(norm(found, pool["norm"]), pool["mlp"]))[:, 0]
    else:
        expected = x[:, : len(tokens)].mean(axis=1)
    token, places = module.apply(variables, images, train=False, local=True)
    np.testing.assert_allclose(token, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(places, x[:, len(variant.tokens) :], rtol=1e-4, atol=1e-4)
    pooled = module.copy(pool="mean").apply(variables, images, train=False)
    np.testing.assert_allclose(pooled, x[:, len(tokens) :].mean(axis=1), rtol=1e-4, atol=1e-4)


def test_the_memory_of_a_block_is_read_by_its_last_place_alone():
    block = vit.Block(2, vit.VARIANTS["plain"], jnp.float32)
    rng = np.random.default_rng(0)
    x, memory = (rng.standard_normal(shape).astype(np.float32) for shape in ((2, 4, 8), (1, 3, 8)))
    variables = random_variables(block, x)
    found, p = np.asarray(block.apply(variables, x, memory)), variables["params"]
    np.testing.assert_allclose(found[:, :-1], block.apply(variables, x[:, :-1]), rtol=1e-4, atol=1e-5)
    there = oracle.layer_norm(np.concatenate([x, np.repeat(memory, 2, axis=0)], axis=1), p["norm1"], 1e-6)
    q, k, v = np.split(oracle.dense(there, p["attn"]["qkv"]), 3, axis=-1)
    last = x[:, -1:] + oracle.dense(oracle.attended(q[:, 3:4], k, v, 2), p["attn"]["proj"])
    hidden = oracle.dense(oracle.layer_norm(last, p["norm2"], 1e-6), p["mlp"]["fc1"])
    last = last + oracle.dense(oracle.gelu(hidden), p["mlp"]["fc2"])
    np.testing.assert_allclose(found[:, -1:], last, rtol=1e-4, atol=1e-4)


def test_a_vit_with_memory_says_what_it_said_of_its_patches():
    module, variables, images = tiny_vit()
    with_memory = module.copy(memory=3)
    there = with_memory.init(jax.random.key(0), images, train=False)
    assert {name: x.shape for name, x in there["memory"].items()} == {"task_token": (1, 1, 8), "memory_0": (1, 3, 8)}
    (token, patches), (read, same) = (
        of.apply(found, images, train=False, local=True)
        for of, found in ((module, variables), (with_memory, {**variables, "memory": there["memory"]}))
    )
    np.testing.assert_allclose(same, patches, rtol=1e-5, atol=1e-5)
    assert np.abs(read - token).max() > 0.1
    with pytest.raises(errors.UserError, match="memory=3 is read by a token: pool should be token, not mean"):
        encoders.factory("vit_tiny")(memory=3, pool="mean")


def test_vit_says_which_images_it_takes():
    module, variables, _ = tiny_vit()
    with pytest.raises(errors.UserError, match="multiples of 4, such as 8, not 9 x 8"):
        module.apply(variables, np.zeros((1, 9, 8, 3), np.uint8), train=False)
    with pytest.raises(errors.UserError, match=r"made for images of 6 patches .* not of 4 \(8 x 8\)"):
        module.apply(variables, np.zeros((1, 8, 8, 3), np.uint8), train=False)


# With their classifiers of 1000 classes, as torchvision and timm print them.
PARAMETERS = {
    "resnet18": (11_689_512, 512),
    "resnet34": (21_797_672, 512),
    "resnet50": (25_557_032, 2048),
    "resnet50d": (25_576_264, 2048),
    "resnet101": (44_549_160, 2048),
    "mobilenet_v2": (3_504_872, 1280),
    "vit_tiny": (5_717_416, 192),
    "vit_small": (22_050_664, 384),
    "vit_base": (86_567_656, 768),
}


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenet_v2", "vit_tiny", "vit_small", "vit_base"])
def test_parameters_are_those_of_the_public_checkpoints(name):
    module = encoders.factory(name)()
    images = jax.ShapeDtypeStruct((2, 224, 224, 3), np.uint8)
    out, variables = jax.eval_shape(lambda x: module.init_with_output(jax.random.key(0), x, train=False), images)
    total, width = PARAMETERS[name]
    assert out.shape == (2, width)
    assert counts.parameters(variables) == total - 1000 * (width + 1)


@pytest.mark.long
@pytest.mark.parametrize("name", ["resnet34", "resnet50d", "resnet101"])
def test_parameters_of_the_deeper_ones(name):
    test_parameters_are_those_of_the_public_checkpoints(name)


def test_flops_are_those_of_the_products():
    module = encoders.factory("vit_tiny")(depth=2)
    variables = jax.eval_shape(lambda: module.init(jax.random.key(0), np.zeros((1, 32, 32, 3)), train=False))
    length, width = 5, 192
    products = 4 * 768 * width + 2 * (length * 12 * width**2 + 2 * length**2 * width)
    pixels = np.zeros((2, 32, 32, 3), np.uint8)
    assert 2 * products < counts.flops(module, variables, pixels) < 2.2 * products
    assert re.fullmatch(
        r"1\.04 M parameters, 10\.\d\d MFLOP per image of 32 x 32", counts.describe(module, variables, pixels)
    )


@pytest.mark.parametrize(
    ("name", "inputs", "says"),
    [
        ("mlp", np.zeros((3, 100)), "58.75 k parameters, 0.12 MFLOP per input of 100"),
        ("convnet", np.zeros((3, 32, 32, 3), np.uint8), r"0.14 M parameters, .* MFLOP per image of 32 x 32"),
        ("bag", np.zeros((3, 7), np.int32), r"0.28 M parameters, 3\d\..* kFLOP per input of 7"),
        ("text_cnn", np.zeros((3, 7), np.int32), "0.30 M parameters, .* per input of 7"),
        ("transformer", np.zeros((3, 7), np.int32), "0.37 M parameters, .* per input of 7"),
    ],
)
def test_the_size_of_every_other_encoder_is_a_line(name, inputs, says):
    module = encoders.factory(name)()
    variables = jax.eval_shape(lambda: module.init(jax.random.key(0), inputs, train=False))
    assert re.fullmatch(says, counts.describe(module, variables, inputs))


SMALL = {
    "resnet18": {"width": 8},
    "mobilenet_v2": {"width_multiplier": 0.1},
    "vit_tiny": {"depth": 1},
    "convnet": {"widths": (4, 8), "merges": (2, 2)},
    "mlp": {"widths": (4, 3)},
    "bag": {"widths": (6, 4), "vocabulary": 32},
    "text_cnn": {"width": 4, "vocabulary": 32, "channels": 3},
    "transformer": {"width": 4, "vocabulary": 32, "depth": 1, "heads": 2},
}


def small_inputs(name):
    if name in ("bag", "text_cnn", "transformer"):
        return np.array([[1000, 5, 9, 0], [5, 0, 0, 0]], np.int32)
    return np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", SMALL)
def test_half_precision_stays_out_of_the_normalisation(name):
    module, images = encoders.factory(name)(dtype="bfloat16", **SMALL[name]), small_inputs(name)
    shapes = jax.eval_shape(lambda: module.init_with_output(jax.random.key(0), images, train=True))
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
    program = str(jax.make_jaxpr(lambda v: module.apply(v, images, train=False))(shapes[1]))
    assert "bf16" in program
    assert not [line for line in program.splitlines() if ("rsqrt" in line or "exp " in line) and "bf16" in line]


@pytest.mark.parametrize(
    "name", ["mlp", *(pytest.param(n, marks=pytest.mark.long) for n in ("convnet", "bag", "text_cnn", "transformer"))]
)
def test_small_encoders_compute_once_more_with_the_same_parameters(name):
    """Dropout falls on the same entries too."""
    found = []
    for remat in (False, True):
        module, inputs = encoders.factory(name)(remat=remat, **SMALL[name]), small_inputs(name)
        if hasattr(module, "dropout"):
            module = module.copy(dropout=0.3)
        variables = jax.jit(lambda m=module, x=inputs: m.init(jax.random.key(0), x, train=False))()

        def loss(variables, module=module, inputs=inputs):
            return jnp.sum(module.apply(variables, inputs, train=True, rngs={"dropout": jax.random.key(1)}) ** 2)

        gradient = jax.jit(jax.grad(loss))
        assert ("remat" in str(jax.make_jaxpr(gradient)(variables))) == remat
        found.append((variables, gradient(variables)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *found)
    assert any(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(found[0][1]))


def keys_matrix(old, new):
    """Rows of weights: Keys' cubic with a = -1/2 at the distance of the pixels' middles, widened to shrink."""
    matrix, stretch = np.zeros((new, old)), max(old / new, 1)
    for i in range(new):
        for j in range(old):
            x = abs((i + 0.5) * old / new - (j + 0.5)) / stretch
            near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
            matrix[i, j] = near if x < 1 else far if x < 2 else 0
        matrix[i] /= matrix[i].sum()
    return matrix


@pytest.mark.parametrize(("old", "new"), [(3, 5), (7, 4), (4, 4)])
def test_positions_are_interpolated_between_the_patches(old, new):
    found = np.random.default_rng(0).normal(size=(1, 1 + old**2, 2)).astype(np.float32)
    matrix, grid = keys_matrix(old, new), found[0, 1:].reshape(old, old, 2)
    expected = np.einsum("ia,jb,abd->ijd", matrix, matrix, grid).reshape(-1, 2)
    moved = positions.resized(found, 1 + new**2)
    np.testing.assert_array_equal(moved[0, 0], found[0, 0])
    np.testing.assert_allclose(moved[0, 1:], expected, atol=1e-5)
    # Pillow's, which others use for it, is the same.
    plane = PIL.Image.fromarray(grid[..., 0]).resize((new, new), PIL.Image.Resampling.BICUBIC)
    np.testing.assert_allclose(moved[0, 1:, 0].reshape(new, new), np.asarray(plane), atol=1e-5)


def test_weights_of_a_vit_load_for_images_of_another_size(tmp_path):
    module = encoders.factory("vit_tiny")(depth=1)

    def shapes(*size):
        pixels = np.zeros((1, *size, 3), np.uint8)
        return jax.eval_shape(lambda: module.init(jax.random.key(0), pixels, train=False))

    path = tiny_photos.write_weights(tmp_path / "vit.npz")  # for 32 x 32: 4 patches
    same, larger = (encoders.weights.load(path, shapes(side, side))["params"] for side in (32, 48))
    assert larger["pos_embed"].shape == (1, 10, 192)
    np.testing.assert_array_equal(larger["pos_embed"], positions.resized(same["pos_embed"], 10))
    np.testing.assert_array_equal(larger["patch_embed"]["proj"]["kernel"], same["patch_embed"]["proj"]["kernel"])
    with pytest.raises(
        errors.UserError, match=r"vit\.npz have positions of 4 patches, .* brought to 6: both must be a"
    ):
        encoders.weights.load(path, shapes(32, 48))


def test_rematerialised_gradients_are_the_same():
    images = np.random.default_rng(0).random((1, 4, 8, 3)).astype(np.float32)
    gradients = []
    for remat in (False, True):
        module = vit.ViT(8, 1, 2, 4, "token", vit.VARIANTS["plain"], "none", jnp.dtype("float32"), remat)
        variables = random_variables(module, images, train=True)
        loss = jax.jit(jax.grad(lambda v, m=module: jnp.sum(m.apply(v, images, train=True)[:, :5] ** 2)))
        assert ("remat" in str(jax.make_jaxpr(loss)(variables))) == remat
        gradients.append(loss(variables))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *gradients)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_batch_statistics_move_in_training_only():
    block = resnet.Basic(4, 1, False, train=True, dtype=jnp.float32)
    x = pixels(4, 4, 4, 4)
    variables = random_variables(block, x)
    _, moved = block.apply(variables, x, mutable=["batch_stats"])
    before = oracle.conv(x, variables["params"]["conv1"]["kernel"], padding=((1, 1), (1, 1))).mean(axis=(0, 1, 2))
    expected = 0.9 * variables["batch_stats"]["bn1"]["mean"] + 0.1 * before
    np.testing.assert_allclose(moved["batch_stats"]["bn1"]["mean"], expected, rtol=1e-4, atol=1e-5)


def test_a_wrong_choice_names_the_right_ones():
    for name, knobs, says in [
        ("mobilenet_v2", {"padding": "sam"}, "did you mean 'same'"),
        ("resnet18", {"scaling": "imagenett"}, "did you mean 'imagenet'"),
        ("vit_tiny", {"pool": "tokn"}, "did you mean 'token'"),
    ]:
        with pytest.raises(errors.UserError, match=says):
            encoders.factory(name)(**knobs)
    with pytest.raises(errors.UserError, match="did you mean 'resnet50'"):
        encoders.factory("resnet5o")
    with pytest.raises(errors.UserError, match=r"images \[B, H, W, 3\] are wanted, not \[2, 8, 8\]"):
        encoders.factory("resnet18")().init(jax.random.key(0), np.zeros((2, 8, 8)), train=False)
