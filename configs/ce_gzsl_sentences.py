r"""CE-GZSL on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/ce_gzsl_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/ce_gzsl_sentences

On 2 CPU cores (104 GFLOP/s in a matrix product) the steps take 42 minutes on CUB127 (127 classes of CUB, MobileNet
features). Its test classes are not scored yet; on its validation classes, seed 0: ZSL 83.2, H 73.5 as scored.

Published on CUB (200 classes, ResNet-101 features, sentences, hence not comparable): H 65.3.

Reference: Han, Fu, Chen, Yang, "Contrastive Embedding for Generalized Zero-Shot Learning", CVPR 2021.
"""

from zsl_jax import recipes


def get_config(argument=None):
    return recipes.adversarial("ce_gzsl", argument, sentences=True)


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4, 1e-3), "method.description_scale": (2.0, 4.0, 8.0)}
