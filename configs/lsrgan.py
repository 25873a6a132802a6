"""LsrGAN, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/lsrgan.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/lsrgan
    python -m zsl_jax train --config=configs/lsrgan.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/lsrgan_sent

CUB127 (127 classes of CUB, MobileNet features); minutes of the steps on 2 CPU cores (104 GFLOP/s in a matrix product).

Attributes, 11 minutes; five seeds with all epochs on one H200 (docs/ablations.md): ZSL 62.5 ± 1.0, H 54.2 ± 0.6 as
scored. With the knobs of f-CLSWGAN its terms lower H: without both it is 57.9 ± 0.3.

Sentences, 23 minutes; epochs and gamma chosen on validation classes, seed 0: ZSL 85.7, GZSL 76.3 / 79.0 / 77.6,
calibrated 75.5 / 79.1 / 77.3.

Published on CUB (200 classes, ResNet-101 features, so not comparable): ZSL 60.3, GZSL 48.1 / 59.1 / 53.0. Their
loop keeps the best epoch on the test set, and their relation term passes no gradient (`relation_gradient=False`).

Reference: Vyas, Venkateswara, Panchanathan, "Leveraging Seen and Unseen Semantic Relationships for Generative
Zero-Shot Learning", ECCV 2020.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    return families.adversarial("lsrgan", argument)


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4, 1e-3), "method.description_scale": (1.0, 2.0, 4.0, 8.0)}
