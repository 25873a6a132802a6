"""The compiled loop: every example once an epoch, the same bits on resume, one compilation, NaN stops."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import toy

from zsl_jax import data, errors, methods
from zsl_jax.methods import base
from zsl_jax.training import balanced, loop, parallel, states, stretches


@pytest.fixture(scope="module")
def task():
    return data.test_task(toy.dataset())


def fit(task, epochs, *, method=None, batch_size=16, key=None, mesh=None, nonfinite="stop", **options):
    training = states.Training(
        method or methods.normalized(methods.ale(learning_rate=0.5)),
        task,
        key=jax.random.key(0) if key is None else key,
        batch_size=batch_size,
        mesh=mesh or parallel.make_mesh(),
        nonfinite=nonfinite,
    )
    yield from loop.fit(training, epochs=epochs, **options)


def test_a_training_starts_from_the_first_key_that_is_folded_from_its_own(task):
    training = states.Training(methods.relation_net(num_hidden=3), task, jax.random.key(5), 4, parallel.make_mesh())
    like = states.first_batch(training.examples, 4)
    start = jax.jit(training.method.init, static_argnums=3)
    wanted = start(jax.random.fold_in(jax.random.key(5), 0), like, training.classes, ())
    jax.tree.map(np.testing.assert_array_equal, states.start_state(training), wanted)


@pytest.mark.parametrize(("num_examples", "batch_size"), [(10, 3), (12, 4), (5, 8)])
def test_an_epoch_takes_every_example_once(num_examples, batch_size):
    epochs = []
    for epoch in range(3):
        rows, where = stretches.epoch_rows(jax.random.key(1), epoch, num_examples=num_examples, batch_size=batch_size)
        assert rows.shape == where.shape == (states.steps_per_epoch(num_examples, batch_size), batch_size)
        epochs.append(np.asarray(rows)[np.asarray(where)])
        assert sorted(epochs[-1]) == list(range(num_examples))
    assert any((epochs[0] != epoch).any() for epoch in epochs[1:])


@pytest.mark.long
def test_balanced_batches_hold_some_classes_with_as_many_images_each():
    labels = np.repeat([0, 1, 2, 4, 5], [5, 9, 4, 2, 7])  # class 3 has no example
    balance = stretches.Balance(labels, 6, 3)

    def order(key, epoch):
        found = stretches.epoch_rows(
            jax.random.key(key), epoch, num_examples=len(labels), batch_size=6, balance=balance
        )
        return tuple(map(np.asarray, found))

    rows, where = order(1, 0)
    assert rows.shape == where.shape == (5, 6)
    seen = set()
    for batch, counts in zip(rows, where):
        here = labels[batch]
        assert len(set(here)) == 2
        for name in set(here):
            mine = batch[(here == name) & counts]
            assert len(set(mine)) == len(mine) == (2 if name == 4 else 3)
            seen.add(name)
    assert len(seen) > 2
    again = order(1, 0)
    np.testing.assert_array_equal(rows, again[0])
    assert (order(1, 1)[0] != rows).any()
    assert (order(2, 0)[0] != rows).any()
    drawn = np.concatenate([labels[order(1, epoch)[0]][:, ::3].ravel() for epoch in range(40)])
    assert np.bincount(drawn, minlength=6)[3] == 0
    np.testing.assert_allclose(np.bincount(drawn)[[0, 1, 2, 4, 5]] / len(drawn), 0.2, atol=0.05)


def test_a_training_takes_the_balanced_batches(task):
    """A loss that counts the classes of a batch sees as many as were asked for."""

    def classes_there(params, batch, classes, key):
        there = jnp.any(jax.nn.one_hot(batch.labels, len(classes)) > 0, axis=0)
        return jnp.sum(there) + 0 * jnp.sum(params) + jnp.zeros(len(batch.labels))

    method = methods.by_gradient(
        init_params=lambda key, like, classes: jnp.zeros(2),
        loss=classes_there,
        scores=lambda params, images, described: images @ described.T,
        optimizer=optax.sgd(0.1),
        divides=False,
    )
    training = states.Training(method, task, jax.random.key(0), 16, parallel.make_mesh(), per_class=8)
    ((_, _, metrics),) = loop.fit(training, epochs=1)
    np.testing.assert_array_equal(metrics["loss"], np.full(training.num_steps, 2.0))


@pytest.mark.long
def test_classes_share_a_batch_by_how_near_their_descriptions_are(task):
    labels = jnp.array([0, 1, 3] * 4)
    nearness = balanced.nearness_of(jnp.array([[1.0, 0.0], [0.6, 0.8], [1.0, 0.0], [0.0, 1.0]]), 2.0)
    sizes = {"num_classes": 4, "num_steps": 4000, "batch_size": 4, "per_class": 2}
    rows, where = jax.jit(lambda key: balanced.rows(key, 0, labels, **sizes, nearness=nearness))(jax.random.key(0))
    assert where.all()
    drawn = np.asarray(labels[rows])[:, ::2]  # the first one with the same chance, the other near it
    np.testing.assert_array_equal(drawn[:, 0] == drawn[:, 1], False)
    np.testing.assert_allclose(np.bincount(drawn[:, 0], minlength=4) / 4000, [1 / 3, 1 / 3, 0, 1 / 3], atol=0.03)
    for first, weights in ((0, {1: np.exp(1.2), 3: 1.0}), (1, {0: np.exp(1.2), 3: np.exp(1.6)})):
        beside = drawn[drawn[:, 0] == first, 1]
        for other, weight in weights.items():
            assert np.mean(beside == other) == pytest.approx(weight / sum(weights.values()), abs=0.04)
    # The same batches by the trainer's own order, and others than without.
    mesh, given = parallel.make_mesh(), {"per_class": 8}
    trainings = [
        states.Training(methods.ale(), task, jax.random.key(0), 16, mesh, **given, clustering=c) for c in (0, 9)
    ]
    sizes = {"num_examples": len(task.train.labels), "batch_size": 16}

    def alike(training):
        balance = stretches.balance_of(training)
        rows = [stretches.epoch_rows(jax.random.key(0), e, **sizes, balance=balance)[0] for e in range(20)]
        return np.mean(_cosines(task, task.train.labels[np.concatenate(rows)]))

    assert alike(trainings[1]) > alike(trainings[0]) + 0.05
    found = [jax.device_get(next(iter(loop.fit(training, epochs=1)))[1]) for training in trainings]
    assert not np.allclose(found[0].inner.params, found[1].inner.params)


def _cosines(task, labels):
    phi = task.classes.embedding[labels]
    phi = phi / np.linalg.norm(phi, axis=-1, keepdims=True)
    return phi @ phi.swapaxes(1, 2)


@pytest.mark.parametrize(
    ("descriptions", "per_class", "says"),
    [(np.zeros((3, 2)), 0, "say how many images of each"), (np.zeros((3, 2), int), 4, "no vectors of numbers here")],
)
def test_classes_that_cannot_be_near_are_one_line(descriptions, per_class, says):
    with pytest.raises(errors.UserError, match=says):
        balanced.check_clustering(descriptions, clustering=1.0, per_class=per_class)


@pytest.mark.parametrize(
    ("labels", "sizes", "says"),
    [
        (np.zeros((4, 3), int), (4, 2), "needs one label per training example"),
        (np.array([0, 1, -1, 1]), (4, 2), "needs one label per training example"),
        (np.array([0, 1, 2, 1]), (4, 3), "per_class=3 does not divide config.train.batch_size=4"),
        (np.array([0, 1, 2, 1]), (64, 8), "asks for 8 classes in a batch of 64, and 3 have examples.* can be is 32"),
    ],
)
def test_batches_that_cannot_be_made_are_one_line(labels, sizes, says):
    with pytest.raises(errors.UserError, match=says):
        balanced.check(labels, batch_size=sizes[0], per_class=sizes[1])


@pytest.mark.long
def test_a_run_told_to_stop_inside_an_epoch_resumes_to_the_same_bits(task):
    """Wherever it is stopped: the first stretches are 1, 2 and 1 steps, of 4 per epoch."""
    straight = {epoch: jax.device_get((state, metrics)) for epoch, state, metrics in fit(task, 3)}
    for done in (0, 1, 2, 4):
        asked = iter(range(100))
        with pytest.raises(loop.Stopped) as stopped:
            list(fit(task, 3, should_stop=lambda: next(asked) == done))  # noqa: B023
        stop = stopped.value
        begin = len(stop.within.get("loss", ()))
        assert done == 0 or begin > 0 or stop.epoch > 0
        state = jax.device_get(stop.state)
        (*_, (epoch, last, metrics)) = fit(task, 3, start=(stop.epoch, state), within=stop.within)
        assert epoch == 3
        jax.tree.map(np.testing.assert_array_equal, (last, metrics), straight[3])


def test_training_resumes_to_the_same_bits(task):
    after = {epoch: jax.device_get(state) for epoch, state, _ in fit(task, 4)}
    (_, resumed, _) = list(fit(task, 4, start=(2, after[2])))[-1]
    for straight, again in zip(jax.tree.leaves(after[4]), jax.tree.leaves(resumed)):
        np.testing.assert_array_equal(straight, again)
    other = list(fit(task, 4, key=jax.random.key(1)))[-1][1]
    assert np.abs(np.asarray(other.inner.params) - after[4].inner.params).max() > 1e-4


def test_eight_devices_compute_what_one_does(task):
    one = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:1])
    on_one = list(fit(task, 3, mesh=one))[-1][1]
    on_eight = list(fit(task, 3))[-1][1]
    assert jax.device_count() == 8
    np.testing.assert_allclose(on_one.inner.params, on_eight.inner.params, atol=1e-5)


def test_on_an_accelerator_the_programs_know_their_lengths(task, monkeypatch):
    """Stretches are of 1, 2 and 4 steps then, and come to the bits of a program that is told how many."""
    lengths, compiled_steps = [], stretches.compiled_steps

    def compiled(*shapes):
        lengths.append(shapes[-1])
        return compiled_steps(*shapes)

    monkeypatch.setattr(stretches, "compiled_steps", compiled)
    told = jax.device_get(list(fit(task, 3, batch_size=8))[-1][1:])
    assert set(lengths) == {None}
    monkeypatch.setattr(parallel, "is_accelerated", lambda mesh: True)
    known = jax.device_get(list(fit(task, 3, batch_size=8))[-1][1:])
    jax.tree.map(np.testing.assert_array_equal, told, known)
    assert set(lengths) == {None, 1, 2, 4}


@pytest.mark.parametrize("length", [None, 4])
def test_a_loop_of_a_known_length_is_compiled_as_one(task, length):
    training = states.Training(methods.ale(), task, jax.random.key(0), 8, parallel.make_mesh())
    moving, frozen = base.split(states.start_state(training))
    examples, count = parallel.place_examples(training.examples, training.layout), len(training.examples.labels)
    key = jax.random.key_data(training.key)
    order = stretches.epoch_order(key, 0, num_examples=count, batch_size=8, mesh=training.mesh)
    program = stretches.compiled_steps(training.method, training.layout, "stop", length)
    lowered = program.lower(moving, examples, frozen, training.classes, key, order, np.zeros(4, np.int32))
    assert ('known_trip_count":{"n":"4"' in lowered.compile().as_text()) is (length is not None)


@pytest.mark.long
def test_rows_that_fill_up_a_batch_do_not_count(task):
    """54 examples in batches of 56: the same step as one batch of 54 by hand."""
    method = methods.normalized(methods.ale(learning_rate=0.5))
    ((_, state, _),) = fit(task, 1, batch_size=56, method=method)
    count = len(task.train.labels)
    batch = data.Batch(task.train.inputs, task.train.labels, np.ones(count, bool))
    start = method.init(jax.random.key(0), batch, task.seen_classes, ())
    by_hand, _ = method.update(start, batch, task.seen_classes, jax.random.key(0))
    np.testing.assert_allclose(state.inner.params, by_hand.inner.params, atol=1e-6)


def test_a_run_compiles_its_step_once(task):
    traces = []

    def counting(scores, labels):
        traces.append(1)
        return jnp.sum(scores, axis=-1)

    method = methods.by_bilinear(counting, optax.sgd(0.1))
    assert len(list(fit(task, 5, method=method))) == 5
    assert len(traces) == 1


def test_an_inductive_method_never_sees_an_unseen_class(task):
    widths = []

    def spy(params, batch, classes, key):
        widths.append(len(classes))
        return batch.inputs @ params

    inductive = methods.by_gradient(
        init_params=lambda key, like, classes: jnp.zeros(like.inputs.shape[-1]),
        loss=spy,
        scores=lambda params, images, described: images @ described.T,
        optimizer=optax.sgd(0.1),
    )
    list(fit(task, 1, method=inductive))
    list(fit(task, 1, method=inductive._replace(sees=frozenset({"unseen descriptions"}))))
    assert widths == [6, 9]


def test_a_value_that_is_not_finite_stops_the_run_with_its_step(task):
    sixth_is_nan = methods.Method(
        init=lambda key, like, classes, weights: jnp.int32(0),
        update=lambda count, batch, classes, key: (count + 1, {"loss": jnp.where(count == 5, jnp.nan, 1.0)}),
        scores=lambda count, images, described: images @ described.T,
    )
    with pytest.raises(errors.Diverged, match="loss is nan at step 6"):
        list(fit(task, 4, method=sixth_is_nan))


def test_a_batch_that_devices_cannot_share_names_the_nearest(task):
    with pytest.raises(errors.UserError, match=r"batch_size=13 .* over 8 devices: the nearest that can is 16"):
        list(fit(task, 1, batch_size=13))


def test_prepare_sees_the_training_set_once_before_the_first_step(task):
    """Here the state starts as the sum of the labels; a run that goes on from a later epoch is not prepared again."""

    def update(state, batch, classes, key):
        return state, {"loss": state}

    method = methods.Method(
        init=lambda key, like, classes, weights: jnp.zeros(()),
        prepare=lambda state, train, classes, key: state + jnp.sum(train.labels),
        update=update,
        scores=lambda state, images, described: jnp.zeros((len(images), len(described))),
    )

    def values(epochs, method, **options):
        return [float(state) for _, state, _ in fit(task, epochs, method=method, **options)]

    total, often = float(task.train.labels.sum()), method._replace(refresh=2)
    assert values(2, method) == [total, total]
    assert values(2, method, start=(1, jnp.ones(()))) == [1.0]
    assert values(5, often) == [total, total, 2 * total, 2 * total, 3 * total], "and again before every second epoch"
    assert values(5, often, start=(2, jnp.float32(total))) == [2 * total, 2 * total, 3 * total]


@pytest.mark.long
def test_steps_that_are_not_finite_are_counted_and_skipped(task):
    """One bad example: the step of each epoch that meets it leaves the state as it was."""
    inputs = task.train.inputs.copy()
    inputs[7] = np.nan
    bad = dataclasses.replace(task, train=task.train._replace(inputs=inputs))
    with pytest.raises(errors.Diverged, match="is nan at step"):
        list(fit(bad, 3))
    for _, state, metrics in fit(bad, 3, nonfinite="skip"):
        assert metrics["skipped"].sum() == 1
        assert np.isfinite(metrics["loss"]).all()
        assert np.isfinite(state.inner.params).all()
    assert np.abs(state.inner.params).max() > 0.01
    inputs[:] = np.nan
    with pytest.raises(errors.Diverged, match="every step of epoch 1 was skipped"):
        list(fit(dataclasses.replace(task, train=task.train._replace(inputs=inputs)), 3, nonfinite="skip"))


def test_the_loop_moves_nothing_between_host_and_device(task, monkeypatch):
    """Examples left on the host are refused by the guard that stands around every stretch of steps."""
    monkeypatch.setattr(parallel, "place_examples", lambda examples, layout: examples)
    with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
        list(fit(task, 1))
