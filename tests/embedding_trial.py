"""A method trained on several class embeddings of one dataset, real ones and controls, in one compiled program."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import data, methods, metrics


def accuracies(method, dataset, embeddings, *, steps=150, batch_size=64):
    """ZSL and seen accuracy, `[K]` each, for embeddings `[K, C, A]` in the order of the dataset's classes."""
    task = data.test_task(dataset)
    order = np.argsort(~np.asarray(dataset.classes.is_seen), kind="stable")  # seen first, as in the task's table
    embeddings = np.stack(embeddings)[:, order]

    @jax.jit
    def run(embeddings, train, sets, rows):
        def one(embedding):
            classes = dataclasses.replace(task.classes, embedding=embedding)
            seen, unseen = classes[: task.num_seen], classes[task.num_seen :]

            def batch(rows):
                return data.Batch(train.inputs[rows], train.labels[rows], jnp.ones(batch_size, bool))

            def step(state, rows):
                return method.update(state, batch(rows), seen, key)[0], None

            key = jax.random.key(0)
            state, _ = jax.lax.scan(step, method.init(key, batch(rows[0]), seen, ()), rows)
            state = method.finish(state, train, seen, key)

            def accuracy(examples, table, first):
                scores = methods.score(method, state, examples.inputs, table)
                predicted = first + jnp.argmax(scores, axis=1)
                return metrics.per_class_accuracy(predicted, examples.labels, num_classes=len(classes))

            return accuracy(sets["test_unseen"], unseen, task.num_seen), accuracy(sets["test_seen"], seen, 0)

        return jax.lax.map(one, embeddings)

    rows = np.random.default_rng(0).integers(0, len(task.train.labels), (steps, batch_size))
    return tuple(map(np.asarray, run(embeddings, task.train, task.sets, rows)))
