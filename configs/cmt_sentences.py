r"""CMT on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/cmt_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/cmt_sentences

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 75 seconds a run on 2 CPU cores:
ZSL 66.2 ± 2.8, GZSL 25.7 / 77.5 / 38.6, calibrated 61.9 / 56.0 / 58.8. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Reference: Socher, Ganjoo, Manning, Ng, "Zero-Shot Learning Through Cross-Modal Transfer", NeurIPS 2013.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("cmt", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    return config


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003)}
