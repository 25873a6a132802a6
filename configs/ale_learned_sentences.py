r"""ALE with learned descriptions on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/ale_learned_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/ale_learned_sentences

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 5 seconds a run on one CPU core:
ZSL 73.1 ± 1.7, GZSL 1.3 / 56.9 / 2.5, calibrated 38.2 / 52.2 / 43.9. Knobs, epochs and gamma are chosen on validation
classes (docs/results.md).

As on attributes, learned descriptions of seen classes leave the unseen ones behind; the form is meant for few images.

Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("ale_learned", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    config.method.attachment = 0.1
    config.method.learning_rate = 0.3
    return config


def sweep():
    return {"method.attachment": (0.01, 0.1, 1.0), "method.learning_rate": (0.1, 0.3, 1.0)}
