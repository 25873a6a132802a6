r"""CIZSL on the base of f-CLSWGAN on attributes.

    python -m zsl_jax train --config=configs/cizsl.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/cizsl

CUB127 (127 classes of CUB, MobileNet features), five seeds with all epochs on one H200 (docs/ablations.md): ZSL 63.9
± 0.7, H 58.7 ± 0.8 as scored. On 2 CPU cores (104 GFLOP/s in a matrix product) the steps take 10 minutes.

The published figures are of another base, on texts and part features: not comparable.

Reference: Elhoseiny, Elfeki, "Creativity Inspired Zero-Shot Learning", ICCV 2019.
"""

from zsl_jax import recipes


def get_config(argument=None):
    return recipes.adversarial("cizsl", argument)


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4, 1e-3), "method.description_scale": (1.0, 2.0, 4.0)}
