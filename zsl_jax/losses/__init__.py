"""Losses of the field as pure functions: arrays in, one value an example out, never reduced, never silently normalised.

Every family is a file; its public names are its `__all__` and are re-exported here.
"""

from zsl_jax.losses.ranking import *  # noqa: F403
