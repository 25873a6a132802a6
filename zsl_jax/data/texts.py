"""Texts with a label each, from a file: intents, topics, kinds of news.

    text,category                     CSV with a header (`;` and tabs too); the label may be called label or intent
    play some jazz,play_music

    {"text": "...", "label": "..."}   JSON lines
    label<TAB>text                    .txt

A folder holds such files called train, test and, perhaps, dev. Classes without texts in train or dev are unseen; those
of dev alone are held out for choices, and trained on in the end.

Classes are described by their names, which a text tower encodes; underscores in names are blanks. A list of classes may
say what each label is called, and which classes there are:

    label,name                        CSV with a header; a class without a text is a candidate, too
    3,science and technology
"""

import array
import difflib
import json
import os
import pathlib
from collections.abc import Collection, Iterator, Sequence
from typing import TextIO

import numpy as np

from zsl_jax import errors
from zsl_jax.data import dataset, matfile, soundness, tables, text_files, text_rows

_LABELS = ("category", "label", "intent", "class", "topic")
_TEST_SHARE = 0.25
_SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl")


def load(
    file: str | os.PathLike = "", classes: str | os.PathLike = "", hold_out: int = 0, sample: int = 0, seed: int = 0
) -> dataset.Dataset:
    """Texts as a dataset.

    Args:
      file: a .csv, .tsv, .jsonl or .txt file, or a folder of them.
      classes: a .csv file of all labels with the name of each; empty: the labels of the texts, in their order, by name.
      hold_out: classes without training examples; 0 where no class has any, as protocol=transfer asks.
      sample: texts that are tested, drawn among those that could be; 0 for all of them.
      seed: of which classes are unseen, which texts of the others are tested, and of the sample.

    Returns:
      A `Dataset` of kind `texts`, `inputs` the N texts, which stay on disk: `text_rows.TextRows`.

    Raises:
      UserError: no such file, no column of texts or labels, an empty text, fewer than two classes, a label that the
        list of classes lacks, or a sample larger than the test.
    """
    if not os.fspath(file):
        raise errors.UserError("texts needs a file in its option file: --config.data.file=FILE.csv")
    path = pathlib.Path(file).expanduser()
    parts = _parts(path)
    files = {part.name: matfile.sha256(part) for part in parts.values()}
    found = _Labels()
    inputs = text_rows.kept(text for part, each in parts.items() for text in found.unlabelled(part, each))
    number = np.frombuffer(found.numbers, np.int32)
    if os.fspath(classes):
        listed = pathlib.Path(classes).expanduser()
        named = _class_list(listed)
        files[listed.name] = matfile.sha256(listed)
        _check_listed(list(found.number_of), number, named, path, listed)
    else:
        named = {_words(label): _words(label) for label in found.number_of}
    if len(named) < 2:
        raise errors.UserError(f"{path}: {len(named)} classes among {len(inputs)} texts, at least 2 are wanted")
    if wrong := soundness.names(list(named.values())):
        raise errors.UserError(f"{path}: {wrong}")
    row = {label: number for number, label in enumerate(named)}
    labels = np.array([row[_words(label)] for label in found.number_of], np.int32)[number]
    if path.is_dir():
        if hold_out:
            raise errors.UserError(f"data.hold_out={hold_out}: the files of {path} say which classes are unseen")
        is_seen, splits, validation = _as_filed(labels, found.parts(), len(named), seed, path)
    else:
        (is_seen, splits), validation = _split(labels, len(named), hold_out, seed), None
    table = dataset.ClassTable(np.arange(len(named), dtype=np.int32), is_seen, tuple(named.values()))
    split = f"seed {seed}" if hold_out or path.is_dir() else "all texts are tested"
    info = {
        "semantics": "names",
        "split": f"{split}, of them {sample} by seed {seed}" if sample else split,
        "files": files,
    }
    return dataset.Dataset(
        path.stem,
        inputs,
        labels,
        table,
        _sampled(splits, sample, seed, path),
        validation_classes=validation,
        info=info,
        kind="texts",
    )


class _Labels:
    """The labels of texts that are read once, as numbers in the order in which they are met."""

    def __init__(self):
        self.number_of: dict[str, int] = {}
        self.numbers = array.array("i")
        self._counts: dict[str, int] = {}

    def unlabelled(self, part: str, path: pathlib.Path) -> Iterator[str]:
        """Yields the texts of a file, and remembers their labels."""
        for row, (text, label) in enumerate(_read(path), 1):
            is_new = label not in self.number_of
            if soundness.is_blank(text) or (is_new and soundness.is_blank(_words(label))):
                raise errors.UserError(f"{path}: row {row} has no {'text' if soundness.is_blank(text) else 'label'}")
            self.numbers.append(self.number_of.setdefault(label, len(self.number_of)))
            self._counts[part] = row
            yield text

    def parts(self) -> np.ndarray:
        """The part that each text stands in."""
        return np.repeat(list(self._counts), list(self._counts.values()))


def _parts(path: pathlib.Path) -> dict[str, pathlib.Path]:
    """The files of texts by their part; a file of its own is the part `all`."""
    if path.is_file():
        return {"all": path}
    if not path.is_dir():
        raise errors.UserError(f"no file of texts {str(path)!r}")
    found = {name: [path / f"{name}{suffix}" for suffix in _SUFFIXES] for name in ("train", "dev", "test")}
    there = {name: [file for file in files if file.is_file()] for name, files in found.items()}
    wrong = next((name for name, files in there.items() if len(files) > 1 or (name != "dev" and not files)), None)
    if wrong:
        says = "two of them" if there[wrong] else "none"
        raise errors.UserError(f"{path}: one file {wrong} ({', '.join(_SUFFIXES)}) is wanted, there is {says}")
    return {name: files[0] for name, files in there.items() if files}


def _as_filed(labels: np.ndarray, part: np.ndarray, num_classes: int, seed: int, path: pathlib.Path):
    """Which classes are seen, the splits, and the classes held out for choices, as the files of a folder say."""
    of_part = {name: np.isin(np.arange(num_classes), labels[part == name]) for name in ("train", "dev", "test")}
    is_seen = of_part["train"] | of_part["dev"]
    if is_seen.all() or is_seen.sum() < 2:
        raise errors.UserError(
            f"{path}: {is_seen.sum()} of {num_classes} classes have texts in train or dev, some should"
        )
    seen = is_seen[labels]
    tested = seen & (part == "test")
    if not tested.any():
        tested = seen & (np.random.default_rng(seed).random(len(labels)) < _TEST_SHARE)
    splits = {
        "train": np.flatnonzero(seen & (part != "test") & ~tested),
        "test_seen": np.flatnonzero(tested),
        "test_unseen": np.flatnonzero(~seen),
    }
    held_out = np.flatnonzero(of_part["dev"] & ~of_part["train"])
    return is_seen, splits, held_out if len(held_out) else None


def _words(label: str) -> str:
    return tables.name(" ".join(label.replace("_", " ").split()))


def _class_list(path: pathlib.Path) -> dict[str, str]:
    """The name of each label."""
    if not path.is_file():
        raise errors.UserError(f"no list of classes {str(path)!r}")
    named: dict[str, str] = {}
    header: list[str] | None = None
    for line, cells in tables.rows(path):
        if header is None:
            header = [cell.lower() for cell in cells]
            if sorted(header) != ["label", "name"]:
                raise errors.UserError(f"{path}: the header label,name is wanted, not {','.join(cells)[:80]!r}")
            continue
        label, name = (_words(dict(zip(header, cells)).get(column, "")) for column in ("label", "name"))
        if len(cells) != 2 or not label or not name:
            raise errors.UserError(
                f"{path}, line {line}: a label and its name are wanted, not {','.join(cells)[:80]!r}"
            )
        if label in named or name in named.values():
            raise errors.UserError(f"{path}, line {line}: {label if label in named else name!r} is there twice")
        named[label] = name
    return named


def _check_listed(
    labels: Sequence[str], number: np.ndarray, named: dict[str, str], path: pathlib.Path, listed: pathlib.Path
) -> None:
    absent = [each for each, label in enumerate(labels) if _words(label) not in named]
    if absent:
        rows, label = np.flatnonzero(np.isin(number, absent)), labels[absent[0]]
        near = difflib.get_close_matches(_words(label), named, 1)
        hint = f"; the nearest there is {near[0]!r}" if near else ""
        more = f", and {len(rows) - 1} more rows" if len(rows) > 1 else ""
        raise errors.UserError(f"{path}: row {rows[0] + 1} has label {label[:80]!r}{more}, which {listed} lacks{hint}")


def _sampled(splits: dict[str, np.ndarray], sample: int, seed: int, path: pathlib.Path) -> dict[str, np.ndarray]:
    """The splits, of the tested rows as many as the sample has, each as likely as the others."""
    if not sample:
        return splits
    tested = np.concatenate([rows for name, rows in splits.items() if name != "train"])
    if sample > len(tested):
        raise errors.UserError(f"config.data.sample={sample} is more than the {len(tested)} texts of {path} tested")
    kept = np.random.default_rng(seed).permutation(tested)[:sample]
    return {name: rows if name == "train" else rows[np.isin(rows, kept)] for name, rows in splits.items()}


def _split(labels: np.ndarray, num_classes: int, hold_out: int, seed: int) -> tuple[np.ndarray, dict]:
    if not hold_out:
        return np.zeros(num_classes, bool), {"test": np.arange(len(labels))}
    if hold_out > num_classes - 2:
        raise errors.UserError(f"data.hold_out={hold_out} leaves fewer than 2 of {num_classes} classes to train on")
    rng = np.random.default_rng(seed)
    is_seen = np.ones(num_classes, bool)
    is_seen[rng.permutation(num_classes)[:hold_out]] = False
    tested = rng.random(len(labels)) < _TEST_SHARE
    seen = is_seen[labels]
    return is_seen, {
        "train": np.flatnonzero(seen & ~tested),
        "test_seen": np.flatnonzero(seen & tested),
        "test_unseen": np.flatnonzero(~seen),
    }


def _read(path: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Yields (text, label) of every row."""
    with text_files.opened(path) as file:
        if path.suffix in (".jsonl", ".ndjson"):
            yield from _json_lines(path, file)
        elif path.suffix == ".txt":
            for number, line in enumerate(file, 1):
                label, tab, text = line.rstrip("\r\n").partition("\t")
                if not tab:
                    raise errors.UserError(f"{path}, line {number}: LABEL<TAB>TEXT is wanted")
                yield text, label
        else:
            yield from _table(path, file)


def _json_lines(path: pathlib.Path, file: TextIO) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            label = entry[_label(path, entry)]
            if not isinstance(entry["text"], str) or not isinstance(label, (str, int)) or isinstance(label, bool):
                raise TypeError("no text")
            entry["text"].encode(), str(label).encode()  # half a character is no text
            yield entry["text"], str(label)
        except errors.UserError:
            raise
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise errors.UserError(
                f"{path}, line {number}: an object with text and label is wanted, not {line.strip()[:40]!r}"
            ) from error


def _label(path: pathlib.Path, there: Collection[str]) -> str | None:
    """The column or key of labels; None where there is none."""
    found = [name for name in _LABELS if name in there]
    if len(found) > 1:
        raise errors.UserError(
            f"{path} has {' and '.join(found)}, each of which could be the label: rename or leave out all but one"
        )
    return next(iter(found), None)


def _table(path: pathlib.Path, file: TextIO) -> Iterator[tuple[str, str]]:
    rows = text_files.table(path, file)
    header = next(rows)
    label = _label(path, header)
    if "text" not in header or label is None:
        raise errors.UserError(
            f"{path}: a header with text and one of {', '.join(_LABELS)} is wanted, not {', '.join(header)[:80]!r}"
        )
    text_at, label_at = header.index("text"), header.index(label)
    yield from ((cells[text_at], cells[label_at]) for cells in rows)
