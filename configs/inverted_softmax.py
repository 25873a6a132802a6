r"""Inverted softmax, by default around ESZSL; `--config.scorer.name` names another method.

    python -m zsl_jax train --config=configs/inverted_softmax.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/inverted_softmax
    python -m zsl_jax train --config=configs/inverted_softmax.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/inverted_softmax_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form); knobs and gamma are chosen on
validation classes (docs/transduction.md).

Attributes, about a minute per run, two CPU cores, means of 5 draws of validation classes (docs/results.md):
ZSL 68.2, GZSL 37.3 / 80.2 / 50.9, calibrated 59.2 / 70.7 / 64.4.

Sentences, about a minute per run, 2 CPU cores, means of 5 draws of validation classes (docs/results.md): ZSL 84.7, GZSL
63.8 / 82.5 / 71.9, calibrated 74.6 / 79.8 / 77.1.

The scorer alone (ESZSL): ZSL 64.3 and calibrated 60.5 on attributes, 79.1 and 73.3 on sentences.

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
