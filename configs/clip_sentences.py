"""Two towers: a small ConvNet of pixels and an encoder of sentences, several per class, of which a step draws one.

    python -m zsl_jax train --config=configs/clip_sentences.py --workdir=runs/sentences
    python -m zsl_jax train --config=configs/clip_sentences.py --config.class_encoder.name=transformer \
        --workdir=runs/sentences_in_order
    python -m zsl_jax train --config=configs/clip_sentences.py --config.data.num_per_class=60 --config.train.epochs=5 \
        --config.select.every=5 --config.optimizer.decay_epochs=5 --config.select.on=nothing --workdir=runs/quick

Shapes alone have such sentences. The last line, seed 0, nothing chosen, takes 29 seconds of processor time: ZSL 81.5,
GZSL 42.7 / 55.0 / 48.1, and by sentences in another form 77.7. Figures on other wordings: docs/pixels.md.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    return families.class_texts(argument, semantics="sentences", datasets=("shapes",))


def sweep():
    return {"optimizer.learning_rate": (1e-3, 3e-3, 1e-2)}
