"""Similarities between image and class embeddings: `[B, D] x [C, D] -> [B, C]`, larger is more alike.

Embeddings are used as given: whoever wants unit vectors calls `l2_normalize`. A distance enters with a minus sign. The
learned parts (a matrix, a curvature) are arguments like any other.
"""

from zsl_jax.similarity.euclidean import *  # noqa: F403
from zsl_jax.similarity.gaussian import *  # noqa: F403
from zsl_jax.similarity.hyperbolic import *  # noqa: F403
from zsl_jax.similarity.products import *  # noqa: F403
from zsl_jax.similarity.sets import *  # noqa: F403
