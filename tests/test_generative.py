"""Generative methods: penalties and divergences derived another way, toys that must be learned, resume, controls."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.integrate
import scipy.linalg
import scipy.stats
import small_generative
import small_trainer
import toy

from zsl_jax import data, errors, losses, methods
from zsl_jax.methods.generative import classifier, gaussians, imagined, networks, scaling
from zsl_jax.methods.generative.cizsl import hallucinate

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def task():
    return data.test_task(toy.dataset(num_seen=10, num_unseen=3, per_class=16))


def random_critic(seed=0, features=5, attributes=3, hidden=7):
    critic = networks.init_critic(jax.random.key(seed), attributes, hidden, features)
    return jax.tree.map(lambda x: 20 * x, critic)


def drawn(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


@pytest.mark.long
def test_gradient_penalty_is_that_of_numerical_slopes():
    critic, phi = random_critic(), drawn(1, 4, 3)
    real, fake = drawn(2, 4, 5), drawn(3, 4, 5)
    value = functools.partial(networks.critic_value, critic, descriptions=phi)
    share = jax.random.uniform(jax.random.key(5), (4, 1))
    points = np.asarray(share * real + (1 - share) * fake, np.float64)
    with jax.enable_x64(True):
        slopes = np.zeros((4, 5))
        for i in range(5):
            step = np.zeros((4, 5))
            step[:, i] = 1e-6
            slopes[:, i] = (value(points + step) - value(points - step)) / 2e-6
    expected = [(np.linalg.norm(row) - 1) ** 2 for row in slopes]
    np.testing.assert_allclose(losses.gradient_penalty(jax.random.key(5), value, real, fake), expected, rtol=1e-4)


@pytest.mark.long
def test_closed_form_of_the_penalty_and_its_gradients_are_those_of_autodiff():
    critic, phi = random_critic(), drawn(1, 6, 3)
    real, fake = drawn(2, 6, 5), drawn(3, 6, 5)
    key = jax.random.key(7)

    def closed(critic):
        wins, penalties = networks.estimate_and_penalty(critic, key, real, fake, phi)
        return jnp.sum(3 * penalties - wins), penalties

    def twice(critic):
        value = functools.partial(networks.critic_value, critic, descriptions=phi)
        penalties = losses.gradient_penalty(key, value, real, fake)
        return jnp.sum(3 * penalties - value(real) + value(fake)), penalties

    (one, ours), gradient = jax.value_and_grad(closed, has_aux=True)(critic)
    (other, theirs), expected = jax.value_and_grad(twice, has_aux=True)(critic)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(one, other, rtol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5), gradient, expected)
    hidden = points_between(key, critic, real, fake, phi)
    alone = losses.two_layer_gradient_penalty(hidden, critic["features"], critic["output"])
    np.testing.assert_allclose(alone, theirs, rtol=1e-6, atol=1e-6)


def points_between(key, critic, real, fake, phi):
    share = jax.random.uniform(key, (len(real), 1))
    own = phi @ critic["descriptions"] + critic["bias"][None, :]
    return (share * real + (1 - share) * fake) @ critic["features"] + own


def test_a_flat_critic_has_a_penalty_of_one_and_no_gradient():
    gradient = jax.grad(lambda w: losses.two_layer_gradient_penalty(jnp.ones((2, 3)), jnp.ones((4, 3)), w).sum())
    assert np.all(np.isfinite(gradient(jnp.zeros(3))))
    np.testing.assert_allclose(losses.two_layer_gradient_penalty(jnp.ones((2, 3)), jnp.ones((4, 3)), jnp.zeros(3)), 1)


def test_penalties_name_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"\(2, 3\), \(4, 5\)"):
        losses.two_layer_gradient_penalty(jnp.ones((2, 3)), jnp.ones((4, 5)), jnp.ones(3))
    with pytest.raises(ValueError, match=r"\(2, 3\), \(2, 4\)"):
        losses.gradient_penalty(jax.random.key(0), lambda x: x.sum(1), jnp.ones((2, 3)), jnp.ones((2, 4)))
    with pytest.raises(ValueError, match=r"\(3,\)"):
        losses.squared_departure(jnp.ones(3))


def test_gaussian_terms_against_scipy():
    mean, deviation = np.array([[0.3, -1.2]]), np.array([[0.5, 1.7]])
    by_integration = 0.0
    for m, s in zip(mean[0], deviation[0]):
        density = scipy.stats.norm(m, s)
        by_integration += scipy.integrate.quad(
            lambda x, d=density: d.pdf(x) * (d.logpdf(x) - scipy.stats.norm.logpdf(x)), -20, 20
        )[0]
    one = gaussians.Gaussian(jnp.asarray(mean), 2 * jnp.log(deviation))
    np.testing.assert_allclose(gaussians.kl_to_standard(one), by_integration, rtol=1e-5)
    other_mean, other_deviation = np.array([[1.0, 0.1]]), np.array([[1.1, 0.2]])
    a, b = np.diag(deviation[0] ** 2), np.diag(other_deviation[0] ** 2)
    root = scipy.linalg.sqrtm(a)
    bures = np.trace(a + b - 2 * scipy.linalg.sqrtm(root @ b @ root))
    expected = np.sqrt(np.sum((mean - other_mean) ** 2) + bures.real)
    other = gaussians.Gaussian(jnp.asarray(other_mean), 2 * jnp.log(other_deviation))
    np.testing.assert_allclose(gaussians.wasserstein_distance(one, other), expected, rtol=1e-5)
    alike = jax.grad(lambda m: gaussians.wasserstein_distance(one._replace(mean=m), one).sum())(one.mean)
    np.testing.assert_array_equal(alike, np.zeros((1, 2)))


def test_features_are_scaled_by_the_training_images_and_cut_outside():
    seen = {}

    def update(state, batch, classes, key):
        seen["batch"], seen["classes"] = batch.inputs, classes.embedding
        return state, {"loss": jnp.zeros(())}

    inner = methods.Method(
        init=lambda key, like, classes, weights: jnp.zeros(()),
        update=update,
        scores=lambda state, images, described: images,
    )
    method = scaling.in_range(inner, description_scale=3.0)
    train = data.Examples(np.array([[1.0, 5.0, 2.0], [3.0, 5.0, 4.0]], np.float32), np.array([0, 1]))
    batch = data.Batch(train.inputs, train.labels, np.ones(2, bool))
    classes = data.ClassTable(np.eye(2, dtype=np.float32), np.ones(2, bool), ("a", "b"))
    state = method.init(jax.random.key(0), batch, classes, ())
    state = method.prepare(state, train, classes, jax.random.key(0))
    method.update(state, batch, classes, jax.random.key(0))
    np.testing.assert_array_equal(seen["batch"], [[0, 0, 0], [1, 0, 1]])
    np.testing.assert_array_equal(seen["classes"], 3 * np.eye(2))
    np.testing.assert_array_equal(method.describe(state, classes), 3 * np.eye(2))
    outside = method.embed(state, np.array([[0.0, 9.0, 3.0], [9.0, 0.0, 9.0]]))
    np.testing.assert_array_equal(outside, [[0, 0, 0.5], [1, 0, 1]])
    with pytest.raises(errors.UserError, match=r"an input \[F\] each, not inputs \[4, 4\]"):
        method.init(jax.random.key(0), batch._replace(inputs=np.zeros((2, 4, 4))), classes, ())


def test_the_classifier_learns_what_can_be_separated():
    labels = jnp.arange(90) % 3
    features = jnp.eye(3)[labels] + 0.1 * drawn(0, 90, 3)
    trained = classifier.fit(jax.random.key(0), features, labels, 3, epochs=2000)
    assert float(jnp.mean(jnp.argmax(classifier.logits(trained, features), axis=1) == labels)) == 1


def make_ending(**options):
    return imagined.make_ending(
        synthesize=lambda nets, key, descriptions: descriptions + 0.1 * jax.random.normal(key, descriptions.shape),
        embed=lambda nets, features: features,
        num_synthetic=64,
        classifier_epochs=50,
        **options,
    )


@pytest.mark.long
def test_some_classes_may_have_a_classifier_of_their_own():
    names, is_seen = ("a", "b", "c", "d"), np.array([True, True, False, False])
    classes = data.ClassTable(np.eye(4, dtype=np.float32), is_seen, names, trained=2)
    train = data.Examples(jnp.eye(4)[:2], jnp.arange(2))
    found = {}
    for kind in ("columns", "own"):
        ending = make_ending(zsl_classifier=kind)
        finished = ending.finish(None, train, classes, jax.random.key(0))
        found[kind] = [
            np.asarray(ending.scores(finished, jnp.eye(4), ending.describe(finished, table)))
            for table in (classes, classes[2:])
        ]
    np.testing.assert_array_equal(found["columns"][0], found["own"][0])
    np.testing.assert_array_equal(found["columns"][0][:, 2:], found["columns"][1])
    assert np.argmax(found["own"][1], axis=1).tolist()[2:] == [0, 1]
    assert np.abs(found["own"][1] - found["columns"][1]).max() > 0.1


@pytest.mark.long
def test_scores_of_known_classes_are_their_columns_and_have_no_gradient_in_the_descriptions():
    ending = make_ending()
    names = ("a", "b", "c")
    classes = data.ClassTable(np.eye(3, dtype=np.float32), np.array([True, True, False]), names, trained=2)
    train = data.Examples(jnp.eye(3)[:2], jnp.arange(2))
    finished = ending.finish(None, train, classes, jax.random.key(0))

    def scores(images, table):
        return ending.scores(finished, ending.embed(finished, images), ending.describe(finished, table))

    known = scores(jnp.eye(3), classes)
    turned = data.ClassTable(classes.embedding[::-1], classes.is_seen[::-1])
    np.testing.assert_array_equal(scores(jnp.eye(3), turned), known[:, ::-1])
    # A class that it does not know: all of the table are imagined anew.
    new = data.ClassTable(np.array([[0, 0, 1], [1, 1, 0]], np.float32), np.zeros(2, bool))
    of_new = scores(jnp.asarray(new.embedding), new)
    assert np.argmax(of_new, axis=1).tolist() == [0, 1]
    assert np.min(np.abs(of_new - known[2, 2])) > 1e-3

    def total(embedding):
        return jnp.sum(scores(jnp.eye(3), data.ClassTable(embedding, classes.is_seen)))

    np.testing.assert_array_equal(jax.grad(total)(jnp.asarray(classes.embedding)), np.zeros((3, 3)))


def test_rows_drawn_of_each_class_are_of_that_class():
    labels = jnp.asarray([2, 0, 1, 0, 2, 2])
    rows = imagined.rows_of_each_class(jax.random.key(0), labels, 3, 5)
    np.testing.assert_array_equal(labels[rows], np.repeat([0, 1, 2], 5))


def test_hallucinated_descriptions_mix_valid_rows_alone():
    rows = jnp.eye(4)
    mixed = hallucinate(jax.random.key(0), rows, jnp.asarray([True, True, False, False]))
    np.testing.assert_allclose(jnp.linalg.norm(mixed, axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(mixed[:, 2:], np.zeros((4, 2)))


def test_a_batch_that_the_critic_steps_cannot_share(task):
    batch = data.Batch(task.train.inputs[:16], task.train.labels[:16], np.ones(16, bool))
    with pytest.raises(
        errors.UserError, match="a batch of 16 cannot be dealt to 5 critic steps: the nearest that can is 15"
    ):
        small_trainer.steps(methods.f_clswgan(**small_generative.SMALL | {"critic_steps": 5}), task, batch)


@pytest.mark.long
@pytest.mark.parametrize("name", ["cada_vae", "f_clswgan"])  # a latent space and features
def test_a_table_with_a_new_class_gets_a_classifier_of_its_own(name):
    """Trained on synthetic features of all its classes, which it tells apart; without these, the known columns."""
    task = data.test_task(toy.dataset(num_seen=16, num_unseen=4, per_class=20))
    method = methods.normalized(small_trainer.make(name))
    state, unseen = small_trainer.fitted(method, task, epochs=80), task.sets["test_unseen"]
    moved = dataclasses.replace(task.unseen_classes, embedding=task.unseen_classes.embedding + 0.05)
    scores = jax.jit(lambda table: methods.score(method, state, unseen.inputs, table))
    assert small_trainer.top1(scores(moved), unseen.labels, first=16) > 0.6


@pytest.mark.long
def test_a_critic_with_penalty_teaches_a_generator_the_means_of_two_gaussians():
    """One Gaussian per class; the generator ends in a linear layer, since a ReLU can die where features are so few."""
    means, phi = jnp.asarray([[0.3, 0.7], [0.8, 0.2]]), jnp.repeat(jnp.eye(2), 128, axis=0)
    critic = networks.init_critic(jax.random.key(0), 2, 64, 2)
    generator = networks.init_layers(jax.random.key(1), (4, 64, 2))
    optimizer = optax.adam(2e-3, b1=0.5)

    def made(generator, key):
        return networks.apply_layers(generator, jnp.concatenate([jax.random.normal(key, phi.shape), phi], axis=1))

    def critic_loss(critic, generator, keys):
        real = phi @ means + 0.1 * jax.random.normal(keys[0], phi.shape)
        wins, penalties = networks.estimate_and_penalty(critic, keys[1], real, made(generator, keys[2]), phi)
        return jnp.mean(10 * penalties - wins)

    def step(carry, key):
        critic, critic_memory, generator, generator_memory, average = carry
        for keys in jax.random.split(key, (5, 3)):
            gradient = jax.grad(critic_loss)(critic, generator, keys)
            updates, critic_memory = optimizer.update(gradient, critic_memory)
            critic = optax.apply_updates(critic, updates)
        gradient = jax.grad(lambda g: -jnp.mean(networks.critic_value(critic, made(g, key), phi)))(generator)
        updates, generator_memory = optimizer.update(gradient, generator_memory)
        generator = optax.apply_updates(generator, updates)
        average = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b, average, generator)
        return (critic, critic_memory, generator, generator_memory, average), None

    start = critic, optimizer.init(critic), generator, optimizer.init(generator), generator
    keys = jax.random.split(jax.random.key(2), 6000)
    well = {"xla_backend_optimization_level": 3}
    (*_, average), _ = jax.jit(lambda c: jax.lax.scan(step, c, keys), compiler_options=well)(start)
    # The two circle around the solution; the running mean of the generator finds where, and says little of the spread.
    found = jnp.mean(made(average, jax.random.key(3)).reshape(2, 128, 2), axis=1)
    np.testing.assert_allclose(found, means, atol=0.1)


@pytest.mark.long
def test_a_class_absent_from_the_batch_changes_nothing():
    """The relation loss of LsrGAN over the classes of a batch is that of a table with these classes alone."""
    features, centroids = drawn(0, 4, 5), drawn(1, 3, 5)
    similarities = jnp.asarray(np.random.default_rng(2).uniform(-1, 1, (4, 3)), jnp.float32)
    neighbors = jax.lax.top_k(similarities, 2)[1]
    labels = jnp.asarray([1, 1, 3, 3])
    all_classes = losses.semantic_regularized_similarity(
        features, labels, centroids, similarities, neighbors, lower=0.1, upper=0.1
    )
    kept = jnp.asarray([1, 3])
    few = losses.semantic_regularized_similarity(
        features, jnp.asarray([0, 0, 1, 1]), centroids, similarities[kept], neighbors[kept], lower=0.1, upper=0.1
    )
    np.testing.assert_allclose(all_classes[kept], few, rtol=1e-6)
    np.testing.assert_array_equal(all_classes[jnp.asarray([0, 2])], [0, 0])
