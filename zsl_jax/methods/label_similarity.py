"""Label similarity: an input is given the class whose description it is nearest to; no labelled input is needed."""

from typing import Any

import jax
import jax.numpy as jnp

from zsl_jax import errors, rules, similarity
from zsl_jax.methods import base, moved, registry

# Whose mean is subtracted from inputs, and what a method that does so asks for.
CENTRES = {"none": frozenset(), "training": frozenset(), "inputs": frozenset({"test inputs"})}
# What refining asks for: it fits vectors of all classes of the run to all inputs at hand.
_REFINES = frozenset({"test inputs", "unseen descriptions"})


@registry.method(
    centre=rules.Knob(
        "the mean that is subtracted from inputs: of the training inputs, or of all inputs at hand, tested ones too",
        rules.one_of(tuple(CENTRES)),
    ),
    rounds=rules.Knob("times that class vectors move to the unlabelled inputs; 0: none does", rules.whole(0)),
    temperature=rules.Knob("of the softmax over cosines that shares inputs among classes", rules.number(0)),
    prior=rules.Knob(
        "what the description of a class counts for when its vector moves, in units of the inputs per class",
        rules.number(0, ends="[)"),
    ),
)
def label_similarity(
    *, centre: str = "none", rounds: int = 0, temperature: float = 0.03, prior: float = 0.05
) -> base.Method:
    """Inputs and descriptions in one space, as a sentence encoder or a pair of towers puts them there.

        F(x, c) = cos(x - m, mu_c)        m = 0, the mean of the training inputs, or of all inputs without their labels

    Without `rounds`, mu_c is the description phi_c. A round shares the N inputs at hand among the candidates and moves
    each class to its own, which is expectation maximisation of a mixture of von Mises-Fisher distributions whose means
    begin at the descriptions:

        p_ic = softmax_c(cos(x_i, mu_c) / temperature)
        mu_c = unit(max(1, prior N / C) phi_c + sum_i p_ic x_i)

    A softmax of scores that are divided by the temperature of both towers, where these were trained together as those
    of CLIP were, makes probabilities.

    Names are short and texts are not, so that the names are a poor place for class vectors and a good one to begin.
    A class that the run did not know is at its description, moved as the others were on average (`moved`). Both this
    and the mean of tested inputs make the run instance-transductive.

    Args:
      centre: `none`, `training` or `inputs`.
      rounds: >= 0.
      temperature: > 0; small ones give each input to one class (spherical k-means).
      prior: >= 0; the description counts for one input at least, so that a class without any stays there. Larger ones
        hold rare classes back from the inputs of others.

    Raises:
      UserError: in `init`, inputs and descriptions of different shapes, or no vectors where they are refined; in
        `prepare`, no input to take the mean of.

    Reference: Yin, Hay, Roth, "Benchmarking Zero-shot Text Classification: Datasets, Evaluation and Entailment
    Approach", EMNLP 2019, for the task; Schopf, Braun, Matthes, "Evaluating Unsupervised Text Classification: Zero-shot
    and Similarity-based Approaches", NLPIR 2022, for the baseline; Banerjee, Dhillon, Ghosh, Sra, "Clustering on the
    Unit Hypersphere using von Mises-Fisher Distributions", JMLR 2005, for the mixture.
    """

    def init(key, like, classes, weights):
        of_input, of_class = jnp.shape(like.inputs)[1:], classes.embedding.shape[1:]
        if of_input != of_class:
            raise errors.UserError(
                f"label_similarity compares inputs with descriptions, but an input is {list(of_input)} and a "
                f"description {list(of_class)}: both must come from one encoder, as texts and names do, or a tie must "
                "bring them together (config.towers.tie, made by zsl-jax tie); ale learns a map between spaces"
            )
        if rounds and len(of_input) != 1:
            raise errors.UserError(
                f"config.method.rounds={rounds} moves class vectors to inputs, and inputs {list(of_input)} are no "
                "vectors: choose 0"
            )
        return {} if centre == "none" else {"mean": jnp.zeros(of_input, jnp.float32)}

    def prepare(state, train, classes, key):
        if not len(train.labels):
            raise errors.UserError(
                "method.centre=training has no training input to take the mean of: choose inputs, or none"
            )
        return {"mean": jnp.mean(train.inputs, axis=0)}

    def embed(state, inputs):
        return inputs if centre == "none" else inputs - state["mean"][None]

    def finish(state, train, classes, key):
        inputs = embed(state, jnp.asarray(train.inputs))
        vectors = refined(classes.embedding, inputs, rounds=rounds, temperature=temperature, prior=prior)
        return {**state, **moved.keep(classes.embedding, vectors)}

    return base.Method(
        init=init,
        update=None,
        embed=embed,
        scores=lambda state, images, described: similarity.cosine(images, described),
        cosine=True,
        sees=CENTRES[centre] | (_REFINES if rounds else frozenset()),
        **({} if centre == "none" else {"prepare": prepare}),
        **(
            {"finish": finish, "describe": lambda state, classes: moved.describe(state, classes.embedding)}
            if rounds
            else {}
        ),
    )


def refined(descriptions: Any, inputs: Any, *, rounds: int, temperature: Any, prior: Any) -> jax.Array:
    """Returns `[C, D]` unit vectors of classes moved to the inputs that they share, see `label_similarity`.

    Args:
      descriptions: `[C, D]`.
      inputs: `[N, D]`.
      rounds: >= 0.
      temperature: > 0.
      prior: >= 0.
    """
    weight = jnp.maximum(1.0, prior * len(inputs) / len(descriptions))
    descriptions, inputs = similarity.l2_normalize(descriptions), similarity.l2_normalize(inputs)

    def move(_, vectors):
        shares = jax.nn.softmax(similarity.dot(inputs, vectors) / temperature, axis=1)
        return similarity.l2_normalize(weight * descriptions + similarity.dot(shares.T, inputs.T))

    return jax.lax.fori_loop(0, rounds, move, descriptions)
