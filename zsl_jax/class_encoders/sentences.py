"""Sentences about classes, for an encoder of texts: by their names, their attributes, a file of texts, or at random.

    from_names(["046.Gadwall"], "a photo of a {}.|art of a {}.")     [("a photo of a Gadwall.", "art of a Gadwall.")]
    from_texts(names, load_texts(FILE), "{text}")                    what a language model or a person wrote of each
    from_attributes(names, matrix, ["striped", ...])                 "a photo of a zebra, which has striped."
    at_random(names, seed=0)                                         a control: the same nonsense behind every name

Each gives a tuple of texts per class; the mean of their unit vectors describes it (an ensemble).

Reference: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021, for
templates and ensembles; Pratt, Covert, Liu, Farhadi, "What does a platypus look like? Generating customized prompts for
zero-shot image classification", ICCV 2023 (CuPL); Menon, Vondrick, "Visual Classification via Description from Large
Language Models", ICLR 2023; Roth et al., "Waffling around for Performance: Visual Classification with Random Words and
Broad Concepts", ICCV 2023.
"""

import difflib
import json
import os
import pathlib
import re
import string
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zsl_jax import errors

NAME, TEXT = "{}", "{text}"
# What a template is where none is given.
TEMPLATES = {
    "names": "a photo of a {}.",
    "texts": "{text}",
    "attributes": "a photo of a {}, which has {text}.",
    "random": "a photo of a {}, which has {text}.",
}


def readable(name: str) -> str:
    """Returns a class name as words: without a number before it, with blanks for underscores, pluses and hyphens.

    A name of capitalised words without anything between them is taken apart.

    >>> readable("046.Black_footed_Albatross"), readable("polar+bear"), readable("Golden-Delicious")
    ('Black footed Albatross', 'polar bear', 'Golden Delicious')
    >>> readable("AddToPlaylist"), readable("McDonald"), readable("iPhone")
    ('Add To Playlist', 'McDonald', 'iPhone')
    """
    if re.fullmatch(r"(?!Ma?c[A-Z])([A-Z][a-z]+){2,}", name):
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    without = re.sub(r"^\d+\.(?=\S)", "", name)
    return " ".join(re.sub(r"[_+]|(?<=\w)-(?=\w)", " ", without).split()) or name


def from_names(names: Sequence[str], template: str = TEMPLATES["names"]) -> list[tuple[str, ...]]:
    """Returns the sentences of each class: its name in each template of `template`, which `|` separates."""
    return [_filled(template, name, "") for name in names]


def from_texts(
    names: Sequence[str],
    texts: Mapping[str, Sequence[str]],
    template: str = TEMPLATES["texts"],
    *,
    missing: str = "error",
    bare: str = TEMPLATES["names"],
) -> list[tuple[str, ...]]:
    """Returns the sentences of each class: its texts, in the place of `{text}` in a template.

    Texts under the very name of a class are its own. Other names are compared by their letters and digits, without a
    number before them or an s at the end of a word.

    Args:
      names: of the classes.
      texts: of each class, by its name.
      template: with `{text}` where a text goes.
      missing: a class without texts is an `error`, or is described by its name as `from_names` does (`names`).
      bare: the template of that name.

    Raises:
      UserError: a class that has no texts, with the nearest that has; or texts that may be of several classes.
    """
    taken = _taken(names, texts)
    absent = [name for name in names if taken[name] is None]
    if absent and missing == "error":
        letters = {_letters(name): name for name in texts}
        near = difflib.get_close_matches(_letters(absent[0]), letters, 1)
        given = letters[near[0]] if near else None
        more = f" and of {len(absent) - 1} more classes" if len(absent) > 1 else ""
        hint = f"; the nearest are of {given!r}" if near else ""
        raise errors.UserError(f"no texts of {absent[0]!r}{more}{hint} (towers.missing=names takes their names)")
    return [
        _filled(bare, name, "")
        if taken[name] is None
        else tuple(s for text in texts[taken[name]] for s in _filled(template, name, text))
        for name in names
    ]


def has_texts(names: Sequence[str], texts: Mapping[str, Sequence[str]]) -> list[bool]:
    """Whether each class has texts, as `from_texts` finds them.

    >>> has_texts(["046.Gadwall", "Mallard"], {"gadwalls": ["It swims."]})
    [True, False]
    """
    taken = _taken(names, texts)
    return [taken[name] is not None for name in names]


def _taken(names: Sequence[str], texts: Mapping[str, Sequence[str]]) -> dict[str, str | None]:
    """The name under which the texts of each class stand, None where there are none.

    >>> _taken(["C", "C++", "D"], {"c++": ["It is old."], "C": ["It is older."]})
    {'C': 'C', 'C++': 'c++', 'D': None}
    """
    composed = {unicodedata.normalize("NFC", name): name for name in texts}
    taken: dict[str, str | None] = {name: composed.get(unicodedata.normalize("NFC", name)) for name in names}
    by_letters: dict[str, list[str]] = {}
    for other in texts:
        if other not in taken.values():
            by_letters.setdefault(_letters(other), []).append(other)
    of_others: dict[str, str] = {}
    for name in [name for name, other in taken.items() if other is None]:
        near = by_letters.get(_letters(name), []) if _letters(name) else []
        rival = of_others.setdefault(near[0], name) if near else name
        if len(near) > 1 or rival != name:
            which = f"{near[0]!r} or {near[1]!r}" if len(near) > 1 else f"{near[0]!r}, which {rival!r} takes, too"
            raise errors.UserError(f"texts of {name!r} may be those of {which}: write its name there as it is here")
        taken[name] = near[0] if near else None
    return taken


def from_attributes(
    names: Sequence[str],
    matrix: np.ndarray,
    attributes: Sequence[str],
    template: str = TEMPLATES["attributes"],
    *,
    most: int = 8,
    is_seen: np.ndarray | None = None,
) -> list[tuple[str, ...]]:
    """Returns the sentences of each class: the attributes by which it exceeds the mean class most, in words.

    Args:
      names: of C classes.
      matrix: `[C, A]`.
      attributes: A names, such as `striped`, or `has_wing_color::blue` for "blue wing color".
      template: with `{text}` where they go, with commas between them.
      most: attributes that are named.
      is_seen: `[C]` bool, the classes whose mean is taken; None, or none of them: all.
    """
    matrix = np.asarray(matrix, np.float64)
    if matrix.ndim != 2 or matrix.shape != (len(names), len(attributes)):
        raise errors.UserError(
            f"attributes as sentences need a name for each of the {matrix.shape[-1]} columns of the class table, not "
            f"{len(attributes)}"
        )
    mean = matrix[is_seen].mean(0) if is_seen is not None and np.any(is_seen) else matrix.mean(0)
    order = np.argsort(mean[None] - matrix, axis=1, kind="stable")[:, :most]
    words = [phrase(attribute) for attribute in attributes]
    return [_filled(template, name, ", ".join(words[i] for i in row)) for name, row in zip(names, order)]


def at_random(
    names: Sequence[str], template: str = TEMPLATES["random"], *, seed: int = 0, count: int = 15
) -> list[tuple[str, ...]]:
    """Returns sentences with random letters where a description would stand, the same behind every name.

    What real descriptions gain over these is what they say; the rest is the gain of an ensemble.

    Args:
      names: of the classes.
      template: with `{text}` where the letters go.
      seed: of the letters.
      count: sentences of a class.
    """
    rng = np.random.default_rng(seed)
    letters = np.array(list(string.ascii_lowercase))
    nonsense = [" ".join("".join(rng.choice(letters, rng.integers(3, 9))) for _ in range(2)) for _ in range(count)]
    return [tuple(s for text in nonsense for s in _filled(template, name, text)) for name in names]


def phrase(attribute: str) -> str:
    """Returns an attribute in words.

    >>> phrase("has_wing_color::blue"), phrase("has_tail_shape::forked_tail"), phrase("toughskin")
    ('blue wing color', 'forked tail', 'toughskin')
    """
    part, _, value = attribute.rpartition("::")
    value = " ".join(value.replace("_", " ").split())
    part = " ".join(part.removeprefix("has_").replace("_", " ").split())
    shared = set(value.lower().replace("-", " ").split()) & set(part.lower().split())
    shared |= {word for word in part.lower().split() if f"{word}s" in value.lower().replace("-", " ").split()}
    return value if shared or not part else f"{value} {part}"


def load_texts(path: str | os.PathLike) -> dict[str, tuple[str, ...]]:
    """Reads a JSON file of `{name: [text, ...]}`, or of `{name: text}`.

    Raises:
      UserError: no such file, or one of another form.
    """
    path = pathlib.Path(path).expanduser()
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
        json.dumps(found, ensure_ascii=False).encode()  # half a character is no text
    except FileNotFoundError as error:
        raise errors.UserError(f"no file of class texts {str(path)!r}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise errors.UserError(f"{path} is no JSON file of class texts: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict) or not found:
        raise errors.UserError(f"{path} is no file of class texts: an object of names with their texts is wanted")
    result = {}
    for name, texts in found.items():
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(texts, list) or not texts or not all(isinstance(t, str) and t.strip() for t in texts):
            raise errors.UserError(f"{path}: {name!r} has no texts: a list of them is wanted, none empty")
        result[name] = tuple(texts)
    return result


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; a name that is there twice would hide the first one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _filled(template: str, name: str, text: str) -> tuple[str, ...]:
    said = {NAME: readable(name), TEXT: text.strip()}
    # In one pass: a text may hold `{}`, a name `{text}`.
    return tuple(re.sub(r"\{(text)?\}", lambda found: said[found[0]], part.strip()) for part in template.split("|"))


def _letters(name: str) -> str:
    words = re.sub(r"['\u2019]", "", readable(unicodedata.normalize("NFC", name)).lower())
    return re.sub(r"s?(?:[\W_]+|$)", "", words)
