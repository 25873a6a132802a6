"""What steps cost: steps and examples a second, floating-point operations as a share of the devices' peak, a trace.

    share of peak = FLOPs of a step * steps a second / (devices * peak of one)

The FLOPs are XLA's count for `update`, in which operations that are calls of a library (a Cholesky factor, an
eigendecomposition) count as nothing. The peak is that of dense bfloat16 products, so that float32 work is held against
more than it can reach.
"""

import functools

import jax

from zsl_jax.training import parallel, states

# FLOP/s of dense bfloat16 (V100 and T4: float16) products of what JAX calls one device, by its `device_kind`.
# TPU: the page of each version under cloud.google.com/tpu/docs (a v2 or v3 chip is two devices).
# NVIDIA: the data sheet of each, without sparsity.
PEAK = {
    "TPU v2": 22.5e12,
    "TPU v3": 61.5e12,
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5e": 197e12,
    "TPU v5": 459e12,
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,
    "TPU v6e": 918e12,
    "Tesla V100-SXM2-16GB": 125e12,
    "Tesla V100-SXM2-32GB": 125e12,
    "Tesla T4": 65e12,
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA A100 80GB PCIe": 312e12,
    "NVIDIA H100 80GB HBM3": 989e12,
    "NVIDIA H200": 989e12,
}


def step_flops(training: states.Training) -> float | None:
    """Returns the floating-point operations of a step over all devices, or None where XLA does not count them."""
    method = training.method
    if method.update is None:
        return None
    batch = states.first_batch(training.examples, training.batch_size)
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (training.shapes, batch, training.classes))
    leaves, tree = jax.tree.flatten(shapes)
    return _counted(method.update, tuple(leaves), tree)


@functools.lru_cache(maxsize=8)
def _counted(update, leaves: tuple[jax.ShapeDtypeStruct, ...], tree) -> float | None:
    key = jax.eval_shape(lambda: jax.random.key(0))
    lowered = jax.jit(update).lower(*tree.unflatten(leaves), key)
    return (lowered.cost_analysis() or {}).get("flops")


def rates(steps: int, seconds: float, *, batch_size: int, flops: float | None, mesh) -> dict[str, float]:
    """Returns `steps_per_s`, `examples_per_s` and, where they are known, `flops_per_s` and `share_of_peak`."""
    found = {"steps_per_s": steps / seconds, "examples_per_s": steps * batch_size / seconds}
    if flops is not None:
        found["flops_per_s"] = flops * steps / seconds
        peak = PEAK.get(parallel.device_kind(mesh))
        if peak is not None:
            found["share_of_peak"] = found["flops_per_s"] / (mesh.size * peak)
    return found
