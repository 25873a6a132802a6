"""A hand-written prompt before a frozen text tower, with nothing learned.

    python -m zsl_jax train --config=configs/hand_prompt.py:pairs --config.data.file=FILE.npz \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/hand_prompt
    python -m zsl_jax train --config=configs/hand_prompt.py:npz --config.data.file=FILE.npz \
        --config.protocol=base_to_new --config.few_shot.of_seen=16 \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/hand_prompt_new
    python -m zsl_jax train --config=configs/hand_prompt.py:xlsa17 --config.data.dir=FOLDER \
        --config.towers.columns=0:1280 --config.towers.text=FOLDER --config.towers.tie=TIE.npz \
        --workdir=runs/hand_prompt_birds

Seconds per run once the tower is loaded.

Clothes (2,518 photos, 7 pairs, 2 unseen; MobileNetV2 tied to MiniLM), 6 epochs, nothing chosen, means of 5 draws with
95 % intervals (docs/prompts.md): closed world S 72.3, U 84.7 ± 10.3, H 59.2 ± 3.4, AUC 51.7
± 5.2; open world AUC 22.0 ± 7.1.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    return families.prompts("hand_prompt", argument)
