"""Steps on several devices: how examples lie there, the batch of a step, and the three ways to compile a step.

    jit         one program of the whole batch, which XLA divides along `data` and `model`
    shard_map   one program per device, on its rows of the batch, with collectives where `update` sums over the batch
    pmap        the program of shard_map through the older interface, for clusters and habits built on it

In the last two a method that says `divides` is handed its device's rows and sums over `batch.axis_name` itself (see
`methods.base`); any other is handed the whole batch, gathered, and does the same work on every device.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from zsl_jax.data import dataset
from zsl_jax.training import processes
from zsl_jax.training.parallel.placement import put, replicate

_AXIS = dataset.AxisName("data")


class Layout(NamedTuple):
    """How steps run.

    Fields:
      mesh, mode: of the steps.
      divided: whether the examples are divided over the devices or copied to each.
      streamed: whether the examples are a window of the next steps, `[B, W, ...]`, instead of all; it is divided.
    """

    mesh: Mesh
    mode: str = "jit"
    divided: bool = False
    streamed: bool = False

    @property
    def axis_name(self) -> dataset.AxisName | None:
        return None if self.mode == "jit" else _AXIS


def place_examples(examples, layout: Layout):
    """Puts examples `[N, ...]` on the devices for `take_batch`: a copy each, or a share each, filled up by zeros."""
    if not layout.divided:
        return replicate(examples, layout.mesh)
    devices = layout.mesh.shape["data"]

    def place(x):
        x = np.asarray(x)
        x = np.pad(x, [(0, -len(x) % devices)] + [(0, 0)] * (x.ndim - 1))
        if layout.mode == "pmap":
            x = x.reshape(devices, -1, *x.shape[1:])
        return put(x, NamedSharding(layout.mesh, PartitionSpec("data")))

    return jax.tree.map(place, examples)


def whole_examples(examples, count: int, layout: Layout):
    """Inside jit: returns the N = `count` examples that `place_examples` laid out, without what filled them up."""
    if not layout.divided or layout.streamed:  # a stream has no whole on the devices
        return examples
    return jax.tree.map(lambda x: (x.reshape(-1, *x.shape[2:]) if layout.mode == "pmap" else x)[:count], examples)


def place_shares(shares, mine, batch_size: int, layout: Layout):
    """Puts arrays of `batch_size` rows on the devices of all processes, of which each has its own rows.

    Args:
      shares: arrays `[n, ...]`, n rows of the whole.
      mine: `[n]`, what `my_places` returns: which rows these are.
      batch_size: rows of the whole.
      layout: divided.
    """
    places = np.arange(batch_size)
    if layout.mode == "pmap":
        places = places.reshape(layout.mesh.shape["data"], -1)
    sharding = NamedSharding(layout.mesh, PartitionSpec("data"))

    def place(x):
        def share(index):
            return x[np.searchsorted(mine, places[index[0]])]

        return jax.make_array_from_callback((*places.shape, *x.shape[1:]), sharding, share)

    return jax.tree.map(place, shares)


def take_batch(examples, rows, where, layout: Layout) -> dataset.Batch:
    """Inside the steps: returns the batch of some rows of the examples, or this device's share of it.

    Args:
      examples: `data.Examples`, laid out by `place_examples`.
      rows: `[B]` int, rows of the whole; of a window, the scalar number of the step in it.
      where: `[B]` bool, the rows that count.
      layout: of the steps.
    """
    if layout.streamed:
        taken = jax.tree.map(lambda x: x[:, rows], examples)
        if layout.mode == "jit":
            return _split(dataset.Batch(taken.inputs, taken.labels, where), layout.mesh)
        share = len(taken.labels)
        my_where = jax.lax.dynamic_slice_in_dim(where, share * jax.lax.axis_index(_AXIS), share)
        return dataset.Batch(taken.inputs, taken.labels, my_where, _AXIS)
    if layout.mode == "jit":
        if layout.divided:
            spec = PartitionSpec("data")
            take = jax.shard_map(_exchange, mesh=layout.mesh, in_specs=(spec, PartitionSpec()), out_specs=spec)
            taken = take(examples, rows)
        else:
            taken = jax.tree.map(lambda x: x[rows], examples)
        return _split(dataset.Batch(taken.inputs, taken.labels, where), layout.mesh)
    share = len(rows) // jax.lax.axis_size(_AXIS)
    my_rows, my_where = (
        jax.lax.dynamic_slice_in_dim(x, share * jax.lax.axis_index(_AXIS), share) for x in (rows, where)
    )
    taken = _exchange(examples, rows) if layout.divided else jax.tree.map(lambda x: x[my_rows], examples)
    return dataset.Batch(taken.inputs, taken.labels, my_where, _AXIS)


def gather_batch(batch: dataset.Batch) -> dataset.Batch:
    """The whole batch from the shares of all devices, on each of them."""
    arrays = (batch.inputs, batch.labels, batch.where)
    return dataset.Batch(*jax.tree.map(lambda x: jax.lax.all_gather(x, batch.axis_name, tiled=True), arrays))


def compiled(function: Callable, layout: Layout) -> Callable:
    """Returns `function(state, examples, *rest)` compiled in the layout's mode; the state's memory is reused.

    Results are the same on every device. All arguments but the examples are whole on every device.
    """
    mesh, whole = layout.mesh, PartitionSpec()
    if layout.mode == "jit":
        return jax.jit(function, donate_argnums=0)
    if layout.mode == "shard_map":
        # Unchecked: the gathered batch of a method that does not divide is the same on all devices, but not inferred.
        def mapped(state, examples, *rest):
            specs = (whole, PartitionSpec("data") if layout.divided else whole, *[whole] * len(rest))
            program = jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=whole, check_vma=False)
            return program(state, examples, *rest)

        return jax.jit(mapped, donate_argnums=0)
    numbers = put(np.arange(mesh.size), NamedSharding(mesh, PartitionSpec("data")))

    # pmap wants an argument that differs between devices: their numbers, which the program does not need.
    def steps(state, examples, rest, numbers):
        del numbers
        return function(state, examples, *rest)

    program = jax.pmap(
        steps,
        axis_name=_AXIS,
        in_axes=(None, 0 if layout.divided else None, None, 0),
        out_axes=None,
        devices=list(mesh.devices.flat),
        donate_argnums=0,
    )

    def over_all(x):
        # With several processes pmap returns what this process holds of the whole.
        shards = [shard.data for shard in x.addressable_shards]
        return jax.make_array_from_single_device_arrays(x.shape, NamedSharding(mesh, whole), shards)

    def run(state, examples, *rest):
        results = program(state, examples, rest, numbers)
        return jax.tree.map(over_all, results) if processes.are_several() else results

    return run


def _split(batch, mesh: Mesh):
    """Inside jit: lays the leading axis of every array along the devices."""
    return jax.lax.with_sharding_constraint(batch, NamedSharding(mesh, PartitionSpec("data")))


def _exchange(mine, rows):
    """From each device's examples to each device's share of the batch: the owner of a row sends it where it belongs."""

    def take(x):
        offset = rows - len(x) * jax.lax.axis_index(_AXIS)
        is_mine = (offset >= 0) & (offset < len(x))
        taken = jnp.where(is_mine.reshape(-1, *[1] * (x.ndim - 1)), x[jnp.where(is_mine, offset, 0)], 0)
        return jax.lax.psum_scatter(taken, _AXIS, tiled=True)

    return jax.tree.map(take, mine)
