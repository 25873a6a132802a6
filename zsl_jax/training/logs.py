"""The log of a run: one JSON object per line, plain lines where no bar shows, on request TensorBoard or W&B."""

import contextlib
import hashlib
import json
import pathlib
import sys
import time
from collections.abc import Callable

from zsl_jax import errors
from zsl_jax.training import files


def entries(path: pathlib.Path) -> list[dict]:
    """The entries of a log; a line that is none, such as the last of a killed run, is left out."""
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        with contextlib.suppress(ValueError, RecursionError):
            found.append(json.loads(line))
    return [entry for entry in found if isinstance(entry, dict) and {"phase", "epoch"} <= entry.keys()]


class JsonLines:
    """A log of one JSON object per line; opening it again drops lines that `keep` refuses (of steps to be redone)."""

    def __init__(self, path: pathlib.Path, keep: Callable[[dict], bool]):
        files.write_text(path, "".join(f"{json.dumps(entry)}\n" for entry in entries(path) if keep(entry)))
        self._path = path

    def append(self, entry: dict) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise errors.UserError(f"cannot write {self._path}: {error.strerror or error}") from error


class PlainLines:
    """A line on stderr every so many seconds, where that is no terminal and no progress bar is seen.

    Args:
      epochs: of the phase, in all.
      every_s: seconds between two lines at least; the first comes as late.
    """

    def __init__(self, epochs: int, *, every_s: float = 10.0):
        self._epochs, self._every_s, self._last = epochs, every_s, time.monotonic()
        self._is_seen = not sys.stderr.isatty()

    def append(self, entry: dict) -> None:
        now = time.monotonic()
        if not self._is_seen or now - self._last < self._every_s:
            return
        self._last = now
        loss = f", loss {entry['loss']:.4g}" if "loss" in entry else ""
        print(f"{entry['phase']}: epoch {entry['epoch']} of {self._epochs}{loss}", file=sys.stderr, flush=True)


class TensorBoard:
    """Writes the numbers of every entry as scalars `PHASE/NAME` by step; needs tensorboardX (the extra `tb`)."""

    def __init__(self, directory: pathlib.Path):
        try:
            import tensorboardX
        except ImportError as error:
            raise errors.UserError("config.tensorboard needs tensorboardX: pip install 'zsl-jax[tb]'") from error
        self._writer = tensorboardX.SummaryWriter(str(directory))

    def append(self, entry: dict) -> None:
        for name, value in entry.items():
            if isinstance(value, float):
                self._writer.add_scalar(f"{entry['phase']}/{name}", value, entry["step"])
        self._writer.flush()


class WeightsAndBiases:
    """Sends the numbers of every entry, `PHASE/NAME` by `PHASE/step`, to Weights & Biases (the extra `wandb`).

    A workdir is one run there, after a stop too. The package's own variables (`WANDB_PROJECT`, `WANDB_MODE`, ...) hold.
    """

    def __init__(self, workdir: pathlib.Path, phase: str, config: dict):
        try:
            import wandb
        except ImportError as error:
            raise errors.UserError("config.wandb needs wandb: pip install 'zsl-jax[wandb]'") from error
        number = hashlib.sha256(str(workdir.resolve()).encode()).hexdigest()[:16]
        if wandb.run is not None and wandb.run.id != number:
            wandb.finish()
        self._run = wandb.run or wandb.init(
            id=number, name=workdir.resolve().name, dir=str(workdir), config=config, resume="allow"
        )
        self._run.define_metric(f"{phase}/*", step_metric=f"{phase}/step")

    def append(self, entry: dict) -> None:
        numbers = {name: value for name, value in entry.items() if isinstance(value, float) or name == "step"}
        self._run.log({f"{entry['phase']}/{name}": value for name, value in numbers.items()})
