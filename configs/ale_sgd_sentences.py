r"""ALE by steps of one image on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/ale_sgd_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/ale_sgd_sentences

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 48 seconds a run on 2 CPU cores:
ZSL 77.1 ± 0.3, GZSL 53.8 / 80.3 / 64.4, calibrated 69.8 / 71.7 / 70.7. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("ale_sgd", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    config.method.learning_rate = 0.3
    return config


def sweep():
    return {"method.learning_rate": (0.03, 0.1, 0.3, 1.0, 3.0)}
