"""Classes described by sentences, through a frozen tower of texts and, where features are of another space, a tie.

    names --sentences--> texts --tower, kept on disk--> mean of unit vectors --first columns--> --tie--> [C, F]

One place makes the vectors of a dataset's classes and of those that `predict` is given by their names.
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from zsl_jax import errors, rules
from zsl_jax.class_encoders import sentences
from zsl_jax.data import attribute_files, class_files, dataset, matfile
from zsl_jax.encoders import bert, stages, ties, towers


def _is_template(text: str) -> bool:
    return text == "" or all(sentences.NAME in part or sentences.TEXT in part for part in text.split("|"))


_PLACE = rules.Rule(lambda x: isinstance(x, str), "a path")
_TEXT = rules.Rule(lambda x: isinstance(x, str), "a text")

# What a key of config.towers says, and what it may be.
KEYS = {
    "text": ("folder of the text tower", _PLACE),
    "image": ("folder of CLIP or file of MobileNetV2 that encodes the images of image_folder, pairs or scenes", _PLACE),
    "pool": ("how tokens become one vector", rules.one_of(bert.POOLS)),
    "dtype": ("of products of both towers; bfloat16 is slower on CPU", rules.one_of(("float32", "bfloat16"))),
    "scan": ("whether the layers of a tower are one scanned program", rules.one_of((False, True))),
    "remat": (
        "whether the backward pass computes layers once more, where prompts are learned through the text tower",
        rules.one_of((False, True)),
    ),
    "by": ("what the sentences on a class are made of", rules.one_of(tuple(sentences.TEMPLATES))),
    "template": (
        "sentence on a class, {} stands for its name, {text} for what else is said; several, with | between, are an "
        "ensemble; empty: that of towers.by",
        rules.Rule(_is_template, "empty, or texts with {} or {text} in each, | between them"),
    ),
    "texts": ("JSON file of texts on each class, for by=texts", _PLACE),
    "missing": ("what becomes of a class that the file has no texts of", rules.one_of(("error", "names"))),
    "attributes": ("text file of the names of the attributes, one per line, for by=attributes", _PLACE),
    "class_prefix": ("put before each sentence on a class, as the tower was trained: 'query: ' for E5", _TEXT),
    "text_prefix": ("put before each text that is classified: 'query: ' or 'passage: ' for E5", _TEXT),
    "words": ("words of a text that an encoder of words reads, the first with a vector", rules.whole(1)),
    "width": ("leading numbers of a text vector that are used (Matryoshka); 0 for all", rules.whole(0)),
    "each": (
        "texts of a class that are kept apart, the first ones, for a method that takes several; 0: their mean, or for "
        "a prompt all of them",
        rules.whole(0),
    ),
    "tie": ("file that ties texts to features of images, made by `zsl-jax tie`", _PLACE),
    "columns": ("columns of the features that are used, e.g. 0:1280", rules.STRETCH),
}


class Which(NamedTuple):
    """Which towers, and how they compute; `KEYS` says what each is."""

    text: str = ""
    image: str = ""
    pool: str = "mean"
    dtype: str = "float32"
    scan: bool = False
    remat: bool = False


class Options(NamedTuple):
    """How classes are described; `KEYS` says what each is."""

    by: str = "names"
    template: str = ""
    texts: str = ""
    missing: str = "error"
    attributes: str = ""
    class_prefix: str = ""
    text_prefix: str = ""
    width: int = 0
    words: int = 32
    each: int = 0
    tie: str = ""
    columns: str = ""


class Describer:
    """From classes to vectors.

    Args:
      tower: of texts.
      options: how.

    Raises:
      UserError: files that are missing or of another kind.
    """

    def __init__(self, tower: towers.TextTower, options: Options):
        self.tower, self.options = tower, options
        self.tie = ties.load(options.tie) if options.tie else None
        self.template = options.template or sentences.TEMPLATES[options.by]
        self.texts, files = None, {}
        if options.by == "texts":
            self.texts = sentences.load_texts(needed(options.texts, "texts", "FILE.json"))
            files["texts"] = options.texts
        if options.by == "attributes" and options.attributes:
            files["attributes"] = options.attributes
        if options.by != "names" and sentences.TEXT not in self.template:
            raise errors.UserError(
                f"config.towers.template={self.template!r} has no {sentences.TEXT} for what towers.by={options.by} says"
            )
        held = {name: matfile.sha256(pathlib.Path(path).expanduser()) for name, path in files.items()}
        self.said = {
            "by": "text_tower",
            "tower": tower.name,
            "sentences": options.by,
            "template": self.template,
            "width": options.width,
            "files": held,
        }
        if options.by == "texts":
            self.said["missing"] = options.missing
        if options.each:
            self.said["each"] = options.each
        if options.class_prefix:
            self.said["prefix"] = options.class_prefix
        if self.tie is not None:
            self.said["tie"] = {"name": self.tie.name, "sha256": self.tie.sha256, "about": self.tie.about}
        made_of = json.dumps([tower.sha256, self.said], sort_keys=True)
        self.said["sha256"] = hashlib.sha256(made_of.encode()).hexdigest()

    def sentences(self, names: Sequence[str], source: dataset.Dataset | None = None) -> list[tuple[str, ...]]:
        """Returns the texts of each class.

        Args:
          names: of the classes.
          source: whose class table has their attributes, for `towers.by=attributes`.
        """
        by = self.options.by
        if by == "texts":
            return sentences.from_texts(names, self.texts, self.template, missing=self.options.missing)
        if by == "random":
            return sentences.at_random(names, self.template)
        if by == "names":
            return sentences.from_names(names, self.template)
        if source is None:
            raise errors.UserError(
                "this run describes classes by sentences on their attributes, which a name does not say"
            )
        matrix = np.asarray(source.classes.embedding)
        if matrix.ndim != 2:
            raise errors.UserError(
                f"{source.name} has no attributes to make sentences of: towers.by=attributes needs some"
            )
        given = self.options.attributes
        named = (
            attribute_files.read(given, "config.towers.attributes=") if given else class_files.attribute_names(source)
        )
        return sentences.from_attributes(
            names, matrix, named, self.template, is_seen=np.asarray(source.classes.is_seen)
        )

    def vectors(self, texts: Sequence[tuple[str, ...]]) -> Any:
        """Returns `[C, F]`, of unit length, for the texts of each class; encoded once, kept on disk.

        With `towers.each=K` it returns `{"texts": [C, K, F], "is_text": [C, K]}`, each text by itself.

        Raises:
          UserError: a width beyond the tower's, or a tie to another tower.
        """
        flat = list(dict.fromkeys(text for some in texts for text in some))
        row = {text: number for number, text in enumerate(flat)}
        encoded = stages.applied(self.tower.stage(self.options.class_prefix), flat)
        width = self.options.width or encoded.shape[1]
        if width > encoded.shape[1]:
            raise errors.UserError(f"config.towers.width={width} is beyond the {encoded.shape[1]} numbers of the tower")
        encoded = _unit(encoded[:, :width])
        if self.options.each:
            encoded = encoded if self.tie is None else self.tie(encoded)
            apart = np.zeros((len(texts), self.options.each, encoded.shape[1]), encoded.dtype)
            is_text = np.zeros(apart.shape[:2], bool)
            for number, some in enumerate(texts):
                rows = [row[text] for text in some[: self.options.each]]
                apart[number, : len(rows)], is_text[number, : len(rows)] = encoded[rows], True
            return {"texts": apart, "is_text": is_text}
        means = _unit(np.stack([encoded[[row[text] for text in some]].mean(axis=0) for some in texts]))
        return means if self.tie is None else self.tie(means)

    def __call__(self, names: Sequence[str], source: dataset.Dataset | None = None) -> Any:
        """Returns what `vectors` does, for classes by their names."""
        return self.vectors(self.sentences(names, source))

    def table(self, source: dataset.Dataset) -> dataset.ClassTable:
        """Returns the class table of a dataset with vectors as descriptions."""
        return dataclasses.replace(source.classes, embedding=self(source.classes.names, source))

    @property
    def semantics(self) -> str:
        return f"sentences by {self.options.by}"


def dataset_of(source: dataset.Dataset, describer: Any, stage: stages.Stage | None = None) -> dataset.Dataset:
    """Returns a dataset whose classes are described by sentences, and whose texts, if it is of such, are encoded.

    Args:
      source: the dataset.
      describer: a `Describer`, or a `prompts.PromptTower`.
      stage: of texts, where the dataset is of such; None for that of the describer's tower, a vector per text.

    Raises:
      UserError: inputs and classes that do not meet in one space.
    """
    classes = describer.table(source)
    if source.parts is not None:
        classes = dataclasses.replace(classes, shared={**classes.shared, **of_parts(source, describer)})
    # The columns of the table are no longer those that the source has names for.
    kept = {name: value for name, value in source.info.items() if name != "attributes"}
    info = {**kept, "semantics": describer.semantics, "described_by": describer.said}
    inputs = source.inputs
    if describer.tie is None and source.kind != "texts" and getattr(describer.tower, "scale", None):
        info["temperature"] = 1.0 / describer.tower.scale
    if source.kind == "texts":
        if describer.tie is not None:
            raise errors.UserError("config.towers.tie is for features of images: texts and names meet without one")
        if stage is None:
            stage = describer.tower.stage(describer.options.text_prefix, describer.options.width)
        info["stages"] = [stage.said]
        inputs = stages.applied(stage, source.inputs)
    elif describer.options.columns:
        inputs = _columns(source, describer.options.columns)
    if describer.tie is not None:
        _check_spaces(inputs, describer.tie)

    def describe(others: dataset.ClassTable) -> Any:
        others = dataclasses.replace(others, embedding=source.describe(others))
        return describer.table(dataclasses.replace(source, classes=others)).embedding

    return dataclasses.replace(
        source, inputs=inputs, classes=classes, info=info, describe=None if source.describe is None else describe
    )


def of_parts(source: dataset.Dataset, describer: Any) -> dict[str, np.ndarray]:
    """Returns the vectors of the bare names of attributes and objects in the space of texts, for feasibility.

    Args:
      source: of pairs.
      describer: whose tower reads the names.

    Returns:
      `{"attributes_by_tower": [A, D], "objects_by_tower": [O, D]}`, of unit length.
    """
    stage = describer.tower.stage(describer.options.class_prefix)
    sides = zip(("attributes_by_tower", "objects_by_tower"), source.parts)
    return {side: stages.applied(stage, [sentences.readable(name) for name in names]) for side, names in sides}


def _check_spaces(inputs: Any, tie: ties.Tie) -> None:
    """Raises a UserError where inputs are not of the space that the tie leads to."""
    shape, width = tuple(getattr(inputs, "shape", ())), tie.map.shape[1]
    if len(shape) in (2, 3) and shape[-1] == width:
        return
    what = f"{shape[1]} numbers" if len(shape) == 2 else f"arrays {list(shape[1:])}"
    hint = f"; --config.towers.columns=0:{width} takes the first {width}" if len(shape) == 2 < width < shape[1] else ""
    raise errors.UserError(f"inputs are {what}, and {tie.name} is of features of {width} numbers{hint}")


def _columns(source: dataset.Dataset, columns: str) -> np.ndarray:
    first, last = map(int, columns.split(":"))
    if np.ndim(source.inputs) != 2 or last > source.inputs.shape[1]:
        shape = list(np.shape(source.inputs))
        raise errors.UserError(f"config.towers.columns={columns} are not among the columns of inputs {shape}")
    return np.ascontiguousarray(source.inputs[:, first:last])


def needed(path: str, name: str, what: str) -> str:
    """Returns the path that `towers.by=name` reads.

    Raises:
      UserError: there is none.
    """
    if not path:
        raise errors.UserError(f"config.towers.by={name} needs a file: --config.towers.{name}={what}")
    return path


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), np.finfo(np.float32).tiny)
