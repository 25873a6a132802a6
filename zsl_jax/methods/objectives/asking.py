"""The knobs of a method that is trained by any loss, stated once: which loss, compared with what, weighed how.

@registry.method(learning_rate=registry.LEARNING_RATE, **objectives.KNOBS)
@objectives.by_any_loss("softmax_cross_entropy")
def bilinear(*, asked: objectives.Asked, learning_rate: float = 0.01) -> base.Method: ...

bilinear(loss="warp", negatives="hardest", learning_rate=0.1)
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zsl_jax.methods.objectives import balance, making, negatives, wrapping

if TYPE_CHECKING:
    from zsl_jax.methods import base


@dataclasses.dataclass(frozen=True)
class Asked:
    """What training asks for.

    Args:
      loss: a name in `methods.LOSSES`, a sum such as `warp+0.1*self_calibration`, `package.module:function`, or what
        `objectives.make` returns.
      negatives: what an image is compared with, see `objectives.negatives`. For losses on scores and triplets, wrong
        classes: `all`, `hardest`, `semi_hard` (the hardest of those that score below the own class), `random`,
        `curriculum`, `dynamic` or `swapped`. For losses that compare the images of a batch, earlier ones: `queue` or
        `bank`.
      num_negatives: how many, unless all; the length of a queue, and per class of `dynamic` and `bank`.
      similar: cosine of descriptions in [-1, 1] above which a class is no negative.
      ramp_steps: in which a curriculum goes from easy to hard.
      refresh_steps: after which dynamic negatives are looked at again.
      memory_momentum: decay of the average of the parameters that fills a queue or bank, in [0, 1).
      balance: of the terms of a sum: `fixed`, by `uncertainty` or `gradnorm`, or of two by `mgda` or `mgda_ub`; see
        `objectives.balance`.
      prefixes: lengths at which the first entries of the embeddings alone should do as well (Matryoshka): the mean of
        the losses of all of them. Where images are compared with attributes, these are the first attributes.
      score_width: first entries that scores use; 0 for all.
      margins: `equal`, or `described`: a loss's margin times the distance of two descriptions, see
        `objectives.with_margins`.
    """

    loss: "str | Callable | making.Objective" = "softmax_cross_entropy"
    negatives: str = "all"
    num_negatives: int = 8
    similar: float = 1.0
    ramp_steps: float = 1000.0
    refresh_steps: int = 10
    memory_momentum: float = 0.99
    balance: str = "fixed"
    prefixes: tuple[int, ...] = ()
    score_width: int = 0
    margins: str = "equal"

    def objective(
        self,
        compared: "Callable[[making.Objective], making.Objective]" = lambda objective: objective,
        *,
        normalize: bool = False,
    ) -> making.Objective:
        """Returns the objective.

        Args:
          compared: changes how images and classes are compared.
          normalize: whether images and classes are divided by their lengths, whatever the loss.

        Raises:
          UserError: an unknown loss, choice of negatives or balance, or some that do not go together.
        """
        weighed = balance.balanced(making.make(self.loss), self.balance)
        options = {name: getattr(self, name) for name in negatives.KNOBS}
        found = negatives.with_negatives(compared(weighed), **options)
        found = wrapping.at_prefixes(found, self.prefixes, self.score_width, normalize=normalize)
        return wrapping.with_margins(found, self.margins)


KNOBS = {"loss": making.KNOB, "balance": balance.KNOB, **negatives.KNOBS, **wrapping.KNOBS}


def by_any_loss(loss: str) -> "Callable[[Callable[..., base.Method]], Callable[..., base.Method]]":
    """Returns a decorator for a factory with an argument `asked`: the fields of `Asked` are arguments in its place.

    Args:
      loss: the default.
    """
    default = Asked(loss)

    def spread(factory):
        @functools.wraps(factory)
        def made(*given: Any, **knobs: Any):
            asked = {name: knobs.pop(name) for name in KNOBS if name in knobs}
            return factory(*given, asked=dataclasses.replace(default, **asked), **knobs)

        own = inspect.signature(factory)
        others = [argument for argument in own.parameters.values() if argument.name != "asked"]
        fields = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=getattr(default, name)) for name in KNOBS
        ]
        made.__signature__ = own.replace(parameters=[*others, *fields])
        return made

    return spread
