"""Label similarity: texts by the names of their classes and the texts at hand, through a frozen sentence encoder.

    python -m zsl_jax train --config=configs/label_similarity.py:texts --config.data.file=FILE.csv \
        --config.towers.text=FOLDER --workdir=runs/topics
    python -m zsl_jax train --config=configs/label_similarity.py:texts --config.data.file=FILE.csv \
        --config.towers.text=FOLDER --config.method.rounds=0 --workdir=runs/topics_by_name

The first moves the vectors of the classes to the unlabelled texts, the second leaves them at the names. FILE has the
columns text and category; FOLDER holds config.json, tokenizer.json and the weights of a sentence encoder.
400 sentences take 21 seconds on one CPU core, 7 once they are encoded. Figures: docs/texts.md.

Yin, Hay, Roth, "Benchmarking Zero-shot Text Classification: Datasets, Evaluation and Entailment Approach", EMNLP 2019.
"""

from zsl_jax import config as config_lib
from zsl_jax.data import sources


def get_config(argument=None):
    config = config_lib.base("label_similarity", argument)
    config.protocol, config.select.metric = "transfer", "top1"
    config.train.epochs = 1
    if config.data.name in sources.OF_TEXTS:
        config.method.rounds = 10
    return config
