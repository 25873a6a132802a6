"""What is wrong with a benchmark in the xlsa17 layout, from its arrays alone.

    problems(variables) -> problems, sound      one line each; `sound` holds the variables that have none

`variables` are those of the files, by their names there: features `[F, N]`, labels `[N, 1]`, att `[A, C]`, ...; labels
and locations count from 1, and so do the numbers in the messages. What does not forbid training is in `notes`.
"""

import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from zsl_jax.data import soundness

SPLITS = {"train": "trainval_loc", "test_seen": "test_seen_loc", "test_unseen": "test_unseen_loc"}
VALIDATION_SPLITS = ("train_loc", "val_loc")
_MOST_IMAGES = 2**53  # whole numbers beyond are not all floats

Variables = Mapping[str, np.ndarray | Sequence[str]]


def problems(variables: Variables) -> tuple[list[str], dict[str, np.ndarray | Sequence[str]]]:
    """All that forbids training on the data.

    An absent variable is no problem here; what depends on it goes unchecked.

    Args:
      variables: any of `features [F, N]`, `labels`, `image_files` (N strings), `att [A, C]`, `original_att [A, C]`,
        `allclasses_names` (C strings) and the locations `trainval_loc`, `test_seen_loc`, `test_unseen_loc`,
        `train_loc`, `val_loc`.

    Returns:
      The problems, one line each, and the variables without one; labels and locations there are int64 vectors, still
      counted from 1.

    >>> import numpy as np
    >>> problems({"allclasses_names": ["ox", "gnu"], "att": np.eye(2), "labels": np.array([[1], [3]])})[0]
    ['labels: 1 image of a class above 2, the highest 3: no attribute column for it']
    """
    sound = dict(variables)
    found = []

    def check(name: str, lines: Iterable[str]) -> None:
        lines = list(lines) if name in sound else []
        found.extend(f"{name}: {line}" for line in lines)
        if lines:
            del sound[name]

    for name in ("labels", *SPLITS.values(), *VALIDATION_SPLITS):
        check(name, _whole_numbers(sound.get(name)))
        if name in sound:
            sound[name] = np.asarray(sound[name], np.int64).ravel()
    check("allclasses_names", _class_names(sound.get("allclasses_names")))
    for name in ("att", "original_att"):
        check(name, _descriptions(sound.get(name), sound.get("allclasses_names")))
    check("att", _column_order(sound.get("att"), sound.get("original_att"), sound.get("allclasses_names")))
    check("features", _features(sound.get("features"), sound.get("labels")))
    check("labels", _labels(sound.get("labels"), sound.get("allclasses_names")))
    check("labels", _folders(sound))
    for name in (*SPLITS.values(), *VALIDATION_SPLITS):
        check(name, _locations(sound.get(name), sound.get("labels")))
    found.extend(_overlaps(sound))
    found.extend(_seen_and_unseen(sound))
    return found, sound


def classes_of(sound: Variables, name: str) -> np.ndarray:
    """The classes, counted from 1, of the images that the location `name` lists."""
    return np.unique(sound["labels"][sound[name] - 1])


def in_class_folder(sound: Variables) -> tuple[int, int]:
    """How many images lie in the folder of their own class in `image_files`, and how many in that of any class."""
    files, names, labels = sound.get("image_files"), sound.get("allclasses_names"), sound.get("labels")
    if files is None or names is None or labels is None or len(files) != len(labels):
        return 0, 0
    number = {name: i for i, name in enumerate(names, start=1)}
    folders = np.array([number.get(pathlib.PurePosixPath(file).parent.name, 0) for file in files])
    return int(np.sum(folders == labels)), int(np.sum(folders > 0))


def count(number: int, one: str, many: str | None = None) -> str:
    """The number with its noun.

    >>> count(1, "class", "classes"), count(0, "image")
    ('1 class', '0 images')
    """
    return f"{number} {one if number == 1 else many or one + 's'}"


def named(sound: Variables, numbers: np.ndarray) -> str:
    """The names of classes counted from 1: the first three of them."""
    names = sound.get("allclasses_names")
    return _some([f"class {i}" if names is None else names[i - 1] for i in numbers])


# Each of these yields the lines about one variable, without its name; a variable that is absent comes as None.


def _whole_numbers(values) -> Iterable[str]:
    if values is None:
        return
    if isinstance(values, list) or (values.size and values.size != max(values.shape, default=0)):
        yield f"{_form(values)}; a vector of whole numbers is wanted"
    elif values.dtype.kind == "f":
        values = values.ravel()
        wrong = np.flatnonzero(~np.isfinite(values) | (values != np.rint(values)) | (np.abs(values) > _MOST_IMAGES))
        if len(wrong):
            yield f"entry {wrong[0] + 1} is {values[wrong[0]]:g}; whole numbers from 1 are wanted"
    elif values.dtype.kind == "u" and values.size and values.max() > _MOST_IMAGES:
        yield f"entry {int(values.argmax()) + 1} is {values.max()}; whole numbers from 1 are wanted"


def _class_names(names) -> Iterable[str]:
    if names is None:
        return
    if not isinstance(names, list):
        yield f"{_form(names)}; a cell of class names is wanted"
    elif not names:
        yield "no class at all"
    elif wrong := soundness.names(names, first=1):
        yield wrong


def _descriptions(values, names) -> Iterable[str]:
    if values is None:
        return
    if isinstance(values, list) or values.ndim != 2:
        yield f"{_form(values)}; [A, C] is wanted, one column per class"
        return
    num_classes = values.shape[1] if names is None else len(names)
    if values.shape[1] != num_classes:
        hint = "; it is transposed" if values.shape[0] == num_classes else ""
        yield f"{values.shape[1]} columns for the {num_classes} classes of allclasses_names{hint}"
        return
    labels = names or [f"class {i + 1}" for i in range(num_classes)]
    if not len(values):
        yield f"{_form(values)}; no attribute"
        return
    unfit = soundness.not_finite_rows(values.T)
    if len(unfit):
        yield f"NaN, Inf or a value beyond float32 in the description of {_some([labels[i] for i in unfit])}"
    empty = () if len(unfit) else soundness.empty_rows(values.T)
    if len(empty):
        yield f"an empty class: the description of {_some([labels[i] for i in empty])} is all zeros"
    elif not len(unfit) and (wrong := soundness.alike(values.T)):
        yield wrong


def _column_order(att, original_att, names) -> Iterable[str]:
    """`att` is `original_att` rescaled; a column that is another class's there reveals a permuted matrix."""
    if att is None or original_att is None or names is None or att.shape != original_att.shape:
        return
    unit = [x / np.linalg.norm(x, axis=0) for x in (att.astype(float), original_att.astype(float))]
    cosine = unit[0].T @ unit[1]
    nearest = np.argmax(cosine, axis=1)
    moved = np.flatnonzero((np.max(cosine, axis=1) > 0.9999) & (np.diag(cosine) < 0.999))
    if len(moved):
        yield (
            f"{count(len(moved), 'column')} in another class order than original_att: that of {names[moved[0]]!r} is "
            f"there that of {names[nearest[moved[0]]]!r}"
        )


def _features(features, labels) -> Iterable[str]:
    if features is None:
        return
    if isinstance(features, list) or features.ndim != 2 or not features.size:
        yield f"{_form(features)}; [F, N] is wanted, one column per image"
        return
    if labels is not None and features.shape[1] != len(labels):
        hint = "; it is transposed" if features.shape[0] == len(labels) else ""
        yield f"{features.shape[1]} columns for the {len(labels)} images of labels{hint}"
        return
    unfit = soundness.not_finite_rows(features.T)
    if len(unfit):
        number = int((~(np.abs(features) <= soundness.LARGEST)).sum())
        yield f"{count(number, 'value')} NaN, Inf or beyond float32, the first in image {unfit[0] + 1}"
        return
    empty = soundness.empty_rows(features.T)
    if len(empty):
        yield f"{count(len(empty), 'image')} whose features are all zeros, the first is image {empty[0] + 1}"


def _labels(labels, names) -> Iterable[str]:
    if labels is None:
        return
    if not len(labels):
        yield "no image at all"
        return
    below = int(np.sum(labels < 1))
    if below:
        yield f"{count(below, 'image')} of a class below 1, the lowest {labels.min()}; labels count from 1"
    above = 0 if names is None else int(np.sum(labels > len(names)))
    if above:
        yield (
            f"{count(above, 'image')} of a class above {len(names)}, the highest {labels.max()}: "
            "no attribute column for it"
        )


def _folders(sound: Variables) -> Iterable[str]:
    agreeing, compared = in_class_folder(sound)
    if 2 * agreeing < compared:
        yield (
            f"only {agreeing} of {compared} images lie in the folder of their class in image_files; labels must be "
            "positions in allclasses_names"
        )


def _locations(rows, labels) -> Iterable[str]:
    if rows is None:
        return
    outside = rows[(rows < 1) | (rows > (np.inf if labels is None else len(labels)))]
    if not len(rows):
        yield "no image in it"
    elif len(outside):
        last = "" if labels is None else len(labels)
        yield f"{count(len(outside), 'index', 'indices')} outside 1..{last}, the first {outside[0]}"
    elif len(np.unique(rows)) < len(rows):
        yield f"{count(len(rows) - len(np.unique(rows)), 'image')} listed twice"


# These look at several variables and yield whole lines.


def _overlaps(sound: Variables) -> Iterable[str]:
    present = [name for name in SPLITS.values() if name in sound]
    for i, a in enumerate(present):
        for b in present[i + 1 :]:
            shared = len(np.intersect1d(sound[a], sound[b]))
            if shared:
                yield f"{a} and {b} overlap: {count(shared, 'image')} in both"


def _seen_and_unseen(sound: Variables) -> Iterable[str]:
    if not {"labels", *SPLITS.values()} <= sound.keys():
        return
    train, test_seen, test_unseen = (classes_of(sound, name) for name in SPLITS.values())
    both = np.intersect1d(train, test_unseen)
    if len(both):
        yield f"seen and unseen classes overlap: {named(sound, both)} in both trainval_loc and test_unseen_loc"
    untrained = np.setdiff1d(test_seen, train)
    if len(untrained):
        yield f"{named(sound, untrained)} in test_seen_loc without a training image in trainval_loc"
    if len(train) < 2:
        yield f"{count(len(train), 'seen class', 'seen classes')} in trainval_loc; training needs at least 2"


def _some(names: Sequence[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(map(repr, names[:shown])) + more


def _form(values) -> str:
    return f"{len(values)} strings" if isinstance(values, list) else f"shape {list(values.shape)}"
