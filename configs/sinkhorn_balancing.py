r"""Sinkhorn balancing, by default around ESZSL; `--config.scorer.name` names another method.

    python -m zsl_jax train --config=configs/sinkhorn_balancing.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/sinkhorn_balancing
    python -m zsl_jax train --config=configs/sinkhorn_balancing.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/sinkhorn_balancing_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form); knobs and gamma are chosen on
validation classes (docs/transduction.md).

Attributes, about a minute per run, two CPU cores, means of 5 draws of validation classes (docs/results.md):
ZSL 68.9, GZSL 30.0 / 81.8 / 43.9, calibrated 61.3 / 69.6 / 65.2.

Sentences, about a minute per run, 2 CPU cores, means of 5 draws of validation classes (docs/results.md): ZSL 85.5 ±
0.6, GZSL 46.1 / 85.3 / 59.8, calibrated 77.9 / 77.4 / 77.6.

The scorer alone (ESZSL): ZSL 64.3 and calibrated 60.5 on attributes, 79.1 and 73.3 on sentences.

Reference: Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", NeurIPS 2013.
"""

from zsl_jax.recipes import around


def get_config(argument=None, scorer="eszsl"):
    config = around.around("sinkhorn_balancing", argument, scorer)
    config.late.temperature = (0.03, 0.1, 0.3, 1.0)
    config.late.balance = (0.0, 0.3, 0.6, 0.9, 1.0)
    return config


def sweep():
    return {"scorer.feature_ridge": (0.3, 1.0, 3.0), "scorer.class_ridge": (0.1, 1.0, 3.0)}
