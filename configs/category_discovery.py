r"""Category discovery (PIM): classes without a description are clusters, beside known ones with labelled images.

    python -m zsl_jax train --config=configs/category_discovery.py:npz --config.data.file=FILE \
        --workdir=runs/category_discovery
    python -m zsl_jax train --config=configs/category_discovery.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/found

FILE needs features and labels. The weight of single answers is chosen on validation classes, which stand for unknown
ones; the number of unknown classes is known. Some minutes on 2 CPU cores (docs/transduction.md). Steps of 0,
`--config.method.iterations=0`, are k-means with labelled inputs.

Reference: Chiaroni, Dolz, Masud, Mitiche, Ben Ayed, "Parametric Information Maximization for Generalized Category
Discovery", ICCV 2023.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("category_discovery", argument)
    config.train.epochs = 1
    config.protocol, config.select.metric = "discovery", "discovered"
    if config.data.name == "npz":
        config.data.semantics = "none"
    config.late.certainty = (0.1, 0.3, 1.0)
    return config


def sweep():
    return {"method.scale": (10.0, 25.0), "method.weight_decay": (0.001, 0.01)}
