r"""TransCLIP, by default around ESZSL; `--config.scorer.name` names another method.

    python -m zsl_jax train --config=configs/transclip.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/transclip
    python -m zsl_jax train --config=configs/transclip.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/transclip_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form); knobs and gamma are chosen on
validation classes (docs/transduction.md).

Attributes, about a minute per run, 2 CPU cores: ZSL 80.0, GZSL 73.6 / 64.3 / 68.7, calibrated 71.9 / 65.8 / 68.7.

Sentences, about a minute per run, 2 CPU cores: ZSL 86.2, GZSL 74.7 / 73.0 / 73.9, calibrated 72.5 / 74.1 / 73.3.

The scorer alone (ESZSL with `unit=one`, penalties 1 and .3, on sentences 3 and .01): ZSL 64.8 and calibrated 58.9 on
attributes, 79.9 and 72.9 on sentences.

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
