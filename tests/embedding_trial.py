"""A method trained on several class embeddings of one dataset, real ones and controls, in one compiled program."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import data, metrics


def accuracies(method, dataset, embeddings, *, steps=150, batch_size=64):
    """ZSL and seen accuracy, `[K]` each, for embeddings `[K, C, A]` in the order of the dataset's classes."""
    task = data.test_task(dataset)
    order = np.argsort(~np.asarray(dataset.classes.is_seen), kind="stable")  # seen first, as in the task's table
    embeddings = np.stack(embeddings)[:, order]

    @jax.jit
    def run(embeddings, train, test_unseen, test_seen, rows):
        def one(embedding):
            classes = dataclasses.replace(task.classes, embedding=embedding)
            seen, unseen = classes[: task.num_seen], classes[task.num_seen :]

            def batch(rows):
                return data.Batch(train.inputs[rows], train.labels[rows], jnp.ones(batch_size, bool))

            def step(state, rows):
                return method.update(state, batch(rows), seen, key)[0], None

            key = jax.random.key(0)
            state, _ = jax.lax.scan(step, method.init(key, batch(rows[0]), seen), rows)
            state = method.finish(state, train, classes, key)
            unseen_rows = task.num_seen + jnp.argmax(method.scores(state, test_unseen.inputs, unseen), axis=1)
            seen_rows = jnp.argmax(method.scores(state, test_seen.inputs, seen), axis=1)
            return tuple(
                metrics.per_class_accuracy(predicted, labels, num_classes=len(classes))
                for predicted, labels in ((unseen_rows, test_unseen.labels), (seen_rows, test_seen.labels))
            )

        return jax.lax.map(one, embeddings)

    rows = np.random.default_rng(0).integers(0, len(task.train.labels), (steps, batch_size))
    return tuple(map(np.asarray, run(embeddings, task.train, task.test_unseen, task.test_seen, rows)))
