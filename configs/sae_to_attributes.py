"""SAE that compares images and classes in the space of attributes, on attributes or, with the word sent, on sentences.

    python -m zsl_jax train --config=configs/sae_to_attributes.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/sae_v
    python -m zsl_jax sweep --config=configs/sae_to_attributes.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/sweep

The weight of the encoder is a matter of the direction: images that are mapped to attributes want a far larger one
than classes that are mapped to features (configs/sae.py), because only the encoder's own error pulls them
together. Seconds per run.

Reference: Kodirov, Xiang, Gong, "Semantic Autoencoder for Zero-Shot Learning", CVPR 2017.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("sae", argument)
    config.train.epochs = 1
    config.train.batch_size = 512
    config.method.direction = "to_attributes"
    config.method.encoder_weight = 100.0
    return config


def sweep():
    return {"method.encoder_weight": (0.1, 1.0, 10.0, 100.0, 1000.0)}
