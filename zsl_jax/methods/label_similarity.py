"""Label similarity: an input is given the class whose description it is nearest to; nothing is trained."""

from zsl_jax import similarity
from zsl_jax.methods import base, registry


@registry.method()
def label_similarity() -> base.Method:
    """Inputs and descriptions in one space, as a sentence encoder or a pair of towers puts them there.

        F(x, c) = cos(x, phi_c)

    Reference: Yin, Hay, Roth, "Benchmarking Zero-shot Text Classification: Datasets, Evaluation and Entailment
    Approach", EMNLP 2019, for the task; Schopf, Braun, Matthes, "Evaluating Unsupervised Text Classification: Zero-shot
    and Similarity-based Approaches", NLPIR 2022, for the baseline.
    """
    return base.Method(
        init=lambda key, like, classes, weights: {},
        update=None,
        scores=lambda state, images, described: similarity.cosine(images, described),
    )
