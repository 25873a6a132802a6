"""LsrGAN: a generator whose classes stand to the seen ones as their descriptions do, asked of unseen classes too."""

import functools

import jax
import jax.numpy as jnp

from zsl_jax import losses, rules, similarity
from zsl_jax.methods import registry
from zsl_jax.methods.generative import adversarial, classifier, clswgan, networks


@registry.method(
    relation_weight=rules.Knob("weight of the relations between classes in the loss", rules.number(0, ends="[)")),
    band=rules.Knob("half the width of the interval around a similarity of descriptions", rules.number(0, ends="[)")),
    num_neighbors=rules.Knob("seen classes that each class is compared with", rules.whole(1)),
    relation_gradient=rules.Knob(
        "whether the relations teach the generator, or are only watched", rules.one_of((True, False))
    ),
    unseen_class_weight=rules.Knob(
        "weight of the classifier's loss on features of unseen classes", rules.number(0, ends="[)")
    ),
    **clswgan.KNOBS,
    **adversarial.KNOBS,
)
@adversarial.method
def lsrgan(
    *,
    relation_weight: float = 20.0,
    band: float = 0.1,
    num_neighbors: int = 20,
    relation_gradient: bool = True,
    unseen_class_weight: float = 0.03,
    class_weight: float = 0.01,
    penalty: float = 10.0,
) -> adversarial.Game:
    """f-CLSWGAN that keeps semantic relations, and that is trained on the descriptions of unseen classes.

        generator   f-CLSWGAN's loss + relation_weight * R(seen fakes)
                    + relation_weight * R(unseen fakes) + unseen_class_weight * -log q(u | G(z, phi_u))
        R(fakes)    mean over classes c and their nearest seen classes j of the squared distance of
                    cos(mean fake of c, centroid of j) from [cos(phi_c, phi_j) - band, cos(phi_c, phi_j) + band]

    Here q is a softmax over all classes, trained beside the critic on real seen and fake unseen features; the unseen
    classes u of a step are drawn evenly: descriptions of unseen classes are seen in every step. See
    `losses.semantic_regularized_similarity`.

    Args:
      relation_weight: of R, >= 0.
      band: half the width of the interval, >= 0.
      num_neighbors: seen classes that each class is compared with, >= 1; all where there are fewer.
      relation_gradient: False for the released code, in which R is computed outside the graph and teaches nothing.
      unseen_class_weight: of the softmax's loss on unseen fakes, >= 0.
      class_weight, penalty: as in `f_clswgan`.
      and the knobs of training, see `adversarial.adversarial`.

    Reference: Vyas, Venkateswara, Panchanathan, "Leveraging Seen and Unseen Semantic Relationships for Generative
    Zero-Shot Learning", ECCV 2020.
    """
    plain = clswgan.plain_game(class_weight=class_weight, penalty=penalty)
    regularizer = (
        losses.semantic_regularized_similarity
        if relation_gradient
        else losses.semantic_regularized_similarity_published
    )

    def init(key, num_attributes, num_hidden, num_features, num_classes):
        critic, generator = plain.init(key, num_attributes, num_hidden, num_features, num_classes)
        return {"critic": critic, "classifier": classifier.init(num_features, num_classes)}, generator

    def fakes(nets, key, labels, classes):
        seen_key, label_key, unseen_key = jax.random.split(key, 3)
        unseen = _unseen_labels(label_key, len(labels), classes)
        return {
            "seen": plain.fakes(nets, seen_key, labels, classes),
            "unseen": plain.fakes(nets, unseen_key, unseen, classes),
            "unseen_labels": unseen,
        }

    def critic_loss(nets, key, batch, descriptions, fakes, classes):
        del classes
        own, metrics = clswgan.critic_losses(
            nets.critic["critic"], key, batch, descriptions, fakes["seen"], penalty=penalty
        )
        real = classifier.cross_entropy(nets.critic["classifier"], batch.inputs, batch.labels)
        imagined = classifier.cross_entropy(nets.critic["classifier"], fakes["unseen"], fakes["unseen_labels"])
        return own + real + imagined, metrics

    relation = functools.partial(_relation_losses, regularizer=regularizer, band=band, num_neighbors=num_neighbors)

    def generator_loss(nets, key, batch, descriptions, classes):
        seen_key, label_key, unseen_key = jax.random.split(key, 3)
        fake = networks.generate(nets.generator, seen_key, descriptions)
        own, metrics = clswgan.generator_losses(
            nets.critic["critic"], nets.known, fake, batch.labels, descriptions, class_weight=class_weight
        )
        unseen = _unseen_labels(label_key, len(batch.labels), classes)
        imagined = plain.fakes(nets, unseen_key, unseen, classes)
        unseen_class_loss = classifier.cross_entropy(nets.critic["classifier"], imagined, unseen)
        relations = relation(nets.known.centroids, fake, batch.labels, classes, where=batch.where)
        relations += relation(nets.known.centroids, imagined, unseen, classes, where=jnp.ones_like(batch.where))
        total = own + relation_weight * relations + unseen_class_weight * unseen_class_loss
        return total, metrics | {"relation_loss": relations, "unseen_class_loss": unseen_class_loss}

    return plain._replace(
        init=init, fakes=fakes, critic_loss=critic_loss, generator_loss=generator_loss, trains_on_unseen=True
    )


def _unseen_labels(key, count: int, classes) -> jax.Array:
    """`[count]` rows of the classes without examples, drawn evenly."""
    return jax.random.randint(key, (count,), classes.num_trained, len(classes))


def _relation_losses(centroids, features, labels, classes, *, where, regularizer, band, num_neighbors) -> jax.Array:
    """`[B]`, for every row the mean of R over the classes in the batch."""
    embedding = jnp.asarray(classes.embedding, jnp.float32)
    similarities = similarity.cosine(embedding, embedding[: len(centroids)])
    _, neighbors = jax.lax.top_k(similarities, min(num_neighbors, len(centroids)))
    per_class = regularizer(features, labels, centroids, similarities, neighbors, lower=band, upper=band, where=where)
    present = jax.ops.segment_max(where.astype(jnp.float32), labels, len(embedding)) > 0
    mean = jnp.sum(per_class) / jnp.maximum(jnp.sum(present), 1)
    return jnp.broadcast_to(mean, labels.shape)
