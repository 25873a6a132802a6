"""Meshes of devices, and what is known of the devices.

A mesh has an axis `data`, along which batches are split while states are whole on every device, and on request an axis
`model`, along which large matrices (class tables, wide layers) are split. A mesh of `settings` is for sweeps: states of
many settings side by side are split, and every device sees the whole batch.

Where several processes take part (see `processes`) the mesh is over the devices of all; each process has the data and
puts on its own devices what belongs there.
"""

import contextlib
import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Iterator

import jax
from jax.experimental.compilation_cache import compilation_cache
from jax.sharding import AxisType, Mesh

from zsl_jax import errors
from zsl_jax.training import processes

MODES = ("jit", "pmap", "shard_map")
# What a float32 product becomes: jax's name of it. A GPU has no bfloat16 form of it and takes tf32 for both; a CPU has
# float32 alone.
PRECISIONS = {"float32": "highest", "tf32": "high", "bfloat16": "default"}
_CACHE_BYTES = 20 * 2**20
_MOST_SETTINGS = 64
_CACHE_MOST_BYTES, _CACHED_S = 2**30, 0.1


def make_mesh(*, devices: int = 0, model: int = 1, mode: str = "jit") -> Mesh:
    """Returns the mesh of the devices along `data` and, where `model` > 1, along `model`.

    Args:
      devices: how many to use; 0 for all there are.
      model: devices that share a large matrix; only in mode `jit`.
      mode: one of `MODES`.

    Raises:
      UserError: an unknown mode, more devices than there are, or a number that `model` does not divide.
    """
    if mode not in MODES:
        raise errors.unknown("parallel.mode", mode, MODES)
    found = jax.device_count()
    if devices > found:
        raise errors.UserError(f"parallel.devices={devices} is more than there are: {found} (0 takes all)")
    if devices and processes.are_several() and devices != found:
        raise errors.UserError(f"parallel.devices={devices} leaves processes without work: 0 takes all {found} devices")
    count = devices or found
    if count % model:
        nearest = min((n for n in range(1, count + 1) if count % n == 0), key=lambda n: abs(n - model))
        raise errors.UserError(f"parallel.model={model} does not divide {count} devices: the nearest is {nearest}")
    if model > 1 and mode != "jit":
        raise errors.UserError(f"parallel.model={model} needs parallel.mode=jit, not {mode}")
    shape = {"data": count // model} | ({"model": model} if model > 1 else {})
    types = (AxisType.Auto,) * len(shape)
    return jax.make_mesh(tuple(shape.values()), tuple(shape), axis_types=types, devices=jax.devices()[:count])


def of_all_devices(number: int) -> int:
    """Returns what all devices have together of which each has `number`."""
    return number * jax.device_count()


def settings_mesh(num_settings: int) -> Mesh:
    """Returns the mesh of all devices along `settings`, or of as many as there are settings."""
    count = min(num_settings, jax.device_count())
    return jax.make_mesh((count,), ("settings",), axis_types=(AxisType.Auto,), devices=jax.devices()[:count])


def check_batch_size(mesh: Mesh, batch_size: int) -> None:
    """Raises a UserError, with the nearest size that is right, where the devices cannot share a batch evenly."""
    devices = mesh.shape["data"]
    if batch_size % devices:
        nearest = max(devices, round(batch_size / devices) * devices)
        raise errors.UserError(
            f"train.batch_size={batch_size} cannot be split over {devices} devices: the nearest that can is {nearest}"
        )


def num_shares(mesh: Mesh) -> int:
    """The number of devices that share the rows of a batch."""
    return mesh.shape["data"]


def fitting(moving: int, held: int) -> int:
    """Returns how many settings a device should train at a time, at least 1.

    On a CPU a step is fast while the states of all of them stay in the cache (benchmarks/bench_sweep.py); on an
    accelerator they should only fit the memory.

    Args:
      moving: bytes of a setting that a step reads and writes.
      held: bytes of a setting that are held besides when it is scored.
    """
    device = jax.devices()[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    memory = (stats or {}).get("bytes_limit", 4 * 2**30) // 4
    bounds = [_MOST_SETTINGS, memory // max(3 * moving + held, 1)]
    if device.platform == "cpu":
        bounds.append(_CACHE_BYTES // max(moving, 1))
    return max(1, min(bounds))


def is_accelerated(mesh: Mesh) -> bool:
    """Returns whether the devices are beside the processor that sends them work."""
    return mesh.devices.flat[0].platform != "cpu"


def device_kind(mesh: Mesh) -> str:
    return mesh.devices.flat[0].device_kind


def keep_compiled(choice: str) -> None:
    """Keeps compiled programs on disk, so that the next run of the same program starts at once.

    Args:
      choice: a folder, in which each kind of processor has one of its own, since programs are tied to it; `none`; or
        `auto`, which is what `JAX_COMPILATION_CACHE_DIR` says, or else `zsl_jax/compiled` in the user's cache. One that
        cannot be written is named on stderr, and nothing is kept.
    """
    if choice == "none":
        jax.config.update("jax_enable_compilation_cache", False)
        return
    if choice == "auto" and jax.config.jax_compilation_cache_dir is not None:
        return
    if choice == "auto":
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        choice = os.path.join(home, "zsl_jax", "compiled")
    folder = os.path.join(choice, _processor())
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
    except OSError as error:
        jax.config.update("jax_enable_compilation_cache", False)
        print(
            f"zsl-jax: compiled programs are not kept: {choice} cannot be written ({error.strerror}); name another "
            "folder in config.compilation_cache, or none",
            file=sys.stderr,
        )
        return
    # With a limit jax locks the folder, so that runs can share it; most programs here compile in less than its second.
    for name, value in {"dir": folder, "max_size": _CACHE_MOST_BYTES}.items():
        jax.config.update(f"jax_compilation_cache_{name}", value)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _CACHED_S)
    compilation_cache.reset_cache()  # jax looks at its folder once a process


def _processor() -> str:
    """A name for the processor's kind and the instructions that it knows."""
    known = platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            known += next((line for line in file if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()}-{hashlib.sha256(known.encode()).hexdigest()[:8]}"


def multiply_in(precision: str) -> None:
    """Multiplies float32 matrices in a precision, a key of `PRECISIONS`, in every program traced from here on."""
    jax.config.update("jax_default_matmul_precision", PRECISIONS[precision])


@contextlib.contextmanager
def left_as_found() -> Iterator[None]:
    """Gives jax's settings that a run changes back at the end, for callers that live on in the same process."""
    names = (
        *("jax_compilation_cache_dir", "jax_compilation_cache_max_size", "jax_enable_compilation_cache"),
        *("jax_default_matmul_precision", "jax_persistent_cache_min_compile_time_secs"),
    )
    before = {name: getattr(jax.config, name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


def describe(mesh: Mesh) -> str:
    """Returns the number and kind of devices, for the record."""
    device = mesh.devices.flat[0]
    return f"{mesh.size} x {device.device_kind} ({device.platform})"
