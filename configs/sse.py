"""SSE, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/sse.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/sse
    python -m zsl_jax train --config=configs/sse.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/sse_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, up to 60 seconds, two CPU cores: ZSL 50.6 ± 0.5, GZSL 0.0 / 86.9 / 0.0, calibrated 45.8 / 66.7 / 54.3.

Sentences, 11 seconds per run, one CPU core: ZSL 66.1 ± 0.9, GZSL 0.3 / 86.3 / 0.5, calibrated 61.8 / 68.5 / 65.0.

Seen classes get proportions of nearly one, unseen ones never do: without calibration all images go to seen classes.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 43.9, GZSL 8.5 / 46.9 / 14.4.

Reference: Zhang, Saligrama, "Zero-Shot Learning via Semantic Similarity Embedding", ICCV 2015.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("sse", argument)


def sweep():
    return {"method.spread": (0.01, 0.1), "method.learning_rate": (0.1, 0.3, 1.0, 3.0)}
