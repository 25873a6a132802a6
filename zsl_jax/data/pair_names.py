"""Names of attributes, objects and their pairs: one spelling each, and none unknown.

"Ripe_Apple"  ->  "Ripe Apple"      underscores are blanks
"red", "Red"                        refused: one name in two spellings
"""

import difflib
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.data import soundness, tables

_UNKNOWN = ("", "na", "n/a", "nan", "?", "unknown")


class Pairs(NamedTuple):
    """Which pairs there are, and which one each input is of.

    Fields:
      labels: `[N]` int32, rows of `parts`.
      parts: `[C, 2]` int32, rows of `attributes` and `objects`, in their order.
      attributes, objects: names, sorted.
    """

    labels: np.ndarray
    parts: np.ndarray
    attributes: tuple[str, ...]
    objects: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.attributes[a]} {self.objects[o]}" for a, o in self.parts)


def make(where: str, attributes: Sequence[str], objects: Sequence[str], *, spellings: bool = True) -> Pairs:
    """Returns the pairs of inputs, given the attribute and the object of each.

    Args:
      where: what to call them in an error.
      attributes, objects: `[N]` texts.
      spellings: whether names in two spellings are refused.

    Raises:
      UserError: a part that is unknown, a name in two spellings, or two pairs of one name.

    >>> pairs = make("a list", ["ripe", "old"], ["apple", "apple"])
    >>> pairs.names, pairs.labels.tolist()
    (('old apple', 'ripe apple'), [1, 0])
    """
    found = [[clean(text) for text in side] for side in (attributes, objects)]
    for row, pair in enumerate(zip(*found)):
        if unknown := [part for part, text in zip(("attribute", "object"), pair) if text.casefold() in _UNKNOWN]:
            (part, text), other = (unknown[0], pair[unknown[0] == "object"]), pair[unknown[0] == "attribute"]
            raise errors.UserError(
                f"{where}: row {row} has no {part} ({text!r}) beside {other!r}: a pair needs both; leave the row out "
                "or name it"
            )
    for part, names in zip(("attribute", "object"), found if spellings else ()):
        check_spelling(where, part, names)
    sides = [np.unique(names, return_inverse=True) for names in found]
    codes = sides[0][1] * len(sides[1][0]) + sides[1][1]
    codes, labels = np.unique(codes, return_inverse=True)
    parts = np.stack(np.divmod(codes, len(sides[1][0])), axis=1).astype(np.int32)
    pairs = Pairs(labels.astype(np.int32), parts, *(tuple(map(str, names)) for names, _ in sides))
    if wrong := soundness.names(pairs.names):
        raise errors.UserError(f"{where}: pairs: {wrong}")
    return pairs


def clean(text: str) -> str:
    """Returns a name with single blanks, in the composed Unicode form.

    >>> clean(" bouncing_ball ")
    'bouncing ball'
    """
    return tables.name(" ".join(str(text).replace("_", " ").split()))


def spelling(name: str) -> str:
    """Returns what two spellings of one name have in common.

    >>> spelling("T-Shirt") == spelling("t shirt")
    True
    """
    return clean(name.replace("-", " ")).casefold()


def check_spelling(where: str, part: str, names: Sequence[str]) -> None:
    """Raises a UserError where a name is there in two spellings."""
    first: dict[str, str] = {}
    for name in dict.fromkeys(names):
        other = first.setdefault(spelling(name), name)
        if other != name:
            raise errors.UserError(f"{where}: {part} {other!r} and {name!r} are one name in two spellings: choose one")


def of_folder(name: str) -> tuple[str, str] | None:
    """Returns attribute and object of a folder `ATTRIBUTE_OBJECT`, or `ATTRIBUTE OBJECT`; None where it is no pair.

    >>> of_folder("black_jeans"), of_folder("black_running_shoes"), of_folder("misc")
    (('black', 'jeans'), ('black', 'running shoes'), None)
    """
    first, _, second = clean(name).partition(" ")
    return (first, second) if first and second else None


def read_list(path: pathlib.Path, pairs: Pairs) -> np.ndarray:
    """Returns the rows of the pairs that a file lists, one per line: `ATTRIBUTE OBJECT`, `ATTRIBUTE,OBJECT` or tabs.

    Raises:
      UserError: no such file, no pair in it, or a pair that no input is of.
    """
    if not path.is_file():
        raise errors.UserError(f"no list of pairs {str(path)!r}")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise errors.UserError(f"{path} is not in UTF-8 (byte {error.start}): save it as UTF-8") from error
    row = {spelling(name): number for number, name in enumerate(pairs.names)}
    found = []
    for number, line in enumerate(lines, 1):
        name = clean(line.replace(",", " "))
        if not name or (number == 1 and spelling(name) == "attribute object"):
            continue
        if spelling(name) not in row:
            near = difflib.get_close_matches(name, pairs.names, n=1, cutoff=0.6)
            raise errors.unlisted(f"pair in line {number} of {path.name}", name, near, "no input is of it")
        found.append(row[spelling(name)])
    if not found:
        raise errors.UserError(f"{path} lists no pair: ATTRIBUTE OBJECT is wanted, one per line")
    return np.unique(found)
