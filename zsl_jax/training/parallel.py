"""The only file that knows devices.

A mesh has one axis. Along `data`, batches are split and states are whole on every device; along `settings`, states of
many settings side by side are split and every device sees the whole batch.
"""

import math

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from zsl_jax import errors


def make_mesh() -> Mesh:
    """Returns the mesh of all devices along `data`."""
    return jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


def settings_mesh(num_settings: int) -> Mesh:
    """Returns the mesh along `settings` of as many devices as can share that many settings evenly."""
    count = math.gcd(num_settings, jax.device_count())
    return jax.make_mesh((count,), ("settings",), axis_types=(AxisType.Auto,), devices=jax.devices()[:count])


def check_batch_size(mesh: Mesh, batch_size: int) -> None:
    """Raises a UserError, with the nearest size that is right, where the devices cannot share a batch evenly."""
    devices = mesh.shape.get("data", 1)
    if batch_size % devices:
        nearest = max(devices, round(batch_size / devices) * devices)
        raise errors.UserError(
            f"train.batch_size={batch_size} cannot be split over {devices} devices: the nearest that can is {nearest}"
        )


def replicate(tree, mesh: Mesh):
    """Puts a whole copy of every array on every device."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def place_state(state, mesh: Mesh):
    """Puts a state where the steps want it: whole everywhere, or split by settings."""
    if "settings" not in mesh.axis_names:
        return replicate(state, mesh)

    def place(x):
        spec = PartitionSpec(*[None] * settings_axis(x.ndim), "settings")
        return jax.device_put(x, NamedSharding(mesh, spec))

    return jax.tree.map(place, state)


def settings_axis(ndim: int) -> int:
    """Where the axis of the settings stands in an array of `ndim` axes, that one included.

    Second: a weight matrix `[F, C]` of S settings is `[F, S, C]`, and `inputs @ weights` stays one matrix product.
    """
    return min(1, ndim - 1)


def abstract(tree, mesh: Mesh):
    """Shapes, dtypes and placement of a replicated tree, without its values."""
    sharding = NamedSharding(mesh, PartitionSpec())
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree)


def split_batch(batch, mesh: Mesh):
    """Inside jit: lays the leading axis of every array along the devices, where the mesh is one of data."""
    spec = PartitionSpec("data") if "data" in mesh.axis_names else PartitionSpec()
    return jax.lax.with_sharding_constraint(batch, NamedSharding(mesh, spec))


def describe(mesh: Mesh) -> str:
    """Returns the number and kind of devices, for the record."""
    device = mesh.devices.flat[0]
    return f"{mesh.size} x {device.device_kind} ({device.platform})"
