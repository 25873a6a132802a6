r"""CMT with novelty detection on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/cmt_novelty_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/cmt_novelty_sentences

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 57 seconds a run on 2 CPU cores:
ZSL 66.2 ± 2.8, GZSL 55.8 / 40.8 / 47.1, calibrated 52.0 / 67.1 / 58.6. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Reference: Socher, Ganjoo, Manning, Ng, "Zero-Shot Learning Through Cross-Modal Transfer", NeurIPS 2013.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("cmt_novelty", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    return config


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003)}
