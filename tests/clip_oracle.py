"""CLIP, SigLIP and CLIP's ResNet in plain NumPy, on random tensors as OpenAI's checkpoints hold them."""

import math

import numpy as np
import numpy_layers

E, WIDTH, LAYERS, PATCH, SIDE, VOCABULARY, CONTEXT = 6, 64, 2, 4, 8, 300, 10
MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711])


def block_tensors(rng, prefix: str, width: int, count: int) -> dict[str, np.ndarray]:
    shapes = {
        "ln_1.weight": (width,),
        "ln_1.bias": (width,),
        "attn.in_proj_weight": (3 * width, width),
        "attn.in_proj_bias": (3 * width,),
        "attn.out_proj.weight": (width, width),
        "attn.out_proj.bias": (width,),
        "ln_2.weight": (width,),
        "ln_2.bias": (width,),
        "mlp.c_fc.weight": (2 * width, width),
        "mlp.c_fc.bias": (2 * width,),
        "mlp.c_proj.weight": (width, 2 * width),
        "mlp.c_proj.bias": (width,),
    }
    return random(rng, {f"{prefix}.{i}.{name}": shape for i in range(count) for name, shape in shapes.items()})


def random(rng, shapes) -> dict[str, np.ndarray]:
    return {name: np.asarray(0.3 * rng.standard_normal(shape), np.float32) for name, shape in shapes.items()}


def text_tensors(rng, prefix: str = "") -> dict[str, np.ndarray]:
    shapes = {
        "token_embedding.weight": (VOCABULARY, WIDTH),
        "positional_embedding": (CONTEXT, WIDTH),
        "ln_final.weight": (WIDTH,),
        "ln_final.bias": (WIDTH,),
        "text_projection": (WIDTH, E),
        "logit_scale": (),
    }
    return random(rng, shapes) | block_tensors(rng, "transformer.resblocks", WIDTH, LAYERS)


def vit_tensors(rng) -> dict[str, np.ndarray]:
    shapes = {
        "visual.class_embedding": (WIDTH,),
        "visual.positional_embedding": ((SIDE // PATCH) ** 2 + 1, WIDTH),
        "visual.conv1.weight": (WIDTH, 3, PATCH, PATCH),
        "visual.ln_pre.weight": (WIDTH,),
        "visual.ln_pre.bias": (WIDTH,),
        "visual.ln_post.weight": (WIDTH,),
        "visual.ln_post.bias": (WIDTH,),
        "visual.proj": (WIDTH, E),
    }
    return random(rng, shapes) | block_tensors(rng, "visual.transformer.resblocks", WIDTH, LAYERS)


def norm(x, tensors, name, epsilon=1e-5):
    centred = x - x.mean(-1, keepdims=True)
    return (
        centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * tensors[f"{name}.weight"]
        + tensors[f"{name}.bias"]
    )


def attend(query, key, value, heads, *, causal=False):
    parts = [x.reshape(len(x), heads, -1).swapaxes(0, 1) for x in (query, key, value)]
    logits = parts[0] @ parts[1].swapaxes(1, 2) / math.sqrt(parts[0].shape[-1])
    if causal:
        logits = np.where(np.tril(np.ones(logits.shape[1:], bool)), logits, -np.inf)
    share = np.exp(logits - logits.max(-1, keepdims=True))
    return (share / share.sum(-1, keepdims=True) @ parts[2]).swapaxes(0, 1).reshape(query.shape)


def transformer(x, tensors, prefix, layers, *, act, causal, epsilon=1e-5, heads=None):
    """`x [L, D]` of one example; heads are 64 wide where their number is not given."""
    for i in range(layers):
        part = {
            name.removeprefix(f"{prefix}.{i}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.{i}.")
        }
        y = norm(x, part, "ln_1", epsilon)
        q, k, v = np.split(y @ part["attn.in_proj_weight"].T + part["attn.in_proj_bias"], 3, axis=1)
        attended = attend(q, k, v, heads or x.shape[1] // 64, causal=causal)
        x = x + attended @ part["attn.out_proj.weight"].T + part["attn.out_proj.bias"]
        hidden = act(norm(x, part, "ln_2", epsilon) @ part["mlp.c_fc.weight"].T + part["mlp.c_fc.bias"])
        x = x + hidden @ part["mlp.c_proj.weight"].T + part["mlp.c_proj.bias"]
    return x


def quick_gelu(x):
    return x / (1 + np.exp(-1.702 * x))


def tanh_gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def patches(image, kernel):
    size = kernel.shape[-1]
    side = len(image) // size
    cut = image.reshape(side, size, side, size, 3).transpose(0, 2, 4, 1, 3).reshape(side * side, -1)
    return cut @ kernel.reshape(len(kernel), -1).T


def image_vector(tensors, image, *, act=quick_gelu, heads=None):
    """Of `image [S, S, 3]` in [0, 1], by the vision transformer."""
    x = patches((image - MEAN) / DEVIATION, tensors["visual.conv1.weight"])
    x = np.concatenate([tensors["visual.class_embedding"][None], x]) + tensors["visual.positional_embedding"]
    x = norm(x, tensors, "visual.ln_pre")
    x = transformer(x, tensors, "visual.transformer.resblocks", LAYERS, act=act, causal=False, heads=heads)
    return norm(x[0], tensors, "visual.ln_post") @ tensors["visual.proj"]


def text_vector(tensors, ids, end, *, act=quick_gelu, heads=None):
    x = tensors["token_embedding.weight"][ids] + tensors["positional_embedding"][: len(ids)]
    x = transformer(x, tensors, "transformer.resblocks", LAYERS, act=act, causal=True, heads=heads)
    return norm(x, tensors, "ln_final")[list(ids).index(end)] @ tensors["text_projection"]


def resnet_tensors(rng, width=16, wide=512) -> dict[str, np.ndarray]:
    """One block a stage; the last stage is `wide` = 32 width."""
    shapes, channels = {}, (3, width // 2, width // 2, width)
    for i in range(3):
        shapes[f"visual.conv{i + 1}.weight"] = (channels[i + 1], channels[i], 3, 3)
    norms = {f"visual.bn{i + 1}": channels[i + 1] for i in range(3)}
    inside = width
    for stage in range(4):
        name, inner = f"visual.layer{stage + 1}.0", width * 2**stage
        sizes = ((inner, inside, 1), (inner, inner, 3), (4 * inner, inner, 1))
        for i, (out, into, side) in enumerate(sizes, 1):
            shapes[f"{name}.conv{i}.weight"] = (out, into, side, side)
            norms[f"{name}.bn{i}"] = out
        shapes[f"{name}.downsample.0.weight"] = (4 * inner, inside, 1, 1)
        norms[f"{name}.downsample.1"] = 4 * inner
        inside = 4 * inner
    for part in "qkvc":
        out = E if part == "c" else wide
        shapes |= {f"visual.attnpool.{part}_proj.weight": (out, wide), f"visual.attnpool.{part}_proj.bias": (out,)}
    shapes["visual.attnpool.positional_embedding"] = (2, wide)
    tensors = random(rng, shapes)
    for name, count in norms.items():
        tensors |= random(rng, {f"{name}.{part}": (count,) for part in ("weight", "bias", "running_mean")})
        tensors[f"{name}.running_var"] = rng.uniform(0.5, 2, count).astype(np.float32)
    return tensors


def resnet_vector(tensors, image):
    """Of `image [32, 32, 3]` in [0, 1]."""

    def conv(x, name, stride=1):
        kernel = tensors[f"{name}.weight"].transpose(2, 3, 1, 0)
        pad = (len(kernel) // 2,) * 2
        return numpy_layers.conv(x, kernel, stride=stride, padding=(pad, pad))

    def batch_norm(x, name):
        part = {k: tensors[f"{name}.{k}"] for k in ("weight", "bias", "running_mean", "running_var")}
        return (x - part["running_mean"]) / np.sqrt(part["running_var"] + 1e-5) * part["weight"] + part["bias"]

    def halved(x):
        return x.reshape(1, x.shape[1] // 2, 2, x.shape[2] // 2, 2, -1).mean((2, 4))

    x = ((image - MEAN) / DEVIATION)[None]
    for i, stride in ((1, 2), (2, 1), (3, 1)):
        x = np.maximum(batch_norm(conv(x, f"visual.conv{i}", stride), f"visual.bn{i}"), 0)
    x = halved(x)
    for stage in range(1, 5):
        name, less = f"visual.layer{stage}.0", halved if stage > 1 else (lambda x: x)
        y = np.maximum(batch_norm(conv(x, f"{name}.conv1"), f"{name}.bn1"), 0)
        y = np.maximum(batch_norm(conv(y, f"{name}.conv2"), f"{name}.bn2"), 0)
        y = batch_norm(conv(less(y), f"{name}.conv3"), f"{name}.bn3")
        x = np.maximum(y + batch_norm(conv(less(x), f"{name}.downsample.0"), f"{name}.downsample.1"), 0)
    x = x.reshape(-1, x.shape[-1])
    x = np.concatenate([x.mean(0, keepdims=True), x]) + tensors["visual.attnpool.positional_embedding"]
    q, k, v = (
        x @ tensors[f"visual.attnpool.{p}_proj.weight"].T + tensors[f"visual.attnpool.{p}_proj.bias"] for p in "qkv"
    )
    pooled = attend(q[:1], k, v, x.shape[1] // 64)[0]
    return pooled @ tensors["visual.attnpool.c_proj.weight"].T + tensors["visual.attnpool.c_proj.bias"]


def siglip_tensors(rng) -> dict[str, np.ndarray]:
    """Under the names of Hugging Face but for the blocks, which are OpenAI's (`hugging_face` brings them over)."""
    shapes = {
        "vision_model.embeddings.patch_embedding.weight": (WIDTH, 3, PATCH, PATCH),
        "vision_model.embeddings.patch_embedding.bias": (WIDTH,),
        "vision_model.embeddings.position_embedding.weight": ((SIDE // PATCH) ** 2, WIDTH),
        "vision_model.head.probe": (1, 1, WIDTH),
        "vision_model.head.attention.in_proj_weight": (3 * WIDTH, WIDTH),
        "vision_model.head.attention.in_proj_bias": (3 * WIDTH,),
        "vision_model.head.attention.out_proj.weight": (WIDTH, WIDTH),
        "vision_model.head.attention.out_proj.bias": (WIDTH,),
        "vision_model.head.mlp.fc1.weight": (2 * WIDTH, WIDTH),
        "vision_model.head.mlp.fc1.bias": (2 * WIDTH,),
        "vision_model.head.mlp.fc2.weight": (WIDTH, 2 * WIDTH),
        "vision_model.head.mlp.fc2.bias": (WIDTH,),
        "text_model.embeddings.token_embedding.weight": (VOCABULARY, WIDTH),
        "text_model.embeddings.position_embedding.weight": (CONTEXT, WIDTH),
        "text_model.head.weight": (WIDTH, WIDTH),
        "text_model.head.bias": (WIDTH,),
        "logit_scale": (1,),
        "logit_bias": (1,),
    }
    for name in ("vision_model.post_layernorm", "vision_model.head.layernorm", "text_model.final_layer_norm"):
        shapes |= {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}
    blocks = [block_tensors(rng, f"{tower}.encoder.layers", WIDTH, LAYERS) for tower in ("vision_model", "text_model")]
    return random(rng, shapes) | blocks[0] | blocks[1]


def siglip_vectors(t, image, ids):
    """Of an image and of a text that fills the context."""
    x = patches((image - 0.5) / 0.5, t["vision_model.embeddings.patch_embedding.weight"])
    x = x + t["vision_model.embeddings.patch_embedding.bias"] + t["vision_model.embeddings.position_embedding.weight"]
    run = {"act": tanh_gelu, "causal": False, "epsilon": 1e-6}
    x = norm(transformer(x, t, "vision_model.encoder.layers", LAYERS, **run), t, "vision_model.post_layernorm", 1e-6)
    head = "vision_model.head"
    parts = zip(np.split(t[f"{head}.attention.in_proj_weight"], 3), np.split(t[f"{head}.attention.in_proj_bias"], 3))
    q, k, v = (given @ w.T + b for given, (w, b) in zip((t[f"{head}.probe"][0], x, x), parts))
    pooled = attend(q, k, v, 1) @ t[f"{head}.attention.out_proj.weight"].T + t[f"{head}.attention.out_proj.bias"]
    hidden = tanh_gelu(
        norm(pooled, t, f"{head}.layernorm", 1e-6) @ t[f"{head}.mlp.fc1.weight"].T + t[f"{head}.mlp.fc1.bias"]
    )
    of_image = (pooled + hidden @ t[f"{head}.mlp.fc2.weight"].T + t[f"{head}.mlp.fc2.bias"])[0]
    y = t["text_model.embeddings.token_embedding.weight"][ids] + t["text_model.embeddings.position_embedding.weight"]
    y = norm(transformer(y, t, "text_model.encoder.layers", LAYERS, **run), t, "text_model.final_layer_norm", 1e-6)
    return of_image, y[-1] @ t["text_model.head.weight"].T + t["text_model.head.bias"]


def hugging_face(tensors) -> dict[str, np.ndarray]:
    """OpenAI's names to those of Hugging Face, written down once more and apart from what is tested."""
    fixed = {
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
        "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
        "positional_embedding": "text_model.embeddings.position_embedding.weight",
    }
    for part in ("weight", "bias"):
        fixed |= {
            f"visual.ln_pre.{part}": f"vision_model.pre_layrnorm.{part}",
            f"visual.ln_post.{part}": f"vision_model.post_layernorm.{part}",
            f"ln_final.{part}": f"text_model.final_layer_norm.{part}",
        }
    blocks = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "attn.out_proj": "self_attn.out_proj"}
    blocks |= {"mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
    towers = {
        "visual.transformer.resblocks": "vision_model.encoder.layers",
        "transformer.resblocks": "text_model.encoder.layers",
    }
    result = {}
    for name, tensor in tensors.items():
        if name in ("visual.proj", "text_projection"):
            result["visual_projection.weight" if name == "visual.proj" else "text_projection.weight"] = tensor.T.copy()
            continue
        new = fixed.get(name, name)
        for old, tower in towers.items():
            new = f"{tower}{new.removeprefix(old)}" if new.startswith(f"{old}.") else new
        stem, _, part = new.rpartition(".")
        if part.startswith("in_proj_") and ".head." not in new:
            for letter, rows in zip("qkv", np.split(tensor, 3)):
                result[f"{stem.removesuffix('.attn')}.self_attn.{letter}_proj.{part.removeprefix('in_proj_')}"] = (
                    rows.copy()
                )
            continue
        for old, block in blocks.items():
            if stem.endswith(f".{old}") and ".head." not in new:
                new = f"{stem.removesuffix(old)}{block}.{part}"
        result[new] = tensor
    return result
