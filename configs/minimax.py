"""The map with the best guarantee on attribute detectors.

    python -m zsl_jax train --config=configs/minimax.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/minimax

A few minutes of processor time on 127 classes: every class table has a map of its own to solve for, which takes 16
seconds for 33 classes and 312 attributes and 64 for 127 classes, so that validation classes are scored once, after the
last epoch. The descriptions are cut as for DAP; where they are probabilities, `--config.method.cut=none
--config.normalize.classes=none`.

The map pays for distributions of the attributes that do not come to pass: see docs/bounds.md for its accuracy beside
DAP's on the same detections.

Reference: Mazzetto, Menghini, Yuan, Upfal, Bach, "Tight Lower Bounds on Worst-Case Guarantees for Zero-Shot Learning
with Attributes", NeurIPS 2022.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("minimax", argument)
    config.train.epochs = min(config.train.epochs, 10)
    config.select.every = config.train.epochs
    return config


def sweep():
    return {"method.learning_rate": (0.3, 1.0, 3.0, 10.0)}
