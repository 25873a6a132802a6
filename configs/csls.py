r"""CSLS, by default around ESZSL; `--config.scorer.name` names another method.

    python -m zsl_jax train --config=configs/csls.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/csls
    python -m zsl_jax train --config=configs/csls.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/csls_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form); knobs and gamma are chosen on
validation classes (docs/transduction.md).

Attributes, about a minute per run, 2 CPU cores: ZSL 69.5, GZSL 44.7 / 81.2 / 57.7, calibrated 64.4 / 69.3 / 66.8.

The scorer alone (ESZSL, `--config.scorer.unit=one --config.scorer.class_ridge=0.3`): ZSL 64.8, calibrated 58.9.

Reference: Lample, Conneau, Ranzato, Denoyer, Jegou, "Word translation without parallel data", ICLR 2018.
"""

from zsl_jax.recipes import around


def get_config(argument=None, scorer="eszsl"):
    return around.around("csls", argument, scorer)


def sweep():
    return {"method.neighbours": (5, 10, 20), "scorer.feature_ridge": (0.3, 1.0, 3.0)}
