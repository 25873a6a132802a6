"""NCA: a learned metric, by default for a vote of nearest neighbours.

    python -m zsl_jax train --config=configs/nca.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/nca
    python -m zsl_jax train --config=configs/nca.py:xlsa17 --config.data.dir=FOLDER --config.scorer.name=class_means \
        --workdir=runs/nca_means

`--config.scorer.name` names another method.

CUB127 (CUB restricted to 127 classes, MobileNet features), attributes, one run, three minutes on two CPU cores; gamma
is chosen on validation classes. docs/neighbours.md has more draws.

A vote of all stored images: ZSL 67.6, GZSL 50.0 / 78.9 / 61.2, calibrated 59.4 / 70.4 / 64.5. Class means: ZSL 67.7,
GZSL 28.8 / 85.5 / 43.1, calibrated 61.8 / 68.6 / 65.0.

Reference: Goldberger, Roweis, Hinton, Salakhutdinov, "Neighbourhood Components Analysis", NeurIPS 2004.
"""

from zsl_jax.recipes import around


def get_config(argument=None, scorer="nadaraya_watson"):
    config = around.around("nca", argument, scorer)
    if config.data.name == "xlsa17":  # 2048 features or so; digits and rendered shapes have few
        config.method.dimensions = 128
    return config


def sweep():
    return {"method.temperature": (0.05, 0.1, 0.2), "method.dimensions": (64, 128, 256)}
