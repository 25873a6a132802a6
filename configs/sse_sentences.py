"""SSE on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/sse_sentences.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/sse

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 11 seconds a run on one CPU core:
ZSL 66.1 ± 0.9, GZSL 0.3 / 86.3 / 0.5, calibrated 61.8 / 68.5 / 65.0. Knobs, epochs and gamma are chosen on validation
classes (docs/results.md).

Seen classes get proportions of nearly one, unseen ones never do: without calibration all images go to seen classes.

Published on CUB (200 classes, attributes, ResNet-101 features, hence not comparable):
ZSL 43.9, GZSL 8.5 / 46.9 / 14.4.

Reference: Zhang, Saligrama, "Zero-Shot Learning via Semantic Similarity Embedding", ICCV 2015.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("sse", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    return config


def sweep():
    return {"method.spread": (0.01, 0.1), "method.learning_rate": (0.1, 0.3, 1.0, 3.0)}
