"""The only file that knows devices.

A mesh has one axis. Along `data`, batches are split and states are whole on every device; along `settings`, states of
many settings side by side are split and every device sees the whole batch.
"""

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from zsl_jax import errors

_CACHE_BYTES = 20 * 2**20
_MOST_SETTINGS = 64


def make_mesh() -> Mesh:
    """Returns the mesh of all devices along `data`."""
    return jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


def of_all_devices(number: int) -> int:
    """Returns what all devices have together of which each has `number`."""
    return number * jax.device_count()


def settings_mesh(num_settings: int) -> Mesh:
    """Returns the mesh of all devices along `settings`, or of as many as there are settings."""
    count = min(num_settings, jax.device_count())
    return jax.make_mesh((count,), ("settings",), axis_types=(AxisType.Auto,), devices=jax.devices()[:count])


def check_batch_size(mesh: Mesh, batch_size: int) -> None:
    """Raises a UserError, with the nearest size that is right, where the devices cannot share a batch evenly."""
    devices = mesh.size
    if batch_size % devices:
        nearest = max(devices, round(batch_size / devices) * devices)
        raise errors.UserError(
            f"train.batch_size={batch_size} cannot be split over {devices} devices: the nearest that can is {nearest}"
        )


def replicate(tree, mesh: Mesh):
    """Puts a whole copy of every array on every device."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def split_settings(tree, axes, mesh: Mesh):
    """Splits each array along its axis of settings over the devices; whole on each where the axis is None."""

    def place(axis, x):
        spec = PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, "settings")
        return jax.device_put(x, NamedSharding(mesh, spec))

    return jax.tree.map(place, axes, tree, is_leaf=lambda axis: axis is None)


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


def abstract(tree, mesh: Mesh):
    """Shapes, dtypes and placement of a replicated tree, without its values."""
    sharding = NamedSharding(mesh, PartitionSpec())
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree)


def split_batch(batch, mesh: Mesh):
    """Inside jit: lays the leading axis of every array along the devices."""
    return jax.lax.with_sharding_constraint(batch, NamedSharding(mesh, PartitionSpec("data")))


def describe(mesh: Mesh) -> str:
    """Returns the number and kind of devices, for the record."""
    device = mesh.devices.flat[0]
    return f"{mesh.size} x {device.device_kind} ({device.platform})"
