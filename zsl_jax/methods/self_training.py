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
    threshold: float = 0.5,
    noise: float = 0.5,
    temperature: float = 0.3,
    seen_penalty: float = 1.0,
    every: int = 1,
) -> base.Method:
    """Rounds in which a method is trained anew, on the labelled inputs and on answers of the round before.

        y_i = argmax_c p_ic,    p_i = softmax((s_i - g [c is seen]) / t)
        joins where  p_i,y_i >= threshold  and  argmax_c p_c(x_i + e) = y_i,    e normal, |e| about noise |x_i|

    s are the scores of the round before for all classes, seen and unseen, with mean 0 and deviation 1 over the classes
    of an input. The first round has labelled inputs alone. Whether an answer is sure and steady is asked again for each
    batch, with another disturbance. The number of rounds is that of the epochs divided by `every`, and is chosen with
    them; what is reported is the last one. Answers are given to test inputs one by one: the run is transductive because
    it was trained on them.

    The scorer is trained on the table of all classes, in the first round too. That changes little for a closed form
    such as ESZSL. A loss that ranks classes pushes those without inputs away until they are given some.

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
        inner = scorer.init(key, like, classes, weights)
        if base.split(inner)[1]:
            raise errors.UserError("self_training takes no method with weights from elsewhere: name another scorer")
        finished = jax.eval_shape(trained.finish, inner, like, classes, key)
        teacher = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), finished)
        return {"inner": inner, "start": inner, "teacher": teacher, "round": jnp.zeros((), jnp.int32)}

    def answered(state, given, classes, key):
        """The examples, where sure and steady answers stand for labels that are missing."""
        labels = jnp.asarray(given.labels)
        if labels.ndim != 1:
            raise errors.UserError("self_training takes one label per input, these have several")
        described, is_seen = scorer.describe(state["teacher"], classes), jnp.asarray(classes.is_seen)

        def logs(inputs):
            scores = scorer.scores(state["teacher"], scorer.embed(state["teacher"], inputs), described)
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
        return given._replace(labels=jnp.where(joins, answers.astype(labels.dtype), labels))

    def prepare(state, train, classes, key):
        keys = jax.random.split(key, 3)

        def next_teacher():
            return trained.finish(state["inner"], answered(state, train, classes, keys[0]), classes, keys[1])

        _same_shapes(jax.eval_shape(next_teacher), state["teacher"])
        teacher = jax.lax.cond(state["round"] > 0, next_teacher, lambda: state["teacher"])
        state = state | {"teacher": teacher, "round": state["round"] + 1}
        inner = trained.prepare(state["start"], answered(state, train, classes, keys[0]), classes, keys[2])
        return state | {"inner": inner}

    def update(state, batch, classes, key):
        keys = jax.random.split(key, 2)
        given = answered(state, batch, classes, keys[0])
        inner, metrics = trained.update(state["inner"], given, classes, keys[1])
        joined = jnp.sum((given.labels != batch.labels) & batch.where)
        return state | {"inner": inner}, metrics | {"pseudo_labels": joined.astype(jnp.float32)}

    def finish(state, train, classes, key):
        keys = jax.random.split(key, 2)
        return trained.finish(state["inner"], answered(state, train, classes, keys[0]), classes, keys[1])

    return scorer._replace(
        init=init,
        prepare=prepare,
        update=scorer.update and update,
        finish=finish,
        sees=scorer.sees | {"test inputs", "unseen descriptions"},
        divides=False,
        refresh=every,
    )


def _same_shapes(found: Any, wanted: Any) -> None:
    shapes = [jax.tree.map(lambda x: (x.shape, x.dtype), tree) for tree in (found, wanted)]
    if shapes[0] != shapes[1]:
        raise errors.UserError(
            "self_training takes a method whose trained state does not hold the training inputs: name another scorer"
        )
