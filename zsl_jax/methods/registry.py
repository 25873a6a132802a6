"""Methods by name: a file of this package that decorates its factory is all that a new method takes.

@registry.method(margin=rules.Knob("margin of the loss, in units of the score", rules.number(0)))
def ale(*, margin: float = 1.0) -> base.Method: ...
"""

import inspect
from collections.abc import Callable

from zsl_jax import errors, rules
from zsl_jax.methods import base

METHODS: dict[str, Callable[..., base.Method]] = {}
KNOBS: dict[str, dict[str, rules.Knob]] = {}

# Knobs that mean the same in several methods.
LEARNING_RATE = rules.Knob("step size of the optimiser", rules.number(0))
MOMENTUM = rules.Knob("share of the last step that the next one keeps", rules.number(0, 1, ends="[)"))
MARGIN = rules.Knob("margin of the loss, in units of the score", rules.number(0))
NUM_HIDDEN = rules.Knob("width of the hidden layer", rules.whole(1))
WEIGHT_DECAY = rules.Knob("weight of the squared length of the weights in the loss", rules.number(0, ends="[)"))


def method(**knobs: rules.Knob) -> Callable[[Callable[..., base.Method]], Callable[..., base.Method]]:
    """Returns a decorator that enters a factory under its own name, with its knobs.

    Raises:
      TypeError: the knobs are not the arguments of the factory that have a default.
    """

    def enter(factory):
        name = factory.__name__
        arguments = inspect.signature(factory).parameters.values()
        wanted = {argument.name for argument in arguments if argument.default is not inspect.Parameter.empty}
        if wanted != set(knobs):
            raise TypeError(f"{name} takes {sorted(wanted)}, knobs are stated for {sorted(knobs)}")
        METHODS[name], KNOBS[name] = factory, knobs
        return factory

    return enter


def factory(name: str) -> Callable[..., base.Method]:
    """Returns the factory of a method by its name.

    Raises:
      UserError: an unknown name.
    """
    if name not in METHODS:
        raise errors.unknown("method", name, METHODS)
    return METHODS[name]


def trains_encoder(name: str) -> bool:
    """Whether a method trains an encoder: its factory takes `encoded.Parts` first."""
    return "parts" in inspect.signature(factory(name)).parameters


def wraps(name: str) -> bool:
    """Whether a method is made around another one: its factory takes a `Method`, `scorer`, first."""
    return "scorer" in inspect.signature(factory(name)).parameters


def learns_prompts(name: str) -> bool:
    """Whether a method is trained through a frozen text tower: its factory takes a `prompts.PromptTower`, `tower`."""
    return "tower" in inspect.signature(factory(name)).parameters
