"""Methods that train an encoder of raw inputs: what they are built from, and the step that they share.

    inputs --augment--> encoder --> embeddings [B, D] --head--> images  \\
                                                                        scores [B, C]
                                              classes --head--> described  /

The augmentation is part of the step, so that examples lie on the device as bytes and draw from the key of the step.
With `Parts.chunk` a step encodes that many inputs at a time, and its loss still compares the whole batch, see `chunks`.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from zsl_jax import errors, losses, similarity
from zsl_jax.encoders import text
from zsl_jax.encoders import weights as weights_lib
from zsl_jax.methods import base, chunks, mlp, objectives

CHUNK = 256  # inputs that are encoded at a time where they are scored


class Parts(NamedTuple):
    """What a method on raw inputs is built from.

    Fields:
      encoder: a module of `zsl_jax.encoders`.
      optimizer: of parameters `{"encoder": ..., "head": ...}`, an optax transformation.
      augment: `(key, inputs) -> inputs`, see `encoders.augmentation`.
      average: decay of the moving average of the parameters, which scores in their place; 0 for the parameters
        themselves. It starts lower, at step t with (1 + t) / (10 + t), so that the first values are forgotten.
      freeze: whether the encoder stays as it begins, but for its memory, if it has one.
      pretrain_steps: steps at the start that only ask two augmented views of an input to be alike (NT-Xent).
      pretrain_temperature: of that loss.
      chunk: inputs, and classes of a class encoder, that a training step encodes at a time, see `chunks.by_chunk`; 0
        for the whole batch. The gradient is that of the loss of the whole batch. Random numbers (dropout, augmentation)
        are drawn for each chunk. Batch norm takes mean and variance of each chunk, as ghost batch norm does, and its
        running averages move once a step, by the mean over the chunks.
      weights: `() -> tensors` by name, of a checkpoint that the encoder starts from, such as `encoders.weights.read` of
        a file; None for random ones.
      source: what messages call these.
      words: `() -> [V, D]`, word vectors that an encoder of text looks its tokens up in, which are not trained; None
        where it learns its own, or reads no words.
    """

    encoder: nn.Module
    optimizer: optax.GradientTransformation
    augment: Callable[[jax.Array, jax.Array], jax.Array] = lambda key, inputs: inputs
    average: float = 0.0
    freeze: bool = False
    pretrain_steps: int = 0
    pretrain_temperature: float = 0.2
    chunk: int = 0
    weights: Callable[[], dict[str, Any]] | None = None
    source: str = "given"
    words: Callable[[], Any] | None = None


class EncodedState(NamedTuple):
    """Parameters that are trained, `{"encoder", "memory", "head"}`, and what goes with them.

    Fields:
      average: the moving average of the parameters, or () where there is none.
      fixed: the encoder's other variables; those of a frozen one, all, `Frozen` where they come from a checkpoint, as
        given word vectors are.
      optimizer: the optimiser's memory.
      step: the number of steps done.
      kept: what is remembered of earlier batches for the loss, in training.
    """

    params: Any
    average: Any
    fixed: Any
    optimizer: Any
    step: jax.Array
    kept: Any = ()


class _Encoder:
    """The encoder of `parts`; every call takes the parameters that are trained and its other variables.

    Args:
      parts: see `Parts`.
      stages: see `by_encoder`.

    Raises:
      UserError: as `by_encoder`; a checkpoint beside word vectors that are given.
    """

    def __init__(self, parts: Parts, stages: bool):
        self.parts, self.asked = parts, {"stages": True} if stages else {}
        if stages and "stages" not in inspect.signature(type(parts.encoder).__call__).parameters:
            name = type(parts.encoder).__name__
            raise errors.UserError(f"this method needs maps of images, which {name} lacks: config.encoder.name=convnet")
        if parts.words is not None and parts.weights is not None:
            raise errors.UserError(
                f"config.encoder.weights={parts.source}: this encoder begins at random, on the word vectors of "
                "config.towers.text: leave it empty"
            )
        if stages and parts.pretrain_steps:
            raise errors.UserError("pretrain.steps compare vectors, and this method reads maps too: choose 0")

    def init(self, key, inputs, tensors):
        """Its parameters that are trained, and its other variables."""
        parts = self.parts
        if parts.words is not None:
            variables = text.with_words(parts.encoder, key, inputs, tensors)
            words = {text.GIVEN: base.Frozen(variables.pop(text.GIVEN))}
            return ({}, {**variables, **words}) if parts.freeze else ({"encoder": variables["params"]}, words)

        def random():
            return dict(parts.encoder.init(key, inputs, train=False))

        variables = random()
        trained = {"memory": variables.pop("memory")} if "memory" in variables else {}
        if parts.weights:
            variables = dict(weights_lib.assign(tensors, jax.eval_shape(lambda: variables), parts.source))
        if not parts.freeze:
            return {"encoder": variables.pop("params"), **trained}, variables
        return trained, base.Frozen(variables) if parts.weights else variables

    def __call__(self, params, fixed, inputs, *, train, key=None):
        """Embeddings, and the encoder's other variables as they are afterwards."""
        parts = self.parts
        known = base.thawed(fixed)
        names = {"encoder": "params", "memory": "memory"}
        variables = {name: params[of] for of, name in names.items() if of in params} | dict(known)
        is_still = parts.freeze or not train
        changing = [] if is_still else [name for name in fixed if not isinstance(fixed[name], base.Frozen)]
        rngs = None if key is None else {"dropout": key}
        options = {"train": train and not parts.freeze, "rngs": rngs, **self.asked}
        if not changing:
            return parts.encoder.apply(variables, inputs, **options), fixed
        embeddings, changed = parts.encoder.apply(variables, inputs, mutable=changing, **options)
        return embeddings, dict(changed)

    def in_training(self, params, fixed, inputs, views, dropout):
        """Embeddings of a batch as augmented by each key of `views`, and the encoder's other variables afterwards."""

        def augmented(keys, rows):
            *views, dropout = keys
            inputs = jnp.concatenate([self.parts.augment(key, rows) for key in views])
            embeddings, changed = self(params, fixed, inputs, train=True, key=dropout)

            def view(number):
                return jax.tree.map(lambda x: jnp.split(x, len(views))[number], embeddings)

            return [view(number) for number in range(len(views))], () if changed is fixed else changed

        of_views, changed = chunks.by_chunk(augmented, (*views, dropout), inputs, self.parts.chunk)
        return of_views, {**fixed, **changed} if changed else fixed


def by_encoder(
    parts: Parts,
    *,
    init_head: Callable[..., Any],
    loss: Callable[..., jax.Array],
    scores: Callable[..., jax.Array],
    embed: Callable[..., Any] = lambda head, embeddings: embeddings,
    describe: Callable[..., Any] = lambda head, classes: classes.embedding,
    memory: objectives.Memory | None = None,
    remembered: Callable[..., Any] | None = None,
    stages: bool = False,
) -> base.Method:
    """Returns the method that trains encoder and head together by the mean of `loss` over the valid rows of a batch.

    With `parts.chunk` a batch of 16,384 images trains where 256 fit: what grows with the batch is its embeddings, and
    for `stages` their maps, beside what the loss holds.

    Args:
      parts: the encoder, its optimiser and its augmentation.
      init_head: `(key, shape of the embeddings, classes) -> head`, a dict of parameters.
      loss: `(head, embeddings [B, D], batch, classes, key) -> [B]`, or `[2, B]` for `objectives.descent`. With a
        memory it takes `notes=`, too.
      scores: `(head, images, described) -> [B, C]`.
      embed: `(head, embeddings [B, D]) -> images`.
      describe: `(head, classes) -> described`.
      memory: of earlier batches.
      remembered: `(head, embeddings [B, D]) -> images`, what the memory holds; None: `embed`.
      stages: whether embeddings are `([B, D], maps)`, with a map `[B, h, w, C]` of each stage of the encoder.

    Raises:
      UserError: stages of an encoder that has none, or steps before training, which compare vectors.

    Reference: of chunks, Gao, Zhang, Han, Callan, "Scaling Deep Contrastive Learning Batch Size under Memory Limited
    Setup", RepL4NLP 2021; of ghost batch norm, Hoffer, Hubara, Soudry, "Train Longer, Generalize Better", NeurIPS 2017;
    of the steps before, Chen, Kornblith, Norouzi, Hinton, "A Simple Framework for Contrastive Learning of
    Visual Representations", ICML 2020.
    """
    encoder = _Encoder(parts, stages)

    def init(key, like, classes, weights):
        encoder_key, head_key, contrast_key = jax.random.split(key, 3)
        inputs = parts.augment(key, jnp.asarray(like.inputs[:1]))
        params, fixed = encoder.init(encoder_key, inputs, weights)
        embeddings = jax.eval_shape(lambda: encoder(params, fixed, inputs, train=False)[0])
        params["head"] = init_head(head_key, embeddings, classes)
        if parts.pretrain_steps:
            width = embeddings.shape[-1]
            params["head"] = {**params["head"], "contrast": mlp.dense(contrast_key, width, width)}
        average = params if parts.average else ()
        moments = parts.optimizer.init(params)
        width = jax.eval_shape(lambda: images_to_keep(params, fixed, inputs)).shape[-1] if memory else 0
        kept = objectives.begin(memory, params, classes.num_trained, width)
        return EncodedState(params, average, fixed, moments, jnp.int32(0), kept)

    def images_to_keep(params, fixed, inputs):
        return (remembered or embed)(params["head"], encoder(params, fixed, inputs, train=False)[0])

    def compare(params, fixed, batch, classes, key):
        def augmented(key, rows):
            return images_to_keep(params, fixed, parts.augment(key, rows)), ()

        images, _ = chunks.by_chunk(augmented, key, batch.inputs, parts.chunk)
        return objectives.of_batch(images, describe(params["head"], classes), batch, classes, key)

    def update(state, batch, classes, key):
        first, second, dropout, loss_key = jax.random.split(key, 4)
        notes = {"notes": state.kept.notes} if memory else {}

        def supervised(params):
            (embeddings,), fixed = encoder.in_training(params, state.fixed, batch.inputs, (first,), dropout)
            values = loss(params["head"], embeddings, batch, classes, loss_key, **notes)
            if values.ndim == 1:
                return base.mean(values, batch.where), fixed
            return jnp.stack([base.mean(each, batch.where) for each in values]), fixed

        if parts.pretrain_steps:
            given = {"fixed": state.fixed, "batch": batch, "keys": (first, second), "dropout": dropout}
            before = functools.partial(_of_views, encoder, **given, temperature=parts.pretrain_temperature)
            branches = (functools.partial(objectives.descent, function) for function in (before, supervised))
            (value, fixed), gradient = jax.lax.cond(state.step < parts.pretrain_steps, *branches, state.params)
        else:
            (value, fixed), gradient = objectives.descent(supervised, state.params)
        updates, moments = parts.optimizer.update(gradient, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        average = _averaged(params, state, parts.average) if parts.average else ()
        metrics = {"loss": value, "gradient_norm": optax.tree.norm(gradient)}
        kept = objectives.after(
            memory, state.kept, state.params, params, lambda params: compare(params, fixed, batch, classes, first)
        )
        return EncodedState(params, average, fixed, moments, state.step + 1, kept), metrics

    def scoring_params(state):
        return state.average if parts.average else state.params

    def embed_inputs(state, inputs):
        params = scoring_params(state)

        def embed_chunk(x):
            return embed(params["head"], encoder(params, state.fixed, x, train=False)[0])

        return chunks.in_chunks(embed_chunk, jnp.asarray(inputs), CHUNK)

    return base.Method(
        init=init,
        update=update,
        finish=lambda state, train, classes, key: state._replace(kept=()),
        embed=embed_inputs,
        describe=lambda state, classes: describe(scoring_params(state)["head"], classes),
        scores=lambda state, images, described: scores(scoring_params(state)["head"], images, described),
        weights=parts.words or parts.weights or (lambda: ()),
    )


def _of_views(encoder: _Encoder, params, *, fixed, batch, keys, dropout, temperature) -> tuple[jax.Array, Any]:
    """The loss before training: two views of an input should find each other in the batch."""
    views, fixed = encoder.in_training(params, fixed, batch.inputs, keys, dropout)
    a, b = (similarity.l2_normalize(view @ params["head"]["contrast"]) for view in views)
    both = losses.nt_xent(a, b, temperature=temperature, where=batch.where)
    return base.mean(jnp.sum(both.reshape(2, -1), axis=0) / 2, batch.where), fixed


def _averaged(params, state: EncodedState, most: float):
    """The running average of the parameters, whose decay grows with the steps up to `most`."""
    decay = jnp.minimum(most, (1 + state.step) / (10 + state.step))
    return optax.incremental_update(params, state.average, 1 - decay)
