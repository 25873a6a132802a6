"""A phase of a run, a choice or the final training: its log and checkpoints, and where to go on after a stop."""

import functools
import hashlib
import json
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import ml_collections
import numpy as np

from zsl_jax import errors
from zsl_jax.training import checkpoints, logs, loop, processes, profiling, states, tracing

PHASES = ("select", "train")
# Where data lies, how it is read, what is drawn, logged or kept, and how a sweep goes about it do not make another run.
SAME_RUN = (
    "data.dir",
    "data.file",
    "data.words",
    "data.unseen_file",
    "data.cache",
    "data.workers",
    "classes.words",
    "classes.text",
    "classes.texts",
    "classes.wordnet",
    "classes.tree",
    "classes.graph",
    "classes.concepts",
    "classes.properties",
    "classes.tie",
    "classes.prototypes",
    "towers.text",
    "towers.image",
    "towers.tie",
    "towers.texts",
    "towers.attributes",
    "plots",
    "tensorboard",
    "wandb",
    "train.checkpoint_every",
    "sweep.side_by_side",
    "sweep.seeds",
    "sweep.widen",
    "sweep.samples",
    "parallel",
    "profile",
    "compilation_cache",
)
# Keys that came after the first workdirs, at a value that changes nothing.
LATER = {
    "unseen_classes": "",
    "train.per_class": 0,
    "train.clustering": 0.0,
    "few_shot.of_seen": 0,
    "precision": "float32",
    "classes.source": "dataset",
    "classes.template": "a photo of a {}.",
    "classes.measure": "ancestors",
    "classes.dimensions": 10,
    "classes.edges": "given",
    "classes.neighbors": 16,
    "classes.weights": "",
    "classes.num_concepts": 500,
    "classes.norms": "ridge",
    "classes.nearest": 5,
    "classes.temperature": 0.1,
    "classes.strength": 1.0,
    "classes.phrase": "a photo of something {}.",
    "classes.ranking": "both",
    "classes.missing": "error",
    "classes.permuted": False,
}
# The same of sections that not every config has.
LATER_IN_SECTIONS = {
    "encoder.memory": 0,
    "method.amortised": 0,
    "optimizer.chunk": 0,
    "method.violators": "all",
    "method.zsl_classifier": "columns",
    "towers.words": 32,
    "towers.dtype": "float32",
    "towers.scan": False,
    "towers.remat": False,
}


class Run:
    """What travels through a run.

    Args:
      config: see `zsl_jax.config`.
      workdir: its folder.
      say: called with lines for the user.
      should_stop: asked between steps and between blocks of scored inputs.
      made_of: hashes of what the run is made of, `data`, `labels` and `weights`; every checkpoint is bound to them.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        workdir: pathlib.Path,
        *,
        say: Callable[[str], None] = print,
        should_stop: Callable[[], bool] = lambda: False,
        made_of: dict[str, str] | None = None,
    ):
        self.config, self.workdir, self.say, self.should_stop = config, workdir, say, should_stop
        self.made_of = dict(made_of or {})

    def training(self, method, task, phase: str, mesh) -> states.Training:
        """Returns the training of a phase: its key, batches and devices as the config says."""
        return states.Training(
            method,
            task,
            key=phase_key(self.config.seed, phase, self.config.select.on),
            batch_size=self.config.train.batch_size,
            mesh=mesh,
            mode=self.config.parallel.mode,
            nonfinite=self.config.train.nonfinite,
            per_class=self.config.train.per_class,
            clustering=self.config.train.clustering,
        )

    def directory(self, phase: str) -> pathlib.Path:
        """Returns where the checkpoints of a phase are."""
        return self.workdir / "checkpoints" / phase

    def belongs(self, phase: str) -> dict[str, str]:
        """Returns what a checkpoint of a phase is bound to."""
        return {"phase": phase, "config": config_sha256(self.config), **self.made_of}

    def save(self, phase: str, step: int, state: Any, notes: dict) -> None:
        """Writes a checkpoint of a phase."""
        checkpoints.save(self.directory(phase), step, state, notes=notes, belongs=self.belongs(phase))

    def restore(self, phase: str, abstract_state: Any) -> checkpoints.Restored | None:
        """Returns the newest whole checkpoint of a phase, or None."""
        return checkpoints.restore_latest(
            self.directory(phase), abstract_state, warn=self.say, belongs=self.belongs(phase)
        )


def config_sha256(config: ml_collections.ConfigDict) -> str:
    """Returns a hash over all keys of a config that make another run."""
    kept = {name: value for name, value in _flat(json.loads(config.to_json())).items() if not is_same_run(name)}
    # Workdirs of before a key existed are still read.
    kept = {name: value for name, value in kept.items() if (LATER | LATER_IN_SECTIONS).get(name) != value}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def is_same_run(name: str) -> bool:
    """Whether a config key, by its dotted name, makes no other run.

    >>> is_same_run("parallel.devices"), is_same_run("train.epochs")
    (True, False)
    """
    return any(name == key or name.startswith(f"{key}.") for key in SAME_RUN)


def _flat(tree: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {name: tree}
    return {k: v for key, value in tree.items() for k, v in _flat(value, f"{name}.{key}".lstrip(".")).items()}


def draw_phase(draw: int) -> str:
    """Returns the name of the phase that chooses on a draw of validation classes.

    >>> draw_phase(0), draw_phase(1)
    ('select', 'select_1')
    """
    return "select" if draw == 0 else f"select_{draw}"


def phase_key(seed, phase: str, selected_on: str):
    """Returns the key of a phase; chosen on test, both phases are one training, of which the best epoch is kept."""
    is_final = selected_on == "test" or phase == "train"
    return states.numbered_key(seed, PHASES.index("train" if is_final else "select"))


def epochs(
    run: Run, training: states.Training, phase: str, num_epochs: int
) -> Iterator[tuple[int, Any, dict, Callable[[], errors.Stopped]]]:
    """Trains a phase with log and checkpoints, from where an earlier run of it stopped.

    Yields `(epoch, state, notes, save)`. What the caller puts into `notes` is saved with the next checkpoint and is
    there again after a resume, which begins with the epoch that was saved. A caller that has to stop raises `save()`.
    A checkpoint is of a step: most are of the last one of an epoch, that of a run told to stop is of any.
    """
    config, directory = run.config, run.directory(phase)
    per_epoch = training.num_steps
    restored = run.restore(phase, states.abstract_state(training))
    start, notes = None, {}
    if restored is not None:
        start, notes = (restored.step // per_epoch, states.with_frozen(training, restored.state)), restored.notes
        begun = f" and {restored.step % per_epoch} steps" if restored.step % per_epoch else ""
        run.say(f"resuming {phase} after epoch {start[0]}{begun} of {num_epochs}")
    first = 0 if start is None else start[0]
    within = {name: np.asarray(values, np.float32) for name, values in notes.pop("within", {}).items()}

    def keep(entry: dict) -> bool:
        this, that = _order(entry["phase"]), _order(phase)
        return this < that or (this == that and entry["epoch"] <= first)

    def save(step: int, state) -> errors.Stopped:
        if step:
            run.save(phase, step, state, notes)
        return errors.Stopped(f"stopped after step {step} of {num_epochs * per_epoch} of {phase}, saved in {directory}")

    sinks = []
    if processes.is_first():
        sinks += [logs.JsonLines(run.workdir / "metrics.jsonl", keep), logs.PlainLines(num_epochs)]
        if config.tensorboard:
            sinks.append(logs.TensorBoard(run.workdir / "tensorboard"))
        if config.wandb:
            sinks.append(logs.WeightsAndBiases(run.workdir, phase, config.to_dict()))
    if start is not None and not within:
        notes["steps"] = 0
        yield *start, notes, lambda: save(first * per_epoch, start[1])
    try:
        trained = loop.fit(
            training,
            epochs=num_epochs,
            start=start,
            within=within,
            should_stop=run.should_stop,
            trace=_trace(config, run.workdir, phase),
            title=phase,
        )
        began, cost = None, {"batch_size": training.batch_size, "mesh": training.mesh}
        for epoch, state, epoch_metrics in trained:
            entry = {"phase": phase, "epoch": epoch, "step": epoch * per_epoch, **_epoch_means(epoch_metrics)}
            # The first epoch of a call compiles: its rates would be those of the compiler.
            if began is not None:
                seconds = time.perf_counter() - began
                entry |= profiling.rates(per_epoch, seconds, flops=profiling.step_flops(training), **cost)
            for sink in sinks:
                sink.append(entry)
            notes["steps"] = per_epoch
            if "loss" in entry:
                notes["losses"] = _losses(notes.get("losses"), entry["loss"])
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


# How many times its start and its best a loss must be for a training to count as diverged. Losses whose terms grow
# over the epochs, as those of variational autoencoders, rise by less.
_DIVERGED = 5.0


def _losses(before: dict[str, float] | None, loss: float) -> dict[str, float]:
    """The mean loss of the first, the best and the last epoch."""
    before = before or {"first": loss, "best": loss}
    return {"first": before["first"], "best": min(before["best"], loss), "last": loss}


def has_diverged(losses: dict[str, float] | None) -> bool:
    """Whether a training that stayed finite ended far above where it began; only losses >= 0 can tell.

    >>> [has_diverged({"first": 10.0, "best": 1.0, "last": last}) for last in (98.0, 2.0)]
    [True, False]
    """
    if not losses or losses["best"] < 0:
        return False
    return losses["last"] > _DIVERGED * max(losses["first"], losses["best"])


def _order(phase: str) -> tuple[int, int]:
    """Draws in their order, then the final training."""
    name, _, draw = phase.partition("_")
    return PHASES.index(name), int(draw or 0)


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
