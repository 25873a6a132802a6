"""Writes tests/framework_outputs.json and .npz: what the frameworks make of the tensors of formula_tensors.

    pip install "PATH[torch]"
    python tests/make_framework_outputs.py

The frameworks are timm, torchvision, open_clip and transformers. The .json has, for each case, the names and shapes of
the framework's tensors, its config and the encoder here that they are for; the .npz what the framework makes of them.
test_framework_outputs.py compares without any framework.
"""

import collections
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import formula_tensors
import numpy as np

from zsl_jax.encoders import scaling

SPECS = pathlib.Path(__file__).with_name("framework_outputs.json")
OUTPUTS = SPECS.with_suffix(".npz")
TORCH_FILES = {name: SPECS.with_name(f"torch_{name}.pth") for name in ("archive", "older")}
SIDE = 64  # of the images of the encoders, pixels
TINY = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 1}
LAST = 49  # the token that ends a text, and the largest


class Case(NamedTuple):
    """What the tests need to do the same: `spec` for the .json, and the outputs by their names."""

    spec: dict[str, Any]
    outputs: dict[str, np.ndarray]


def cases() -> dict[str, Case]:
    """Returns every case, as the frameworks that are installed compute it."""
    return {name: case for make in (_timm, _torchvision, _open_clip, _clip, _siglip, _bert) for name, case in make()}


def _timm() -> Iterator[tuple[str, Case]]:
    import timm
    from timm.models import resnet

    bottlenecks = {"block": resnet.Bottleneck, "layers": (1, 1, 1, 1), "num_classes": 0}
    deep = {"stem_width": 32, "stem_type": "deep", "avg_down": True}
    for name, model, ours in (
        ("timm resnet50", resnet.ResNet(**bottlenecks), {"name": "resnet50"}),
        ("timm resnet50d", resnet.ResNet(**bottlenecks, **deep), {"name": "resnet50d"}),
        ("timm mobilenetv2_050", _named(timm, "mobilenetv2_050"), _knobs("mobilenet_v2", width_multiplier=0.5)),
        ("timm vit_tiny", _vit(timm, "vit_tiny_patch16_224"), _knobs("vit_tiny", depth=1)),
        (
            "timm deit_tiny_distilled",
            _vit(timm, "deit_tiny_distilled_patch16_224"),
            _knobs("vit_tiny", depth=1, variant="distilled"),
        ),
        (
            "timm dinov2",
            _vit(timm, "vit_small_patch14_dinov2", img_size=56, embed_dim=192, num_heads=3),
            _knobs("vit_tiny", depth=1, variant="dinov2", patch=14, side=56),
        ),
        (
            "timm vit_clip",
            _vit(timm, "vit_base_patch16_clip_224", embed_dim=192, num_heads=3),
            _knobs("vit_tiny", depth=1, variant="clip"),
        ),
        (
            "timm vit_clip_quickgelu",
            _vit(timm, "vit_base_patch32_clip_quickgelu_224", embed_dim=192, num_heads=3),
            _knobs("vit_tiny", depth=1, variant="clip_quickgelu", patch=32),
        ),
        (
            "timm vit_siglip",
            _vit(timm, "vit_base_patch16_siglip_224", embed_dim=192, num_heads=3),
            _knobs("vit_tiny", depth=1, variant="siglip"),
        ),
    ):
        yield name, _encoder(model, ours)


def _torchvision() -> Iterator[tuple[str, Case]]:
    import torch
    from torchvision.models import mobilenetv2, resnet, vision_transformer

    for name, model, head, ours in (
        ("torchvision resnet18", resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1]), "fc", {"name": "resnet18"}),
        ("torchvision resnet50", resnet.ResNet(resnet.Bottleneck, [1, 1, 1, 1]), "fc", {"name": "resnet50"}),
        (
            "torchvision mobilenet_v2",
            mobilenetv2.MobileNetV2(width_mult=0.5),
            "classifier",
            _knobs("mobilenet_v2", width_multiplier=0.5),
        ),
        (
            "torchvision vit",
            vision_transformer.VisionTransformer(SIDE, 16, 1, 3, 192, 768),
            "heads",
            _knobs("vit_tiny", depth=1, scaling="imagenet"),
        ),
    ):
        # The classifier's tensors are in a checkpoint, and its outputs are not what an encoder gives.
        shapes = _shapes(model)
        setattr(model, head, torch.nn.Identity())
        case = _encoder(model, ours)
        yield name, case._replace(spec={**case.spec, "tensors": shapes})


def _open_clip() -> Iterator[tuple[str, Case]]:
    from open_clip import model as open_clip

    text = {"context_length": 12, "vocab_size": LAST + 1, "width": 64, "heads": 1, "layers": 2}
    towers = {
        "open_clip ViT": {"image_size": 32, "layers": 2, "width": 64, "head_width": 64, "patch_size": 16},
        "open_clip ResNet": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64},
    }
    for name, vision in towers.items():
        for quick_gelu in (True, False) if "ViT" in name else (True,):
            config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text, "quick_gelu": quick_gelu}
            model = open_clip.CLIP(
                24, open_clip.CLIPVisionCfg(**vision), open_clip.CLIPTextCfg(**text), quick_gelu=quick_gelu
            )
            spec = {"kind": "clip", "config": {"open_clip_config.json": {"model_cfg": config}}, "vocabulary": LAST + 1}
            case = _two_towers(model, {**spec, "side": 32, "length": 12}, model.encode_image, model.encode_text)
            yield name + (" quick_gelu" if quick_gelu and "ViT" in name else ""), case


def _clip() -> Iterator[tuple[str, Case]]:
    import transformers

    ends = {"eos_token_id": LAST, "bos_token_id": LAST - 1}
    text = {**TINY, "vocab_size": LAST + 1, "max_position_embeddings": 12, **ends}
    vision = {**TINY, "image_size": 32, "patch_size": 16}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    yield "transformers CLIP", _of_transformers(transformers.CLIPModel(config), config)


def _siglip() -> Iterator[tuple[str, Case]]:
    import transformers

    ends = {"eos_token_id": LAST, "bos_token_id": LAST - 1}
    text = {**TINY, "vocab_size": LAST + 1, "max_position_embeddings": 12, "projection_size": 64, **ends}
    vision = {**TINY, "image_size": 32, "patch_size": 16}
    config = transformers.SiglipConfig(text_config=text, vision_config=vision)
    yield "transformers SigLIP", _of_transformers(transformers.SiglipModel(config), config)


def _of_transformers(model, config) -> Case:
    spec = {"kind": "clip", "config": {"config.json": _plain(config)}, "vocabulary": LAST + 1, "side": 32, "length": 12}

    def image(pixels):
        return _tensor_of(model.get_image_features(pixel_values=pixels))

    def text(tokens):
        return _tensor_of(model.get_text_features(input_ids=tokens))

    return _two_towers(model, spec, image, text)


def _bert() -> Iterator[tuple[str, Case]]:
    import torch
    import transformers

    config = transformers.BertConfig(**TINY, vocab_size=LAST + 1, max_position_embeddings=12, type_vocab_size=2)
    model = transformers.BertModel(config)
    shapes = _filled(model)
    tokens = torch.from_numpy(formula_tensors.ids(9, LAST + 1)).long()
    mask = torch.ones_like(tokens)
    mask[1, 5:] = 0
    with torch.no_grad():
        last = model(input_ids=tokens, attention_mask=mask).last_hidden_state
    share = mask[:, :, None]
    outputs = {"mean": (last * share).sum(1) / share.sum(1), "cls": last[:, 0]}
    outputs = {name: torch.nn.functional.normalize(found).numpy() for name, found in outputs.items()}
    spec = {"kind": "bert", "config": {"config.json": _plain(config)}, "vocabulary": LAST + 1, "mask": mask.tolist()}
    yield "transformers BERT", Case({**spec, "tensors": shapes}, outputs)


def write_torch_files() -> None:
    """Writes the same tensors in both formats of torch.save; some are transposed, or share the numbers of others."""
    import torch

    whole = torch.from_numpy(formula_tensors.tensor("whole", (3, 4)))
    tensors = {
        "whole": torch.nn.Parameter(whole),
        "transposed": whole.T,
        "part": whole[1:, ::2],
        "half": whole.half(),
        "brain": whole.bfloat16(),
        "count": torch.tensor(7),
    }
    for name, path in TORCH_FILES.items():
        torch.save(collections.OrderedDict(tensors), path, _use_new_zipfile_serialization=name == "archive")


def _encoder(model, ours: dict[str, Any]) -> Case:
    import torch

    shapes = _filled(model)
    side = ours.pop("side", SIDE)
    if ours["name"].startswith("resnet"):
        ours["blocks"] = [1, 1, 1, 1]
    with torch.no_grad():
        found = model(_pixels(side, ours.setdefault("scaling", "imagenet"))).numpy()
    return Case({"kind": "encoder", "encoder": ours, "side": side, "tensors": shapes}, {"images": found})


def _two_towers(model, spec: dict[str, Any], image: Callable, text: Callable) -> Case:
    import torch

    shapes = _filled(model)
    tokens = formula_tensors.ids(spec["length"], LAST)
    tokens[0, 4] = tokens[1, 9] = LAST
    is_siglip = "logit_bias" in shapes
    with torch.no_grad():
        images = image(_pixels(spec["side"], "symmetric" if is_siglip else "clip")).numpy()
        texts = text(torch.from_numpy(tokens).long()).numpy()
    return Case({**spec, "tokens": tokens.tolist(), "tensors": shapes}, {"images": images, "texts": texts})


def _filled(model) -> dict[str, list[int]]:
    """Gives a model the tensors of the formula; returns their names and shapes."""
    import torch

    model.eval()
    shapes = _shapes(model)
    held = model.state_dict()
    for name, shape in shapes.items():
        held[name].copy_(torch.from_numpy(formula_tensors.tensor(name, shape)))
    return shapes


def _shapes(model) -> dict[str, list[int]]:
    return {name: list(found.shape) for name, found in model.state_dict().items() if found.is_floating_point()}


def _pixels(side: int, name: str):
    import torch

    mean, deviation = (np.array(values, np.float32) for values in scaling.SCALINGS[name])
    scaled = (formula_tensors.images(side) / np.float32(255) - mean) / deviation
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))


def _named(timm, name: str, **knobs):
    return timm.create_model(name, pretrained=False, num_classes=0, **knobs)


def _vit(timm, name: str, **knobs):
    return _named(timm, name, **{"img_size": SIDE, "depth": 1, **knobs})


def _knobs(name: str, **knobs) -> dict[str, Any]:
    return {"name": name, **knobs}


def _plain(config) -> dict[str, Any]:
    """A config as `save_pretrained` writes it."""
    return json.loads(config.to_json_string(use_diff=False))


def _tensor_of(found):
    """Of what a version of transformers gives: the features, or an object that has them."""
    return found if hasattr(found, "numpy") else found.pooler_output


if __name__ == "__main__":
    made = cases()
    for name, case in made.items():
        for output, values in case.outputs.items():
            apart = np.abs(values[0] - values[1]).max() / np.abs(values).max()
            print(f"{name}, {output}: {list(values.shape)}, the two differ by {apart:.3f} of the largest")
            assert apart > 0.005  # fifty times what the tests let pass
    SPECS.write_text(json.dumps({name: case.spec for name, case in made.items()}, sort_keys=True) + "\n")
    held = {f"{name}/{output}": values for name, case in made.items() for output, values in case.outputs.items()}
    np.savez_compressed(OUTPUTS, **held)
    write_torch_files()
    print(f"wrote {len(made)} cases: {SPECS.stat().st_size} and {OUTPUTS.stat().st_size} bytes")
