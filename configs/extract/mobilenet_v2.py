"""MobileNetV2, 1280 features: small and quick on a CPU.

    python -m zsl_jax extract --config=configs/extract/mobilenet_v2.py --config.encoder.weights=mobilenet_v2.npz \
        --config.data.dir=datasets/photos --out=features/photos

For weights from Keras with the normalisation folded into the convolutions (.npz). Those of torchvision (.safetensors)
are taken with `--config=configs/extract/mobilenet_v2.py:torchvision`.

Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
"""

from zsl_jax import errors
from zsl_jax.recipes import extraction


def get_config(argument=None):
    config = extraction.base("mobilenet_v2")
    if argument not in (None, "keras", "torchvision"):
        raise errors.unknown("origin of the weights", argument, ("keras", "torchvision"))
    if argument != "torchvision":
        config.encoder.padding = "same"
        config.encoder.scaling = "symmetric"
        config.images.fit = "stretch"
    return config
