"""Label similarity: texts by the names of their classes, through a frozen sentence encoder; nothing is trained.

    python -m zsl_jax train --config=configs/label_similarity.py:texts --config.data.file=FILE.csv \
        --config.towers.text=FOLDER --workdir=runs/topics

FILE has the columns text and category; FOLDER holds config.json, tokenizer.json and the weights of a sentence encoder.
400 sentences take 21 seconds on one CPU core, 7 once they are encoded.

Yin, Hay, Roth, "Benchmarking Zero-shot Text Classification: Datasets, Evaluation and Entailment Approach", EMNLP 2019.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("label_similarity", argument)
    config.protocol, config.select.metric = "transfer", "top1"
    config.train.epochs = 1
    # Class vectors move to the unlabelled texts; rounds=0 leaves them at the names.
    config.method.rounds = 10
    return config
