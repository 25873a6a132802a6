"""Many settings of a method as one method: their states are stacked, their steps share the batch and one program.

The knobs are arrays in the state, so that other values of them need no new compilation.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from zsl_jax.methods import base
from zsl_jax.training import parallel


class SideBySide(NamedTuple):
    """Knobs by name, arrays `[S]`, and the states of the S methods stacked along `parallel.settings_axis`."""

    knobs: dict[str, Any]
    states: Any


def start(factory: Callable[..., base.Method], knobs: dict[str, Any], key, batch, classes) -> SideBySide:
    """Returns the state of S settings before the first step.

    Args:
      factory: `(**knobs) -> Method` with knobs that may be traced.
      knobs: arrays `[S]` by name.
      key, batch, classes: as `Method.init` takes them.
    """
    states = jax.vmap(lambda knobs: factory(**knobs).init(key, batch, classes))(knobs)
    return SideBySide(knobs, _stack(states))


def make_method(factory: Callable[..., base.Method]) -> base.Method:
    """Returns the method that prepares, updates and finishes a `SideBySide` state.

    It starts from `start` and is scored by `map_settings`. Metrics are means over the settings whose value is finite:
    one that diverges does not stop the others.
    """

    def prepare(state, train, classes, key):
        states = map_settings(factory, lambda m, s: m.prepare(s, train, classes, key), state)
        return state._replace(states=_stack(states))

    def update(state, batch, classes, key):
        states, metrics = map_settings(factory, lambda m, s: m.update(s, batch, classes, key), state)
        return state._replace(states=_stack(states)), jax.tree.map(_finite_mean, metrics)

    def finish(state, train, classes, key):
        states = map_settings(factory, lambda m, s: m.finish(s, train, classes, key), state)
        return state._replace(states=_stack(states))

    def refuse(*args):
        raise TypeError("start a SideBySide with side_by_side.start and score it with side_by_side.map_settings")

    return base.Method(init=refuse, prepare=prepare, update=update, finish=finish, scores=refuse)


def map_settings(factory: Callable[..., base.Method], function: Callable, state: SideBySide):
    """Returns `function(method, state)` of every setting, results stacked along the first axis."""
    axes = jax.tree.map(lambda x: parallel.settings_axis(x.ndim), state.states)
    return jax.vmap(lambda knobs, s: function(factory(**knobs), s), in_axes=(0, axes))(*state)


def _stack(states):
    """Moves the first axis, the settings', to where states are stacked."""
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, parallel.settings_axis(x.ndim)), states)


def _finite_mean(values):
    finite = jnp.isfinite(values)
    return jnp.sum(jnp.where(finite, values, 0)) / jnp.maximum(jnp.sum(finite), 1)
