"""The log of a run: one JSON object a line, and on request the same numbers as TensorBoard events."""

import json
import pathlib
from collections.abc import Callable

from zsl_jax import errors
from zsl_jax.training import files


class JsonLines:
    """A log of one JSON object a line; opening it again drops the lines that `keep` refuses (of steps to be redone)."""

    def __init__(self, path: pathlib.Path, keep: Callable[[dict], bool]):
        lines = []
        if path.exists():
            for line in path.read_text().splitlines():
                entry = _parse(line)
                if entry is not None and keep(entry):
                    lines.append(json.dumps(entry))
        files.write_text(path, "".join(f"{line}\n" for line in lines))
        self._path = path

    def append(self, entry: dict) -> None:
        try:
            with self._path.open("a") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise errors.UserError(f"cannot write {self._path}: {error.strerror or error}") from error


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


def _parse(line: str) -> dict | None:
    """The entry of a line, or None for a last line that a killed run left unfinished."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None
