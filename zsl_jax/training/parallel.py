"""The only file that knows devices.

A mesh has an axis `data`, along which batches are split while states are whole on every device, and on request an axis
`model`, along which large matrices (class tables, wide layers) are split. A mesh of `settings` is for sweeps: states of
many settings side by side are split, and every device sees the whole batch.

The same steps are compiled in one of three modes:

    jit         one program of the whole batch, which XLA divides along `data` and `model`
    shard_map   a program a device, on its rows of the batch, with collectives where `update` sums over the batch
    pmap        the program of shard_map through the older interface, for clusters and habits built on it

In the last two a method that says `divides` is handed its device's rows and sums over `batch.axis_name` itself (see
`methods.base`); any other is handed the whole batch, gathered, and does the same work on every device.

Where several processes take part (see `processes`) the mesh is over the devices of all; each process has the data and
puts on its own devices what belongs there.
"""

import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from zsl_jax import errors
from zsl_jax.data import dataset
from zsl_jax.training import processes

MODES = ("jit", "pmap", "shard_map")
_AXIS = dataset.AxisName("data")
# Smaller matrices are not worth the collectives that a split costs: 2^22 numbers are 16 MiB in float32.
_SPLIT_FROM = 2**22
_CACHE_BYTES = 20 * 2**20
_MOST_SETTINGS = 64


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


def replicate(tree, mesh: Mesh):
    """Puts a whole copy of every array on every device."""
    sharding = NamedSharding(mesh, PartitionSpec())
    return jax.tree.map(lambda x: _put(x, sharding), tree)


def place_state(state, mesh: Mesh):
    """Puts a state, or a class table, where the steps want it: see `state_sharding`."""
    return jax.tree.map(lambda x: _put(x, state_sharding(jnp.shape(x), mesh)), state)


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
    """Shapes, dtypes and placement of a state, without its values."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=state_sharding(x.shape, mesh)), tree)


def init(function: Callable[[], Any], mesh: Mesh):
    """Returns `function()`, computed where its values are wanted: laid out as a state."""
    shardings = jax.tree.map(lambda x: state_sharding(x.shape, mesh), jax.eval_shape(function))
    return jax.jit(function, out_shardings=shardings)()


def must_divide(tree, mesh: Mesh) -> bool:
    """Whether a copy of the arrays would take more than half of what is free on a device (False where unknown)."""
    if mesh.size == 1:
        return False

    def is_too_much():
        memory = mesh.local_devices[0].memory_stats() or {}
        free = memory.get("bytes_limit", math.inf) - memory.get("bytes_in_use", 0)
        return 2 * sum(x.nbytes for x in jax.tree.leaves(tree)) > free

    return processes.from_first(is_too_much)


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
        return _put(x, NamedSharding(layout.mesh, PartitionSpec("data")))

    return jax.tree.map(place, examples)


def whole_examples(examples, count: int, layout: Layout):
    """Inside jit: returns the N = `count` examples that `place_examples` laid out, without what filled them up."""
    if not layout.divided or layout.streamed:  # a stream has no whole on the devices
        return examples
    return jax.tree.map(lambda x: (x.reshape(-1, *x.shape[2:]) if layout.mode == "pmap" else x)[:count], examples)


def place_rows(rows, mesh: Mesh):
    """Puts arrays `[n, ...]` on the devices, a share of the rows on each; n must be a multiple of `num_shares`."""
    return jax.tree.map(lambda x: _put(x, NamedSharding(mesh, PartitionSpec("data"))), rows)


def my_places(batch_size: int, mesh: Mesh) -> np.ndarray:
    """Returns the places in a batch whose rows lie on devices of this process, ascending `[n]`."""
    places = np.arange(batch_size)
    on_mine = NamedSharding(mesh, PartitionSpec("data")).addressable_devices_indices_map(places.shape)
    return np.unique(np.concatenate([places[index] for index in on_mine.values()]))


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


def num_shares(mesh: Mesh) -> int:
    """The number of devices that share the rows of a batch."""
    return mesh.shape["data"]


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
            return _split(dataset.Batch(*taken, where), layout.mesh)
        share = len(taken.labels)
        my_where = jax.lax.dynamic_slice_in_dim(where, share * jax.lax.axis_index(_AXIS), share)
        return dataset.Batch(*taken, my_where, _AXIS)
    if layout.mode == "jit":
        if layout.divided:
            spec = PartitionSpec("data")
            take = jax.shard_map(_exchange, mesh=layout.mesh, in_specs=(spec, PartitionSpec()), out_specs=spec)
            taken = take(examples, rows)
        else:
            taken = jax.tree.map(lambda x: x[rows], examples)
        return _split(dataset.Batch(*taken, where), layout.mesh)
    share = len(rows) // jax.lax.axis_size(_AXIS)
    my_rows, my_where = (
        jax.lax.dynamic_slice_in_dim(x, share * jax.lax.axis_index(_AXIS), share) for x in (rows, where)
    )
    taken = _exchange(examples, rows) if layout.divided else jax.tree.map(lambda x: x[my_rows], examples)
    return dataset.Batch(*taken, my_where, _AXIS)


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
        # Unchecked: the gathered batch of a method that does not divide is alike on all devices, which is not inferred.
        def mapped(state, examples, *rest):
            specs = (whole, PartitionSpec("data") if layout.divided else whole, *[whole] * len(rest))
            program = jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=whole, check_vma=False)
            return program(state, examples, *rest)

        return jax.jit(mapped, donate_argnums=0)
    numbers = _put(np.arange(mesh.size), NamedSharding(mesh, PartitionSpec("data")))

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


def device_kind(mesh: Mesh) -> str:
    return mesh.devices.flat[0].device_kind


def keep_compiled(choice: str) -> None:
    """Keeps compiled programs on disk, so that the next run of the same program starts at once.

    Args:
      choice: a folder; `none`; or `auto`, which is what `JAX_COMPILATION_CACHE_DIR` says, or else the folder
        `zsl_jax/compiled` of the user's cache, and nothing on CPU, where programs are tied to the very processor.
    """
    if choice == "none":
        jax.config.update("jax_enable_compilation_cache", False)
    elif choice != "auto":
        jax.config.update("jax_compilation_cache_dir", choice)
    elif jax.config.jax_compilation_cache_dir is None and jax.default_backend() != "cpu":
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        jax.config.update("jax_compilation_cache_dir", os.path.join(home, "zsl_jax", "compiled"))


def describe(mesh: Mesh) -> str:
    """Returns the number and kind of devices, for the record."""
    device = mesh.devices.flat[0]
    return f"{mesh.size} x {device.device_kind} ({device.platform})"


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


def _put(x, sharding: NamedSharding):
    """Puts an array that every process has onto the devices of all of them."""
    if sharding.is_fully_addressable or (isinstance(x, jax.Array) and not x.is_fully_addressable):
        return jax.device_put(x, sharding)
    host = np.asarray(x)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])
