"""ViT-S, or the size in the argument: tiny (192 features), small (384), base (768); patches of 16 pixels.

    python -m zsl_jax extract --config=configs/extract/vit.py:base --config.encoder.weights=vit_base.safetensors \
        --config.data.dir=datasets/photos --out=features/photos

For weights of timm, saved as .safetensors or .npz under the names that they have there. Those trained as by Dosovitskiy
et al. want pixels in [-1, 1], as here; for DeiT's say --config.encoder.scaling=imagenet.

Dosovitskiy, Beyer, Kolesnikov et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
ICLR 2021.
"""

from zsl_jax import errors
from zsl_jax.recipes import extraction


def get_config(argument=None):
    sizes = ("tiny", "small", "base")
    if argument not in (None, *sizes):
        raise errors.unknown("size", argument, sizes)
    config = extraction.base(f"vit_{argument or 'small'}")
    config.images.filter = "bicubic"
    config.images.crop_fraction = 0.9
    return config
