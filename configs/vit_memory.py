"""A frozen vision transformer that learns by memory: learned tokens beside those of each block, and a linear head.

    python -m zsl_jax train --config=configs/vit_memory.py:image_folder --config.data.dir=DATASET \
        --config.data.size=224 --config.encoder.weights=VIT.safetensors --workdir=runs/vit_memory
    python -m zsl_jax train --config=configs/vit_memory.py:image_folder --config.data.dir=DATASET \
        --config.data.size=224 --config.encoder.weights=VIT.safetensors --config.encoder.memory=0 \
        --workdir=runs/vit_frozen

VIT.safetensors is timm's `vit_tiny_patch16_224` (with `--config.encoder.name=vit_base` a larger one). The second line
trains the head alone. What the ViT says of its own tokens stays as it is, since none of them sees the new ones; memory
and head are all that is trained and saved. Not measured: that needs weights of a ViT. Without weights `:shapes,smoke`
shows in a minute of processor time that everything works, and nothing else: a random ViT has nothing to read.

Reference: Sandler, Zhmoginov, Vladymyrov, Jackson, "Fine-tuning Image Transformers using Learnable Memory", CVPR 2022.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("label_embedding", argument, encoder="vit_tiny")
    config.optimizer.encoder_rate = 0.0
    if "memory" in config.encoder:
        config.encoder.memory = 8
    if not config_lib.is_smoke(argument):
        config.train.epochs = 10
    config.select.every = config.train.epochs
    return config


def sweep():
    return {"optimizer.learning_rate": (1e-3, 3e-3, 1e-2), "encoder.memory": (1, 4, 16)}
