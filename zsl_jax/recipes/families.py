"""Starting points that several recipes of configs/ share: what each changes of `config.base`."""

from collections.abc import Collection

import ml_collections

from zsl_jax import config as config_lib
from zsl_jax.data import sources


def adversarial(method: str, argument: str | None = None) -> ml_collections.ConfigDict:
    """Returns `config.base` of a generator of features with a critic.

    The knobs are those with the best H without calibration of f-CLSWGAN on the validation classes of CUB127, among
    step sizes 1e-4, 3e-4 and 1e-3, descriptions of length 1, 2, 4 (8 and 16 for sentences), 1024 and 4096 hidden units,
    5 and 10 passes of the classifier (3 and 25 in a single run), 300 and 1000 synthetic features per class, and a
    running mean of the generator or none; one or two seeds each, not all combinations.

    Args:
      method: a name in `methods.METHODS`.
      argument: what follows the colon in `--config=NAME:DATASET[,WORD...]`.
    """
    config = config_lib.base(method, argument)
    sentences = config_lib.has_sentences(config)
    config.method.description_scale = 8.0 if sentences else 2.0
    config.method.learning_rate = 3e-4
    config.method.num_hidden = 1024
    config.method.num_synthetic = 300
    config.method.classifier_epochs = 5
    config.method.average = 0.99
    if not config_lib.is_smoke(argument):
        config.train.epochs = 240 if sentences else 150
    # 64 images for each of the 5 steps of the critic.
    config.train.batch_size = 320
    config.select.every = min(30, config.train.epochs)
    config.select.metric = "uncalibrated"
    return config


def small_pixels(method: str, argument: str | None = None, **encoder_names: str) -> ml_collections.ConfigDict:
    """Returns `config.base` with what the recipes on small images share.

    Loss, pooling, batch size and step size come from some ten single runs on one validation split of the shapes, weight
    decay from three seeds there; the rest, and what differs for the digits, was set by judgement.
    """
    config = config_lib.base(method, argument, **encoder_names)
    if not config_lib.is_smoke(argument):
        config.train.epochs = 22
        if config.data.name == "shapes":
            config.data.num_per_class = 300
            config.optimizer.decay_epochs = 22
    config.select.every = config.train.epochs
    config.train.batch_size = 32
    config.encoder.widths = (64, 128)
    config.optimizer.update({"learning_rate": 3e-3, "weight_decay": 0.1, "warmup_steps": 50, "average": 0.99})
    if config.data.name == "digits":
        # Strokes have places, so that the places stay side by side.
        config.encoder.update({"merges": (2, 2), "pool": "flatten"})
        config.augmentation.crop = 1
    elif config_lib.has_pixels(config):
        config.encoder.update({"merges": (4, 2), "pool": "max"})
        config.augmentation.update({"crop": 3, "flip": True, "brightness": 0.1})
    return config


def class_texts(argument: str | None, *, semantics: str, datasets: Collection[str]) -> ml_collections.ConfigDict:
    """Returns the config of two towers, one of which reads texts on the classes where the dataset has such.

    Args:
      argument: what follows the colon in `--config=NAME:DATASET[,WORD...]`.
      semantics: what the texts are, for `config.data.semantics`.
      datasets: those that have them; others keep their descriptions.
    """
    has_texts = (argument or "shapes").split(",")[0] in datasets
    config = small_pixels("two_tower", argument, class_encoder="bag" if has_texts else "mlp")
    if has_texts:
        config.data.semantics = semantics
        config.normalize.classes = "none"
    config.class_encoder.widths = (64,)
    return config


def prompts(method: str, argument: str | None = None) -> ml_collections.ConfigDict:
    """Returns `config.base` of a method that learns a prompt before a frozen text tower.

    Args:
      method: a name in `methods.METHODS`.
      argument: what follows the colon in `--config=NAME:DATASET[,WORD...]`; `pairs` without one.
    """
    config = config_lib.base(method, argument or "pairs")
    if config.data.name in sources.OF_PAIRS:
        config.data.semantics = "parts"
        config.select.folds = 3
    if config.data.name == "npz":
        config.data.semantics = "names"
    if config.data.name == "image_folder":
        # Images through a tower that was trained with that of texts.
        config.method.centre = "none"
    if not config_lib.is_smoke(argument):
        config.train.epochs = 6
        config.select.every = 2
    config.train.batch_size = 128
    return config
