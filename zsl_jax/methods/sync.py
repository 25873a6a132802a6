"""SYNC: the classifier of a class is a mixture of the classifiers of phantom classes near to it."""

import jax
import optax

from zsl_jax import rules, similarity
from zsl_jax.methods import base, objectives, registry, seen_classes
from zsl_jax.methods.bilinear import by_bilinear


@registry.method(
    bandwidth=rules.Knob("width of the kernel, in units of the distance of two descriptions", rules.number(0)),
    margin=registry.MARGIN,
    learning_rate=registry.LEARNING_RATE,
    momentum=registry.MOMENTUM,
)
def sync(
    *, bandwidth: float = 1.0, margin: float = 1.0, learning_rate: float = 0.3, momentum: float = 0.9
) -> base.Method:
    """Synthesised classifiers: phantom classes at the descriptions b_r of the seen ones, each with a classifier v_r.

        F(x, c) = w_c . x,    w_c = sum_r s_cr v_r,    s_cr = softmax_r(-||phi_c - b_r||^2 / sigma^2)

    under the hinge of the most violating class (Crammer-Singer), one of the two losses of the paper; the phantom
    descriptions stay where they are.

    Args:
      bandwidth: sigma > 0, in units of the distance of two descriptions.
      margin: m > 0, in units of the score.
      learning_rate: of gradient descent, > 0.
      momentum: of gradient descent, in [0, 1).

    Reference: Changpinyo, Chao, Gong, Sha, "Synthesized Classifiers for Zero-Shot Learning", CVPR 2016.
    """

    def proportions(attributes, seen):
        return jax.nn.softmax(similarity.negative_squared_euclidean(attributes, seen) / bandwidth**2)

    hinge = objectives.make("structured_hinge", margin=margin)
    classifiers = by_bilinear(hinge, optax.sgd(learning_rate, momentum=momentum))
    return seen_classes.as_proportions(classifiers, proportions)
