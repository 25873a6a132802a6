r"""TF-VAEGAN on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/tf_vaegan_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/tf_vaegan_sentences

On 2 CPU cores (104 GFLOP/s in a matrix product) the steps take 40 minutes on CUB127 (127 classes of CUB, MobileNet
features). Its test classes are not scored yet; on its validation classes, seed 0: ZSL 86.4, H 78.3 as scored.

Published on CUB (200 classes, ResNet-101 features, hence not comparable): ZSL 64.9, GZSL 52.8 / 64.7 / 58.1. Their
loop keeps the best epoch on the test set.

Reference: Narayan, Gupta, Khan, Snoek, Shao, "Latent Embedding Feedback and Discriminative Features for
Zero-Shot Classification", ECCV 2020.
"""

from zsl_jax import recipes


def get_config(argument=None):
    return recipes.adversarial("tf_vaegan", argument, sentences=True)


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4, 1e-3), "method.description_scale": (2.0, 4.0, 8.0)}
