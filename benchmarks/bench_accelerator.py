"""What an accelerator makes of it: one table in a few minutes, each row against what the device can do at most.

    python benchmarks/bench_accelerator.py FOLDER [SECTION ...]       FOLDER is a benchmark in the xlsa17 layout

    ceilings   a large product in bfloat16, float32 and tf32, and a large copy
    epochs     an epoch of the feature methods at the size of AWA2, by batch size; its floor reads every input once
    sweep      64 settings of ALE side by side, and the same on the host's processors
    gan        the whole of f-CLSWGAN on the benchmark
    parity     ZSL and H of `train` on this device in each precision (with JAX_PLATFORMS=cpu: on the processors)
    towers     images a second of ViT-B/16 and L/14: features, and two-tower training, as a share of the bfloat16 peak
    attention  XLA's attention and cuDNN's

Each section is a process of its own, so that one which fails or fills the memory leaves the others alone.
"""

import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import bench_epochs
import bench_sweep
import jax
import jax.numpy as jnp
import numpy as np
import optax

from zsl_jax import encoders, losses, methods
from zsl_jax.encoders import clip, transformer
from zsl_jax.training import loop, parallel, profiling, states

SIDE = 224


def median(run, *arguments, repeats: int = 7) -> float:
    """Seconds of `run`, which returns arrays, after a first call that compiles."""
    jax.block_until_ready(run(*arguments))
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        jax.block_until_ready(run(*arguments))
        found.append(time.perf_counter() - started)
    return float(np.median(found))


def peak() -> float:
    return profiling.PEAK.get(jax.devices()[0].device_kind, float("nan"))


def memory() -> str:
    stats = jax.devices()[0].memory_stats() or {}
    return f"{stats.get('peak_bytes_in_use', 0) / 2**30:.1f} GiB"


def copied_bytes() -> float:
    """Bytes a second of a large copy, read and written."""
    x = jnp.ones(2**28, jnp.float32)
    copy = jax.jit(lambda x: x + 1)
    return 2 * x.nbytes / median(copy, x)


def ceilings(folder: str) -> None:
    del folder
    side = 8192
    keys = jax.random.split(jax.random.key(0))
    for name, dtype, precision in (
        ("bfloat16", jnp.bfloat16, "default"),
        ("float32", jnp.float32, "highest"),
        ("tf32", jnp.float32, "high"),
    ):
        x, y = (jax.random.normal(key, (side, side), dtype) for key in keys)
        product = jax.jit(functools.partial(jnp.matmul, precision=precision))
        print(f"product of {side} x {side}, {name}: {2e-12 * side**3 / median(product, x, y):.0f} TFLOP/s")
    print(f"copy of 1 GiB: {1e-12 * copied_bytes():.2f} TB/s read and written")


def epochs(folder: str) -> None:
    del folder
    problem = bench_epochs.task()
    bandwidth = copied_bytes()
    floor = problem.train.inputs.nbytes / bandwidth
    print(f"floor, every input read once: {1e3 * floor:.2f} ms per epoch")
    for precision in ("float32", "tf32"):
        parallel.multiply_in(precision)
        for name in ("softmax", "ale", "sje"):
            for size in (64, 1024, 8192):
                method = methods.normalized(methods.factory(name)())
                key, mesh = jax.random.key(0), parallel.make_mesh()
                running = loop.fit(states.Training(method, problem, key=key, batch_size=size, mesh=mesh), epochs=10**6)
                seconds = median(lambda running: next(running)[1], running)
                share = f"{floor / seconds:.0%} of bandwidth"
                print(f"{name}, batches of {size}, {precision}: {1e3 * seconds:.2f} ms, {share}")


def large(dtype: str, *, remat: bool = False) -> tuple:
    """ViT-L/14 of CLIP, and its operations for an image, products alone, without those that are computed again."""
    shape = transformer.Shape(1024, 24, 16, 4096, "quick_gelu", 1e-5, dtype=dtype, scan=True, remat=remat)
    module = clip.ImageTower(clip.VisionSize(shape, SIDE, 14, 768))
    return module, vit_flops(1024, 24, 14)


def base(dtype: str) -> tuple:
    return encoders.factory("vit_base")(dtype=dtype), vit_flops(768, 12, 16)


def vit_flops(width: int, depth: int, patch: int) -> float:
    length = (SIDE // patch) ** 2 + 1
    return depth * (24 * length * width**2 + 4 * length**2 * width) + 2 * length * 3 * patch**2 * width


def towers(folder: str) -> None:
    del folder
    images = np.random.default_rng(0).integers(0, 256, (512, SIDE, SIDE, 3), np.uint8)
    for name, make in (("ViT-B/16", base), ("ViT-L/14", large)):
        reference = None
        for dtype, precision in (("float32", "float32"), ("float32", "tf32"), ("bfloat16", "tf32")):
            parallel.multiply_in(precision)
            module, flops = make(dtype)
            # Against float32 on the host's processors, on four images.
            variables = jax.jit(lambda module=module: module.init(jax.random.key(0), images[:1], train=False))()
            run = jax.jit(lambda v, x, module=module: module.apply(v, x, train=False).astype(jnp.float32))
            if reference is None:
                host = jax.devices("cpu")[0]
                reference = np.asarray(run(jax.device_put(variables, host), jax.device_put(images[:4], host)))
            found = np.asarray(run(variables, images[:4]))
            error = np.linalg.norm(found - reference) / np.linalg.norm(reference)
            batch = jax.device_put(images[:256])
            rate = 256 / median(run, variables, batch)
            print(
                f"{name} features, {dtype} in {precision}: {rate:.0f} images/s, {rate * flops / peak():.0%} of the "
                f"bfloat16 peak, {error:.1e} from float32 on the processors, {memory()}"
            )
    parallel.multiply_in("tf32")
    for size in (256, 512):
        train("ViT-B/16", *base("bfloat16"), images[:size])
    train("ViT-L/14, blocks computed again", *large("bfloat16", remat=True), images[:128])


def attention(folder: str) -> None:
    """XLA's attention and cuDNN's kernel: value and gradient, 256 images in bfloat16."""
    del folder
    for name, length, heads in (("ViT-B/16", 197, 12), ("ViT-L/14", 257, 16)):
        x = jax.random.normal(jax.random.key(0), (3, 256, length, heads, 64), jnp.bfloat16)
        for implementation in ("xla", "cudnn"):

            @jax.jit
            def forward(x, implementation=implementation):
                return jax.nn.dot_product_attention(*x, implementation=implementation)

            backward = jax.jit(jax.grad(lambda x, forward=forward: jnp.sum(forward(x).astype(jnp.float32))))
            try:
                found = f"{1e3 * median(forward, x):.2f} ms, with gradient {1e3 * median(backward, x):.2f} ms"
            except Exception as error:
                found = str(error).splitlines()[0][:100]
            print(f"attention of {name}, {implementation}: {found}")


def train(name: str, module, flops: float, images: np.ndarray) -> None:
    """Steps of CLIP's loss between the images and rows of classes, with AdamW, all parameters trained."""
    optimizer = optax.adamw(1e-4)
    labels = jnp.arange(len(images))

    def loss(params, batch):
        found = module.apply({"params": params["images"]}, batch, train=True)
        found = found / jnp.linalg.norm(found, axis=1, keepdims=True)
        return jnp.mean(losses.clip_softmax(found, params["classes"], scale=20.0))

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def steps(params, memory, batch):
        def step(_, carry):
            params, memory = carry
            updates, memory = optimizer.update(jax.grad(loss)(params, batch), memory, params)
            return optax.apply_updates(params, updates), memory

        return jax.lax.fori_loop(0, 4, step, (params, memory))

    variables = jax.jit(lambda: module.init(jax.random.key(0), images[:1], train=False))()
    width = jax.eval_shape(lambda v: module.apply(v, images[:1], train=False), variables).shape[1]
    params = {"images": variables["params"], "classes": jax.random.normal(jax.random.key(1), (len(labels), width))}
    state = [params, optimizer.init(params)]
    batch = jax.device_put(images)

    def run():
        state[:] = steps(*state, batch)
        return state[0]["classes"]

    rate = 4 * len(images) / median(run)
    print(
        f"{name} training, bfloat16, batches of {len(images)}: {rate:.0f} images/s, "
        f"{3 * rate * flops / peak():.0%} of the bfloat16 peak, {memory()}"
    )


def sweep(folder: str) -> None:
    config = bench_sweep.config_lib.base("ale", "xlsa17")
    config.data.dir, config.train.epochs = folder, bench_sweep.EPOCHS
    config.lock()
    tasks = bench_sweep.sweeps.selection_tasks(config)
    for turn in ("first", "second"):
        print(turn, end=": ")
        bench_sweep.whole(config, tasks)


def trained(folder: str, recipe: str, *arguments: str) -> str:
    with tempfile.TemporaryDirectory() as workdir:
        command = [sys.executable, "-m", "zsl_jax", "train", f"--config={recipe}:xlsa17", f"--config.data.dir={folder}"]
        command += [f"--workdir={workdir}/run", "--config.plots=none", *arguments]
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        record = json.loads((pathlib.Path(workdir) / "run" / "record.json").read_text())
    zsl, gzsl = record["metrics"]["zsl"]["top1"], record["metrics"]["gzsl"]
    return (
        f"ZSL {100 * zsl:.2f}, H {100 * gzsl['harmonic']:.2f}, calibrated {100 * gzsl['calibrated']['harmonic']:.2f}, "
        f"AUSUC {100 * gzsl['ausuc']:.2f}; {seconds:.0f} s in all, training {record['timing']['train_s']:.1f} s"
    )


def parity(folder: str) -> None:
    for recipe in ("eszsl", "ale"):
        for precision in parallel.PRECISIONS:
            print(f"{recipe}, {precision}: {trained(folder, recipe, f'--config.precision={precision}')}", flush=True)


def gan(folder: str) -> None:
    for precision in ("float32", "tf32"):
        print(f"f_clswgan, {precision}: {trained(folder, 'f_clswgan', f'--config.precision={precision}')}", flush=True)


SECTIONS = {f.__name__: f for f in (ceilings, epochs, sweep, gan, parity, towers, attention)}
ON_THE_HOST = ("sweep",)


def main(folder: str, sections: list[str]) -> None:
    for name in sections:
        for host in (False, True) if name in ON_THE_HOST else (False,):
            where = {"JAX_PLATFORMS": "cpu"} if host else {}
            print(f"\n{name}{', on the processors' if host else ''}", flush=True)
            started = time.perf_counter()
            subprocess.run([sys.executable, __file__, folder, "--here", name], env={**os.environ, **where}, check=False)
            print(f"({time.perf_counter() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if sys.argv[2:3] == ["--here"]:
        SECTIONS[sys.argv[3]](sys.argv[1])
    else:
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # the processes of the sections share the memory
        print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, {os.cpu_count()} processors")
        main(sys.argv[1], sys.argv[2:] or list(SECTIONS))
