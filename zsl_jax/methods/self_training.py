"""Self-training: a method learns from its own answers on inputs without labels, those that are sure and steady."""

from typing import Any

import jax
import jax.numpy as jnp

from zsl_jax import errors, rules
from zsl_jax.methods import base, joint, labelled, registry

_TINY = 1e-12


@registry.method(
    threshold=rules.Knob("probability from which on an answer becomes a label", rules.number(0, 1, ends="[]")),
    noise=rules.Knob(
        "length of the disturbance under which an answer must stay, in that of the input", rules.number(0, ends="[)")
    ),
    temperature=joint.TEMPERATURE,
    seen_penalty=joint.SEEN_PENALTY,
    every=rules.Knob("epochs of a round", rules.whole(1)),
)
def self_training(
    scorer: base.Method,
    *,
    threshold: float = 0.3,
    noise: float = 0.5,
    temperature: float = 0.3,
    seen_penalty: float = 2.0,
    every: int = 1,
) -> base.Method:
    """Rounds in which a method is trained anew, on the labelled inputs and on answers of the round before.

        y_i = argmax_c p_ic,    p_i = softmax((s_i - g [c is seen]) / t)
        joins where  p_i,y_i >= threshold  and  argmax_c p_c(x_i + e) = y_i,    e normal, |e| about noise |x_i|

    s are the scores of the round before for all classes, seen and unseen, with mean 0 and deviation 1 over the classes
    of an input. The first round has labelled inputs and the seen classes alone, as the method would without this one;
    from the second on it trains on the table of all classes. Whether an answer is sure and steady is asked again for
    each batch, with another disturbance. The number of rounds is that of the epochs divided by `every`, and is chosen
    with them; what is reported is the last one. Answers are given to test inputs one by one: the run is transductive
    because it was trained on them.

    Args:
      scorer: any method whose trained state does not hold the training inputs, and without weights from elsewhere.
      threshold: in [0, 1]; 0 lets all answers join.
      noise: >= 0; 0 asks for no steadiness.
      temperature: t > 0.
      seen_penalty: g >= 0; without it the bias for seen classes becomes labels.
      every: >= 1; 1 for a closed form, the epochs of its recipe for a method that follows a gradient.

    Raises:
      UserError: a scorer that decides on all inputs together, or of another kind than said above; inputs that are no
        vectors of numbers.

    Reference: Lee, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks",
    ICML Workshop 2013; Sohn, Berthelot, Li, Zhang, Carlini, Cubuk, Kurakin, Zhang, Raffel, "FixMatch: Simplifying
    Semi-Supervised Learning with Consistency and Confidence", NeurIPS 2020.
    """
    if scorer.together is not None:
        raise errors.UserError("the wrapped method decides on all inputs together itself: name one that does not")
    trained = labelled.only(scorer)

    def init(key, like, classes, weights):
        if isinstance(like.inputs, (tuple, list, dict)) or like.inputs.ndim != 2 or like.inputs.dtype.kind != "f":
            raise errors.UserError("self_training disturbs inputs that are vectors of numbers: choose features")
        # A state for the table of the seen classes, one for that of all.
        first, every_class = (scorer.init(key, like, table, weights) for table in (_seen(classes), classes))
        if base.split(first)[1]:
            raise errors.UserError("self_training takes no method with weights from elsewhere: name another scorer")
        state = {"first": first, "later": every_class, "start": every_class, "round": jnp.zeros((), jnp.int32)}
        finished = jax.eval_shape(finished_of, state, like, like.labels, classes, key)
        return state | {"teacher": _zeros(finished)}

    def finished_of(state, train, labels, classes, key):
        """The method after the first round, after the later ones, and which of the two it is."""
        given = train._replace(labels=labels)

        def later():
            return trained.finish(state["later"], given, classes, key)

        return {
            "first": trained.finish(state["first"], train, _seen(classes), key),
            "later": jax.lax.cond(state["round"] > 1, later, lambda: _zeros(jax.eval_shape(later))),
            "is_later": state["round"] > 1,
        }

    def embed(state, inputs):
        return scorer.embed(state["first"], inputs), scorer.embed(state["later"], inputs)

    def describe(state, classes):
        return scorer.describe(state["first"], classes), scorer.describe(state["later"], classes)

    def of_round(function, state, *given):
        """What a function of the scorer gives in the last round."""
        first, later = zip(*given)
        return jax.lax.cond(
            state["is_later"], lambda: function(state["later"], *later), lambda: function(state["first"], *first)
        )

    def answered(state, given, classes, key):
        """The labels, where sure and steady answers stand for those that are missing."""
        labels, teacher = jnp.asarray(given.labels), state["teacher"]
        if labels.ndim != 1:
            raise errors.UserError("self_training takes one label per input, these have several")
        described, is_seen = describe(teacher, classes), jnp.asarray(classes.is_seen)

        def logs(inputs):
            scores = of_round(scorer.scores, teacher, embed(teacher, inputs), described)
            scores = scores - jnp.mean(scores, axis=1, keepdims=True)
            scores = scores / jnp.maximum(jnp.std(scores, axis=1, keepdims=True), _TINY)
            return jax.nn.log_softmax((scores - seen_penalty * is_seen[None, :]) / temperature)

        inputs = jnp.asarray(given.inputs)
        lengths = jnp.linalg.norm(inputs, axis=1, keepdims=True) / jnp.sqrt(inputs.shape[1])
        disturbed = logs(inputs + noise * lengths * jax.random.normal(key, inputs.shape))
        found = logs(inputs)
        answers = jnp.argmax(found, axis=1)
        joins = (jnp.max(found, axis=1) >= jnp.log(threshold)) & (jnp.argmax(disturbed, axis=1) == answers)
        joins &= (labels < 0) & (state["round"] > 1)
        return jnp.where(joins, answers.astype(labels.dtype), labels)

    def finish(state, train, classes, key):
        keys = jax.random.split(key, 2)
        return finished_of(state, train, answered(state, train, classes, keys[0]), classes, keys[1])

    def prepare(state, train, classes, key):
        keys = jax.random.split(key, 3)
        _same_shapes(jax.eval_shape(finish, state, train, classes, keys[0]), state["teacher"])
        teacher = jax.lax.cond(
            state["round"] > 0, lambda: finish(state, train, classes, keys[0]), lambda: state["teacher"]
        )
        state = state | {"teacher": teacher, "round": state["round"] + 1}
        given = train._replace(labels=answered(state, train, classes, keys[1]))
        return jax.lax.cond(
            state["round"] > 1,
            lambda: state | {"later": trained.prepare(state["start"], given, classes, keys[2])},
            lambda: state | {"first": trained.prepare(state["first"], train, _seen(classes), keys[2])},
        )

    def update(state, batch, classes, key):
        keys = jax.random.split(key, 2)
        labels = answered(state, batch, classes, keys[0])

        def step(name, given, table):
            inner, metrics = trained.update(state[name], given, table, keys[1])
            return state | {name: inner}, metrics

        state, metrics = jax.lax.cond(
            state["round"] > 1,
            lambda: step("later", batch._replace(labels=labels), classes),
            lambda: step("first", batch, _seen(classes)),
        )
        joined = jnp.sum((labels != batch.labels) & batch.where)
        return state, metrics | {"pseudo_labels": joined.astype(jnp.float32)}

    def attributes(state, images):
        return of_round(scorer.attributes, state, images)

    return scorer._replace(
        init=init,
        prepare=prepare,
        update=scorer.update and update,
        finish=finish,
        embed=embed,
        describe=describe,
        scores=lambda state, images, described: of_round(scorer.scores, state, images, described),
        attributes=scorer.attributes and attributes,
        sees=scorer.sees | {"test inputs", "unseen descriptions"},
        divides=False,
        refresh=every,
    )


def _seen(classes: Any) -> Any:
    """The classes with labelled inputs."""
    return classes[: classes.num_trained]


def _zeros(shapes: Any) -> Any:
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)


def _same_shapes(found: Any, wanted: Any) -> None:
    shapes = [jax.tree.map(lambda x: (x.shape, x.dtype), tree) for tree in (found, wanted)]
    if shapes[0] != shapes[1]:
        raise errors.UserError(
            "self_training takes a method whose trained state does not hold the training inputs: name another scorer"
        )
