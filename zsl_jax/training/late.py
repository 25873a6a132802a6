"""Knobs that reach no array of a state: chosen after training, on the same validation rows as everything else.

    config.late = {"tau": (0.1, 0.3, 1.0)}      values to choose among, of knobs of the method

One compiled program takes the values of several settings as arguments, and computes once what they share.
"""

import itertools
from typing import Any

import jax
import numpy as np

from zsl_jax import errors, metrics
from zsl_jax.training import evaluation, protocols, scoring, side_by_side, states

_AT_ONCE, _SCORES = 16, 2**25  # settings in one program, at most, and their scores together


class Chooser:
    """Chooses late knobs for finished states of one training.

    Args:
      config: of the run; `config.late` names knobs and their values.
      problem: a `problems.Problem`.
      training: of the task to choose on.
      should_stop: see `scoring.make_score`.
    """

    def __init__(self, config, problem, training: states.Training, should_stop):
        self._config, self._problem, self._training, self._should_stop = config, problem, training, should_stop
        values = {name: tuple(config.late[name]) for name in sorted(config.late)}
        self.points = [dict(zip(values, point)) for point in itertools.product(*values.values())]
        self._evaluators: dict[tuple, evaluation.Evaluator] = {}
        if values:
            self.arrays = (dict(training.task.sets), training.task.classes)
            self._looks = problem.protocol.looks(training.task)
            self._metric = problem.protocol.choices()[config.select.metric]
            self._compare = jax.jit(jax.vmap(self.value, in_axes=(0, None, None)))

    def choose(self, finished) -> tuple[dict[str, float], evaluation.Evaluator, list[dict[str, metrics.Rows]]]:
        """Returns the best knobs, what evaluates with them, and the rows of all `points` if there are several."""
        knobs, rows = self.points[0], []
        if len(self.points) > 1:
            values, rows = zip(*self._compared(finished))
            knobs = self.points[int(np.argmax(np.nan_to_num(np.array(values), nan=-np.inf)))]
        key = tuple(knobs.values())
        if key not in self._evaluators:
            method = self._problem.method_for(self._training.task, self._config, **knobs)
            self._evaluators[key] = evaluation.make_evaluate(
                method,
                self._training.task,
                self._problem.mesh,
                protocol=self._problem.protocol,
                should_stop=self._should_stop,
            )
        return knobs, self._evaluators[key], list(rows)

    def _compared(self, finished) -> list[tuple[Any, dict[str, metrics.Rows]]]:
        """The metric of every setting and its rows, some settings at a time."""
        sets, classes = self.arrays
        scores = sum(len(examples.labels) for examples in sets.values()) * len(classes)
        size = max(1, min(_AT_ONCE, len(self.points), _SCORES // max(scores, 1)))
        found = []
        for first in range(0, len(self.points), size):
            points = (self.points[first : first + size] + self.points[-1:] * size)[:size]
            knobs = {name: np.array([point[name] for point in points], np.float32) for name in points[0]}
            several = jax.device_get(self._compare(knobs, finished, self.arrays))
            found += [jax.tree.map(lambda x, place=place: x[place], several) for place in range(size)]
        return found[: len(self.points)]

    def value(self, knobs: dict[str, Any], finished, arrays):
        """Returns the metric of one setting for a finished state, and its rows; pure."""
        method = self._problem.factory(self._training.task, self._config)(**knobs)
        sets, classes = arrays
        sets = {name: examples._replace(ids=None) for name, examples in sets.items()}
        rows = scoring.score_arrays(method, finished, sets, classes, self._looks)
        protocol, facts = self._problem.protocol, self._problem.protocol.facts(self._training.task.classes)
        chosen = protocol.choose(*jax.tree.map(lambda x: jax.numpy.asarray(x)[None], (rows, facts)))
        return protocols.value(protocol.report(rows, facts, chosen), self._metric), rows


def check(config, problem, training: states.Training) -> None:
    """Raises a UserError for a late knob that the method does not have, or that an array of its state depends on."""
    for name in config.late:
        if name not in config.method:
            raise errors.unknown("late knob", name, [knob for knob in config.method if knob != "name"])
        reached = side_by_side.reached_by_knobs(
            problem.factory(training.task, config),
            {name: jax.ShapeDtypeStruct((1,), "float32")},
            states.first_batch(training.examples, training.batch_size),
            training.classes,
            training.examples,
            training.method.weights(),
            finished=True,
        )
        if any(jax.tree.leaves(reached)):
            raise errors.UserError(
                f"config.late.{name}: training depends on method.{name}, so that it cannot be chosen after it: name it "
                "in sweep() instead"
            )
        chooser, number = Chooser(config, problem, training, lambda: False), jax.ShapeDtypeStruct((), "float32")
        try:
            jax.eval_shape(
                lambda knobs, state, of=chooser: of.value(knobs, state, of.arrays),
                {name: number},
                states.finished_shapes(training),
            )
        except jax.errors.ConcretizationTypeError as error:
            raise errors.UserError(
                f"config.late.{name}: how large arrays are depends on method.{name}, so that its values cannot be "
                "compared in one program: name it in sweep() instead"
            ) from error
