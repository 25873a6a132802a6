"""Losses of the field as pure functions: arrays in, one value an example out, never reduced, never silently normalised.

Every family is a file; its public names are its `__all__` and are re-exported here. `docs/losses.md` is generated from
the docstrings, which therefore hold, beside the sections of any other:

    the formula          as the first code of the docstring: a paragraph in backticks, or a block after `::`
    Use when: ...        a paragraph of one or two lines: which problem calls for this loss and not for its neighbour
    Reference: ...       authors, "title", venue year; left out where the loss has no one source
"""

from zsl_jax.losses.attribute_space import *  # noqa: F403
from zsl_jax.losses.attributes import *  # noqa: F403
from zsl_jax.losses.conditional import *  # noqa: F403
from zsl_jax.losses.contrastive import *  # noqa: F403
from zsl_jax.losses.divergences import *  # noqa: F403
from zsl_jax.losses.entailment import *  # noqa: F403
from zsl_jax.losses.evidential import *  # noqa: F403
from zsl_jax.losses.margin_softmax import *  # noqa: F403
from zsl_jax.losses.multilabel import *  # noqa: F403
from zsl_jax.losses.mutual_information import *  # noqa: F403
from zsl_jax.losses.negatives import *  # noqa: F403
from zsl_jax.losses.pair_weighting import *  # noqa: F403
from zsl_jax.losses.prefixes import *  # noqa: F403
from zsl_jax.losses.ranking import *  # noqa: F403
from zsl_jax.losses.redundancy import *  # noqa: F403
from zsl_jax.losses.retrieval import *  # noqa: F403
from zsl_jax.losses.self_contrastive import *  # noqa: F403
from zsl_jax.losses.semantic import *  # noqa: F403
from zsl_jax.losses.sgd import *  # noqa: F403
from zsl_jax.losses.triplet import *  # noqa: F403
from zsl_jax.losses.wasserstein import *  # noqa: F403
