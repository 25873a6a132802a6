"""Inputs whose class is a pair of attribute and object, such as "ripe apple"; some pairs are never seen in training.

    FILE.npz    features [N, F], or images [N, H, W, 3] uint8
                attribute [N], object [N]       texts
                files [N]                       ATTRIBUTE_OBJECT/NAME, where there are no attribute and object
                split [N]                       optional: train, validation, test, or 0, 1, 2
    FOLDER      ATTRIBUTE_OBJECT/NAME.jpg, or the layout of the field's benchmarks, see `pair_folders`

Without a split the unseen pairs are listed or drawn, and a fifth of the images of every other pair is tested.
"""

import dataclasses
import os
import pathlib
from typing import Any

import numpy as np

from zsl_jax import class_encoders, errors
from zsl_jax.data import arrays, dataset, pair_archive, pair_folders, pair_names, pair_splits

SEMANTICS = ("two_hot", "words", "parts")


def load(
    file: str | os.PathLike = "",
    *,
    dir: str | os.PathLike = "",
    attribute: str = "attribute",
    object: str = "object",
    unseen_file: str | os.PathLike = "",
    unseen_count: int = 0,
    seed: int = 0,
    new_parts: bool = False,
    semantics: str = "two_hot",
    words: str | os.PathLike = "",
    size: int = 64,
    fit: str = "crop",
    cache: str = "auto",
    workers: int = 0,
) -> dataset.Dataset:
    """Pairs of attribute and object as a dataset.

    Args:
      file: an archive, see the module; beside `dir` the features of its images, by `files`.
      dir: a folder of images.
      attribute, object: names of the arrays that hold the parts.
      unseen_file: a list of the unseen pairs, `ATTRIBUTE OBJECT` per line.
      unseen_count: pairs that are drawn as unseen; 0 for a fifth of them.
      seed: of what is drawn.
      new_parts: whether attributes and objects without a training input are allowed.
      semantics: what describes a pair: `two_hot` `[C, A + O]`, `words` `[C, 2 D]`, the vectors of both names, or
        `parts` `[C, 2]`, their rows alone, which needs the least memory.
      words: word vectors, as GloVe writes them (.txt, .gz) or an .npz of `words`, `vectors` and, for whole numbers,
        `scale`.
      size, fit, cache, workers: of images in a folder, see `image_folder.load`.

    Returns:
      A `Dataset` with `parts` in its class table, and `shared["attributes"] [A, D]`, `shared["objects"] [O, D]`: word
      vectors, or unit vectors where there are none. Its splits are `train`, `test` and, where one is given,
      `validation`; and `test_seen`, `test_unseen` for other protocols.

    Raises:
      UserError: no such file, names that are unknown or in two spellings, or a split that trains or tests nothing.
    """
    _check_semantics(semantics, words)
    if os.fspath(dir):
        options = {"size": size, "fit": fit, "cache": cache, "workers": workers}
        found = pair_folders.read(dir, file, **options, new_parts=new_parts)
    elif os.fspath(file):
        found = pair_archive.read(pathlib.Path(file).expanduser(), attribute, object)
    else:
        raise errors.UserError(
            "pairs needs an archive in its option file (--config.data.file=FILE.npz), or a folder of images in its "
            "option dir (--config.data.dir=FOLDER)"
        )
    split = _split(found, os.fspath(unseen_file), unseen_count, seed)
    return made(found, split, semantics=semantics, words=words, new_parts=new_parts)


def made(
    found: pair_archive.Found,
    split: pair_splits.Split,
    *,
    semantics: str,
    words: str | os.PathLike,
    new_parts: bool = False,
) -> dataset.Dataset:
    """Returns the dataset of inputs with their pairs; the arguments are as for `load`.

    Raises:
      UserError: as `load`.
    """
    _check_semantics(semantics, words)
    pairs = found.pairs
    pair_splits.check(found.name, found.kind, pairs, split, new_parts=new_parts)
    shared = _vectors(pairs, os.fspath(words))

    def describe(table: dataset.ClassTable) -> np.ndarray:
        return table.parts if semantics == "parts" else embedded(table.parts, shared)

    classes = dataset.ClassTable(None, split.is_seen, pairs.names, parts=pairs.parts, shared=shared)
    seen_test = split.is_seen[pairs.labels[split.rows["test"]]]
    return dataset.Dataset(
        name=found.name,
        inputs=found.inputs,
        labels=pairs.labels,
        classes=dataclasses.replace(classes, embedding=describe(classes)),
        splits=split.rows | {"test_seen": split.rows["test"][seen_test], "test_unseen": split.rows["test"][~seen_test]},
        images=found.images,
        info={"semantics": semantics, "split": split.said, "words": os.path.basename(os.fspath(words)), **found.info},
        kind=found.kind,
        parts=(pairs.attributes, pairs.objects),
        describe=describe,
    )


def _check_semantics(semantics: str, words: str | os.PathLike) -> None:
    if semantics not in SEMANTICS:
        raise errors.unknown("semantics", semantics, SEMANTICS)
    if semantics == "words" and not os.fspath(words):
        raise errors.UserError("semantics=words needs word vectors: --config.data.words=FILE (GloVe's .txt, or .npz)")


def embedded(parts: np.ndarray, shared: Any) -> np.ndarray:
    """Returns what describes pairs, `[C, D + E]`: the vectors of attribute and object side by side.

    Args:
      parts: `[C, 2]` int.
      shared: `{"attributes": [A, D], "objects": [O, E]}`.
    """
    return np.concatenate([shared["attributes"][parts[:, 0]], shared["objects"][parts[:, 1]]], axis=1)


def _split(found, unseen_file: str, count: int, seed: int) -> pair_splits.Split:
    if unseen_file:
        path = pathlib.Path(unseen_file).expanduser()
        return pair_splits.listed(found.name, found.pairs, pair_names.read_list(path, found.pairs), path.name, seed)
    if found.use is None or count:
        return pair_splits.drawn(found.name, found.pairs, count, seed)
    return pair_splits.given(found.pairs, found.use)


def _vectors(pairs: pair_names.Pairs, words: str) -> dict[str, np.ndarray]:
    """Word vectors of the attributes and of the objects, or unit vectors."""
    names = {"attributes": pairs.attributes, "objects": pairs.objects}
    if not words:
        return {side: np.eye(len(found), dtype=np.float32) for side, found in names.items()}
    path = pathlib.Path(words).expanduser()
    if not path.is_file():
        raise errors.UserError(f"no file of word vectors {str(path)!r}")
    wanted = {word for found in names.values() for name in found for word in class_encoders.words(name)}
    read = _read_npz if path.suffix == ".npz" else class_encoders.load_word_vectors
    vectors = read(path, wanted)
    try:
        return {side: class_encoders.word_embedding(found, vectors) for side, found in names.items()}
    except errors.UserError as error:
        raise errors.UserError(f"{path.name}: {error}") from error


def _read_npz(path: pathlib.Path, wanted: set[str]) -> dict[str, np.ndarray]:
    held = arrays.read(path).arrays
    if not {"words", "vectors"} <= held.keys() or len(held["words"]) != len(held["vectors"]):
        raise errors.UserError(f"{path.name} has {', '.join(sorted(held))}; words [V] and vectors [V, D] are wanted")
    rows = [row for row, word in enumerate(held["words"].tolist()) if word in wanted]
    scale = held.get("scale", np.ones(len(held["words"]), np.float32)).reshape(len(held["words"]), -1)
    vectors = held["vectors"][rows].astype(np.float32) * scale[rows].astype(np.float32)
    return dict(zip(held["words"][rows].tolist(), vectors))
