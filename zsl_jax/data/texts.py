"""Texts with a label each, from a file: intents, topics, kinds of news.

    text,category                     CSV with a header (`;` and tabs too); the label may be called label or intent
    play some jazz,play_music

    {"text": "...", "label": "..."}   JSON lines
    label<TAB>text                    .txt

Classes are described by their names, which a text tower encodes; underscores in names are blanks.
"""

import csv
import json
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from zsl_jax import errors
from zsl_jax.data import dataset, matfile

_LABELS = ("category", "label", "intent", "class", "topic")
_TEST_SHARE = 0.25


def load(file: str | os.PathLike = "", hold_out: int = 0, seed: int = 0) -> dataset.Dataset:
    """Texts as a dataset.

    Args:
      file: a .csv, .tsv, .jsonl or .txt file.
      hold_out: classes without training examples; 0 where no class has any, as protocol=transfer asks.
      seed: of which classes are unseen, and which texts of the others are tested.

    Returns:
      A `Dataset` of kind `texts`, `inputs [N]` of strings.

    Raises:
      UserError: no such file, no column of texts or labels, an empty text, or fewer than two classes.
    """
    if not os.fspath(file):
        raise errors.UserError("texts needs a file in its option file: --config.data.file=FILE.csv")
    path = pathlib.Path(file).expanduser()
    if not path.is_file():
        raise errors.UserError(f"no file of texts {str(path)!r}")
    pairs = list(_read(path))
    empty = [number for number, (text, label) in enumerate(pairs, 1) if not text.strip() or not label.strip()]
    if empty:
        raise errors.UserError(f"{path}: row {empty[0]} has no {'label' if pairs[empty[0] - 1][0].strip() else 'text'}")
    names = tuple(dict.fromkeys(" ".join(label.replace("_", " ").split()) for _, label in pairs))
    if len(names) < 2:
        raise errors.UserError(f"{path}: {len(names)} classes among {len(pairs)} texts, at least 2 are wanted")
    row = {name: number for number, name in enumerate(names)}
    labels = np.array([row[" ".join(label.replace("_", " ").split())] for _, label in pairs], np.int32)
    is_seen, splits = _split(labels, len(names), hold_out, seed)
    table = dataset.ClassTable(np.arange(len(names), dtype=np.int32), is_seen, names)
    info = {
        "semantics": "names",
        "split": f"seed {seed}" if hold_out else "all texts are tested",
        "files": {path.name: matfile.sha256(path)},
    }
    inputs = np.array([text for text, _ in pairs], np.str_)
    return dataset.Dataset(path.stem, inputs, labels, table, splits, info=info, kind="texts")


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
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise errors.UserError(f"{path} is not in UTF-8 (byte {error.start}): save it as UTF-8") from error
    if path.suffix in (".jsonl", ".ndjson"):
        yield from _json_lines(path, content)
    elif path.suffix == ".txt":
        for number, line in enumerate(content.splitlines(), 1):
            label, tab, text = line.partition("\t")
            if not tab:
                raise errors.UserError(f"{path}, line {number}: LABEL<TAB>TEXT is wanted")
            yield text, label
    else:
        yield from _table(path, content)


def _json_lines(path: pathlib.Path, content: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            label = next(entry[name] for name in _LABELS if name in entry)
            yield str(entry["text"]), str(label)
        except (ValueError, TypeError, KeyError, StopIteration) as error:
            raise errors.UserError(
                f"{path}, line {number}: an object with text and label is wanted, not {line[:40]!r}"
            ) from error


def _table(path: pathlib.Path, content: str) -> Iterator[tuple[str, str]]:
    first = content.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    rows = csv.reader(content.splitlines(keepends=True), delimiter=separator, strict=True)
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        label = next((name for name in _LABELS if name in header), None)
        if "text" not in header or label is None:
            raise errors.UserError(
                f"{path}: a header with text and one of {', '.join(_LABELS)} is wanted, not {', '.join(header)[:80]!r}"
            )
        text_at, label_at = header.index("text"), header.index(label)
        for cells in rows:
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise errors.UserError(
                    f"{path}, line {rows.line_num}: {len(cells)} cells, the header has {len(header)}"
                )
            yield cells[text_at], cells[label_at]
    except csv.Error as error:
        raise errors.UserError(f"{path}, line {rows.line_num}: {error}") from error
