r"""ALE on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/ale_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/ale_sentences

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 3 seconds a run on one CPU core:
ZSL 77.4 ± 0.3, GZSL 54.0 / 81.1 / 64.8, calibrated 70.6 / 71.7 / 71.2. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("ale", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    config.method.learning_rate = 3.0
    return config


def sweep():
    return {"method.learning_rate": (0.1, 0.3, 1.0, 3.0, 10.0)}
