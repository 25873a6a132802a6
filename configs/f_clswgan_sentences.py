r"""f-CLSWGAN on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/f_clswgan_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/f_clswgan_sentences

CUB127 (127 classes of CUB, MobileNet features), epochs and gamma chosen on validation classes, seed 0: ZSL 84.0, GZSL
70.5 / 80.4 / 75.1, calibrated 70.4 / 80.4 / 75.1; 36 minutes of processor time on 2 CPU cores (104 GFLOP/s in a
matrix product).

Published on CUB (200 classes, ResNet-101 features, hence not comparable): ZSL 57.3, GZSL 43.7 / 57.7 / 49.7.

Reference: Xian, Lorenz, Schiele, Akata, "Feature Generating Networks for Zero-Shot Learning", CVPR 2018.
"""

from zsl_jax import recipes


def get_config(argument=None):
    return recipes.adversarial("f_clswgan", argument, sentences=True)


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4, 1e-3), "method.description_scale": (2.0, 4.0, 8.0)}
