"""Few-shot tasks: which examples move, which classes are trained on, and that the examples help."""

import dataclasses

import numpy as np
import pytest
import small_trainer
import toy

from zsl_jax import data, errors, methods
from zsl_jax.data import few_shot


@pytest.fixture(scope="module")
def task():
    return data.test_task(toy.dataset(num_seen=10, num_unseen=3, per_class=16))


def test_few_shot_moves_examples_and_keeps_the_rest(task):
    shifted = few_shot.few_shot(task, 4, seed=1)
    assert len(shifted.train.labels) == len(task.train.labels) + 3 * 4
    assert len(shifted.sets["test_unseen"].labels) == len(task.sets["test_unseen"].labels) - 3 * 4
    np.testing.assert_array_equal(np.bincount(shifted.train.labels)[10:], [4, 4, 4])
    np.testing.assert_array_equal(shifted.classes.is_seen, task.classes.is_seen)
    assert shifted.num_seen == 10
    assert shifted.classes.trained == 13

    def rows(*parts):
        return sorted(tuple(row) for part in parts for row in part.inputs.tolist())

    assert rows(shifted.train, shifted.sets["test_unseen"]) == rows(task.train, task.sets["test_unseen"])
    assert not set(rows(shifted.train)) & set(rows(shifted.sets["test_unseen"]))
    # Nested: two shots of a seed are among its four.
    assert set(rows(few_shot.few_shot(task, 2, seed=1).train)) <= set(rows(shifted.train))
    assert set(rows(few_shot.few_shot(task, 4, seed=2).train)) != set(rows(shifted.train))
    # With the same reserve the test images are the same whatever the shots.
    reserved = few_shot.few_shot(task, 2, reserve=4, seed=1)
    assert rows(reserved.sets["test_unseen"]) == rows(shifted.sets["test_unseen"])
    assert rows(reserved.train) == rows(few_shot.few_shot(task, 2, seed=1).train)


def test_any_shot_orders_classes_and_keeps_labels_with_their_class(task):
    last = task.classes.names[-1]
    shifted = few_shot.few_shot(task, {last: 3})
    assert shifted.classes.names[10] == last
    assert shifted.classes.trained == 11
    for examples in (shifted.train, shifted.sets["test_unseen"]):
        for x, label in zip(examples.inputs, examples.labels):
            (found,) = [
                old
                for part in (task.train, task.sets["test_unseen"])
                for row, old in zip(part.inputs, part.labels)
                if np.array_equal(row, x)
            ]
            assert shifted.classes.names[label] == task.classes.names[found]


def test_few_shot_refuses_what_it_cannot_do(task):
    with pytest.raises(errors.UserError, match="it has 16 examples, one of which must stay"):
        few_shot.few_shot(task, 16)
    with pytest.raises(errors.UserError, match="it has 16 examples, one of which must stay"):
        few_shot.few_shot(task, 1, reserve=16)
    with pytest.raises(errors.UserError, match="unknown unseen class 'yeti'"):
        few_shot.few_shot(task, {"yeti": 1})


def test_without_shots_the_task_is_zero_shot(task):
    moved = few_shot.few_shot(task, 0)
    assert moved.classes.trained == task.num_seen
    states = [small_trainer.fitted(methods.sje(), each, epochs=1) for each in (task, moved)]
    np.testing.assert_array_equal(*(np.asarray(state.inner.params) for state in states))


@pytest.mark.long
def test_examples_of_unseen_digits_help():
    """Learned descriptions with 0 and with 20 images of each unseen digit, on test images that neither takes."""
    zero_shot = data.test_task(data.load("digits"))
    many_shot = few_shot.few_shot(zero_shot, 20)
    zero_shot = dataclasses.replace(zero_shot, sets=many_shot.sets)
    method = methods.normalized(methods.ale_learned(attachment=0.01, learning_rate=1.0))
    unseen, accuracy = many_shot.sets["test_unseen"], []
    for task in (zero_shot, many_shot):
        state = small_trainer.fitted(method, task, epochs=10, batch_size=64)
        scores = methods.score(method, state, unseen.inputs, task.unseen_classes)
        accuracy.append(small_trainer.top1(scores, unseen.labels, first=task.num_seen))
    assert accuracy[1] > accuracy[0] + 0.2, accuracy
