"""InferSent's pair features: a text and the name of a class, compared by a small head on [u, v, |u - v|, u * v].

    python -m zsl_jax train --config=configs/infersent.py:texts --config.data.file=FOLDER --config.towers.text=WORDS \
        --workdir=runs/infersent

FOLDER holds train.txt, dev.txt and test.txt, lines of LABEL<TAB>TEXT, or is a file of the source texts with
config.data.hold_out; WORDS is a file of word vectors, which a biLSTM reads one by one, and of whose mean a class is
made. A run on SNIPS takes a minute or two on 2 CPU cores. Figures beside those of a product of low rank, over seeds:
docs/texts.md.

Conneau, Kiela, Schwenk, Barrault, Bordes, "Supervised Learning of Universal Sentence Representations from Natural
Language Inference Data", EMNLP 2017.
"""

from zsl_jax import config as config_lib
from zsl_jax.data import sources


def get_config(argument=None):
    of_texts = (argument or "shapes").split(",")[0] in sources.OF_TEXTS
    config = config_lib.base("infersent", argument, encoder="bilstm_max" if of_texts else "mlp", class_encoder="mlp")
    config.optimizer.update({"learning_rate": 1e-3, "weight_decay": 1e-4})
    config.class_encoder.widths = (64,)
    config.train.batch_size = 128
    if not of_texts:
        config.encoder.widths = (64,)
    if not config_lib.is_smoke(argument):
        config.train.epochs = 10
    return config


def sweep():
    return {"optimizer.learning_rate": (3e-4, 1e-3, 3e-3)}
