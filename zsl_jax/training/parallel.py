"""The only file that knows devices: one mesh with the axis `data`, batches split along it, the rest replicated."""

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from zsl_jax import errors


def make_mesh() -> Mesh:
    """Returns the mesh of all devices along `data`."""
    return jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


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
