r"""LsrGAN on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/lsrgan_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/lsrgan_sentences

Minutes on 2 CPU cores; not measured on CUB127 yet. No sweep(): the method counts the unseen classes before it is
compiled.

Published on CUB (200 classes, ResNet-101 features, hence not comparable): ZSL 60.3, GZSL 48.1 / 59.1 / 53.0. Their
loop keeps the best epoch on the test set, and their relation term passes no gradient (`relation_gradient=False`).

Reference: Vyas, Venkateswara, Panchanathan, "Leveraging Seen and Unseen Semantic Relationships for Generative
Zero-Shot Learning", ECCV 2020.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("lsrgan", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    # As for f-CLSWGAN on attributes; not chosen for this recipe.
    config.method.description_scale = 4.0
    config.method.learning_rate = 3e-4
    config.method.num_hidden = 1024
    config.method.num_synthetic = 1000
    config.method.classifier_epochs = 10
    config.train.epochs = 80
    # 64 images for each of the 5 steps of the critic.
    config.train.batch_size = 320
    config.select.every = 10
    config.select.metric = "uncalibrated"
    return config
