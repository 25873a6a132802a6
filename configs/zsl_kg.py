"""ZSL-KG: intents that were never seen, by the neighbours of their names in a graph of common sense.

    python -m zsl_jax train --config=configs/zsl_kg.py:texts --config.data.file=FOLDER --config.towers.text=WORDS \
        --config.classes.graph=GRAPH --config.classes.words=WORDS --workdir=runs/intents
    python -m zsl_jax train --config=configs/zsl_kg.py:texts --config.data.file=FOLDER --config.towers.text=WORDS \
        --config.classes.graph=GRAPH --config.classes.words=WORDS --config.class_encoder.name=gcn --workdir=runs/gcn

FOLDER holds train.txt, dev.txt and test.txt, lines of LABEL<TAB>TEXT, of which the test has classes of its own. GRAPH
holds nodes.csv and edges.csv, WORDS is a file of word vectors: a text is the mean of its words, or read word by word
with --config.encoder.name=bilstm_attention, as published, and others of docs/data.md. class_encoder.name is trgcn or a
rival: node (the word of the class alone), gcn, gat, sgc, dgp. SNIPS with GloVe of 100 numbers takes 15 to 50 seconds of
processor time with means; figures over 5 seeds: docs/graphs.md.

Nayak, Bach, "Zero-Shot Learning with Common Sense Knowledge Graphs", TMLR 2022.
"""

from zsl_jax import config as config_lib
from zsl_jax.data import sources


def get_config(argument=None):
    of_texts = (argument or "shapes").split(",")[0] in sources.OF_TEXTS
    config = config_lib.base("zsl_kg", argument, encoder="mlp", class_encoder="trgcn" if of_texts else "mlp")
    config.optimizer.update({"learning_rate": 1e-3, "weight_decay": 1e-4})
    config.encoder.widths = (64,)
    config.train.batch_size = 128
    if of_texts:
        config.classes.source = "graph"
    if not config_lib.is_smoke(argument):
        config.train.epochs = 5
    return config


def sweep():
    return {"optimizer.learning_rate": (3e-4, 1e-3, 3e-3)}
