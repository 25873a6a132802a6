"""Bayesian prompts: a distribution over the context, before a frozen text tower.

    python -m zsl_jax train --config=configs/bayesian_prompts.py:pairs --config.data.file=FILE.npz \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/bayesian_prompts
    python -m zsl_jax train --config=configs/bayesian_prompts.py:npz --config.data.file=FILE.npz \
        --config.protocol=base_to_new --config.few_shot.of_seen=16 \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/bayesian_prompts_new
    python -m zsl_jax train --config=configs/bayesian_prompts.py:xlsa17 --config.data.dir=FOLDER \
        --config.towers.columns=0:1280 --config.towers.text=FOLDER --config.towers.tie=TIE.npz \
        --workdir=runs/bayesian_prompts_birds
    python -m zsl_jax train --config=configs/bayesian_prompts.py:npz --config.data.file=FILE.npz \
        --config.protocol=base_to_new --config.few_shot.of_seen=16 --config.method.amortised=80 \
        --config.train.batch_size=16 --config.towers.text=FOLDER --config.towers.tie=TIE.npz \
        --workdir=runs/amortised_prompts

A few minutes per run on two CPU cores; the last one, with a distribution of each image, encodes all classes once per
draw and image, and is not measured. docs/prompts.md has figures of the first form.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    return families.prompts("bayesian_prompts", argument)


def sweep():
    return {"method.learning_rate": (0.003, 0.01), "method.kl_weight": (0.0001, 0.001, 0.01)}
