"""Arrays on the devices of a mesh: states whole or split along `model`, rows of examples split along `data`."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from zsl_jax.training import processes

# Smaller matrices are not worth the collectives that a split costs: 2^22 numbers are 16 MiB in float32.
_SPLIT_FROM = 2**22


def replicate(tree, mesh: Mesh):
    """Puts a whole copy of every array on every device."""
    sharding = NamedSharding(mesh, PartitionSpec())
    return jax.tree.map(lambda x: put(x, sharding), tree)


def place_state(state, mesh: Mesh):
    """Puts a state, or a class table, where the steps want it: see `state_sharding`."""
    return jax.tree.map(lambda x: put(x, state_sharding(jnp.shape(x), mesh)), state)


def state_sharding(shape: tuple[int, ...], mesh: Mesh) -> NamedSharding:
    """Returns how an array of a state is laid out: whole everywhere, or split along `model`.

    Along `model` only large matrices are split, along their longest axis that the devices divide.
    """
    spec = [None] * len(shape)
    if "model" in mesh.axis_names and len(shape) > 1 and math.prod(shape) >= _SPLIT_FROM:
        even = [axis for axis, size in enumerate(shape) if size % mesh.shape["model"] == 0]
        if even:
            spec[max(even, key=lambda axis: shape[axis])] = "model"
    return NamedSharding(mesh, PartitionSpec(*spec))


def keep_state(state, mesh: Mesh):
    """Inside jit: lays a state out as `place_state` did."""
    return jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, state_sharding(x.shape, mesh)), state)


def split_settings(tree, axes, mesh: Mesh):
    """Splits each array along its axis of settings over the devices; whole on each where the axis is None."""

    def place(axis, x):
        spec = PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, "settings")
        return jax.device_put(x, NamedSharding(mesh, spec))

    return jax.tree.map(place, axes, tree, is_leaf=lambda axis: axis is None)


def abstract(tree, mesh: Mesh):
    """Shapes, dtypes and placement of a state, without its values."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=state_sharding(x.shape, mesh)), tree)


def must_divide(tree, mesh: Mesh) -> bool:
    """Whether a copy of the arrays would take more than half of what is free on a device (False where unknown)."""
    if mesh.size == 1:
        return False

    def is_too_much():
        memory = mesh.local_devices[0].memory_stats() or {}
        free = memory.get("bytes_limit", math.inf) - memory.get("bytes_in_use", 0)
        return 2 * sum(x.nbytes for x in jax.tree.leaves(tree)) > free

    return processes.from_first(is_too_much)


def place_rows(rows, mesh: Mesh):
    """Puts arrays `[n, ...]` on the devices, a share of the rows on each; n must be a multiple of `num_shares`."""
    return jax.tree.map(lambda x: put(x, NamedSharding(mesh, PartitionSpec("data"))), rows)


def my_places(batch_size: int, mesh: Mesh) -> np.ndarray:
    """Returns the places in a batch whose rows lie on devices of this process, ascending `[n]`."""
    places = np.arange(batch_size)
    on_mine = NamedSharding(mesh, PartitionSpec("data")).addressable_devices_indices_map(places.shape)
    return np.unique(np.concatenate([places[index] for index in on_mine.values()]))


def keep_whole(tree, mesh: Mesh):
    """Inside jit: puts a whole copy of every array on every device."""
    return jax.lax.with_sharding_constraint(tree, NamedSharding(mesh, PartitionSpec()))


def to_host(tree):
    """Returns NumPy arrays of the whole values, also where they are split over processes."""
    split = [x for x in jax.tree.leaves(tree) if isinstance(x, jax.Array) and not x.is_fully_addressable]
    if any(not x.is_fully_replicated for x in split):
        whole = NamedSharding(split[0].sharding.mesh, PartitionSpec())
        tree = jax.jit(lambda tree: tree, out_shardings=whole)(tree)
    return jax.device_get(tree)


def put(x, sharding: NamedSharding):
    """Puts an array that every process has onto the devices of all of them."""
    if sharding.is_fully_addressable or (isinstance(x, jax.Array) and not x.is_fully_addressable):
        return jax.device_put(x, sharding)
    host = np.asarray(x)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])
