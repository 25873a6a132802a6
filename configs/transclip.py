r"""TransCLIP, by default around ESZSL; `--config.scorer.name` names another method.

    python -m zsl_jax train --config=configs/transclip.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/transclip
    python -m zsl_jax train --config=configs/transclip.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/transclip_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form); knobs and gamma are chosen on
validation classes (docs/transduction.md).

Attributes, about a minute per run, two CPU cores, means of 5 draws of validation classes (docs/results.md):
ZSL 79.3 ± 2.3, GZSL 72.2 / 67.5 / 69.7, calibrated 73.1 / 66.3 / 69.5.

Sentences, about a minute per run, 2 CPU cores: ZSL 86.7, GZSL 75.8 / 78.7 / 77.2, calibrated 79.4 / 75.6 / 77.5.

The scorer alone (ESZSL): ZSL 64.3 and calibrated 60.5 on attributes, 79.1 and 73.3 on sentences.

Reference: Zanella, Gerin, Ben Ayed, "Boosting Vision-Language Models with Transduction", NeurIPS 2024.
"""

from zsl_jax.recipes import around


def get_config(argument=None, scorer="eszsl"):
    config = around.around("transclip", argument, scorer)
    config.late.temperature = (0.1, 0.3, 0.6)
    config.late.density = (10.0, 30.0, 100.0)
    config.late.seen_penalty = (0.0, 0.5, 1.0, 2.0)
    return config


def sweep():
    return {"scorer.feature_ridge": (0.3, 1.0, 3.0), "scorer.class_ridge": (0.1, 1.0, 3.0)}
