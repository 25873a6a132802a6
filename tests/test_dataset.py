"""The class table and the tasks cut from a dataset."""

import dataclasses

import jax
import numpy as np
import pytest
import toy

from zsl_jax import data, errors
from zsl_jax.data import inputs
from zsl_jax.training import blocks, parallel


def images_of(task_part, task):
    """The class name of every example."""
    return [task.classes.names[label] for label in task_part.labels]


def test_class_table_indexing_takes_rows_of_everything():
    table = data.ClassTable({"a": np.eye(3), "b": np.arange(3)}, np.array([True, False, True]), ("x", "y", "z"))
    part = table[np.array([True, False, True])]
    assert part.names == ("x", "z")
    np.testing.assert_array_equal(part.embedding["a"], np.eye(3)[[0, 2]])
    np.testing.assert_array_equal(part.embedding["b"], [0, 2])
    np.testing.assert_array_equal(table[1:].is_seen, [False, True])
    with pytest.raises(ValueError, match="slice, a mask or a list"):
        table[1]


def test_class_table_passes_through_jit():
    table = data.ClassTable(np.eye(3), np.array([True, False, True]), ("x", "y", "z"))
    doubled = jax.jit(lambda t: jax.tree.map(lambda x: x * 2, t))(table)
    assert doubled.names == (), "names stay on the host: a new list of them compiles nothing"
    np.testing.assert_array_equal(doubled.embedding, 2 * np.eye(3))


def test_test_task_puts_seen_classes_first_and_keeps_names_with_rows():
    dataset = toy.dataset()
    task = data.test_task(dataset)
    assert task.num_seen == 6
    assert all(task.classes.is_seen[:6])
    assert not any(task.classes.is_seen[6:])
    assert task.seen_classes.names + task.unseen_classes.names == task.classes.names
    for split in ("train", "test_seen", "test_unseen"):
        rows = dataset.splits[split]
        part = task.train if split == "train" else task.sets[split]
        np.testing.assert_array_equal(part.inputs, dataset.inputs[rows])
        assert images_of(part, task) == [dataset.classes.names[i] for i in dataset.labels[rows]]
    for row, name in enumerate(task.classes.names):
        old = dataset.classes.names.index(name)
        np.testing.assert_array_equal(task.classes.embedding[row], dataset.classes.embedding[old])


def test_training_part_holds_no_test_example_and_no_unseen_class():
    dataset = toy.dataset()
    training = data.training_part(dataset)
    assert len(training.inputs) == len(dataset.splits["train"])
    assert set(training.splits) == {"train"}
    unseen = {name for name, seen in zip(dataset.classes.names, dataset.classes.is_seen) if not seen}
    assert not unseen & set(training.classes.names)
    assert all(training.classes.is_seen)


def test_validation_task_splits_classes_and_images():
    training = data.training_part(toy.dataset())
    task = data.validation_task(training, seed=3, class_fraction=0.34)
    assert len(task.unseen_classes) == 2
    assert len(task.seen_classes) == 4
    held_out = set(task.unseen_classes.names)
    assert set(images_of(task.sets["test_unseen"], task)) == held_out
    assert (
        set(images_of(task.train, task)) == set(images_of(task.sets["test_seen"], task)) == set(task.seen_classes.names)
    )
    parts = [task.train, *task.sets.values()]
    assert sum(len(part.labels) for part in parts) == len(training.labels)
    together = np.concatenate([part.inputs for part in parts])
    assert len(np.unique(together, axis=0)) == len(training.labels)


def test_validation_task_uses_the_classes_that_the_benchmark_names():
    dataset = toy.dataset()
    named = np.flatnonzero(dataset.classes.is_seen)[[1, 4]]
    training = data.training_part(dataclasses.replace(dataset, validation_classes=named))
    task = data.validation_task(training)
    assert task.unseen_classes.names == tuple(dataset.classes.names[i] for i in named)


def test_validation_task_needs_classes_to_hold_out():
    training = data.training_part(toy.dataset(num_seen=2, num_unseen=1))
    with pytest.raises(errors.UserError, match="at least 2 seen classes"):
        data.validation_task(training)


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(errors.UserError, match="did you mean 'digits'"):
        data.load("digit")
    with pytest.raises(errors.UserError, match=r"option of shapes.*did you mean 'size'"):
        data.load("shapes", sise=32)


@pytest.mark.parametrize("rows", [np.array([3, -1, 3]), np.array([True, False] * 4), [5, 0], np.array([], np.int64)])
def test_rows_that_are_taken_are_those_of_an_index_and_go_to_a_processor_as_they_are(rows):
    x = np.random.default_rng(0).standard_normal((8, 300)).astype(np.float32)
    found = inputs.take({"x": x, "y": np.arange(8)}, rows)
    np.testing.assert_array_equal(found["x"], x[rows])
    np.testing.assert_array_equal(found["y"], np.arange(8)[rows])
    if len(found["x"]):
        placed = jax.device_put(found["x"], jax.devices("cpu")[0])
        assert placed.unsafe_buffer_pointer() == found["x"].ctypes.data
        assert not np.shares_memory(found["x"], x)
    with pytest.raises(IndexError):
        inputs.take(x, np.array([8]))


def test_blocks_are_copies_only_where_they_are_filled_up():
    x, mesh = inputs.take(np.ones((10, 64), np.float32), np.arange(10)), parallel.make_mesh(devices=1)
    found = [block.inputs for block in blocks.Blocks(data.Examples(x, np.zeros(10, np.int32)), mesh, 4)]
    assert [b.unsafe_buffer_pointer() - x.ctypes.data for b in found[:2]] == [0, 4 * 64 * 4]
    np.testing.assert_array_equal(found[2], np.concatenate([np.ones((2, 64)), np.zeros((2, 64))]))
