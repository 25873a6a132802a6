"""Recipes of methods that are made around another one: that one trains as its own recipe says."""

import runpy

import ml_collections

from zsl_jax import config as config_lib
from zsl_jax.recipes import finding


def around(method: str, argument: str | None, scorer: str) -> ml_collections.ConfigDict:
    """Returns the config of the scorer's own recipe with a method around it, whose knobs are at their defaults.

    Args:
      method: a name in `methods.METHODS` that is made around another one.
      argument: what follows the colon in `--config=NAME:DATASET[,WORD...]`.
      scorer: a recipe, such as `zero_shot`, or a name in `methods.METHODS` that has none: everything is at its default.

    Raises:
      UserError: an unknown scorer, or one that is made around another itself.

    >>> config = around("csls", "digits", "ridge")
    >>> config.method.name, config.scorer.feature_ridge, config.train.epochs
    ('csls', 0.3, 1)
    >>> around("csls", "digits", "sae_to_attributes").scorer.direction
    'to_attributes'
    """
    if scorer in finding.names() and not scorer.startswith("extract/"):
        config = runpy.run_path(str(finding.find(scorer)))["get_config"](argument)
        config_lib.scorer_section(config.method.name if "method" in config else scorer)
    else:
        config_lib.scorer_section(scorer)
        config = config_lib.base(scorer, argument)
    config.scorer = config.method.to_dict()
    del config.method
    config.method = config_lib.method_section(method)
    config.late = ml_collections.ConfigDict()
    return config
