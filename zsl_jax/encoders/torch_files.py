"""The tensors of a file of `torch.save`, without torch, in the format of today (a zip archive) and the one before it.

    tensors = read("resnet50-11ad3fa6.pth")      {"conv1.weight": [64, 3, 7, 7], ...}

A pickle may name any function to be called. Here it gets those few that build a dict of tensors, and no other.
"""

import collections
import io
import math
import os
import pathlib
import pickle
import zipfile
from typing import Any

import jax.numpy as jnp
import numpy as np

from zsl_jax import errors

_KINDS = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "BFloat16Storage": jnp.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}
_MAGIC = 0x1950A86A20F9469CFC6C  # the first value of a file of the older format


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Returns the tensors of a file by name.

    Raises:
      UserError: it holds something else than a dict of tensors.
      Exception: whatever a damaged file leads to.
    """
    path = pathlib.Path(path)
    with path.open("rb") as file:
        found = _of_archive(file, path) if zipfile.is_zipfile(path) else _of_older(file, path)
    if not isinstance(found, dict) or not found or not all(isinstance(x, np.ndarray) for x in found.values()):
        keys = ", ".join(map(str, list(found)[:4])) if isinstance(found, dict) else type(found).__name__
        raise errors.UserError(f"{path} holds no dict of tensors, as model.state_dict() is: {keys}")
    return {str(name): np.ascontiguousarray(tensor) for name, tensor in found.items()}


def _of_archive(file: Any, path: pathlib.Path) -> Any:
    with zipfile.ZipFile(file) as archive:
        (start,) = (name.removesuffix("data.pkl") for name in archive.namelist() if name.endswith("/data.pkl"))
        reader = _Reader(io.BytesIO(archive.read(f"{start}data.pkl")), path)
        found = reader.load()
        for key, storage in reader.storages.items():
            _fill(storage, archive.read(f"{start}data/{key}"))
    return found


def _of_older(file: Any, path: pathlib.Path) -> Any:
    if _Reader(file, path).load() != _MAGIC:
        raise errors.UserError(f"{path} is no file of torch.save")
    for _ in range(2):  # the version of the format, and the sizes of numbers
        _Reader(file, path).load()
    reader = _Reader(file, path)
    found = reader.load()
    for key in _Reader(file, path).load():
        storage = reader.storages[key]
        count = int.from_bytes(file.read(8), "little")
        _fill(storage, file.read(count * storage.itemsize))
    return found


def _fill(storage: np.ndarray, content: bytes) -> None:
    storage[:] = np.frombuffer(content, storage.dtype)


class _Reader(pickle.Unpickler):
    """Builds dicts of tensors; their numbers are filled in when all is built, where the file has them."""

    def __init__(self, file: Any, path: pathlib.Path):
        super().__init__(file)
        self.path = path
        self.storages: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *rest: tensor,
        }
        if (module, name) in known:
            return known[module, name]
        if module == "torch" and name in _KINDS:
            return np.dtype(_KINDS[name])
        raise errors.UserError(f"{self.path} holds more than tensors: it would call {module}.{name}")

    def persistent_load(self, pid: Any) -> np.ndarray:
        _, dtype, key, _, count, *_ = pid
        return self.storages.setdefault(key, np.zeros(count, dtype))


def _tensor(storage: np.ndarray, offset: int, size: tuple, stride: tuple, *rest: Any) -> np.ndarray:
    del rest
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if min((offset, *size, *stride)) < 0 or (math.prod(size) and last >= len(storage)):
        raise ValueError(f"a tensor {list(size)} is beyond its {len(storage)} numbers")
    steps = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)
