"""Names of tensors as the other framework has them: those of timm's MobileNetV2 and of torchvision's ViT."""

import re
from collections.abc import Mapping

import numpy as np

_MOBILENET = (
    (r"^conv_stem\.", "features.0.0."),
    (r"^bn1\.", "features.0.1."),
    (r"^conv_head\.", "features.18.0."),
    (r"^bn2\.", "features.18.1."),
)
# Of a block that does not widen, and of the others.
_NARROW = {"conv_dw": "0.0", "bn1": "0.1", "conv_pw": "1", "bn2": "2"}
_WIDE = {"conv_pw": "0.0", "bn1": "0.1", "conv_dw": "1.0", "bn2": "1.1", "conv_pwl": "2", "bn3": "3"}
_VIT = (
    (r"^class_token$", "cls_token"),
    (r"^conv_proj\.", "patch_embed.proj."),
    (r"^encoder\.pos_embedding$", "pos_embed"),
    (r"^encoder\.ln\.", "norm."),
    (r"^encoder\.layers\.encoder_layer_(\d+)\.", r"blocks.\1."),
    (r"\.ln_(\d)\.", r".norm\1."),
    (r"\.self_attention\.in_proj_", ".attn.qkv."),
    (r"\.self_attention\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.(?:0|linear_1)\.", ".mlp.fc1."),
    (r"\.mlp\.(?:3|linear_2)\.", ".mlp.fc2."),
)


def ours(tensors: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Returns the tensors under the names that the encoders here have; all others as they are.

    >>> list(ours({"conv_proj.bias": 0, "encoder.layers.encoder_layer_3.ln_2.weight": 0}))
    ['patch_embed.proj.bias', 'blocks.3.norm2.weight']
    >>> list(ours({"conv_stem.weight": 0, "blocks.0.0.conv_pw.weight": 0}))
    ['features.0.0.weight', 'features.1.conv.1.weight']
    """
    if any(name.startswith("conv_proj.") for name in tensors):
        return {_replaced(name, _VIT): tensor for name, tensor in tensors.items()}
    if any(name.startswith("conv_stem.") for name in tensors):
        return _mobilenet(tensors)
    return tensors


def _mobilenet(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Blocks are counted through all stages; the first one stands after the stem."""
    found = [re.match(r"blocks\.(\d+)\.(\d+)\.", name) for name in tensors]
    places = sorted({(int(match[1]), int(match[2])) for match in found if match})
    number = {place: index for index, place in enumerate(places, 1)}
    renamed = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(r"blocks\.(\d+)\.(\d+)\.(\w+)\.(.+)", name)
        if match is None:
            renamed[_replaced(name, _MOBILENET)] = tensor
            continue
        stage, block, layer, rest = match.groups()
        layers = _WIDE if f"blocks.{stage}.{block}.conv_pwl.weight" in tensors else _NARROW
        renamed[f"features.{number[int(stage), int(block)]}.conv.{layers.get(layer, layer)}.{rest}"] = tensor
    return renamed


def _replaced(name: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in pairs:
        name = re.sub(pattern, replacement, name)
    return name
