"""Random weights under the names of timm and torchvision give what these frameworks make of them.

Where these are not installed, the encoders are held to outputs that they left behind: test_framework_outputs.
"""

import jax
import numpy as np
import pytest

from zsl_jax import encoders
from zsl_jax.encoders import weights

torch = pytest.importorskip("torch", reason="torch is not installed")
SMALL = {"depth": 2}
# Name there; what makes it small there; the encoder here, and its knobs.
TIMM = {
    "resnet18": ({}, "resnet18", {}),
    "resnet50d": ({}, "resnet50d", {}),
    "mobilenetv2_100": ({}, "mobilenet_v2", {}),
    "vit_tiny_patch16_224": (SMALL, "vit_tiny", {"scaling": "imagenet"}),
    "deit_tiny_distilled_patch16_224": (SMALL, "vit_tiny", {"variant": "distilled", "scaling": "imagenet"}),
    "vit_small_patch14_dinov2": (
        {**SMALL, "img_size": 224},
        "vit_small",
        {"variant": "dinov2", "patch": 14, "scaling": "imagenet"},
    ),
    "vit_base_patch16_clip_224": (SMALL, "vit_base", {"variant": "clip", "scaling": "imagenet"}),
    "vit_base_patch32_clip_quickgelu_224": (
        SMALL,
        "vit_base",
        {"variant": "clip_quickgelu", "patch": 32, "scaling": "imagenet"},
    ),
    "vit_base_patch16_siglip_224": (SMALL, "vit_base", {"variant": "siglip", "scaling": "imagenet"}),
}


def randomised(model):
    """Random everywhere, so that nothing is 0, 1 or tiny as it is at the start; variances are positive."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                drawn = torch.randn(tensor.shape, generator=generator) * (0.3 if tensor.ndim < 2 else 0.03)
                tensor.copy_(1 + drawn.abs() if name.endswith(("running_var", "bn1.weight")) else tensor + drawn)
    return model.eval()


def check(model, name, knobs, forward):
    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    mean, deviation = (np.array(values, np.float32) for values in encoders_scaling(knobs))
    with torch.no_grad():
        there = forward(torch.from_numpy(((images / np.float32(255) - mean) / deviation).transpose(0, 3, 1, 2))).numpy()
    module = encoders.factory(name)(**knobs | ({"depth": 2} if name.startswith("vit") else {}))
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), images, train=False))
    tensors = {key: tensor.numpy() for key, tensor in model.state_dict().items()}
    here = module.apply(weights.assign(tensors, shapes, "model"), images, train=False)
    assert there.std() > 0.01
    np.testing.assert_allclose(here, there, rtol=1e-4, atol=1e-4 * np.abs(there).max())


def encoders_scaling(knobs):
    return encoders.scaling.SCALINGS[knobs.get("scaling", "imagenet")]


@pytest.mark.long
@pytest.mark.parametrize("name", TIMM)
def test_timm(name):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    smaller, ours, knobs = TIMM[name]
    model = randomised(timm.create_model(name, pretrained=False, num_classes=0, **smaller))
    check(model, ours, knobs, model)


@pytest.mark.long
def test_vit_of_torchvision():
    vision = pytest.importorskip("torchvision.models.vision_transformer", reason="torchvision is not installed")
    model = randomised(
        vision.VisionTransformer(
            image_size=224, patch_size=16, num_layers=2, num_heads=12, hidden_dim=768, mlp_dim=3072
        )
    )
    head, model.heads = model.heads, torch.nn.Identity()
    forward = model.forward

    def features(x):
        model.heads = torch.nn.Identity()
        found = forward(x)
        model.heads = head
        return found

    check(model, "vit_base", {"scaling": "imagenet"}, features)
