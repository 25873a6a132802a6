"""How long an epoch of the gradient-trained methods takes at the size of AWA2, beside the products it cannot avoid.

    python benchmarks/bench_epochs.py [METHOD ...]

Random data of that size: 20218 images of 2048 features, 27 training classes, 85 attributes; batches of 64, the compiled
epoch of the trainer on one device. `floor` runs, on the same gathered batches, the two products x W and x^T g of the
bilinear step and one addition to W; methods and floor alternate, medians of wall-clock seconds. CPU seconds count what
the process itself used, so that other work on the machine counts little.
"""

import functools
import os
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import data, methods
from zsl_jax.training import loop, states, stretches

EXAMPLES, FEATURES, ATTRIBUTES, CLASSES, BATCH, ROUNDS = 20218, 2048, 85, 27, 64, 7
METHODS = ("ale", "softmax", "sje", "devise", "ale_sgd", "latem", "ale_learned")


def task() -> data.Task:
    rng = np.random.default_rng(0)
    inputs = np.abs(rng.standard_normal((EXAMPLES, FEATURES), np.float32))
    embedding = rng.random((CLASSES, ATTRIBUTES), np.float32)
    classes = data.ClassTable(embedding, np.ones(CLASSES, bool), tuple(map(str, range(CLASSES))))
    train = data.Examples(inputs, rng.integers(0, CLASSES, EXAMPLES).astype(np.int32))
    return data.Task(train, {}, classes)


def floor_epoch(problem: data.Task, width: int):
    @functools.partial(jax.jit, donate_argnums=0)
    def run(weights, inputs, labels, key, epoch):
        rows, _ = stretches.epoch_rows(key, epoch, num_examples=EXAMPLES, batch_size=BATCH)
        targets = jax.nn.one_hot(labels, width)

        def step(weights, rows):
            x = inputs[rows]
            return weights - 1e-3 * x.T @ (x @ weights - targets[rows]), None

        return jax.lax.scan(step, weights, rows)[0]

    state, train = jnp.zeros((FEATURES, width)), jax.device_put(problem.train)
    while True:
        state = run(state, train.inputs, train.labels, jax.random.key(0), 0)
        yield jax.block_until_ready(state)


def method_epoch(name: str, problem: data.Task, mesh):
    method = methods.normalized(methods.factory(name)())
    training = states.Training(method, problem, key=jax.random.key(0), batch_size=BATCH, mesh=mesh)
    for epoch in loop.fit(training, epochs=10**6):
        yield jax.block_until_ready(epoch[1])


def timed(epochs) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    next(epochs)
    return time.perf_counter() - wall, time.process_time() - cpu


def main(names) -> None:
    problem = task()
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:1])
    running = {"floor": floor_epoch(problem, min(CLASSES, ATTRIBUTES))}
    running |= {name: method_epoch(name, problem, mesh) for name in names}
    for epochs in running.values():
        next(epochs)  # compiles
    times = {name: [] for name in running}
    for _ in range(ROUNDS):
        for name, epochs in running.items():
            times[name].append(timed(epochs))
    floor = np.median([wall for wall, _ in times["floor"]])
    print(f"float32, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, jax {jax.__version__}")
    print(f"{'method':14}{'wall s':>9}{'least':>9}{'CPU s':>9}{'/ floor':>9}")
    for name, values in times.items():
        wall, cpu = np.median(values, axis=0)
        print(f"{name:14}{wall:9.3f}{min(values)[0]:9.3f}{cpu:9.3f}{wall / floor:9.2f}")


if __name__ == "__main__":
    main(sys.argv[1:] or METHODS)
