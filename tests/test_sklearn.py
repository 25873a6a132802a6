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


def test_a_label_without_a_description_is_one_line():
    with pytest.raises(errors.UserError, match="unknown label in y 'class 99'"):
        sklearn.ZeroShotClassifier(descriptions=DESCRIPTIONS).fit(np.eye(2), ["class 00", "class 99"])


@pytest.mark.long
@estimator_checks.parametrize_with_checks(
    [sklearn.ZeroShotClassifier()], expected_failed_checks=lambda estimator: EXPECTED
)
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)
