r"""CIZSL on the base of f-CLSWGAN on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/cizsl_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/cizsl_sentences

CUB127 (127 classes of CUB, MobileNet features), epochs and gamma chosen on validation classes, seed 0: ZSL 84.1,
GZSL 73.1 / 79.6 / 76.2, calibrated 74.9 / 79.0 / 76.9. On 2 CPU cores (104 GFLOP/s in a matrix product) the steps
take 18 minutes.

The published figures are of another base, on texts and part features: not comparable.

Reference: Elhoseiny, Elfeki, "Creativity Inspired Zero-Shot Learning", ICCV 2019.
"""

from zsl_jax import recipes


def get_config(argument=None):
    return recipes.adversarial("cizsl", argument, sentences=True)


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4, 1e-3), "method.description_scale": (2.0, 4.0, 8.0)}
