"""SAE, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/sae.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/sae
    python -m zsl_jax train --config=configs/sae.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/sae_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form); knobs, epochs and gamma are chosen
on validation classes (docs/results.md).

Attributes, up to 75 seconds, two CPU cores: ZSL 58.3, GZSL 21.7 / 78.1 / 33.9, calibrated 54.3 / 56.2 / 55.2.

Sentences, 11 seconds per run, one CPU core, means of 5 draws of validation classes (docs/results.md): ZSL 83.2, GZSL
59.5 / 80.4 / 68.4, calibrated 75.9 / 74.5 / 75.2.

With `--config.method.direction=to_attributes` and the same weight, images meet classes in the space of attributes,
where a few classes are nearest to everything (hubs): ZSL 27.2 on attributes and 80.6 on sentences. On
attributes that direction wants a weight near 100 (configs/sae_to_attributes.py).

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 33.3, GZSL 7.8 / 54.0 / 13.6.

Reference: Kodirov, Xiang, Gong, "Semantic Autoencoder for Zero-Shot Learning", CVPR 2017.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("sae", argument)
    config.train.epochs = 1
    config.train.batch_size = 512
    if config_lib.has_sentences(config):
        config.method.encoder_weight = 0.03
    return config


def sweep():
    return {"method.encoder_weight": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)}
