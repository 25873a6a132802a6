"""A second critic, of features alone: unlabelled images judge what is generated for classes without images.

    critic D2   share D2(G(z, phi_u)) + (1 - share) D2(x seen) - D2(x unlabelled) + penalty (||grad D2|| - 1)^2
    generator   the loss of its game - weight D2(G(z, phi_u))           u: an unseen class, drawn evenly

`share` of the unlabelled images are of unseen classes; labelled images stand for the others, so that D2 has nothing to
say where unlabelled images are of seen classes.

Reference: Xian, Sharma, Schiele, Akata, "f-VAEGAN-D2: A Feature Generating Framework for Any-Shot Learning", CVPR 2019,
whose unlabelled images are all of unseen classes (a share of 1).
"""

from typing import Any

import jax
import jax.numpy as jnp

from zsl_jax import rules
from zsl_jax.methods import base, reduced
from zsl_jax.methods.generative import networks

KNOBS = {
    "learn_from": rules.Knob(
        "examples that the generator learns from: training ones, or all at hand, tested ones too without labels",
        rules.one_of(tuple(reduced.LEARNED_FROM)),
    ),
    "unlabelled_weight": rules.Knob("weight of the critic of unlabelled examples", rules.number(0, ends="[)")),
    "unseen_share": rules.Knob(
        "share of the unlabelled examples that are of unseen classes", rules.number(0, 1, ends="(]")
    ),
}
_PENALTY = 10.0  # of WGAN-GP, as in the papers


def beside(game: Any, *, weight: Any, unseen_share: Any) -> Any:
    """Returns an `adversarial.Game` that is played on the labelled rows, with the second critic on the others.

    Args:
      game: `adversarial.Game`; it gets no row without a label that counts.
      weight: of D2 in the generator's loss, >= 0.
      unseen_share: share of the rows with label -1 that are of unseen classes, in (0, 1].
    """

    def own(nets):
        return nets._replace(critic=nets.critic["own"])

    def known(classes):
        return classes if game.trains_on_unseen else classes[: classes.num_trained]

    def labelled(batch):
        is_labelled = batch.labels >= 0
        return batch._replace(labels=jnp.maximum(batch.labels, 0), where=batch.where & is_labelled)

    def init(key, num_attributes, num_hidden, num_features, num_classes):
        own_key, second_key = jax.random.split(key)
        critic, generator = game.init(own_key, num_attributes, num_hidden, num_features, num_classes)
        return {"own": critic, "second": networks.init_critic(second_key, 1, num_hidden, num_features)}, generator

    def imagined(nets, key, count, classes):
        """Features of classes without images, `[count, F]`."""
        class_key, key = jax.random.split(key)
        rows = jax.random.randint(class_key, (count,), classes.num_trained, len(classes))
        return game.synthesize(own(nets), key, jnp.asarray(classes.embedding, jnp.float32)[rows])

    def fakes(nets, key, labels, classes):
        own_key, key = jax.random.split(key)
        return {
            "own": game.fakes(own(nets), own_key, jnp.maximum(labels, 0), known(classes)),
            "unseen": imagined(nets, key, len(labels), classes),
        }

    def critic_loss(nets, key, batch, descriptions, fakes, classes):
        own_key, key = jax.random.split(key)
        losses, metrics = game.critic_loss(
            own(nets), own_key, labelled(batch), descriptions, fakes["own"], known(classes)
        )
        estimate, slopes = networks.estimate_and_penalty(
            nets.critic["second"], key, batch.inputs, fakes["unseen"], _nothing(batch.inputs)
        )
        values = networks.critic_value(nets.critic["second"], batch.inputs, _nothing(batch.inputs))
        is_unlabelled = batch.where & (batch.labels < 0)
        seen, unlabelled = base.mean(values, labelled(batch).where), base.mean(values, is_unlabelled)
        distance = unseen_share * base.mean(estimate, is_unlabelled) + (1 - unseen_share) * (unlabelled - seen)
        second = jnp.where(jnp.any(is_unlabelled), _PENALTY * base.mean(slopes, is_unlabelled) - distance, 0.0)
        return _in_all_rows(losses, batch, second), _means(metrics, batch) | {
            "second_estimate": jnp.broadcast_to(distance, losses.shape)
        }

    def generator_loss(nets, key, batch, descriptions, classes):
        own_key, key = jax.random.split(key)
        losses, metrics = game.generator_loss(own(nets), own_key, labelled(batch), descriptions, known(classes))
        fake = imagined(nets, key, len(batch.labels), classes)
        value = jnp.mean(networks.critic_value(nets.critic["second"], fake, _nothing(fake)))
        return _in_all_rows(losses, batch, -weight * value), _means(metrics, batch)

    def _means(metrics, batch):
        where = labelled(batch).where
        return jax.tree.map(lambda x: jnp.broadcast_to(base.mean(x, where), x.shape), metrics)

    def _in_all_rows(losses, batch, more):
        """`[B]`, whose mean over the rows of the batch is that of the labelled ones and `more`."""
        return jnp.broadcast_to(base.mean(losses, labelled(batch).where) + more, losses.shape)

    return game._replace(
        init=init,
        fakes=fakes,
        critic_loss=critic_loss,
        generator_loss=generator_loss,
        synthesize=lambda nets, key, descriptions: game.synthesize(own(nets), key, descriptions),
        embed=lambda nets, features: game.embed(own(nets), features),
        trains_on_unseen=True,
    )


def _nothing(features):
    """What a critic of features alone is told of their class."""
    return jnp.zeros((len(features), 1))
