"""ALE: a bilinear map from images to attributes under the weighted approximate ranking loss."""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("ale", argument)
