"""A phase of a run, `select` or `train`: its log and checkpoints, and where to go on after a stop."""

import functools
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from zsl_jax import data, errors
from zsl_jax.training import checkpoints, logs, loop, parallel, processes, profiling, tracing

PHASES = ("select", "train")


def key(config, phase: str):
    """Returns the PRNG key of a phase of a config's run."""
    return phase_key(config.seed, phase, config.select.on)


def phase_key(seed, phase: str, selected_on: str):
    """Returns the key of a phase; chosen on test, both phases are one training, of which the best epoch is kept."""
    return jax.random.fold_in(jax.random.key(seed), PHASES.index("train" if selected_on == "test" else phase))


def epochs(
    problem, task: data.Task, config, workdir: pathlib.Path, phase: str, num_epochs: int, say, should_stop
) -> Iterator[tuple[int, Any, dict, Callable[[], errors.Stopped]]]:
    """Trains a phase with log and checkpoints, from where an earlier run of it stopped.

    Yields `(epoch, state, notes, save)`. What the caller puts into `notes` is saved with the next checkpoint and is
    there again after a resume, which begins with the epoch that was saved. A caller that has to stop raises `save()`.
    A checkpoint is of a step: most are of the last one of an epoch, that of a run told to stop is of any.
    """
    directory = workdir / "checkpoints" / phase
    per_epoch = loop.steps_per_epoch(len(task.train.labels), config.train.batch_size)
    run_key = key(config, phase)
    shapes = jax.eval_shape(
        lambda: loop.init_state(problem.method, task, key=run_key, batch_size=config.train.batch_size)
    )
    restored = checkpoints.restore_latest(directory, parallel.abstract(shapes, problem.mesh), warn=say)
    start, notes = None, {}
    if restored is not None:
        start, notes = (restored.step // per_epoch, restored.state), restored.notes
        begun = f" and {restored.step % per_epoch} steps" if restored.step % per_epoch else ""
        say(f"resuming {phase} after epoch {start[0]}{begun} of {num_epochs}")
    first = 0 if start is None else start[0]
    within = {name: np.asarray(values, np.float32) for name, values in notes.pop("within", {}).items()}

    def keep(entry: dict) -> bool:
        this = PHASES.index(entry["phase"]) - PHASES.index(phase)
        return this < 0 or (this == 0 and entry["epoch"] <= first)

    def save(step: int, state) -> errors.Stopped:
        if step:
            checkpoints.save(directory, step, state, notes=notes)
        return errors.Stopped(f"stopped after step {step} of {num_epochs * per_epoch} of {phase}, saved in {directory}")

    sinks = []
    if processes.is_first():
        sinks.append(logs.JsonLines(workdir / "metrics.jsonl", keep))
        if config.tensorboard:
            sinks.append(logs.TensorBoard(workdir / "tensorboard"))
    if start is not None and not within:
        notes["steps"] = 0
        yield *start, notes, lambda: save(first * per_epoch, start[1])
    try:
        trained = loop.fit(
            problem.method,
            task,
            key=run_key,
            epochs=num_epochs,
            batch_size=config.train.batch_size,
            mesh=problem.mesh,
            mode=config.parallel.mode,
            nonfinite=config.train.nonfinite,
            start=start,
            within=within,
            should_stop=should_stop,
            trace=_trace(config, workdir, phase),
            title=phase,
        )
        size = config.train.batch_size
        cost = {"batch_size": size, "mesh": problem.mesh}
        cost["flops"] = profiling.step_flops(problem.method, task, batch_size=size)
        began = None
        for epoch, state, epoch_metrics in trained:
            entry = {"phase": phase, "epoch": epoch, "step": epoch * per_epoch, **_epoch_means(epoch_metrics)}
            # The first epoch of a call compiles: its rates would be those of the compiler.
            if began is not None:
                entry |= profiling.rates(per_epoch, time.perf_counter() - began, **cost)
            for sink in sinks:
                sink.append(entry)
            notes["steps"] = per_epoch
            yield epoch, state, notes, functools.partial(save, epoch * per_epoch, state)
            if epoch % config.train.checkpoint_every == 0 or epoch == num_epochs:
                save(epoch * per_epoch, state)
            began = time.perf_counter()
    except loop.Stopped as stop:
        if stop.within:
            notes["within"] = {name: values.tolist() for name, values in stop.within.items()}
        steps_within = len(next(iter(stop.within.values()), ()))
        raise save(stop.epoch * per_epoch + steps_within, stop.state) from stop
    except errors.Diverged as error:
        raise errors.Diverged(f"{phase}: {error}; the last good checkpoint in {directory} is kept") from error


def _trace(config, workdir: pathlib.Path, phase: str) -> tracing.Trace | None:
    """The trace that `config.profile.steps` asks for, of the final training."""
    if not config.profile.steps or phase != "train":
        return None
    first, last = map(int, config.profile.steps.split(":"))
    return tracing.Trace(first, last, workdir / "profile")


def _epoch_means(metrics: dict[str, np.ndarray]) -> dict[str, float]:
    """Means over the steps of an epoch that were not skipped, and how many were."""
    skipped = metrics.get("skipped")
    if skipped is None:
        return {name: float(np.mean(values)) for name, values in metrics.items()}
    means = {name: float(np.mean(values[skipped == 0])) for name, values in metrics.items() if name != "skipped"}
    return means | {"skipped": float(np.sum(skipped))}
