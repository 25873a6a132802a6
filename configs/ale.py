"""ALE: a bilinear map from images to attributes under the weighted approximate ranking loss."""

from zsl_jax import config as config_lib

# Chosen on validation classes; only learning_rate / margin matters, because the problem is homogeneous in W.
LEARNING_RATE = {"xlsa17": 0.3, "shapes": 3.0, "digits": 3.0}


def get_config(argument=None):
    config = config_lib.base("ale", argument)
    config.method.learning_rate = LEARNING_RATE[config.data.name]
    return config
