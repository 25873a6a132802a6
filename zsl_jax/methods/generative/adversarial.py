"""A generator of features against a critic: critic steps, then a generator step, in one `update`.

    critic      minimise  E[D(fake) - D(real)] + penalty E[(||grad D|| - 1)^2] + what the method adds
    generator   minimise  -E[D(fake)] + what the method adds

The batch of an `update` is dealt to the critic steps, and the generator step takes the classes of the last of them, so
that the batch size is that of the papers times the number of critic steps. The generator rests while the critic trains,
so that the fakes of all critic steps are made at once.

Reference: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved Training of Wasserstein GANs", NeurIPS 2017.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from zsl_jax import errors, rules
from zsl_jax.methods import base, reduced, registry
from zsl_jax.methods.generative import classifier, imagined, scaling, second_critic

# The knobs of `adversarial`, which every method of this kind has beside those of its game.
KNOBS = {
    "num_hidden": registry.NUM_HIDDEN,
    "critic_steps": rules.Knob("steps of the critic for one of the generator; divides the batch size", rules.whole(1)),
    "learning_rate": registry.LEARNING_RATE,
    "description_scale": rules.Knob("factor of the descriptions that meet noise of size 1", rules.number(0)),
    "average": rules.Knob(
        "share of the generator's running mean that a step keeps; 0 is no mean", rules.number(0, 1, ends="[)")
    ),
    "num_synthetic": rules.Knob("examples made for each unseen class", rules.whole(1)),
    "num_synthetic_seen": rules.Knob("examples made for each seen class, beside its images", rules.whole(0)),
    "classifier_epochs": rules.Knob("passes of the final classifier over real and synthetic examples", rules.whole(1)),
    "zsl_classifier": imagined.ZSL_CLASSIFIER,
    **second_critic.KNOBS,
}


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
      init: `(key, num_attributes, num_hidden, num_features, num_classes) -> (critic, generator)`.
      fakes: `(networks, key, labels [B], classes) -> ` pytree of arrays `[B, ...]`, made before the critic's steps.
      critic_loss: `(networks, key, batch, descriptions [B, A], fakes, classes) -> (losses [B], metrics of arrays [B])`.
      generator_loss: `(networks, key, batch, descriptions [B, A], classes) -> (losses [B], metrics of arrays [B])`.
      synthesize: `(networks, key, descriptions [M, A]) -> features [M, F]`.
      embed: `(networks, features [N, F]) -> [N, E]`, what the final classifier sees.
      trains_on_unseen: whether `classes` above is the whole table; False for the classes that have examples.
    """

    init: Callable
    fakes: Callable
    critic_loss: Callable
    generator_loss: Callable
    synthesize: Callable
    embed: Callable = lambda networks, features: features
    trains_on_unseen: bool = False


def method(make_game: Callable[..., Game]) -> Callable[..., base.Method]:
    """Returns the factory of the method that plays a game: its arguments are those of the game and of `adversarial`."""
    own, training = (inspect.signature(function).parameters for function in (make_game, adversarial))
    shared = {name: training[name] for name in KNOBS}

    @functools.wraps(make_game)
    def factory(**knobs):
        of_training = {name: knobs.pop(name) for name in shared if name in knobs}
        return adversarial(make_game(**knobs), **of_training)

    factory.__signature__ = inspect.Signature([*own.values(), *shared.values()], return_annotation=base.Method)
    return factory


def adversarial(
    game: Game,
    *,
    num_hidden: int = 4096,
    critic_steps: int = 5,
    learning_rate: float = 1e-4,
    description_scale: float = 1.0,
    average: float = 0.0,
    num_synthetic: int = 300,
    num_synthetic_seen: int = 0,
    classifier_epochs: int = 25,
    zsl_classifier: str = "columns",
    learn_from: str = "training",
    unlabelled_weight: float = 1.0,
    unseen_share: float = 1.0,
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
      zsl_classifier: `columns`, unseen classes among themselves are scored by the final classifier of all classes; or
        `own`, as in released code, by one of their synthetic features alone.
      learn_from: `training`, or `all`: a second critic compares what is generated for unseen classes with the inputs of
        the test, without labels, which makes the run instance-transductive; see `second_critic`. The range of the
        features is that of all inputs then.
      unlabelled_weight: of the second critic in the generator's loss, >= 0.
      unseen_share: share of the unlabelled inputs that are of unseen classes, in (0, 1].

    Raises:
      UserError: an unknown `learn_from`.
    """
    if learn_from not in reduced.LEARNED_FROM:
        raise errors.unknown("learn_from", learn_from, reduced.LEARNED_FROM)
    only_labelled = game
    if learn_from == "all":
        game = second_critic.beside(game, weight=unlabelled_weight, unseen_share=unseen_share)
    optimizer = optax.adam(learning_rate, b1=0.5)
    has_average = not (isinstance(average, (int, float)) and average == 0)
    ending = imagined.make_ending(
        synthesize=lambda nets, key, descriptions: game.embed(nets, game.synthesize(nets, key, descriptions)),
        embed=game.embed,
        num_synthetic=num_synthetic,
        num_synthetic_seen=num_synthetic_seen,
        classifier_epochs=classifier_epochs,
        zsl_classifier=zsl_classifier,
    )

    def trained_on(classes):
        return classes if game.trains_on_unseen else classes[: classes.num_trained]

    def init(key, like, classes, weights):
        del weights
        _check_dealt(len(like.labels), critic_steps)
        num_features, num_attributes = like.inputs.shape[-1], classes.embedding.shape[-1]
        num_seen = classes.num_trained
        num_classes = len(classes) if only_labelled.trains_on_unseen else num_seen
        critic, generator = game.init(key, num_attributes, num_hidden, num_features, num_classes)
        known = Known(classifier.init(num_features, num_seen), jnp.zeros((num_seen, num_features)))
        return AdversarialState(
            Networks(critic, generator, known),
            # A copy: a state whose leaves share memory cannot be donated.
            jax.tree.map(jnp.copy, generator) if has_average else None,
            optimizer.init(critic),
            optimizer.init(generator),
        )

    def prepare(state, train, classes, key):
        num_seen = classes.num_trained
        sums = jax.ops.segment_sum(train.inputs, train.labels, num_seen)
        count = jax.ops.segment_sum(jnp.ones(len(train.labels)), train.labels, num_seen)  # leaves out labels of -1
        known = Known(
            classifier.fit(key, train.inputs, train.labels, num_seen, epochs=classifier_epochs),
            sums / jnp.maximum(count, 1)[:, None],
        )
        return state._replace(networks=state.networks._replace(known=known))

    def update(state, batch, classes, key):
        classes = trained_on(classes)
        fake_key, critic_key, generator_key = jax.random.split(key, 3)
        fakes = game.fakes(state.networks, fake_key, batch.labels, classes)
        # Rows that fill up a batch stand at its end: dealt out in turn, they leave no critic step without examples.
        parts = jax.tree.map(lambda x: _deal(x, critic_steps), (batch, fakes))
        nets, critic_memory, critic_metrics = _train_critic(
            game,
            optimizer,
            state.networks,
            state.critic_memory,
            parts,
            classes,
            jax.random.split(critic_key, critic_steps),
        )
        last = jax.tree.map(lambda x: x[-1], parts[0])
        nets, generator_memory, metrics = _train_generator(
            game, optimizer, nets, state.generator_memory, last, classes, generator_key
        )
        mean = None
        if has_average:
            mean = jax.tree.map(lambda old, new: average * old + (1 - average) * new, state.average, nets.generator)
        return AdversarialState(nets, mean, critic_memory, generator_memory), metrics | critic_metrics

    def finish(state, train, classes, key):
        nets = state.networks._replace(generator=state.average) if has_average else state.networks
        return ending.finish(nets, train, classes, key)

    return scaling.in_range(
        base.Method(
            init=init,
            prepare=prepare,
            update=update,
            finish=finish,
            embed=ending.embed,
            describe=ending.describe,
            scores=ending.scores,
            sees=imagined.SEES | reduced.LEARNED_FROM[learn_from],
        ),
        description_scale=description_scale,
    )


def _train_critic(game: Game, optimizer, nets: Networks, memory, parts, classes, keys):
    """Returns the networks and the memory after a step of the critic for each of the parts, and the mean metrics."""
    table = jnp.asarray(classes.embedding, jnp.float32)

    def step(carry, part):
        nets, memory = carry
        (batch, fakes), key = part

        def loss(critic):
            given = (batch, table[jnp.maximum(batch.labels, 0)], fakes, classes)
            losses, metrics = game.critic_loss(nets._replace(critic=critic), key, *given)
            return base.mean(losses, batch.where), jax.tree.map(lambda x: base.mean(x, batch.where), metrics)

        gradient, metrics = jax.grad(loss, has_aux=True)(nets.critic)
        updates, memory = optimizer.update(gradient, memory, nets.critic)
        return (nets._replace(critic=optax.apply_updates(nets.critic, updates)), memory), metrics

    (nets, memory), metrics = jax.lax.scan(step, (nets, memory), (parts, keys))
    return nets, memory, jax.tree.map(jnp.mean, metrics)


def _train_generator(game: Game, optimizer, nets: Networks, memory, batch, classes, key):
    """Returns the networks and the memory after a step of the generator, and the metrics."""
    table = jnp.asarray(classes.embedding, jnp.float32)

    def loss(generator):
        given = (batch, table[jnp.maximum(batch.labels, 0)], classes)
        losses, metrics = game.generator_loss(nets._replace(generator=generator), key, *given)
        return base.mean(losses, batch.where), jax.tree.map(lambda x: base.mean(x, batch.where), metrics)

    (value, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(nets.generator)
    updates, memory = optimizer.update(gradient, memory, nets.generator)
    nets = nets._replace(generator=optax.apply_updates(nets.generator, updates))
    return nets, memory, metrics | {"loss": value, "gradient_norm": optax.tree.norm(gradient)}


def _check_dealt(size: int, critic_steps: int) -> None:
    if size % critic_steps:
        nearest = critic_steps * max(1, round(size / critic_steps))
        raise errors.UserError(
            f"a batch of {size} cannot be dealt to {critic_steps} critic steps: the nearest that can is {nearest}"
        )


def _deal(x, hands: int):
    return jnp.moveaxis(x.reshape(-1, hands, *x.shape[1:]), 1, 0)
