"""Trains small methods for 20 steps in every mode on devices of this process (and of others).

python tests/topology.py FILE    saves the results; with XLA_FLAGS and JAX_... set by the caller, see test_parallel.py
"""

import contextlib
import dataclasses
import logging
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import toy

from zsl_jax import data, encoders, losses, methods
from zsl_jax.data import streaming
from zsl_jax.training import evaluation, feeding, loop, optimizers, parallel, processes, states, stretches

# Between processes; the other losses add up over devices as these do.
OF_PROCESSES = ("ale", "ale_sgd", "eszsl", "clip")
EPOCHS, BATCH = 5, 16  # of 54 examples: 4 steps per epoch, the last one of 6 examples


def contrastive(loss, optimizer):
    """Two linear maps into one space, trained by a loss that compares the rows of the batch."""

    def init_params(key, batch, classes):
        keys = jax.random.split(key)
        shapes = (batch.inputs.shape[-1], 4), (classes.embedding.shape[-1], 4)
        return [jax.random.normal(k, shape) for k, shape in zip(keys, shapes)]

    def embed(x, weights):
        y = x @ weights
        return y / jnp.linalg.norm(y, axis=1, keepdims=True)

    def row_losses(params, batch, classes, key):
        del key
        images, prototypes = embed(batch.inputs, params[0]), embed(jnp.asarray(classes.embedding), params[1])
        return loss(images, prototypes[batch.labels], batch)

    return methods.by_gradient(
        init_params=init_params,
        loss=row_losses,
        embed=lambda params, inputs: embed(inputs, params[0]),
        describe=lambda params, classes: embed(jnp.asarray(classes.embedding), params[1]),
        scores=lambda params, images, described: images @ described.T,
        optimizer=optimizer,
    )


def keys_of_rows(batch):
    return {"where": batch.where, "axis_name": batch.axis_name}


def make() -> dict[str, methods.Method]:
    sgd = optax.sgd(0.1)
    return {
        "ale": methods.normalized(methods.ale()),
        "eszsl": methods.normalized(methods.eszsl()),
        "ale_sgd": methods.normalized(methods.ale_sgd()),  # does not divide: the batch is gathered
        "clip": contrastive(lambda x, y, b: losses.clip_softmax(x, y, scale=5.0, **keys_of_rows(b)), sgd),
        "siglip": contrastive(
            lambda x, y, b: losses.sigmoid_contrastive(x, y, scale=5.0, bias=-2.0, **keys_of_rows(b)), sgd
        ),
        "supcon": contrastive(
            lambda x, y, b: losses.supervised_contrastive(x + y, b.labels, temperature=0.5, **keys_of_rows(b)), sgd
        ),
    }


class Tiles:
    """A grey image of 4 x 4 pixels for each row of the toy's inputs, which keeps the rows that were asked for."""

    def __init__(self):
        self.asked = set()

    def __getitem__(self, row):
        self.asked.add(int(row))
        pixels = 128 + 20 * np.resize(toy.dataset().inputs[row], (4, 4, 1))
        return np.repeat(pixels, 3, axis=-1).clip(0, 255).astype(np.uint8)


def streamed() -> data.Task:
    """The toy's task on images, decoded when they are needed."""
    source = toy.dataset()
    images = streaming.ImageStream(Tiles(), np.arange(len(source.inputs)), 4)
    return data.test_task(dataclasses.replace(source, inputs=images))


def on_images() -> methods.Method:
    parts = methods.Parts(encoder=encoders.MLP(widths=(8,)), optimizer=optimizers.make_optimizer(learning_rate=0.01))
    return methods.label_embedding(parts)


class Compilations(logging.Handler):
    """Counts the programs of steps that are compiled."""

    count = 0

    def emit(self, record):
        message = record.getMessage()
        # What jit, shard_map under jit, and pmap call the program of `parallel.compiled`.
        self.count += message.startswith(("Compiling jit(steps)", "Compiling jit(mapped)", "Compiling jit(_fun)"))


def train_streamed(method, mode: str, mesh, key) -> dict[str, np.ndarray]:
    """The losses, states and scores of a stream, of which each process decodes the rows of its own devices."""
    task = streamed()
    tiles = task.train.inputs.source
    training = states.Training(method, task, key=key, batch_size=BATCH, mesh=mesh, mode=mode)
    ((_, state, metrics),) = loop.fit(training, epochs=1)
    expected = np.asarray(stretches.epoch_rows(jax.random.fold_in(key, 1), 0, num_examples=54, batch_size=BATCH)[0])
    mine = np.split(np.arange(BATCH), jax.process_count())[jax.process_index()]
    assert tiles.asked == set(task.train.inputs.rows[expected[:, mine]].ravel().tolist())
    tiles.asked.clear()
    scored = evaluation.make_evaluate(method, task, mesh)(state)
    # 54 test images and what fills up the last block: the unseen ones are looked at twice.
    assert len(tiles.asked) <= 54 / jax.process_count() + 18
    leaves = jax.tree.leaves(parallel.to_host(state))
    found = {"loss": metrics["loss"], **compared(scored)}
    return found | {f"state/{i}": leaf for i, leaf in enumerate(leaves)}


def compared(scored: evaluation.Evaluated) -> dict[str, np.ndarray]:
    """The counts of an evaluation, and the scores that it kept."""
    return scored.counts | {"scores": scored.rows["gzsl"].best, "own": scored.rows["gzsl"].own}


@contextlib.contextmanager
def small_windows():
    """A stream that comes two steps at a time."""
    before, feeding._WINDOW_BYTES = feeding._WINDOW_BYTES, 2 * BATCH * 4 * 4 * 3
    try:
        yield
    finally:
        feeding._WINDOW_BYTES = before


@contextlib.contextmanager
def counted_compilations():
    logger, counter = logging.getLogger("jax"), Compilations()
    before, logger.propagate = logger.propagate, False
    logger.addHandler(counter)
    try:
        with jax.log_compiles():
            yield counter
    finally:
        logger.removeHandler(counter)
        logger.propagate = before


def trained(modes, *, devices: int = 0) -> dict[str, np.ndarray]:
    """Losses, states and what an evaluation came to, by mode and method; 0 devices are all there are."""
    with counted_compilations() as compilations, small_windows():
        return _trained(modes, devices, compilations)


def _trained(modes, devices: int, compilations: Compilations) -> dict[str, np.ndarray]:
    task, results, key = data.test_task(toy.dataset()), {}, jax.random.key(0)
    made, of_images = make(), on_images()
    for mode in modes:
        mesh = parallel.make_mesh(mode=mode, devices=devices)
        for name in made if jax.process_count() == 1 else OF_PROCESSES:
            method = made[name]
            compilations.count = 0
            training = states.Training(method, task, key=key, batch_size=BATCH, mesh=mesh, mode=mode)
            _, after, metrics = zip(*loop.fit(training, epochs=EPOCHS))
            state = after[-1]
            results[f"{mode}/{name}/compilations"] = compilations.count
            results[f"{mode}/{name}/loss"] = np.concatenate([epoch["loss"] for epoch in metrics])
            state = loop.finish(training, state)
            for i, leaf in enumerate(jax.tree.leaves(parallel.to_host(state))):
                results[f"{mode}/{name}/state/{i}"] = leaf
            if name in ("ale", "clip"):
                scored = evaluation.make_evaluate(method, task, mesh)(state)
                results |= {f"{mode}/{name}/{field}": value for field, value in compared(scored).items()}
        found = train_streamed(of_images, mode, mesh, key)
        results |= {f"{mode}/streamed/{name}": value for name, value in found.items()}
    return results


if __name__ == "__main__":
    with processes.connected(timeout_s=60):
        jax.config.update("jax_numpy_rank_promotion", "raise")
        found = trained(parallel.MODES)
        if processes.is_first():
            np.savez(sys.argv[1], **found)
