"""What is reported: pure functions of scores and labels, exact under padding, masks and sharding.

Every family is a file; its public names are its `__all__` and are re-exported here.
"""

from zsl_jax.metrics.accuracy import *  # noqa: F403
from zsl_jax.metrics.attributes import *  # noqa: F403
from zsl_jax.metrics.compositional import *  # noqa: F403
from zsl_jax.metrics.confidence import *  # noqa: F403
from zsl_jax.metrics.curve import *  # noqa: F403
from zsl_jax.metrics.geometry import *  # noqa: F403
from zsl_jax.metrics.ranking import *  # noqa: F403
from zsl_jax.metrics.rows import *  # noqa: F403
from zsl_jax.metrics.uncertainty import *  # noqa: F403
