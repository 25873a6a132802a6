"""What every door asks of features, labels, names and descriptions, whatever file they come in.

Each function returns the first thing that is wrong as words without the name of the file, or None.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np

LARGEST = float(np.finfo(np.float32).max)
_MOST_LABEL = 2**31 - 1
# Unicode's categories of control characters, ends of lines and halves of characters, and the byte order mark.
_CONTROL, _MARK = ("Cc", "Cs", "Zl", "Zp"), "\ufeff"


def numbers(values: np.ndarray) -> str | None:
    """Whether an array holds numbers at all, and only such as float32 can hold.

    >>> numbers(np.array([["a"]])), numbers(np.array([[1.0], [1e39]]))
    ('<U1, not numbers', 'row 1 holds a value that is not finite, or beyond float32')
    """
    if values.dtype.kind not in "fiub":
        return f"{values.dtype}, not numbers"
    wrong = not_finite_rows(values) if values.size else ()
    return f"row {wrong[0]} holds a value that is not finite, or beyond float32" if len(wrong) else None


def not_finite_rows(values: np.ndarray) -> np.ndarray:
    """The rows of `[N, ...]` with NaN, Inf or a value beyond float32."""
    if values.dtype.kind != "f":
        return np.zeros(0, int)
    largest = values.dtype.type(min(LARGEST, float(np.finfo(values.dtype).max)))
    # min and max let every NaN and Inf through, and need no second array of the size
    if values.min() >= -largest and values.max() <= largest:
        return np.zeros(0, int)
    return np.flatnonzero(~(np.abs(values) <= largest).reshape(len(values), -1).all(axis=1))


def empty_rows(values: np.ndarray) -> np.ndarray:
    """The rows of `[N, ...]` that are all 0 in float32: their direction, which most methods score by, is unknown.

    >>> empty_rows(np.array([[0.0, 1.0], [0.0, 1e-60]])).tolist()
    [1]
    """
    with np.errstate(under="ignore"):
        return np.flatnonzero(~np.asarray(values, np.float32).any(axis=tuple(range(1, values.ndim))))


def features(values: np.ndarray) -> str | None:
    """Whether `[N, F]`, or `[N, P, F]`, are features: finite numbers, and no row without any.

    >>> features(np.eye(2)), features(np.diag([1.0, 0.0]))
    (None, 'row 1 is all zeros')
    """
    wrong = numbers(values)
    if wrong is None and len(empty := empty_rows(values)):
        return f"row {empty[0]} is all zeros{_and_more(len(empty))}"
    return wrong


def whole(values: np.ndarray) -> str | None:
    """Whether an array holds whole numbers, of any type of integer or as floats.

    >>> whole(np.array([0.0, 1.5])), whole(np.array([0, 2**40]))
    ('entry 1 is 1.5, not a whole number', 'entry 1 is 1099511627776, beyond any number of classes')
    """
    if values.dtype.kind not in "fiub":
        return f"{values.dtype}, not whole numbers"
    flat = values.ravel()
    if flat.dtype.kind == "f":
        broken = np.flatnonzero(~np.isfinite(flat) | (flat != np.rint(flat)))
        if len(broken):
            return f"entry {broken[0]} is {flat[broken[0]]:g}, not a whole number"
    beyond = np.flatnonzero((flat > _MOST_LABEL) | (flat < -_MOST_LABEL))
    return f"entry {beyond[0]} is {flat[beyond[0]]:.0f}, beyond any number of classes" if len(beyond) else None


def names(values: Sequence[str], *, first: int = 0) -> str | None:
    """Whether names are there, on one line, and different; classes are counted from `first`.

    >>> names(["ox", ""]), names(["ox", "ox"])
    ('class 1 has no name', "'ox' named twice")
    """
    for row, name in enumerate(values, first):
        if is_blank(name):
            return f"class {row} has no name"
        if any(unicodedata.category(sign) in _CONTROL or sign == _MARK for sign in name):
            return f"class {row} is {name!r}; a line break or another control character is in it"
    twice = sorted({name for name in values if list(values).count(name) > 1}) if len(set(values)) < len(values) else []
    return f"{', '.join(map(repr, twice[:3]))} named twice" if twice else None


def is_blank(text: str) -> bool:
    """Whether a text has no character that one can see.

    >>> is_blank(" \\u200b\\n"), is_blank("?")
    (True, False)
    """
    return not any(letter.isprintable() and not letter.isspace() for letter in text)


def descriptions(values: np.ndarray, class_names: Sequence[str]) -> str | None:
    """Whether `[C, A]` describe the classes: a row each, finite, not empty, not all zeros and not all the same.

    >>> descriptions(np.diag([1.0, 0.0]), ["ox", "gnu"])
    "the description of 'gnu' is all zeros"
    """
    if values.ndim != 2 or len(values) != len(class_names) or not values.shape[1]:
        return f"shape {list(values.shape)} does not describe {len(class_names)} classes"
    wrong = numbers(values)
    if wrong is None and len(empty := empty_rows(values)):
        return f"the description of {class_names[empty[0]]!r} is all zeros{_and_more(len(empty))}"
    return alike(values) if wrong is None else wrong


def alike(values: np.ndarray) -> str | None:
    """Whether all of several classes have one description, so that no method can tell them apart.

    >>> alike(np.ones((3, 2))), alike(np.ones((1, 2)))
    ('all 3 classes have the same description: nothing tells them apart', None)
    """
    is_alike = len(values) > 1 and bool(np.all(values == values[0]))
    return f"all {len(values)} classes have the same description: nothing tells them apart" if is_alike else None


def text(values: np.ndarray) -> list[str] | None:
    """The strings of an array of text or of UTF-8 bytes, or None where it holds none.

    >>> text(np.array([b"caf\\xc3\\xa9", b"tea"]))
    ['café', 'tea']
    """
    if values.dtype.kind == "S":
        try:
            return [value.decode("utf-8") for value in values.ravel().tolist()]
        except UnicodeDecodeError:
            return None
    return [str(value) for value in values.ravel().tolist()] if values.dtype.kind in "Uiu" else None


def rows(values: np.ndarray, counts: Sequence[int]) -> str | None:
    """Whether `[N, K]` are whole numbers, each column rows of a table with so many.

    >>> rows(np.array([[0, 1], [2, 1]]), (3, 1))
    'row 0 holds 1, not one of 0 to 0'
    """
    wrong = whole(values)
    if wrong is None and len(outside := np.argwhere((values < 0) | (values >= np.asarray(counts)))):
        row, column = outside[0]
        return f"row {row} holds {values[row, column]:g}, not one of 0 to {counts[column] - 1}"
    return wrong


def _and_more(count: int) -> str:
    return f", and {count - 1} more" if count > 1 else ""
