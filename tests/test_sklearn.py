"""The estimator for scikit-learn: what its checks ask of a classifier, and classes that y never names."""

import pickle

import numpy as np
import pytest
import toy
from sklearn import model_selection
from sklearn.utils import estimator_checks

from zsl_jax import errors, sklearn

SOURCE = toy.dataset(num_seen=8)
DESCRIPTIONS = {f"class {i:02d}": row for i, row in enumerate(SOURCE.classes.embedding)}
LABELS = np.array([f"class {label:02d}" for label in SOURCE.labels])
NOTHING = {"select.on": "nothing"}

# By the name of the check, and why it does not hold.
EXPECTED = {
    "check_estimators_dtypes": "its integers are all 0, and a row without any other number has no direction to score by"
}


@pytest.fixture(scope="module")
def fitted():
    rows = SOURCE.splits["train"]
    return sklearn.ZeroShotClassifier(descriptions=DESCRIPTIONS, config=NOTHING).fit(SOURCE.inputs[rows], LABELS[rows])


def test_classes_that_y_never_names_are_predicted(fitted):
    rows = SOURCE.splits["test_unseen"]
    assert fitted.classes_.tolist() == sorted(DESCRIPTIONS)
    assert set(fitted.predict(SOURCE.inputs[rows])) - set(LABELS[SOURCE.splits["train"]])
    assert fitted.score(SOURCE.inputs[rows], LABELS[rows]) > 0.5
    np.testing.assert_allclose(fitted.predict_proba(SOURCE.inputs[rows]).sum(axis=1), 1)


def test_a_fitted_estimator_is_pickled(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.decision_function(SOURCE.inputs), fitted.decision_function(SOURCE.inputs))


@pytest.mark.long
def test_classes_are_held_out_by_groups():
    model = sklearn.ZeroShotClassifier(descriptions=DESCRIPTIONS, config=NOTHING)
    rows = SOURCE.splits["train"]
    given = SOURCE.inputs[rows], LABELS[rows]
    found = model_selection.cross_val_score(
        model, *given, groups=LABELS[rows], cv=model_selection.GroupKFold(2), error_score="raise"
    )
    assert found.mean() > 0.2


GIVEN = {
    "numbers in y": ({"y": np.arange(2)}, "labels in y are as 0, those of descriptions as 'a'"),
    "two kinds of label": ({"descriptions": {"a": [1, 0], 1: [0, 1]}}, "texts or numbers, all of one kind"),
    "pairs as labels": ({"descriptions": {("a", "b"): [1, 0]}}, "texts or numbers, all of one kind"),
    "no labels": ({"descriptions": [[1, 0], [0, 1]]}, "not a dict with a description for every label"),
    "a short one": ({"descriptions": {"a": [1, 0], "b": [1]}}, r"of 'b' has the shape \[1\], wanted \[2\]"),
    "a table": ({"descriptions": {"a": np.eye(2), "b": np.eye(2)}}, r"of 'a' has the shape \[2, 2\]"),
    "a text": ({"descriptions": {"a": [1, 0], "b": "red"}}, "of 'b' is not a list of numbers"),
    "a mask": ({"X": np.ma.masked_greater(np.eye(2), 0.5)}, "X has masked values"),
}


@pytest.mark.parametrize("case", GIVEN)
def test_what_an_estimator_is_given_is_checked_in_one_line(case):
    changes, says = GIVEN[case]
    given = {"X": np.eye(2), "y": np.array(["a", "b"]), "descriptions": {"a": [1, 0], "b": [0, 1]}} | changes
    with pytest.raises(errors.UserError, match=says):
        sklearn.ZeroShotClassifier(descriptions=given["descriptions"]).fit(given["X"], given["y"])


def test_a_label_without_a_description_is_one_line():
    with pytest.raises(errors.UserError, match="unknown label in y 'class 99'"):
        sklearn.ZeroShotClassifier(descriptions=DESCRIPTIONS).fit(np.eye(2), ["class 00", "class 99"])


@pytest.mark.long
@estimator_checks.parametrize_with_checks(
    [sklearn.ZeroShotClassifier()], expected_failed_checks=lambda estimator: EXPECTED
)
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)
