r"""LsrGAN on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/lsrgan_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/lsrgan_sentences

CUB127 (127 classes of CUB, MobileNet features), epochs and gamma chosen on validation classes, seed 0: ZSL 85.7,
GZSL 76.3 / 79.0 / 77.6, calibrated 75.5 / 79.1 / 77.3. On 2 CPU cores (104 GFLOP/s in a matrix product) the steps
take 23 minutes.

Published on CUB (200 classes, ResNet-101 features, hence not comparable): ZSL 60.3, GZSL 48.1 / 59.1 / 53.0. Their
loop keeps the best epoch on the test set, and their relation term passes no gradient (`relation_gradient=False`).

Reference: Vyas, Venkateswara, Panchanathan, "Leveraging Seen and Unseen Semantic Relationships for Generative
Zero-Shot Learning", ECCV 2020.
"""

from zsl_jax import recipes


def get_config(argument=None):
    return recipes.adversarial("lsrgan", argument, sentences=True)


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4, 1e-3), "method.description_scale": (2.0, 4.0, 8.0)}
