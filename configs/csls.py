r"""CSLS, by default around ESZSL; `--config.scorer.name` names another method.

    python -m zsl_jax train --config=configs/csls.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/csls
    python -m zsl_jax train --config=configs/csls.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/csls_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form); knobs and gamma are chosen on
validation classes (docs/transduction.md).

Attributes, about a minute per run, two CPU cores, means of 5 draws of validation classes (docs/results.md):
ZSL 67.3, GZSL 43.6 / 81.6 / 56.9, calibrated 60.9 / 71.8 / 65.9.

Sentences, about a minute per run, 2 CPU cores, means of 5 draws of validation classes (docs/results.md): ZSL 84.7, GZSL
69.1 / 84.2 / 75.9, calibrated 79.1 / 79.1 / 79.1.

The scorer alone (ESZSL): ZSL 64.3 and calibrated 60.5 on attributes, 79.1 and 73.3 on sentences.

Reference: Lample, Conneau, Ranzato, Denoyer, Jegou, "Word translation without parallel data", ICLR 2018.
"""

from zsl_jax.recipes import around


def get_config(argument=None, scorer="eszsl"):
    return around.around("csls", argument, scorer)


def sweep():
    return {"method.neighbours": (5, 10, 20), "scorer.feature_ridge": (0.3, 1.0, 3.0)}
