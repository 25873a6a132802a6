r"""Inverted softmax, by default around ESZSL; `--config.scorer.name` names another method.

    python -m zsl_jax train --config=configs/inverted_softmax.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/inverted_softmax
    python -m zsl_jax train --config=configs/inverted_softmax.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/inverted_softmax_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form); knobs and gamma are chosen on
validation classes (docs/transduction.md).

Attributes, about a minute per run, 2 CPU cores: ZSL 69.5, GZSL 35.6 / 81.7 / 49.6, calibrated 62.6 / 69.1 / 65.7.

The scorer alone (ESZSL, `--config.scorer.unit=one --config.scorer.class_ridge=0.3`): ZSL 64.8, calibrated 58.9.

Reference: Smith, Turban, Hamblin, Hammerla, "Offline bilingual word vectors, orthogonal transformations and the
inverted softmax", ICLR 2017.
"""

from zsl_jax.recipes import around


def get_config(argument=None, scorer="eszsl"):
    config = around.around("inverted_softmax", argument, scorer)
    config.late.temperature = (0.03, 0.1, 0.3, 1.0)
    return config


def sweep():
    return {"scorer.feature_ridge": (0.3, 1.0, 3.0), "scorer.class_ridge": (0.1, 1.0, 3.0)}
