"""The contributions of the attributes sum to the margin, or the method is refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import data, errors, explain, methods

RNG = np.random.default_rng(0)
CLASSES = data.ClassTable(
    RNG.integers(0, 4, (5, 3)).astype(np.float32), np.array([True, True, True, False, False]), tuple("abcde")
)
INPUTS = RNG.integers(-3, 4, (7, 4)).astype(np.float32)
STATE = {"weights": jnp.asarray(RNG.integers(-3, 4, (4, 3)), jnp.float32)}
METHOD = methods.ale_sgd()


def test_whole_numbers_sum_to_the_margin_exactly():
    found = explain.margin(METHOD, STATE, INPUTS, CLASSES)
    scores = INPUTS @ np.asarray(STATE["weights"]) @ CLASSES.embedding.T
    rows = np.arange(len(INPUTS))
    np.testing.assert_array_equal(found.first, scores.argmax(1))
    np.testing.assert_array_equal(found.margin, scores[rows, found.first] - scores[rows, found.second])
    np.testing.assert_array_equal(np.asarray(found.contributions).sum(1), found.margin)
    assert (np.asarray(found.margin) >= 0).all()
    assert (np.asarray(found.first) != np.asarray(found.second)).all()


def test_a_contribution_is_the_products_of_one_attribute():
    found = explain.margin(METHOD, STATE, INPUTS, CLASSES, first=np.full(7, 2), second=np.full(7, 4))
    weights = np.asarray(STATE["weights"])
    for b in range(7):
        for k in range(3):
            expected = sum(INPUTS[b, f] * weights[f, k] for f in range(4)) * (
                CLASSES.embedding[2, k] - CLASSES.embedding[4, k]
            )
            assert found.contributions[b, k] == expected


def test_the_next_class_is_the_second_best_with_the_offsets():
    offsets = np.array([-100.0, -100.0, -100.0, 0.0, 0.0])
    found = explain.margin(METHOD, STATE, INPUTS, CLASSES, offsets=offsets)
    assert set(np.asarray(found.first)) | set(np.asarray(found.second)) <= {3, 4}


def test_the_average_of_a_confusion_sums_to_its_mean_margin():
    found = explain.margin(METHOD, STATE, INPUTS, CLASSES, first=np.full(7, 0), second=np.full(7, 1))
    mean = explain.average(found)
    assert mean.contributions.shape == (1, 3)
    np.testing.assert_allclose(mean.contributions.sum(), np.mean(found.margin), rtol=1e-6)
    mixed = explain.margin(METHOD, STATE, INPUTS, CLASSES, first=np.arange(7) % 5, second=(np.arange(7) + 1) % 5)
    with pytest.raises(ValueError, match="the same class for all inputs"):
        explain.average(mixed)


BASIS, _ = np.linalg.qr(np.random.default_rng(2).standard_normal((3, 2)).astype(np.float32))


def random_state(name, method):
    """A state of the method that took no training."""
    if name == "ale":
        return methods.Viewed(BASIS, methods.GradientState(STATE["weights"][:, :2], None))
    if name in ("eszsl", "ridge"):
        return methods.Solution(STATE["weights"])
    return method.init(jax.random.key(0), data.Batch(INPUTS, np.zeros(7, int), np.ones(7, bool)), CLASSES[:3], ())


@pytest.mark.parametrize("name", ["ale", "eszsl", "cmt"])
def test_linear_and_quadratic_scores_are_sums_over_attributes(name):
    method = methods.factory(name)(**({"num_hidden": 8} if name == "cmt" else {}))
    state = random_state(name, method)
    found = explain.margin(method, state, INPUTS, CLASSES)
    scores = np.asarray(methods.score(method, state, INPUTS, CLASSES))
    rows = np.arange(len(INPUTS))
    margin = scores[rows, found.first] - scores[rows, found.second]
    assert margin.max() > 0
    np.testing.assert_allclose(np.asarray(found.contributions).sum(1), margin, atol=1e-5 * np.abs(scores).max())


@pytest.mark.parametrize("name", ["dem", "ridge"])
def test_other_scores_are_refused_in_one_line(name):
    method = methods.factory(name)(**({"num_hidden": 8} if name == "dem" else {}))
    with pytest.raises(errors.UserError, match="is not a sum over attributes") as caught:
        explain.margin(method, random_state(name, method), INPUTS, CLASSES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["minimax", "f_clswgan"])
def test_scores_that_depend_on_other_classes_are_refused_before_anything_else(name):
    method = methods.factory(name)()
    for ask in (explain.margin, explain.directions):
        with pytest.raises(errors.UserError, match="asks for unseen descriptions and other candidates") as caught:
            ask(method, None, INPUTS, CLASSES)
        assert "\n" not in str(caught.value)


def test_directions_are_the_images_in_the_space_of_attributes():
    np.testing.assert_array_equal(explain.directions(METHOD, STATE, INPUTS, CLASSES), INPUTS @ STATE["weights"])


def test_a_method_that_scales_classes_is_refused():
    method = methods.normalized(METHOD, inputs="none", classes="l2")
    with pytest.raises(errors.UserError, match="is not a sum over attributes"):
        explain.margin(method, STATE, INPUTS, CLASSES)


def test_one_class_or_no_attributes_are_refused():
    with pytest.raises(errors.UserError, match="at least two classes"):
        explain.margin(METHOD, STATE, INPUTS, CLASSES[:1])
    words = dataclasses.replace(CLASSES, embedding={"tokens": np.zeros((5, 3))})
    with pytest.raises(errors.UserError, match="described by attributes"):
        explain.margin(METHOD, STATE, INPUTS, words)
