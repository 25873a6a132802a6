"""Label similarity: an input is given the class whose description it is nearest to; nothing is trained."""

import jax.numpy as jnp

from zsl_jax import errors, rules, similarity
from zsl_jax.methods import base, registry

# Whose mean is subtracted from inputs, and what a method that does so asks for.
CENTRES = {"none": frozenset(), "training": frozenset(), "inputs": frozenset({"test inputs"})}


@registry.method(
    centre=rules.Knob(
        "the mean that is subtracted from inputs: of the training inputs, or of all inputs at hand, tested ones too",
        rules.one_of(tuple(CENTRES)),
    )
)
def label_similarity(*, centre: str = "none") -> base.Method:
    """Inputs and descriptions in one space, as a sentence encoder or a pair of towers puts them there.

        F(x, c) = cos(x - m, phi_c)        m = 0, the mean of the training inputs, or of all inputs without their labels

    Features of images have a large mean, which says nothing of the class; a tie to texts is fitted without it. The mean
    of tested inputs makes the run instance-transductive; it is kept, and `predict` subtracts the same.

    Args:
      centre: `none`, `training` or `inputs`.

    Raises:
      UserError: in `init`, inputs and descriptions of different shapes; in `prepare`, no input to take the mean of.

    Reference: Yin, Hay, Roth, "Benchmarking Zero-shot Text Classification: Datasets, Evaluation and Entailment
    Approach", EMNLP 2019, for the task; Schopf, Braun, Matthes, "Evaluating Unsupervised Text Classification: Zero-shot
    and Similarity-based Approaches", NLPIR 2022, for the baseline.
    """

    def init(key, like, classes, weights):
        of_input, of_class = jnp.shape(like.inputs)[1:], jnp.shape(classes.embedding)[1:]
        if of_input != of_class:
            raise errors.UserError(
                f"label_similarity compares inputs with descriptions, but an input is {list(of_input)} and a "
                f"description {list(of_class)}: both must come from one encoder, as texts and names do, or a tie must "
                "bring them together (config.towers.tie, made by zsl-jax tie); ale learns a map between spaces"
            )
        return {} if centre == "none" else {"mean": jnp.zeros(of_input, jnp.float32)}

    def prepare(state, train, classes, key):
        if not len(train.labels):
            raise errors.UserError(
                "method.centre=training has no training input to take the mean of: choose inputs, or none"
            )
        return {"mean": jnp.mean(train.inputs, axis=0)}

    centred = {"prepare": prepare, "embed": lambda state, inputs: inputs - state["mean"][None]}
    return base.Method(
        init=init,
        update=None,
        scores=lambda state, images, described: similarity.cosine(images, described),
        sees=CENTRES[centre],
        **({} if centre == "none" else centred),
    )
