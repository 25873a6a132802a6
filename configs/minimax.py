"""The map with the best guarantee on attribute detectors.

    python -m zsl_jax train --config=configs/minimax.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/minimax

About a minute a run on one CPU core, most of which goes into solving for the map of each class table. The descriptions
are cut as for DAP; where they are probabilities, `--config.method.cut=none --config.normalize.classes=none`.

The map pays for distributions of the attributes that do not come to pass: see docs/bounds.md for its accuracy beside
DAP's on the same detections.

Reference: Mazzetto, Menghini, Yuan, Upfal, Bach, "Tight Lower Bounds on Worst-Case Guarantees for Zero-Shot Learning
with Attributes", NeurIPS 2022.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("minimax", argument)


def sweep():
    return {"method.learning_rate": (0.3, 1.0, 3.0, 10.0)}
