"""Splits of datasets that come without one, and other unseen classes than those that a dataset comes with."""

import dataclasses
import difflib
import pathlib
from collections.abc import Sequence

import numpy as np

from zsl_jax import errors
from zsl_jax.data import dataset, tables


def fifth_of_seen(labels: np.ndarray, is_seen: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """The splits where a fifth of the images of each seen class, drawn by `seed`, is its part of `test_seen`.

    Args:
      labels: `[N]` rows of the class table.
      is_seen: `[C]` bool.
      seed: 0 or more.

    Raises:
      UserError: no class has enough images for one to test on.

    >>> import numpy as np
    >>> found = fifth_of_seen(np.repeat(np.arange(2), 5), np.array([True, False]), seed=0)
    >>> {name: len(rows) for name, rows in found.items()}
    {'train': 4, 'test_seen': 1, 'test_unseen': 5}
    """
    rng = np.random.default_rng(seed)
    test_seen = []
    for label in np.flatnonzero(is_seen):
        rows = rng.permutation(np.flatnonzero(labels == label))
        test_seen.append(rows[: round(len(rows) / 5)])
    test_seen = np.sort(np.concatenate(test_seen))
    if not len(test_seen):
        raise errors.UserError(
            "no seen test image: too few images per class to draw a fifth from; seen classes could not be scored"
        )
    return {
        "train": np.setdiff1d(np.flatnonzero(is_seen[labels]), test_seen),
        "test_seen": test_seen,
        "test_unseen": np.flatnonzero(~is_seen[labels]),
    }


def unseen_names(text: str, names: Sequence[str]) -> np.ndarray:
    """Returns which of the classes are unseen, `[C]` bool, by their names.

    Args:
      text: names with commas between them, or a file with one per line.
      names: of all classes.

    Raises:
      UserError: a name of no class, or fewer than 2 classes left to train on.

    >>> unseen_names("zebra, okapi", ("horse", "okapi", "zebra", "cow")).tolist()
    [False, True, True, False]
    """
    path = pathlib.Path(text).expanduser()
    try:
        given = path.read_text(encoding="utf-8-sig").splitlines() if path.is_file() else text.split(",")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(f"{text}: a text file with a name per line is wanted") from error
    wanted = [tables.name(name.strip()) for name in given if name.strip()]
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise errors.unlisted("class", name, near, f"the {len(names)} classes begin with {', '.join(names[:3])}")
    unseen = np.isin(np.array(names), wanted)
    if unseen.all() or not unseen.any() or (~unseen).sum() < 2:
        raise errors.UserError(
            f"{unseen.sum()} of {len(names)} classes would be unseen: at least 1 must be, with 2 left to train on"
        )
    return unseen


def with_unseen(source: dataset.Dataset, text: str, *, seed: int = 0) -> dataset.Dataset:
    """Returns a dataset with other unseen classes; descriptions and inputs stay as they are.

    All images of an unseen class are its test images. Images of classes that were seen before keep their use; of a
    class that becomes seen, a fifth, drawn by `seed`, is its part of `test_seen`.

    Args:
      source: with a label per input.
      text: which classes are unseen, as `unseen_names` takes it.
      seed: 0 or more.

    Raises:
      UserError: a name of no class, or a dataset whose classes are pairs or whose inputs have several labels.
    """
    if source.parts is not None or np.ndim(source.labels) != 1:
        what = "classes are pairs" if source.parts is not None else "inputs have several labels"
        raise errors.UserError(f"unseen classes are not chosen by name in {source.name}, whose {what}")
    if source.info.get("attributes") == "original_att":
        raise errors.UserError(
            "original_att has missing values that the seen classes of the benchmark fill: with unseen classes by name, "
            "take --config.data.attributes=att"
        )
    is_seen = ~unseen_names(text, source.classes.names)
    used = np.sort(np.concatenate(list(source.splits.values())))
    was_seen = np.asarray(source.classes.is_seen)
    fresh = used[(is_seen & ~was_seen)[source.labels[used]]]
    drawn = fresh[:0]
    if len(fresh):
        drawn = fresh[fifth_of_seen(source.labels[fresh], is_seen & ~was_seen, seed)["test_seen"]]
    still = is_seen[source.labels]
    tested = np.concatenate([rows for name, rows in source.splits.items() if name == "test_seen"] or [drawn[:0]])
    test_seen = np.union1d(tested[still[tested]], drawn)
    splits = {
        "train": np.setdiff1d(used[still[used]], test_seen),
        "test_seen": test_seen,
        "test_unseen": used[~still[used]],
    }
    if not len(splits["test_unseen"]) or not len(test_seen):
        raise errors.UserError(f"no image of {'an unseen' if len(test_seen) else 'a seen'} class is left to test on")
    validation = source.validation_classes
    if validation is not None:
        validation = validation[is_seen[validation]]
    info = {**source.info, "split": f"{(~is_seen).sum()} unseen classes by name"}
    return dataclasses.replace(
        source,
        classes=dataclasses.replace(source.classes, is_seen=is_seen),
        splits=splits,
        validation_classes=validation if validation is not None and len(validation) else None,
        info=info | ({"benchmark": None} if "benchmark" in info else {}),
    )
