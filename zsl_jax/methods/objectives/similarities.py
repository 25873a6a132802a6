"""How two towers compare an image with a class, beside the inner product or cosine that a loss says.

cosine              as all losses do
euclidean           -||x - y||
gaussian            the first half of an embedding is a mean, the other makes a variance: -KL(image || class)
late_interaction    an embedding is four vectors: the sum over those of the image of the best cosine in the class
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from zsl_jax import errors, rules, similarity

if TYPE_CHECKING:
    from zsl_jax.methods.objectives import making

VECTORS = 4  # of an embedding, for late interaction
_LEAST_VARIANCE = 1e-3


def gaussian(images: jax.Array, described: jax.Array) -> jax.Array:
    """Returns `[B, C]` negative divergences of embeddings that are a mean and what makes a variance, side by side."""
    halves = [jnp.split(x, 2, axis=1) for x in (images, described)]
    (image_means, image_variances), (class_means, class_variances) = (
        (mean, jax.nn.softplus(free) + _LEAST_VARIANCE) for mean, free in halves
    )
    return similarity.gaussian_negative_kl(image_means, image_variances, class_means, class_variances)


def late_interaction(images: jax.Array, described: jax.Array) -> jax.Array:
    """Returns `[B, C]` sums of the best cosines between the vectors that embeddings are made of."""
    return similarity.late_interaction(
        *(similarity.l2_normalize(x.reshape(len(x), VECTORS, -1)) for x in (images, described))
    )


CHOICES: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "cosine": similarity.cosine,
    "euclidean": similarity.negative_euclidean,
    "gaussian": gaussian,
    "late_interaction": late_interaction,
}
DIVISORS = {"gaussian": 2, "late_interaction": VECTORS}
KNOB = rules.Knob("how an image and a class are compared", rules.one_of(tuple(CHOICES)))


def compared_by(objective: "making.Objective", name: str, width: int) -> "making.Objective":
    """Returns the objective on scores of another similarity.

    Args:
      objective: what training asks.
      name: a name in `CHOICES`; `cosine` leaves it as it is.
      width: of the embeddings.

    Raises:
      UserError: an unknown name, a loss that is not on scores alone, or a width that cannot be divided.

    Reference: Zamani, Bendersky, "Multivariate Representation Learning for Information Retrieval", SIGIR 2023, for
    Gaussians; Khattab, Zaharia, "ColBERT: Efficient and Effective Passage Search via Contextualized Late Interaction
    over BERT", SIGIR 2020.
    """
    if name not in CHOICES:
        raise errors.unknown("similarity", name, CHOICES)
    if name == "cosine":
        return objective
    if not objective.on_scores:
        raise errors.UserError(
            f"similarity={name} is for losses on scores, such as softmax_cross_entropy or warp: this one compares "
            "embeddings itself"
        )
    if width % DIVISORS.get(name, 1):
        raise errors.UserError(f"similarity={name}: a width of {width} is not divided by {DIVISORS[name]}")

    def loss(given, **learned):
        return objective.loss(dataclasses.replace(given, compare=CHOICES[name]), **learned)

    return objective._replace(loss=loss, compare=CHOICES[name])
