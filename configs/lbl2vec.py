"""Lbl2Vec: texts by the texts that are most similar to the names of their classes, through a frozen sentence encoder.

    python -m zsl_jax train --config=configs/lbl2vec.py:texts --config.data.file=FILE.csv \
        --config.towers.text=FOLDER --workdir=runs/topics
    python -m zsl_jax train --config=configs/lbl2vec.py:texts --config.data.file=FILE.csv \
        --config.towers.text=FOLDER --config.towers.by=texts --config.towers.texts=KEYWORDS.json \
        --config.towers.template={text} --workdir=runs/keywords

FILE has the columns text and category; FOLDER holds config.json, tokenizer.json and the weights of a sentence encoder;
KEYWORDS.json has an object of the words of each class by its name. 4,500 encoded texts among 150 intents take 8 seconds
of processor time. Figures: docs/texts.md.

Schopf, Braun, Matthes, "Evaluating Unsupervised Text Classification: Zero-shot and Similarity-based Approaches", NLPIR
2022.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("lbl2vec", argument)
    config.protocol, config.select.metric = "transfer", "top1"
    config.train.epochs = 1
    return config
