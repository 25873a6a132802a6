"""A public checkpoint by its name: encoder, scaling, size, crop and filter are those that its weights expect.

    python -m zsl_jax extract --config=configs/extract/pretrained.py:resnet50.a1_in1k \
        --config.data.dir=datasets/photos --out=features/photos

`zsl-jax extract --help` lists the names with size and licence. A checkpoint is fetched once, by the package
huggingface_hub (pip install 'zsl-jax[hub]'), or read from a folder: $ZSL_JAX_WEIGHTS/NAME.safetensors.

Without a name: mobilenetv2_100.ra_in1k, the smallest.
"""

from zsl_jax.encoders import pretrained
from zsl_jax.recipes import extraction


def get_config(argument=None):
    name = argument or "mobilenetv2_100.ra_in1k"
    config = extraction.base(pretrained.named(name).encoder)
    extraction.take(config, name)
    return config
