"""An estimator for scikit-learn, which predicts classes that `y` never names.

    model = zsl_jax.sklearn.ZeroShotClassifier("ale", descriptions={"horse": ..., "zebra": ..., "okapi": ...})
    model.fit(X, y).predict(X)

What differs from an ordinary classifier, because classes are known by their descriptions:

- `classes_` are the classes with a description, also those that `y` does not name; so are the columns of
  `predict_proba` and `decision_function`.
- Cross-validation over examples scores seen classes. To score unseen ones, whole classes are held out:
  `cross_val_score(model, X, y, groups=y, cv=GroupKFold())`.
- Without `descriptions` each class is described by itself: an ordinary linear classifier, for which nothing is chosen.
- Rows without any number but 0 are refused: they have no direction to score by.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.special
from sklearn import base, utils
from sklearn.utils import multiclass, validation

from zsl_jax import errors, fitting


class ZeroShotClassifier(base.ClassifierMixin, base.BaseEstimator):
    """A method of this package as an estimator of scikit-learn.

    Args:
      method: a name as `zsl_jax.fit` takes it.
      descriptions: `{label: [A]}`, a description of every class, seen or not; None where there are only seen ones.
      knobs: of the method, by name.
      config: keys of the config, by name, as `zsl_jax.fit` takes them.
      random_state: seed of every random choice; None for 0.

    After `fit` it has `classes_ [C]`, sorted, and `trained_`, a `training.trained.Trained`, which saves and explains.

    >>> import numpy as np
    >>> descriptions = {"horse": [1, 0, 0], "zebra": [1, 1, 0], "tiger": [0, 1, 0], "gnu": [1, 0, 1], "ox": [0, 0, 1]}
    >>> y = np.repeat(["horse", "tiger", "gnu", "ox"], 3)
    >>> X = np.array([descriptions[label] for label in y])
    >>> ZeroShotClassifier(descriptions=descriptions, config={"select.on": "nothing"}).fit(X, y).predict([[1, 1, 0.1]])
    array(['zebra'], dtype='<U5')
    """

    def __init__(
        self,
        method: str = "eszsl",
        *,
        descriptions: Mapping[Any, Any] | None = None,
        knobs: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        random_state: int | None = None,
    ):
        self.method = method
        self.descriptions = descriptions
        self.knobs = knobs
        self.config = config
        self.random_state = random_state

    def fit(self, X, y) -> "ZeroShotClassifier":
        """Trains on `X [N, F]` and the labels `y [N]`.

        Raises:
          UserError: a label without a description, or what `zsl_jax.fit` refuses.
        """
        _check_whole(X=X, y=y)
        X, y = validation.validate_data(self, X, y, dtype="numeric")
        multiclass.check_classification_targets(y)
        found = np.unique(y)
        described = None if self.descriptions is None else _checked(self.descriptions)
        self.classes_ = found if described is None else np.unique(np.array(list(described)))
        if (found.dtype.kind in "OU") != (self.classes_.dtype.kind in "OU"):
            raise errors.UserError(
                f"labels in y are as {found.tolist()[0]!r}, those of descriptions as {self.classes_.tolist()[0]!r}: "
                "a text is never the label that a number is"
            )
        missing = np.setdiff1d(found, self.classes_)
        if len(missing):
            raise errors.unknown("label in y", missing[0], self.classes_)
        if described is None:
            table = np.eye(len(found))
            # Descriptions that say nothing of each other: what is true of some classes says nothing of others.
            chosen = {"select.on": "nothing"}
        else:
            table = np.array([described[label] for label in self.classes_.tolist()])
            chosen = {}
        self.trained_ = fitting.fit(
            self.method,
            X,
            np.searchsorted(self.classes_, y),
            table,
            seed=_seed(self.random_state),
            config={**chosen, **(self.config or {})},
            only_seen=True,
            say=_silent,
            **(self.knobs or {}),
        )
        return self

    def decision_function(self, X) -> np.ndarray:
        """Returns calibrated scores `[N, C]`; of two classes, `[N]`, that of the second less that of the first."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X) -> np.ndarray:
        """Returns the label of the class with the highest score, `[N]`."""
        scores = self._scores(X)
        return self.classes_[scores.argmax(axis=1)]

    def predict_proba(self, X) -> np.ndarray:
        """Returns probabilities `[N, C]`, at the temperature chosen on validation classes."""
        scores = self._scores(X)
        return scipy.special.softmax(scores / self.trained_.temperature, axis=1)

    def _scores(self, X) -> np.ndarray:
        validation.check_is_fitted(self)
        _check_whole(X=X)
        X = validation.validate_data(self, X, reset=False, dtype="numeric")
        return self.trained_.scores(X).astype(float)


def _check_whole(**arrays: Any) -> None:
    for name, array in arrays.items():
        if np.ma.is_masked(array):
            raise errors.UserError(f"{name} has masked values: leave these rows out, or fill them")


def _checked(descriptions: Any) -> dict[Any, np.ndarray]:
    """The description of each label as numbers, all of one length."""
    if not isinstance(descriptions, Mapping) or not descriptions:
        raise errors.UserError(f"descriptions is {descriptions!r:.60}, not a dict with a description for every label")
    labels = list(descriptions)
    if len({isinstance(label, str) for label in labels}) > 1 or not all(map(np.isscalar, labels)):
        raise errors.UserError(f"labels of descriptions are texts or numbers, all of one kind, not {labels!r:.60}")
    found: dict[Any, np.ndarray] = {}
    for label, description in descriptions.items():
        try:
            found[label] = np.array(description, float)
        except (TypeError, ValueError) as error:
            raise errors.UserError(f"the description of {label!r} is not a list of numbers: {error}") from error
        wanted = found[labels[0]].shape[:1]
        if found[label].shape != wanted:
            raise errors.UserError(
                f"the description of {label!r} has the shape {list(found[label].shape)}, wanted {list(wanted) or '[A]'}"
            )
    return found


def _seed(random_state) -> int:
    """The seed of a number, of nothing (0), or of a generator."""
    if random_state is None or isinstance(random_state, (int, np.integer)):
        return int(random_state or 0)
    return int(utils.check_random_state(random_state).randint(2**31))


def _silent(line: str) -> None:
    del line
