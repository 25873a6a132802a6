"""MAP: phrases on a class and learned looks at an image, matched by optimal transport before a frozen text tower.

    python -m zsl_jax train --config=configs/attribute_prompts.py:features --config.data.dir=features/birds \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --config.towers.texts=TEXTS.json \
        --workdir=runs/birds
    python -m zsl_jax train --config=configs/attribute_prompts.py:npz --config.data.file=PATCHES.npz \
        --config.protocol=base_to_new --config.few_shot.of_seen=16 \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --config.towers.texts=TEXTS.json \
        --workdir=runs/birds_new

TEXTS.json has phrases on each class, `{"Laysan Albatross": ["a long, hooked bill", ...], ...}`; PATCHES.npz has
`features [N, P, F]`, `labels` and `class_names`; `features/birds` is what `extract --config.grid=3` made. A step
encodes four phrases of each training class: about four minutes per run on two CPU cores for 64 classes.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    config = families.prompts("attribute_prompts", argument or "npz")
    config.towers.update({"by": "texts", "each": 4, "template": "a photo of a {}, which has {text}."})
    return config


def sweep():
    return {"method.weight": (0.0, 0.3, 1.0), "method.learning_rate": (0.003, 0.01, 0.03)}
