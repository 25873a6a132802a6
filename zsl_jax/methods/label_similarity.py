"""Label similarity: an input is given the class whose description it is nearest to; nothing is trained."""

import jax.numpy as jnp

from zsl_jax import errors, similarity
from zsl_jax.methods import base, registry


@registry.method()
def label_similarity() -> base.Method:
    """Inputs and descriptions in one space, as a sentence encoder or a pair of towers puts them there.

        F(x, c) = cos(x, phi_c)

    Raises:
      UserError: in `init`, inputs and descriptions of different shapes.

    Reference: Yin, Hay, Roth, "Benchmarking Zero-shot Text Classification: Datasets, Evaluation and Entailment
    Approach", EMNLP 2019, for the task; Schopf, Braun, Matthes, "Evaluating Unsupervised Text Classification: Zero-shot
    and Similarity-based Approaches", NLPIR 2022, for the baseline.
    """

    def init(key, like, classes, weights):
        of_input, of_class = jnp.shape(like.inputs)[1:], jnp.shape(classes.embedding)[1:]
        if of_input != of_class:
            raise errors.UserError(
                f"label_similarity compares inputs with descriptions, but an input is {list(of_input)} and a "
                f"description {list(of_class)}: both must come from one encoder, as texts and names do; "
                "ale learns a map between spaces"
            )
        return {}

    return base.Method(
        init=init,
        update=None,
        scores=lambda state, images, described: similarity.cosine(images, described),
    )
