"""DAP, IAP, ConSE, SYNC, SSE and minimax: their rules by hand, and what they make of the seen classes."""

import dataclasses

import contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import small_trainer
import toy

from zsl_jax import bounds, data, errors, methods

pytestmark = pytest.mark.long

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def task():
    return data.test_task(toy.dataset(num_seen=10, num_unseen=3, per_class=16))


def test_attribute_log_posterior_by_hand_on_three_classes():
    there = np.array([[0.9, 0.2], [0.5, 0.6]])
    prior = np.array([0.5, 0.25])
    has = np.array([[1, 1], [1, 0], [0, 0]])
    expected = [
        [np.log(0.9 / 0.5 * 0.2 / 0.25), np.log(0.9 / 0.5 * 0.8 / 0.75), np.log(0.1 / 0.5 * 0.8 / 0.75)],
        [np.log(0.5 / 0.5 * 0.6 / 0.25), np.log(0.5 / 0.5 * 0.4 / 0.75), np.log(0.5 / 0.5 * 0.4 / 0.75)],
    ]
    logs = jnp.log(jnp.array(there)), jnp.log(1 - jnp.array(there))
    contract.assert_close(methods.attribute_log_posterior(*logs, has, prior), np.array(expected))


SEEN = np.array([[0.0, 0.9], [0.2, 0.1], [1.0, 0.2]], np.float32)  # means .4 and .4: attributes 01, 00 and 10
TABLE = data.ClassTable(SEEN, np.ones(3, bool), ("a", "b", "c"))
OTHERS = data.ClassTable(np.array([[0.41, 0.41], [0.39, 0.41]], np.float32), np.zeros(2, bool), ("d", "e"))
PRIOR = np.full(2, 1.5 / 4)


def classifier_state(weights, bias):
    params = {"weights": jnp.array(weights), "bias": jnp.array(bias)}
    return methods.Viewed(jnp.array(SEEN), methods.GradientState(params, None))


def posterior(there, has):
    odds = np.where(has[None], there[:, None] / PRIOR, (1 - there[:, None]) / (1 - PRIOR))
    return np.log(odds).sum(axis=-1)


def test_dap_is_its_rule_on_logistic_probabilities():
    weights, bias, x = np.array([[1.0, -2.0]]), np.array([0.5, 0.0]), np.array([[2.0], [-1.0]])
    scores = methods.score(methods.dap(), classifier_state(weights, bias), jnp.array(x), OTHERS)
    there = 1 / (1 + np.exp(-(x @ weights + bias)))
    contract.assert_close(scores, posterior(there, np.array([[1, 1], [0, 1]])))


def test_an_attribute_that_seen_classes_have_in_common_does_not_count():
    """Its classifier grows surer with every step, and a gap that grows so is bridged by no constant gamma."""
    x, table = jnp.array([[1.0]]), data.ClassTable(np.array([[0.6, 0.0], [0.6, 1.0]], np.float32), np.zeros(2, bool))
    for name in ("dap", "iap"):
        state = classifier_state(np.zeros((1, 2 if name == "dap" else 3)), np.zeros(2 if name == "dap" else 3))
        common = state._replace(kept=state.kept * jnp.array([[1.0, 0.0]]))
        method = methods.METHODS[name]()
        if name == "dap":
            common.inner.params["bias"] = jnp.array([0.0, -50.0])
        found = methods.score(method, common, x, table)
        contract.assert_close(found[:, 0], found[:, 1])
        varied = state._replace(kept=state.kept * jnp.array([[1.0, 1.0]]))
        assert np.ptp(methods.score(method, varied, x, table)) > 0.1


def test_iap_is_its_rule_on_the_attributes_of_probable_classes():
    weights, bias, x = np.array([[1.0, -2.0, 0.0]]), np.array([0.5, 0.0, 0.2]), np.array([[2.0], [-1.0]])
    scores = methods.score(methods.iap(smoothing=0.1), classifier_state(weights, bias), jnp.array(x), OTHERS)
    likely = np.exp(x @ weights + bias)
    likely /= likely.sum(axis=1, keepdims=True)
    there = 0.9 * likely @ np.array([[0, 1], [0, 0], [1, 0]]) + 0.1 * PRIOR
    contract.assert_close(scores, posterior(there, np.array([[1, 1], [0, 1]])))


def test_without_a_cut_attributes_are_probabilities():
    """DAP's detectors are logistic; its score is the expectation over attributes drawn as descriptions say."""
    weights, bias, x = np.array([[1.0, -2.0]]), np.array([0.5, 0.0]), np.array([[2.0], [-1.0]])
    there = 1 / (1 + np.exp(-(x @ weights + bias)))
    soft = np.array(OTHERS.embedding)[None]
    prior = (SEEN.sum(axis=0) + 0.5) / 4
    ones, zeros = np.log(there[:, None] / prior), np.log((1 - there[:, None]) / (1 - prior))
    expected = np.sum(soft * ones + (1 - soft) * zeros, axis=-1)
    state = classifier_state(weights, bias)
    contract.assert_close(methods.score(methods.dap(cut="none"), state, jnp.array(x), OTHERS), expected)
    detectors = methods.normalized(methods.dap(), inputs="none")
    contract.assert_close(detectors.attributes(state, detectors.embed(state, jnp.array(x))), there)
    percent = state._replace(kept=100 * state.kept)
    table = dataclasses.replace(OTHERS, embedding=100 * OTHERS.embedding)
    contract.assert_close(methods.score(methods.dap(cut="none"), percent, jnp.array(x), table), expected)
    assert methods.normalized(methods.ale()).attributes is None


def test_iap_predicts_the_attributes_of_probable_classes():
    weights, x = np.array([[1.0, -2.0, 0.0]]), np.array([[1.0]])
    p = np.exp([1.0, -2.0, 0.0]) / np.exp([1.0, -2.0, 0.0]).sum()
    method, state = methods.iap(cut="none", smoothing=0.1), classifier_state(weights, np.zeros(3))
    there = method.attributes(state, method.embed(state, jnp.array(x)))
    contract.assert_close(there, (0.9 * p @ SEEN + 0.1 * (SEEN.sum(axis=0) + 0.5) / 4)[None])


@pytest.mark.long
def test_conse_is_the_cosine_with_the_mixture_of_the_top_classes():
    weights, bias, x = np.array([[1.0, -2.0, 0.0]]), np.zeros(3), np.array([[1.0]])
    state = classifier_state(weights, bias)
    p = np.exp([1.0, -2.0, 0.0]) / np.exp([1.0, -2.0, 0.0]).sum()
    for num_top, mixed in ((1, SEEN[0]), (2, (p[0] * SEEN[0] + p[2] * SEEN[2]) / (p[0] + p[2])), (9, p @ SEEN)):
        cosines = [mixed @ c / np.linalg.norm(mixed) / np.linalg.norm(c) for c in OTHERS.embedding]
        scores = methods.score(methods.conse(num_top=num_top), state, jnp.array(x), OTHERS)
        contract.assert_close(scores, np.array([cosines]))


def test_the_attribute_cut_is_that_of_the_seen_classes():
    """At one mean of the table, .4, the same as at the means of the attributes here; not so for another table."""
    state = classifier_state(np.ones((1, 2)), np.zeros(2))
    x = jnp.array([[3.0]])
    by_attribute, by_table = (methods.score(methods.dap(cut=cut), state, x, OTHERS) for cut in ("attribute", "table"))
    contract.assert_close(by_attribute, by_table)
    skewed = state._replace(kept=state.kept + jnp.array([[0.0, 1.0]]))
    assert np.ptp(methods.score(methods.dap(cut="attribute"), skewed, x, OTHERS)) > 1  # .41 > .4 but .39 < .4
    contract.assert_close(np.ptp(methods.score(methods.dap(cut="table"), skewed, x, OTHERS)), 0.0)  # all below .9
    with pytest.raises(errors.UserError, match="unknown cut 'row'"):
        methods.iap(cut="row")


def test_sse_proportions_solve_the_quadratic_programme():
    rng = np.random.default_rng(0)
    seen, attributes = rng.standard_normal((6, 4)), rng.standard_normal((3, 4))
    alpha = np.asarray(methods.seen_proportions(attributes, seen, spread=0.3))
    assert alpha.min() >= 0
    np.testing.assert_allclose(alpha.sum(axis=1), 1, rtol=1e-5)
    for phi, found in zip(attributes, alpha):

        def cost(a, phi=phi):
            return np.sum((phi - a @ seen) ** 2) + 0.3 * np.sum(a**2)

        best = scipy.optimize.minimize(
            cost, np.full(6, 1 / 6), bounds=[(0, 1)] * 6, constraints={"type": "eq", "fun": lambda a: a.sum() - 1}
        )
        np.testing.assert_allclose(found, best.x, atol=2e-3)


def test_sync_classifiers_are_mixtures_of_phantom_classifiers(task):
    method = methods.sync(bandwidth=0.8, learning_rate=0.1)
    batch = data.Batch(task.train.inputs[:16], task.train.labels[:16], np.ones(16, bool))
    state, _ = small_trainer.steps(method, task, batch)
    state = method.finish(state, task.train, task.seen_classes, KEY)
    inner = state.inner
    phantoms = np.asarray(inner.inner.params @ inner.kept.T)  # [F, S], the v_r
    seen, unseen = task.seen_classes.embedding, task.unseen_classes.embedding
    nearness = np.exp(-np.sum((unseen[:, None] - seen[None]) ** 2, axis=-1) / 0.8**2)
    mixed = phantoms @ (nearness / nearness.sum(axis=1, keepdims=True)).T
    inputs = task.sets["test_unseen"].inputs
    contract.assert_close(methods.score(method, state, inputs, task.unseen_classes), inputs @ mixed, atol=1e-4)


@pytest.mark.parametrize("name", ["dap", "conse", "sync", "minimax"])
def test_rows_that_fill_up_a_batch_do_not_count(task, name):
    """One classifier of each kind: logistic, softmax, a bilinear map of proportions; and the errors of detectors."""
    method = methods.normalized(methods.factory(name)())
    batch = data.Batch(task.train.inputs, task.train.labels, np.arange(120) < 56)
    junk = batch._replace(inputs=np.where(batch.where[:, None], batch.inputs, 7.0))
    states = [small_trainer.steps(method, task, b, count=2)[0] for b in (batch, junk)]
    contract.assert_close(*(method.embed(s, task.sets["test_unseen"].inputs) for s in states))


MATRIX = np.array([[0.9, 0.1, 0.6, 0.3], [0.8, 0.7, 0.5, 0.9], [0.1, 0.6, 0.4, 0.2], [0.3, 0.2, 0.9, 0.8]])


@pytest.mark.long
@pytest.mark.parametrize("measure_errors", [True, False])
def test_the_minimax_method_names_what_the_best_map_names(measure_errors):
    """Detectors without weights say sigmoid(bias) of every image: their errors are known, and so is the map."""
    table = data.ClassTable(100 * MATRIX.astype(np.float32), np.array([True, True, False, False]), trained=2)
    method = methods.minimax(cut="none", measure_errors=measure_errors)
    train = data.Examples(np.zeros((6, 1), np.float32), np.array([0, 0, 0, 1, 1, 1]))
    batch = data.Batch(train.inputs, train.labels, np.ones(6, bool))
    state = method.finish(method.init(KEY, batch, table, ()), train, table, KEY)
    measured = np.abs(0.5 - MATRIX[:2]).mean(axis=0)
    np.testing.assert_allclose(state.kept.error_rates, measured, atol=1e-5)

    patterns = bounds.dense(MATRIX[2:]).patterns
    scores = np.asarray(method.scores(state, patterns, jax.jit(method.describe)(state, table[2:])))
    _, rule = bounds.worst_case(MATRIX[2:], error_rates=measured if measure_errors else None)
    expected = np.asarray(bounds.activations(rule, patterns))
    clear = np.abs(expected[:, 0] - expected[:, 1]) > 0.1
    assert clear.sum() > 4
    np.testing.assert_array_equal(scores.argmax(axis=1)[clear], expected.argmax(axis=1)[clear])
    np.testing.assert_allclose(method.attributes(state, method.embed(state, train.inputs)), np.full((6, 4), 0.5))


@pytest.fixture(scope="module")
def birds(shared_data):
    """33 unseen classes, chance .03."""
    return data.test_task(data.load("xlsa17", dir=str(shared_data / "xlsa17" / "CUB127"), semantics="att"))


@pytest.mark.long
@pytest.mark.parametrize(("name", "margin"), [("dap", 0.15), ("iap", 0.1), ("conse", 0.1), ("sync", 0.2), ("sse", 0.2)])
def test_real_unseen_classes_beat_permuted_descriptions(birds, name, margin):
    task, unseen = birds, birds.sets["test_unseen"]
    rows = np.random.default_rng(0).permutation(len(task.classes))
    permuted = dataclasses.replace(task.classes, embedding=task.classes.embedding[rows])
    accuracies = []
    for each in (task, dataclasses.replace(task, classes=permuted)):
        method = methods.normalized(methods.factory(name)())
        state = small_trainer.fitted(method, each, epochs=2, batch_size=64)
        scores = jax.jit(lambda s, x, c, method=method: methods.score(method, s, x, c))(
            state, unseen.inputs, each.unseen_classes
        )
        accuracies.append(small_trainer.top1(scores, unseen.labels, first=task.num_seen))
    assert accuracies[0] > accuracies[1] + margin
    assert accuracies[1] < 0.15
