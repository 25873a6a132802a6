"""ResNet-50, or the depth in the argument: 18 and 34 (512 features), 50, 50d and 101 (2048 features).

    python -m zsl_jax extract --config=configs/extract/resnet.py:101 --config.encoder.weights=resnet101.safetensors \
        --config.data.dir=datasets/photos --out=features/photos

For weights of torchvision and timm, saved as .safetensors or .npz under the names that they have there.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016.
"""

from zsl_jax import errors
from zsl_jax.recipes import extraction


def get_config(argument=None):
    depths = ("18", "34", "50", "50d", "101")
    if argument not in (None, *depths):
        raise errors.unknown("depth", argument, depths)
    return extraction.base(f"resnet{argument or 50}")
