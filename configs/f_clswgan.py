r"""f-CLSWGAN, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/f_clswgan.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/f_clswgan
    python -m zsl_jax train --config=configs/f_clswgan.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/f_clswgan_sent

CUB127 (127 classes of CUB, MobileNet features), epochs and gamma chosen on validation classes, seed 0; minutes on 2
CPU cores (104 GFLOP/s in a matrix product).

Attributes, 9 minutes of steps, figures of one H200: ZSL 62.3, GZSL 43.2 / 78.9 / 55.8, calibrated 48.1 / 76.2 / 59.0.
Five seeds with all epochs (docs/ablations.md): ZSL 63.0 ± 0.5, H 57.2 ± 1.1 as scored.

Sentences, 36 minutes of processor time: ZSL 84.0, GZSL 70.5 / 80.4 / 75.1, calibrated 70.4 / 80.4 / 75.1.

Published on CUB (200 classes, ResNet-101 features, so not comparable): ZSL 57.3, GZSL 43.7 / 57.7 / 49.7.

Reference: Xian, Lorenz, Schiele, Akata, "Feature Generating Networks for Zero-Shot Learning", CVPR 2018.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    return families.adversarial("f_clswgan", argument)


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4, 1e-3), "method.description_scale": (1.0, 2.0, 4.0, 8.0)}
