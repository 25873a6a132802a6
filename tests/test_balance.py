"""How terms of a sum are weighed: by hand, against a search, in the trainer, on two devices."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small_trainer
import toy

from zsl_jax import data, errors, methods
from zsl_jax.data import dataset
from zsl_jax.methods import objectives
from zsl_jax.methods.objectives import balance as balance_lib
from zsl_jax.training import loop, parallel, states

SUM = "info_nce+0.5*alignment"
TRAINED = ("uncertainty", "gradnorm")


@pytest.fixture(scope="module")
def task():
    return data.test_task(toy.dataset(num_seen=10, num_unseen=3, per_class=16))


@pytest.mark.parametrize("seed", range(5))
def test_the_shortest_vector_between_two_gradients_is_found_and_harms_neither(seed):
    rng = np.random.default_rng(seed)
    first, second = ({"a": rng.standard_normal(3), "b": rng.standard_normal((2, 2)) + seed} for _ in range(2))
    found = objectives.least_length(*jax.tree.map(jnp.asarray, (first, second)))
    flat = [np.concatenate([x["a"], x["b"].ravel()]) for x in (first, second, found)]
    lengths = [np.linalg.norm(a * flat[0] + (1 - a) * flat[1]) for a in np.linspace(0, 1, 10001)]
    assert np.linalg.norm(flat[2]) == pytest.approx(min(lengths), rel=1e-4)
    assert min(flat[2] @ flat[0], flat[2] @ flat[1]) >= flat[2] @ flat[2] - 1e-4


def test_one_of_two_gradients_that_is_shorter_in_its_own_direction_is_the_answer():
    g = jnp.array([1.0, 2.0])
    np.testing.assert_allclose(objectives.least_length(g, 3 * g), g)
    np.testing.assert_allclose(objectives.least_length(3 * g, g), g)
    np.testing.assert_allclose(objectives.least_length(g, g), g)
    np.testing.assert_allclose(objectives.least_length(g, -g), 0 * g, atol=1e-7)
    assert np.isfinite(jax.jit(objectives.least_length)(0 * g, 0 * g)).all()


def compared(task):
    rng = np.random.default_rng(0)
    batch = data.Batch(np.zeros((8, 1)), rng.integers(0, 10, 8), np.arange(8) < 6)
    images = rng.standard_normal((8, 8)).astype(np.float32)
    return objectives.of_batch(images, task.seen_classes.embedding, batch, task.seen_classes, small_trainer.KEY)


def test_uncertainty_weighs_by_what_it_is_given_and_charges_for_it(task):
    given, objective = compared(task), objectives.balanced(objectives.make(SUM), "uncertainty")
    assert objective.weights == {"info_nce.weight": 1.0, "alignment.weight": 0.5}
    parts = [objectives.make(name).loss(given.of_unit_length()) for name in ("info_nce", "alignment")]
    found = objective.loss(given, **{"info_nce.weight": 2.0, "alignment.weight": 3.0})
    np.testing.assert_allclose(found, 2 * parts[0] + 3 * parts[1] - np.log(6.0) / 2, rtol=1e-5)
    back = objective.term_weights(objective.free_weights())
    assert {name: float(value) for name, value in back.items()} == pytest.approx(objective.weights)
    # At the best weights of constant losses the derivative is 0: w = 1 / (2 L).
    slope = jax.grad(lambda w: jnp.mean(objective.loss(given, **{"info_nce.weight": w, "alignment.weight": 1.0})))
    assert slope(0.5 / jnp.mean(parts[0])) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.long
def test_gradnorm_weighs_by_the_lengths_of_gradients_and_trains_the_weights_alone(task):
    names = ("info_nce", "alignment", "clip_softmax")
    objective = objectives.balanced(objectives.make("info_nce+0.5*alignment+0.1*clip_softmax"), "gradnorm")
    given = compared(task)
    free = np.log([1.0, 0.5, 0.1])
    weights = 3 * np.exp(free) / np.exp(free).sum()

    def term(name):
        def mean(images):
            now = objectives.of_batch(images, given.described, given, given.classes, given.key).of_unit_length()
            return jnp.sum(objectives.make(name).loss(now)[:6]) / 6

        return mean

    found = [jax.value_and_grad(term(name))(given.images) for name in names]
    lengths = np.array([np.linalg.norm(gradient) for _, gradient in found])

    def loss(free, images):
        now = objectives.of_batch(images, given.described, given, given.classes, given.key)
        learned = {f"{name}.weight": jnp.exp(w) for name, w in zip(names, free)}
        return jnp.mean(objective.loss(now, **learned)[:6])

    value, (slope, gradient) = jax.value_and_grad(loss, argnums=(0, 1))(jnp.asarray(free), given.images)
    assert value == pytest.approx(sum(w * float(each) for w, (each, _) in zip(weights, found)), rel=1e-5)
    expected = sum(w * np.asarray(each) for w, (_, each) in zip(weights, found))
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)

    def apart(free):
        scaled = 3 * np.exp(free) / np.exp(free).sum() * lengths
        return np.abs(scaled - (weights * lengths).mean()).sum()

    by_hand = [(apart(free + step) - apart(free - step)) / 2e-4 for step in 1e-4 * np.eye(3)]
    np.testing.assert_allclose(slope, by_hand, rtol=1e-2, atol=1e-4)
    slope_of = jax.jit(jax.grad(loss))
    for _ in range(1000):
        free = free - 0.005 * np.asarray(slope_of(jnp.asarray(free), given.images))
    scaled = np.exp(free) * lengths
    # The slope of |x| does not vanish at its end: steps of 0.005 leave the last percent open.
    np.testing.assert_allclose(scaled, scaled.mean(), rtol=0.05)


def test_lengths_of_gradients_are_those_of_the_whole_batch(task):
    """Each of eight devices has three rows; the terms compare rows of all of them."""
    rng, classes = np.random.default_rng(0), task.seen_classes
    objective = objectives.make("clip_softmax+0.5*alignment")
    images = rng.standard_normal((24, classes.embedding.shape[1])).astype(np.float32)
    batch = data.Batch(images, rng.integers(0, 10, 24), np.arange(24) % 5 != 3)

    def lengths(batch):
        given = objectives.of_batch(batch.inputs, classes.embedding, batch, classes, small_trainer.KEY)
        return balance_lib.gradient_lengths(objective, given, {})

    def on_a_device(*arrays):
        return lengths(data.Batch(*arrays, dataset.AxisName("data")))

    spec = jax.sharding.PartitionSpec
    program = jax.shard_map(
        on_a_device, mesh=parallel.make_mesh(), in_specs=spec("data"), out_specs=spec(), check_vma=False
    )
    found = jax.jit(program)(batch.inputs, batch.labels, batch.where)
    # Sums of eight parts in float32.
    np.testing.assert_allclose(found, lengths(batch), rtol=1e-4)
    assert found[0] > 1.1 * found[1], "the lengths differ"


def test_a_step_of_mgda_is_the_one_made_by_hand(task):
    objective = objectives.balanced(objectives.make(SUM), "mgda")
    method = methods.by_bilinear(objective, optax.sgd(0.1))
    batch = data.Batch(task.train.inputs[:16], task.train.labels[:16], np.arange(16) < 12)
    classes = task.seen_classes
    state = small_trainer.started(method, batch, task.train, classes)
    after, metrics = method.update(state, batch, classes, small_trainer.KEY)
    kept, weights = state.kept, state.inner.params.T

    def term(name):
        def loss(weights):
            images, described = batch.inputs @ weights, classes.embedding @ kept
            table = objectives.of_batch(images, described, batch, classes, small_trainer.KEY).of_unit_length()
            return jnp.sum(objectives.make(name).loss(table)[:12]) / 12

        return loss

    first, second = (jax.value_and_grad(term(name))(weights) for name in ("info_nce", "alignment"))
    expected = objectives.least_length(first[1], 0.5 * second[1])
    np.testing.assert_allclose(after.inner.params.T, weights - 0.1 * expected, rtol=1e-4, atol=1e-6)
    assert metrics["loss"] == pytest.approx(float(first[0] + 0.5 * second[0]), rel=1e-5)


def test_shares_by_the_gradients_in_images_are_those_of_a_search(task):
    """Each gradient is divided by its length and its loss; the shares are constants of the step."""
    given, objective = compared(task), objectives.balanced(objectives.make("info_nce+2.5*alignment"), "mgda_ub")

    def term(name, weight):
        def mean(images):
            now = objectives.of_batch(images, given.described, given, given.classes, given.key).of_unit_length()
            return weight * jnp.sum(objectives.make(name).loss(now)[:6]) / 6

        return jax.value_and_grad(mean)(given.images)

    first, second = term("info_nce", 1.0), term("alignment", 2.5)
    scaled = [np.asarray(g) / (np.linalg.norm(g) * float(value)) for value, g in (first, second)]
    shares = np.linspace(0, 1, 10001)
    share = shares[np.argmin([np.linalg.norm(a * scaled[0] + (1 - a) * scaled[1]) for a in shares])]

    def loss(images):
        now = objectives.of_batch(images, given.described, given, given.classes, given.key)
        return jnp.sum(objective.loss(now)[:6]) / 6

    value, gradient = jax.value_and_grad(loss)(given.images)
    assert 0.0 < share < 1.0
    assert value == pytest.approx(float(share * first[0] + (1 - share) * second[0]), rel=1e-3)
    np.testing.assert_allclose(gradient, share * first[1] + (1 - share) * second[1], rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("balance", objectives.BALANCES)
def test_devices_change_nothing_and_the_balance_does(balance, task):
    def trained(balance, mode):
        method = methods.normalized(methods.bilinear(loss=SUM, balance=balance))
        training = states.Training(method, task, jax.random.key(0), 16, parallel.make_mesh(mode=mode), mode=mode)
        (*_, (_, state, metrics)) = loop.fit(training, epochs=3)
        return jax.device_get(loop.finish(training, state)), metrics["loss"]

    (of_jit, losses), (of_shards, _) = (trained(balance, mode) for mode in ("jit", "shard_map"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), of_jit, of_shards)
    assert np.isfinite(losses).all()
    if balance == "fixed":
        return
    plain = trained("fixed", "jit")[0].inner.params
    weights = of_jit.inner.params["map"] if balance in TRAINED else of_jit.inner.params
    assert np.abs(weights - plain).max() > 1e-4
    if balance in TRAINED:
        moved = of_jit.inner.params["terms"]
        assert moved["alignment.weight"] != pytest.approx(np.log(0.5), abs=1e-3)


@pytest.mark.long
@pytest.mark.parametrize("balance", objectives.BALANCES)
@pytest.mark.parametrize("name", ["label_embedding", "two_tower"])
def test_encoders_are_trained_by_every_balance(name, balance, task):
    batch = data.Batch(task.train.inputs[:16], task.train.labels[:16], np.arange(16) < 12)
    losses = {}
    for pretrain in (0, 2):
        parts = small_trainer.small_parts(pretrain_steps=pretrain)
        given = {} if name == "label_embedding" else {"class_encoder": small_trainer.encoders.MLP(widths=(16,))}
        method = methods.factory(name)(parts, **given, loss=SUM, balance=balance)
        losses[pretrain] = small_trainer.steps(method, task, batch, count=30)[1]
    assert losses[0][-1] < losses[0][0] - 0.3
    plain = methods.factory(name)(small_trainer.small_parts(pretrain_steps=2), **given, loss=SUM)
    expected = small_trainer.steps(plain, task, batch, count=2)[1]
    np.testing.assert_allclose(losses[2][:2], expected, rtol=1e-5, err_msg="views come first, whatever the balance")


@pytest.mark.parametrize(
    ("loss", "balance", "says"),
    [
        ("info_nce", "uncertainty", "weighs several terms against each other, and the loss has 1"),
        ("info_nce+alignment+warp", "mgda", "weighs two terms against each other, and the loss has 3"),
        (SUM, "mgad", "did you mean 'mgda'"),
        ("info_nce+0*alignment", "gradnorm", r"balance=gradnorm: loss\.alignment\.weight starts at 0"),
        ("info_nce", "gradnorm", "weighs several terms against each other, and the loss has 1"),
        ("info_nce+0*alignment", "uncertainty", r"loss\.alignment\.weight starts at 0"),
    ],
)
def test_what_cannot_be_balanced_is_one_line(loss, balance, says):
    with pytest.raises(errors.UserError, match=says):
        methods.bilinear(loss=loss, balance=balance)
