"""A CLIP or SigLIP model from a folder: which it is, its weights under one naming, its two towers.

    Hugging Face  config.json, model.safetensors                     vision_model.encoder.layers.0.mlp.fc1.bias
    open_clip     open_clip_config.json, open_clip_model.safetensors visual.transformer.resblocks.0.mlp.c_fc.bias
    OpenAI        *.safetensors or *.npz alone                       as open_clip's; its ResNets too

A folder that holds both of the first two is read as Hugging Face's.

Sizes are read from the tensors; a config says what these do not show: heads, activation, the token that ends a text.
"""

import math
import pathlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import errors, rules
from zsl_jax.data import json_files
from zsl_jax.encoders import bert_files, clip, clip_resnet, transformer
from zsl_jax.encoders import weights as weights_lib

CONFIGS = ("config.json", "open_clip_config.json")
# The file of weights beside a config with such a key: folders with both are published.
_PUBLISHED = {"model_type": "model.safetensors", "model_cfg": "open_clip_model.safetensors"}
_HALVES = {"image": ("vision_model.", "visual_projection.", "visual."), "text": ("text_model.", "text_projection.")}
_NOT_OURS = re.compile(r".*\.position_ids|input_resolution|context_length|vocab_size|attn_mask|.*\.num_batches_tracked")
_PAIRS = (
    (r"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^visual\.ln_pre\.", "vision_model.pre_layrnorm."),
    (r"^visual\.ln_post\.", "vision_model.post_layernorm."),
    (r"^visual\.proj$", "visual_projection.weight"),
    (r"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
    (r"^transformer\.resblocks\.", "text_model.encoder.layers."),
    (r"^token_embedding\.", "text_model.embeddings.token_embedding."),
    (r"^positional_embedding$", "text_model.embeddings.position_embedding.weight"),
    (r"^ln_final\.", "text_model.final_layer_norm."),
    (r"^text_projection$", "text_projection.weight"),
    (r"\.ln_(\d)\.", r".layer_norm\1."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
    (r"\.attn\.out_proj\.", ".self_attn.out_proj."),
)


class Model(NamedTuple):
    """What a folder holds.

    Fields:
      image, text: the modules.
      tensors: of both, under the names of Hugging Face.
      scale: of the cosines.
      bias: added to the scaled ones; 0 for CLIP.
      file: of the weights.
    """

    image: Any
    text: clip.TextTower
    tensors: dict[str, np.ndarray]
    scale: float
    bias: float
    file: pathlib.Path

    def variables(self, half: str) -> Any:
        """Returns the variables of a tower, `image` or `text`.

        Raises:
          UserError: tensors that are missing, left over or of another shape.
        """
        module = getattr(self, half)
        size = module.size
        scanned = isinstance(size, (clip.VisionSize, clip.TextSize)) and size.shape.scan
        plain = module.clone(size=size._replace(shape=size.shape._replace(scan=False))) if scanned else module
        if half == "image":
            like = jax.ShapeDtypeStruct((1, size.image_size, size.image_size, 3), jnp.float32)
        else:
            like = jax.ShapeDtypeStruct((1, size.positions), jnp.int32)
        shapes = jax.eval_shape(lambda x: plain.init(jax.random.key(0), x), like)
        tensors = {name: x for name, x in self.tensors.items() if name.startswith(_HALVES[half])}
        found = jax.tree.map(jnp.asarray, weights_lib.assign(tensors, shapes, self.file.name))
        return transformer.stacked(found, size.shape.layers) if scanned else found


def is_one(folder: pathlib.Path) -> bool:
    """Whether a folder looks like one of a CLIP or SigLIP model, and not of a text encoder."""
    config = _config(folder)
    if config.get("model_type") in ("clip", "siglip") or "model_cfg" in config:
        return True
    return not config and bool(_weights(folder))


def load(folder: pathlib.Path, *, dtype: str = "float32", scan: bool = False, remat: bool = False) -> Model:
    """Reads a model.

    Args:
      folder: with its weights and, but for OpenAI's, its config.
      dtype: of products; bfloat16 on accelerators.
      scan, remat: see `transformer.Shape`.

    Raises:
      UserError: no weights, several files of them, or those of no such model.
    """
    config = _config(folder)
    files = _fitting(_weights(folder), config)
    if len(files) != 1:
        listed = ", ".join(path.name for path in files) or "none"
        raise errors.UserError(
            f"{folder} needs one .safetensors or .npz file with the weights of CLIP or SigLIP: {listed}"
        )
    tensors = renamed(weights_lib.read(files[0]))
    if empty := next((name for name, tensor in tensors.items() if not tensor.size), None):
        raise errors.UserError(f"{files[0]} is of no CLIP or SigLIP: {empty} is empty")
    for half, starts in _HALVES.items():
        if not any(name.startswith(starts) for name in tensors):
            raise errors.UserError(
                f"{files[0]} has no {half} tower: its tensors are {', '.join(sorted(tensors)[:3])}, ..."
            )
    knobs = {"dtype": dtype, "scan": scan, "remat": remat}
    scale = float(np.exp(np.float32(tensors.pop("logit_scale", np.zeros(())).reshape(-1)[0])))
    bias = float(np.float32(tensors.pop("logit_bias", np.zeros(())).reshape(-1)[0]))
    left_over = sorted(name for name in tensors if not name.startswith(_HALVES["image"] + _HALVES["text"]))
    if left_over:
        listed = ", ".join(left_over[:4]) + (", ..." if len(left_over) > 4 else "")
        raise errors.UserError(f"weights {files[0].name} are of another model: {len(left_over)} left over: {listed}")
    try:
        image, text = _image(tensors, config, knobs, files[0]), _text(tensors, config, knobs, files[0])
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, errors.UserError):
            raise
        raise errors.UserError(f"{files[0]} and its config are of no CLIP or SigLIP ({error!r})") from error
    return Model(
        image,
        text,
        tensors,
        scale,
        bias,
        files[0],
    )


def renamed(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the tensors under the names of Hugging Face, with query, key and value apart."""
    tensors = {name: x for name, x in tensors.items() if not _NOT_OURS.fullmatch(name)}
    if any(name.startswith("vision_model.") for name in tensors):
        return tensors
    is_resnet = "visual.layer1.0.conv1.weight" in tensors
    result = {}
    for name, tensor in tensors.items():
        if is_resnet and name.startswith("visual."):
            result[name] = tensor
            continue
        if name == "visual.conv1.weight":
            result["vision_model.embeddings.patch_embedding.weight"] = tensor
            continue
        new = name
        for pattern, replacement in _PAIRS:
            new = re.sub(pattern, replacement, new)
        if (found := re.search(r"\.attn\.in_proj_(weight|bias)$", new)) is not None:
            for part, rows in zip("qkv", np.split(np.asarray(tensor), 3)):
                result[new.replace(found.group(), f".self_attn.{part}_proj.{found.group(1)}")] = rows
        else:
            result[new] = tensor.T if new in ("visual_projection.weight", "text_projection.weight") else tensor
    return result


def _shape(
    tensors: Mapping[str, np.ndarray], tower: str, config: dict, knobs: dict, file: pathlib.Path
) -> transformer.Shape:
    """The numbers of a tower's transformer, from its tensors and what the config says beside them."""
    found = [re.match(rf"{tower}\.encoder\.layers\.(\d+)\.", name) for name in tensors]
    layers = 1 + max((int(match.group(1)) for match in found if match), default=-1)
    first = f"{tower}.encoder.layers.0."
    if not layers or f"{first}mlp.fc1.weight" not in tensors or tensors[f"{first}mlp.fc1.weight"].ndim != 2:
        raise errors.UserError(f"{file}: no layers of {tower} among its tensors, as {first}mlp.fc1.weight")
    hidden, width = tensors[f"{first}mlp.fc1.weight"].shape
    part = config.get("vision_config" if tower == "vision_model" else "text_config", {})
    cfg = config.get("model_cfg", {})
    is_siglip = config.get("model_type") == "siglip" or "vision_model.head.probe" in tensors
    given = cfg.get("vision_cfg" if tower == "vision_model" else "text_cfg", {})
    heads = part.get("num_attention_heads") or given.get("heads")
    if not heads:
        heads = width // (given.get("head_width") or 64)
    if is_siglip:
        activation = "gelu_pytorch_tanh"
    elif cfg:
        activation = "quick_gelu" if cfg.get("quick_gelu") else "gelu"
    else:
        activation = "quick_gelu"
    activation = part.get("hidden_act", activation)
    if activation not in transformer.ACTIVATIONS:
        raise errors.unknown("activation", activation, transformer.ACTIVATIONS)
    epsilon = part.get("layer_norm_eps", 1e-6 if is_siglip else 1e-5)
    _check(file, tower, num_attention_heads=(heads, rules.whole(1)), layer_norm_eps=(epsilon, rules.number(0)))
    if width % heads:
        raise errors.UserError(f"{file}: {tower} has a width of {width}, not a multiple of {heads} heads")
    return transformer.Shape(width, layers, heads, hidden, activation, epsilon, **knobs)


def _check(file: pathlib.Path, tower: str, **numbers: tuple[Any, rules.Rule]) -> None:
    """Raises where a number of the config, given by its name with its rule, is none that there can be."""
    for name, (value, rule) in numbers.items():
        if not rule.holds(value):
            raise errors.UserError(f"the config beside {file}: {name} of {tower} is {value!r}, not {rule.words}")


def _image(tensors, config: dict, knobs: dict, file: pathlib.Path):
    if "visual.layer1.0.conv1.weight" in tensors:
        return clip_resnet.ResNetTower(_resnet(tensors, knobs["dtype"]))
    shape = _shape(tensors, "vision_model", config, knobs, file)
    siglip = "vision_model.head.probe" in tensors
    patch = tensors["vision_model.embeddings.patch_embedding.weight"].shape[-1]
    places = len(tensors["vision_model.embeddings.position_embedding.weight"])
    side = math.isqrt(places - (not siglip)) * patch
    projection = shape.width if siglip else len(tensors["visual_projection.weight"])
    return clip.ImageTower(clip.VisionSize(shape, side, patch, projection, siglip))


def _resnet(tensors, dtype: str) -> clip_resnet.ResNetSize:
    numbers = [re.match(r"visual\.layer(\d)\.(\d+)\.", name) for name in tensors]
    blocks = [0] * 4
    for stage, block in (map(int, match.groups()) for match in numbers if match):
        blocks[stage - 1] = max(blocks[stage - 1], block + 1)
    places, wide = tensors["visual.attnpool.positional_embedding"].shape
    width = tensors["visual.layer1.0.conv1.weight"].shape[0]
    projection = len(tensors["visual.attnpool.c_proj.weight"])
    return clip_resnet.ResNetSize(tuple(blocks), width, wide // 64, 32 * math.isqrt(places - 1), projection, dtype)


def _text(tensors, config: dict, knobs: dict, file: pathlib.Path) -> clip.TextTower:
    shape = _shape(tensors, "text_model", config, knobs, file)
    vocabulary, _ = tensors["text_model.embeddings.token_embedding.weight"].shape
    positions, _ = tensors["text_model.embeddings.position_embedding.weight"].shape
    siglip = "text_model.head.weight" in tensors
    projection = len(tensors["text_model.head.weight" if siglip else "text_projection.weight"])
    # Configs of before 2023 say 2, and their models read the place of the largest id.
    end = config.get("text_config", {}).get("eos_token_id", 2)
    if end is not None:
        _check(file, "text_model", eos_token_id=(end, rules.whole(0)))
    return clip.TextTower(clip.TextSize(shape, vocabulary, positions, projection, None if end == 2 else end, siglip))


def _fitting(files: list[pathlib.Path], config: dict) -> list[pathlib.Path]:
    """Of several files the one that is published beside such a config, if it is there; else all of them."""
    wanted = _PUBLISHED["model_cfg" if "model_cfg" in config else "model_type"] if config else None
    found = [path for path in files if path.name == wanted]
    return found if len(files) > 1 and found else files


def _weights(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.npz"))


def _config(folder: pathlib.Path) -> dict:
    path = next((folder / name for name in CONFIGS if (folder / name).is_file()), None)
    if path is None:
        return {}
    return json_files.read(path, bert_files.REMEDY)
