"""The map from attributes to classes with the best guarantee for the classes at hand, on detectors as those of DAP.

Where DAP assumes that attributes are independent given the class, this map assumes nothing but their marginals, and is
the best for the worst joint distribution that has them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from zsl_jax import bounds, rules
from zsl_jax.methods import attribute_prediction, base, registry


class Detected(NamedTuple):
    """The descriptions of the seen classes `[S, A]`, and how far detections are from them on average `[A]`."""

    seen: jax.Array
    error_rates: jax.Array


@registry.method(
    learning_rate=registry.LEARNING_RATE,
    momentum=registry.MOMENTUM,
    cut=attribute_prediction.CUT,
    measure_errors=rules.Knob("whether the map allows for the errors of the detectors", rules.one_of((True, False))),
)
def minimax(
    *, learning_rate: float = 3.0, momentum: float = 0.9, cut: str = "attribute", measure_errors: bool = True
) -> base.Method:
    """Attribute detectors as in `dap`, and for every class table the map from attributes that guarantees most.

        max over maps  min over distributions with  |P(attribute a is detected | c) - phi_ca| <= e_a  of the accuracy

    F(x, c) is the activation of class c at the detected probabilities, see `bounds.AffineRule`: the largest names the
    class. The map is solved for once for every class table, by `bounds.approximate`, so that the score of a class
    depends on the other candidates; `bounds.worst_case` finds a better one on the host and says what it guarantees.
    The errors e are measured on the training images, where detectors are better than elsewhere, as means over the
    classes (`bounds.marginal_errors`).

    Args:
      learning_rate: of gradient descent, > 0.
      momentum: of gradient descent, in [0, 1).
      cut: where descriptions are cut: at the mean of each `attribute`, or of the whole `table`; `none` where they are
        probabilities or percentages.
      measure_errors: whether the map allows for the errors that were measured, or takes detectors as perfect.

    Raises:
      UserError: an unknown cut.

    Reference: Mazzetto, Menghini, Yuan, Upfal, Bach, "Tight Lower Bounds on Worst-Case Guarantees for Zero-Shot
    Learning with Attributes", NeurIPS 2022.
    """
    binary = attribute_prediction.cutter(cut)
    detectors = attribute_prediction.detectors(binary, optax.sgd(learning_rate, momentum=momentum))

    def with_examples(kept, classes):
        return classes[: classes.num_trained]

    def start(key, like, classes):
        seen = jnp.asarray(with_examples(None, classes).embedding)
        return Detected(seen, jnp.zeros(seen.shape[-1]))

    remembering = base.viewed(detectors, base.View(start=start, training_classes=with_examples))

    def embed(state, inputs):
        return jax.nn.sigmoid(remembering.embed(state, inputs))

    def finish(state, train, classes, key):
        state = remembering.finish(state, train, classes, key)
        seen = state.kept.seen
        errors = bounds.marginal_errors(embed(state, train.inputs), train.labels, binary(seen, seen))
        # A class without examples has no error to go by.
        return state._replace(kept=Detected(seen, jnp.nan_to_num(jnp.nanmean(errors, axis=0))))

    def describe(state, classes):
        matrix = binary(jnp.asarray(classes.embedding), state.kept.seen)
        return bounds.approximate(matrix, error_rates=state.kept.error_rates if measure_errors else None)

    return remembering._replace(
        finish=finish,
        embed=embed,
        describe=describe,
        scores=lambda state, images, described: bounds.activations(described, images),
        attributes=lambda state, images: images,
        sees=frozenset({"unseen descriptions", "other candidates"}),
    )
