"""Two towers that meet: an encoder of images and one of class descriptions (attributes, words), and the cosine.

    F(x, c) = cos(P f(x), Q g(phi_c))

    info_nce                  each image chooses among all training classes
    multi_positive_clip       images and descriptions of their classes choose among each other in the batch, both ways
    class_sigmoid             every pair of an image and a training class is a question of its own
    supervised_contrastive    images and descriptions of one class attract each other, of whatever kind

For batches that do not fit there is `Parts.chunk` (`config.optimizer.chunk`): both towers encode that many rows at a
time, and the loss is that of the whole batch.

The scale, temperature or bias of such a loss is trained with the towers, from its value in the config. As all images of
a class have one description, `clip_softmax` and `multi_positive_clip` have the same sum over a batch.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from zsl_jax import errors, rules
from zsl_jax.methods import base, class_tower, encoded, objectives, registry


@registry.method(
    width=rules.Knob("entries of the embeddings in which images and classes meet", rules.whole(1)),
    similarity=objectives.SIMILARITY,
    **objectives.KNOBS,
)
@objectives.by_any_loss("multi_positive_clip")
def two_tower(
    parts: encoded.Parts,
    class_encoder: nn.Module,
    *,
    asked: objectives.Asked,
    width: int = 64,
    similarity: str = "cosine",
) -> base.Method:
    """Returns the method that trains both towers.

    Args:
      parts: the encoder f of the images, the optimiser and the augmentation; `parts.chunk` is for g, too.
      class_encoder: g, a module of `zsl_jax.encoders` on what describes a class: an MLP on attributes `[C, A]`, a text
        encoder on tokens `[C, L]`, an encoder of the nodes of a graph.
      asked: the loss, what an image is compared with, and how the terms of a sum are weighed; its fields are knobs.
      width: D of the space where they meet.
      similarity: of images and classes: `cosine`, or for losses on scores `euclidean`, `gaussian`, `late_interaction`;
        see `objectives.similarities`.

    Raises:
      UserError: an unknown loss, or a prefix or `score_width` beyond `width`.

    Reference: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021; Zhai,
    Mustafa, Kolesnikov, Beyer, "Sigmoid Loss for Language Image Pre-Training", ICCV 2023; Khosla et al., "Supervised
    Contrastive Learning", NeurIPS 2020; Kusupati et al., "Matryoshka Representation Learning", NeurIPS 2022.
    """
    is_cosine = similarity == "cosine"
    objective = asked.objective(
        lambda objective: objectives.compared_by(objective, similarity, width), normalize=is_cosine
    )
    if objective.axes:
        raise errors.UserError(
            f"loss={asked.loss}, negatives={asked.negatives} look at the attributes of a class one by one, and "
            "two_tower embeds them: choose label_embedding"
        )
    trained = {**objective.learned, **objective.weights}
    objectives.check_lengths(objective, width)
    if not is_cosine and (objective.prefixes or objective.score_width):
        raise errors.UserError(
            f"prefixes and score_width take the first entries of unit vectors: say 0 for {similarity}"
        )
    used = objective.score_width or width

    tower = class_tower.of(class_encoder, width, parts.chunk)

    def init_head(key, like, classes):
        knobs = {name: _free(name, jnp.asarray(value, jnp.float32)) for name, value in trained.items()}
        return tower.init(key, like, classes) | {"knobs": knobs}

    def towers_loss(head, embeddings, batch, classes, key, notes=()):
        learned = {name: _as_knob(name, value) for name, value in head["knobs"].items()}
        images, described = embeddings @ head["of_images"], tower.describe(head, classes, key)
        through = embeddings, head["of_images"]
        given = objectives.of_batch(images, described, batch, classes, key, notes, through)
        return objective.loss(given, **learned)

    method = encoded.by_encoder(
        parts,
        init_head=init_head,
        loss=towers_loss,
        embed=lambda head, embeddings: (embeddings @ head["of_images"])[:, :used],
        describe=lambda head, classes: tower.describe(head, classes)[:, :used],
        scores=lambda head, images, described: objectives.SIMILARITIES[similarity](images, described),
        memory=objective.memory,
        remembered=lambda head, embeddings: embeddings @ head["of_images"],
    )
    return method._replace(sees=objective.sees)


def _free(name: str, value: jax.Array) -> jax.Array:
    """A learned knob as it is trained: its logarithm, unless it may be negative."""
    return value if name.endswith("bias") else jnp.log(value)


def _as_knob(name: str, value: jax.Array) -> jax.Array:
    return value if name.endswith("bias") else jnp.exp(value)
