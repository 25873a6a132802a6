"""What a method cannot be trained on, said before anything is written."""

from typing import TYPE_CHECKING

import jax
import ml_collections
import numpy as np

from zsl_jax import errors
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.methods import base
from zsl_jax.training import balanced, states

if TYPE_CHECKING:
    from zsl_jax.training import problems


def check(problem: "problems.Problem", config: ml_collections.ConfigDict) -> None:
    """Raises a UserError for what a method cannot be trained on, before anything is written."""
    _, task = problem.protocol.tasks(problem.dataset, config)
    method = problem.method_for(task, config)
    if method.update is not None and not len(task.train.labels):
        raise errors.UserError(
            f"{config.method.name} has nothing to train on: protocol={config.protocol} gives {problem.dataset.name} no "
            "training examples"
        )
    if config.normalize.inputs != "none" and getattr(task.train.inputs, "dtype", None) == np.uint8:
        raise errors.UserError(
            f"config.normalize.inputs={config.normalize.inputs} is for features, and {problem.dataset.name} gives "
            "images in bytes: the encoder scales them, so say none"
        )
    if config.train.per_class and method.update is not None:
        tasks = (*problem.protocol.tasks(problem.dataset, config)[0], task)
        for each in tasks:
            sizes = {"batch_size": config.train.batch_size, "per_class": config.train.per_class}
            balanced.check(states.training_examples(method, each).labels, **sizes)
    if config.train.clustering and method.update is not None:
        given = {"clustering": config.train.clustering, "per_class": config.train.per_class}
        balanced.check_clustering(task.classes.embedding, **given)
    training = states.Training(method, task, states.numbered_key(config.seed, 0), config.train.batch_size, problem.mesh)
    try:
        state = training.shapes
    except errors.UserError:
        raise
    except (AttributeError, TypeError, ValueError) as error:
        if "towers" not in config or not config.towers.each:
            raise
        raise errors.UserError(
            f"{config.method.name} takes one vector of a class: towers.each={config.towers.each} should be 0"
        ) from error
    _check_scores(training, config)
    if inputs_lib.is_stream(task.train.inputs) or not len(task.train.labels):
        # That a method looks at all inputs together is said now, too.
        for function in (method.prepare, method.finish):
            jax.eval_shape(lambda s, f=function: f(s, training.examples, training.classes, training.key), state)


def _check_scores(training: states.Training, config: ml_collections.ConfigDict) -> None:
    """Raises a UserError where inputs are patches or images and the method compares vectors with classes."""
    examples, classes, method = training.examples, training.classes, training.method
    shape = getattr(examples.inputs, "shape", ())
    if len(shape) < 3 or inputs_lib.is_stream(examples.inputs):
        return

    def scored(state, examples, classes, inputs):
        return base.score(method, method.finish(state, examples, classes, jax.random.key(0)), inputs, classes)

    found = f"{config.method.name} cannot compare inputs {list(shape[1:])} with classes"
    try:
        scores = jax.eval_shape(scored, training.shapes, examples, classes, examples.inputs[:2])
    except errors.UserError:
        raise
    except (TypeError, ValueError) as error:
        raise errors.UserError(f"{found}: {str(error).splitlines()[0]}") from error
    if scores.shape != (2, len(classes)):
        raise errors.UserError(f"{found}: it takes vectors")
