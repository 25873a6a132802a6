"""CIZSL on the base of f-CLSWGAN, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/cizsl.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/cizsl
    python -m zsl_jax train --config=configs/cizsl.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/cizsl_sent

CUB127 (127 classes of CUB, MobileNet features); minutes of the steps on 2 CPU cores (104 GFLOP/s in a matrix product).

Attributes, 10 minutes; five seeds with all epochs on one H200 (docs/ablations.md): ZSL 63.9 ± 0.7, H 58.7 ± 0.8 as
scored.

Sentences, 18 minutes; epochs and gamma chosen on validation classes, seed 0: ZSL 84.1, GZSL 73.1 / 79.6 / 76.2,
calibrated 74.9 / 79.0 / 76.9.

The published figures are of another base, on texts and part features: not comparable.

Reference: Elhoseiny, Elfeki, "Creativity Inspired Zero-Shot Learning", ICCV 2019.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    return families.adversarial("cizsl", argument)


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4, 1e-3), "method.description_scale": (1.0, 2.0, 4.0, 8.0)}
