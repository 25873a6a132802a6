"""A generator of features against a critic: critic steps, then a generator step, in one `update`.

    critic      minimise  E[D(fake) - D(real)] + penalty E[(||grad D|| - 1)^2] + what the method adds
    generator   minimise  -E[D(fake)] + what the method adds

The batch of an `update` is dealt to the critic steps, and the generator step takes the classes of the last of them, so
that the batch size is that of the papers times the number of critic steps. The generator rests while the critic trains,
so that the fakes of all critic steps are made at once.

Reference: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved Training of Wasserstein GANs", NeurIPS 2017.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zsl_jax import errors
from zsl_jax.methods import base
from zsl_jax.methods.generative import classifier, imagined, scaling


class Known(NamedTuple):
    """What is found on the training images before the first step, scaled features throughout.

    Fields:
      classifier: softmax of the seen classes, weights `[F, S]`, trained on real features.
      centroids: `[S, F]` mean of each seen class.
    """

    classifier: dict[str, jax.Array]
    centroids: jax.Array


class Networks(NamedTuple):
    """The critic with what is trained beside it, the generator with what is trained beside it, and the `Known`."""

    critic: Any
    generator: Any
    known: Known


class AdversarialState(NamedTuple):
    """The networks, the running mean of the generator for synthesis or None, and the optimisers' memories."""

    networks: Networks
    average: Any
    critic_memory: Any
    generator_memory: Any


class Game(NamedTuple):
    """What makes a method of its own, functions of `Networks` and of examples whose features are in [0, 1].

    Fields:
      init: `(key, num_attributes, num_hidden, num_features, num_classes) -> (critic, generator)`; `num_classes` is that
        of the table that training sees.
      fakes: `(networks, key, labels [B], classes) -> ` pytree of arrays `[B, ...]`, made before the critic's steps.
      critic_loss: `(networks, key, batch, descriptions [B, A], fakes, classes) -> (losses [B], metrics of arrays [B])`.
      generator_loss: `(networks, key, batch, descriptions [B, A], classes) -> (losses [B], metrics of arrays [B])`.
      synthesize: `(networks, key, descriptions [M, A]) -> features [M, F]`.
      embed: `(networks, features [N, F]) -> [N, E]`, what the final classifier sees.
    """

    init: Callable
    fakes: Callable
    critic_loss: Callable
    generator_loss: Callable
    synthesize: Callable
    embed: Callable = lambda networks, features: features


def adversarial(
    game: Game,
    *,
    num_hidden: int,
    critic_steps: int,
    learning_rate: float,
    description_scale: float,
    average: float,
    num_synthetic: int,
    num_synthetic_seen: int,
    classifier_epochs: int,
    setting: str = "inductive",
) -> base.Method:
    """Returns the method that plays a game and ends with a softmax on real and imagined features.

    Args:
      game: what the critic and the generator are asked for.
      num_hidden: width of the hidden layers, >= 1.
      critic_steps: of an `update`, >= 1; the batch size must be a multiple of it.
      learning_rate: of Adam, > 0, for critic and generator (beta_1 = 0.5, beta_2 = 0.999).
      description_scale: factor of the descriptions, of unit length by the default of `normalize.classes`, > 0.
        The noise has entries of 1: the longer the descriptions, the sooner they are heeded, and the less features of a
        class vary. 1 in the papers.
      average: share of the running mean of the generator that a step keeps, in [0, 1); 0 is no mean.
      num_synthetic: features made for each unseen class, >= 1.
      num_synthetic_seen: features made for each seen class beside its images, >= 0. Where only unseen classes are made
        up, whatever tells fakes from images tells unseen from seen classes. 0 in the papers.
      classifier_epochs: of the final classifier, >= 1.
      setting: see `base.Method`.
    """
    optimizer = optax.adam(learning_rate, b1=0.5)
    has_average = not (isinstance(average, (int, float)) and average == 0)
    ending = imagined.make_ending(
        synthesize=lambda nets, key, descriptions: game.embed(nets, game.synthesize(nets, key, descriptions)),
        embed=game.embed,
        num_synthetic=num_synthetic,
        num_synthetic_seen=num_synthetic_seen,
        classifier_epochs=classifier_epochs,
    )

    def init(key, batch, classes):
        size = len(batch.labels)
        if size % critic_steps:
            nearest = critic_steps * max(1, round(size / critic_steps))
            raise errors.UserError(
                f"a batch of {size} cannot be dealt to {critic_steps} critic steps: the nearest that can is {nearest}"
            )
        num_features, num_attributes = batch.inputs.shape[-1], classes.embedding.shape[-1]
        if setting == "class-transductive" and isinstance(classes.is_seen, jax.core.Tracer):
            raise errors.UserError(
                "a generator trained on unseen classes counts them: is_seen must be an array, not traced"
            )
        num_seen = int(np.sum(classes.is_seen)) if setting == "class-transductive" else len(classes)
        critic, generator = game.init(key, num_attributes, num_hidden, num_features, len(classes))
        known = Known(classifier.init(num_features, num_seen), jnp.zeros((num_seen, num_features)))
        return AdversarialState(
            Networks(critic, generator, known),
            # A copy: a state whose leaves share memory cannot be donated.
            jax.tree.map(jnp.copy, generator) if has_average else None,
            optimizer.init(critic),
            optimizer.init(generator),
        )

    def prepare(state, train, classes, key):
        del classes
        num_seen = len(state.networks.known.centroids)
        sums = jax.ops.segment_sum(train.inputs, train.labels, num_seen)
        count = jax.ops.segment_sum(jnp.ones(len(train.labels)), train.labels, num_seen)
        known = Known(
            classifier.fit(key, train.inputs, train.labels, num_seen, epochs=classifier_epochs),
            sums / jnp.maximum(count, 1)[:, None],
        )
        return state._replace(networks=state.networks._replace(known=known))

    def update(state, batch, classes, key):
        fake_key, critic_key, generator_key = jax.random.split(key, 3)
        table = jnp.asarray(classes.embedding, jnp.float32)
        fakes = game.fakes(state.networks, fake_key, batch.labels, classes)
        # Rows that fill up a batch stand at its end: dealt out in turn, they leave no critic step without examples.
        parts = jax.tree.map(lambda x: _deal(x, critic_steps), (batch, fakes))

        def critic_step(carry, part):
            nets, memory = carry
            (batch, fakes), key = part

            def loss(critic):
                losses, metrics = game.critic_loss(
                    nets._replace(critic=critic), key, batch, table[batch.labels], fakes, classes
                )
                return _mean(losses, batch.where), jax.tree.map(lambda x: _mean(x, batch.where), metrics)

            gradient, metrics = jax.grad(loss, has_aux=True)(nets.critic)
            updates, memory = optimizer.update(gradient, memory, nets.critic)
            return (nets._replace(critic=optax.apply_updates(nets.critic, updates)), memory), metrics

        (nets, critic_memory), critic_metrics = jax.lax.scan(
            critic_step, (state.networks, state.critic_memory), (parts, jax.random.split(critic_key, critic_steps))
        )
        last = jax.tree.map(lambda x: x[-1], parts[0])

        def loss(generator):
            losses, metrics = game.generator_loss(
                nets._replace(generator=generator), generator_key, last, table[last.labels], classes
            )
            return _mean(losses, last.where), jax.tree.map(lambda x: _mean(x, last.where), metrics)

        (value, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(nets.generator)
        updates, generator_memory = optimizer.update(gradient, state.generator_memory, nets.generator)
        generator = optax.apply_updates(nets.generator, updates)
        mean = None
        if has_average:
            mean = jax.tree.map(lambda old, new: average * old + (1 - average) * new, state.average, generator)
        metrics |= {"loss": value, "gradient_norm": optax.tree.norm(gradient)}
        metrics |= jax.tree.map(jnp.mean, critic_metrics)
        return AdversarialState(nets._replace(generator=generator), mean, critic_memory, generator_memory), metrics

    def finish(state, train, classes, key):
        nets = state.networks._replace(generator=state.average) if has_average else state.networks
        return ending.finish(nets, train, classes, len(nets.known.centroids), key)

    method = base.Method(
        init=init, prepare=prepare, update=update, finish=finish, scores=ending.scores, setting=setting
    )
    return scaling.in_range(method, description_scale=description_scale)


def _deal(x, hands: int):
    return jnp.moveaxis(x.reshape(-1, hands, *x.shape[1:]), 1, 0)


def _mean(values, where):
    return jnp.sum(values, where=where) / jnp.maximum(jnp.sum(where), 1)
