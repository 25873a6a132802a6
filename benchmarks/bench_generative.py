"""How long one iteration of f-CLSWGAN takes at the size of AWA2, beside what it cannot avoid.

    python benchmarks/bench_generative.py

Five critic steps and a generator step, batch 64, 85 attributes, 2048 features, 4096 hidden units, float32, random data.
`floor` is the arithmetic: the matrix products of the closed form at the rate of a product measured here, and Adam's
pass over the parameters, measured too. `autodiff` takes the gradient penalty by differentiating twice. Each runs 4
times in one compiled scan, as in the trainer; all alternate, medians of wall-clock seconds.
"""

import functools
import os
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zsl_jax import data, losses, methods
from zsl_jax.methods.generative import networks

FEATURES, ATTRIBUTES, HIDDEN, CLASSES, BATCH, CRITIC_STEPS, STRETCH, ROUNDS = 2048, 85, 4096, 40, 64, 5, 4, 5


def iteration():
    rng = np.random.default_rng(0)
    size = BATCH * CRITIC_STEPS
    inputs, labels = rng.random((size, FEATURES), np.float32), rng.integers(0, CLASSES, size).astype(np.int32)
    batch = data.Batch(inputs, labels, np.ones(size, bool))
    table = data.ClassTable(rng.random((CLASSES, ATTRIBUTES), np.float32), np.ones(CLASSES, bool), ("",) * CLASSES)
    method = methods.f_clswgan(num_hidden=HIDDEN, critic_steps=CRITIC_STEPS)
    state = jax.jit(method.init)(jax.random.key(0), batch, table, ())
    keys = jax.random.split(jax.random.key(0), STRETCH)

    @functools.partial(jax.jit, donate_argnums=0)
    def stretch(state, batch, table):
        return jax.lax.scan(lambda state, key: method.update(state, batch, table, key), state, keys)

    while True:
        state, metrics = stretch(state, batch, table)
        yield jax.block_until_ready(metrics)


def critic_step(penalties):
    """One critic step alone, with a form of the gradient penalty."""
    rng = np.random.default_rng(0)
    real, fake = (jnp.asarray(rng.random((BATCH, FEATURES), np.float32)) for _ in range(2))
    descriptions = jnp.asarray(rng.random((BATCH, ATTRIBUTES), np.float32))
    optimizer = optax.adam(1e-4, b1=0.5)

    def loss(critic, key):
        if penalties == "closed form":
            estimates, slopes = networks.estimate_and_penalty(critic, key, real, fake, descriptions)
            return jnp.mean(10 * slopes - estimates)
        both = networks.critic_value(
            critic, jnp.concatenate([real, fake]), jnp.concatenate([descriptions, descriptions])
        )
        value = functools.partial(networks.critic_value, critic, descriptions=descriptions)
        slopes = losses.gradient_penalty(key, value, real, fake)
        return jnp.mean(10 * slopes - both[:BATCH] + both[BATCH:])

    def step(carry, key):
        critic, memory = carry
        updates, memory = optimizer.update(jax.grad(loss)(critic, key), memory)
        return (optax.apply_updates(critic, updates), memory), None

    @functools.partial(jax.jit, donate_argnums=0)
    def stretch(carry):
        return jax.lax.scan(step, carry, jax.random.split(jax.random.key(1), STRETCH))[0]

    critic = networks.init_critic(jax.random.key(0), ATTRIBUTES, HIDDEN, FEATURES)
    carry = critic, optimizer.init(critic)
    while True:
        carry = jax.block_until_ready(stretch(carry))
        yield carry


def product():
    """A product of the shape of the critic's forward pass: [3B, F] x [F, H]."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.random((STRETCH, 3 * BATCH, FEATURES), np.float32))
    weights = jnp.asarray(rng.random((FEATURES, HIDDEN), np.float32))
    multiply = jax.jit(lambda x, weights: jax.lax.map(lambda x: x @ weights, x))
    while True:
        yield jax.block_until_ready(multiply(x, weights))


def adam():
    """Updates of the critic's parameters by a gradient that is at hand."""
    optimizer = optax.adam(1e-4, b1=0.5)
    params = jnp.zeros((FEATURES + ATTRIBUTES, HIDDEN))
    gradient = jnp.ones_like(params)

    def step(carry, _):
        params, memory = carry
        updates, memory = optimizer.update(gradient, memory)
        return (optax.apply_updates(params, updates), memory), None

    stretch = jax.jit(lambda carry: jax.lax.scan(step, carry, length=STRETCH)[0], donate_argnums=0)
    carry = params, optimizer.init(params)
    while True:
        carry = jax.block_until_ready(stretch(carry))
        yield carry


def main() -> None:
    running = {
        "iteration": iteration(),
        "critic step, closed form": critic_step("closed form"),
        "critic step, autodiff": critic_step("autodiff"),
        "product": product(),
        "adam": adam(),
    }
    for step in running.values():
        next(step)  # compiles
    times = {name: [] for name in running}
    for _ in range(ROUNDS):
        for name, step in running.items():
            started = time.perf_counter()
            next(step)
            times[name].append((time.perf_counter() - started) / STRETCH)
    medians = {name: float(np.median(values)) for name, values in times.items()}
    unit = 2 * BATCH * HIDDEN * FEATURES  # a product of a batch with the features' weights
    rate = 3 * unit / medians["product"]
    # A critic step: real and fake, their two gradients, and three for the penalty; the fakes of a step: 1.1 (with the
    # layer that takes noise and description). The generator step: 3.3 and, through the critic, 2.
    flops = unit * (CRITIC_STEPS * (7 + 1.1) + 5.3)
    floor = flops / rate + (CRITIC_STEPS + 1) * medians["adam"]
    print(f"float32, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, jax {jax.__version__}")
    for name, value in medians.items():
        print(f"{name:26}{1e3 * value:8.1f} ms   least {1e3 * min(times[name]):8.1f} ms")
    print(
        f"best product {rate / 1e9:.0f} GFLOP/s; floor of an iteration {1e3 * floor:.0f} ms, "
        f"reached {floor / medians['iteration']:.2f}"
    )


if __name__ == "__main__":
    main()
