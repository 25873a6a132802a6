"""Pairs in a folder of images: folders named ATTRIBUTE_OBJECT, or the layout of MIT-States, UT-Zappos and C-GQA.

FOLDER/ATTRIBUTE_OBJECT/NAME.jpg

FOLDER/compositional-split-natural/{train,val,test}_pairs.txt       ATTRIBUTE OBJECT, one per line
FOLDER/metadata_compositional-split-natural.t7                      of each image: image, attr, obj, set
FOLDER/images/...                                                   or features by the names of the images
"""

import dataclasses
import hashlib
import os
import pathlib
from typing import NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.data import (
    arrays,
    image_folder,
    images,
    matfile,
    pair_archive,
    pair_names,
    plain_pickle,
    soundness,
    streaming,
)

PHASES = {"train": "train", "val": "validation", "test": "test"}
SPLIT = "compositional-split-natural"


class Layout(NamedTuple):
    """A benchmark in the field's layout.

    Fields:
      listed: `{train, val, test}` to the pairs (attribute, object) that its list names.
      images: `[N]` paths below the folder of images.
      attributes, objects, phases: of each of them; phases are keys of `PHASES`.
      files: sha256 by name.
    """

    listed: dict[str, list[tuple[str, str]]]
    images: list[str]
    attributes: list[str]
    objects: list[str]
    phases: list[str]
    files: dict[str, str]


def read(dir, file="", *, size: int, fit: str, cache: str, workers: int, new_parts: bool = False) -> pair_archive.Found:
    """Reads a folder, with its images or, where `file` is given, their features.

    Raises:
      UserError: no such folder, a folder that is no pair, an image without features, or what `problems` finds.
    """
    folder = pathlib.Path(dir).expanduser()
    if not folder.is_dir():
        raise errors.UserError(f"no folder {str(folder)!r}")
    if (folder / SPLIT).is_dir():
        layout = read_layout(folder)
        if wrong := problems(layout, new_parts=new_parts):
            more = f" (and {len(wrong) - 1} more: zsl-jax data check {folder})" if len(wrong) > 1 else ""
            raise errors.UserError(f"{folder.name}: {wrong[0]}{more}")
        names, root = layout.images, folder / "images"
        pairs = pair_names.make(folder.name, layout.attributes, layout.objects, spellings=False)
        use, files = np.array([PHASES[phase] for phase in layout.phases]), layout.files
    else:
        names, root = [str(path) for path in images.find(folder)], folder
        pairs, use, files = by_folder(folder, names), None, {}
    if os.fspath(file):
        inputs, files = _features(pathlib.Path(file).expanduser(), names, files)
        return pair_archive.Found(folder.name, "features", inputs, pairs, use, {"files": files})
    preprocessing = images.Preprocessing(size=size, fit=fit, crop_fraction=1.0, filter="bilinear")
    paths = [root / name for name in names]
    pixels, _ = image_folder.opened(paths, preprocessing, skip=False, cache=cache, workers=workers)
    info = {"files": files, "preprocessing": {"by": "pixels", **dataclasses.asdict(preprocessing)}}
    info["sizes_sha256"] = image_folder.sizes_sha256(paths, preprocessing)
    if not isinstance(pixels, streaming.ImageStream):
        info["images_sha256"] = hashlib.sha256(pixels).hexdigest()
    return pair_archive.Found(folder.name, "images", pixels, pairs, use, info, pixels)


def by_folder(folder: pathlib.Path, names: list[str]) -> pair_names.Pairs:
    """Returns the pairs of images by the names of their folders."""
    if not names:
        raise errors.UserError(f"{folder} has no images: ATTRIBUTE_OBJECT/NAME.jpg is wanted")
    split = [pair_names.of_folder(pathlib.PurePosixPath(name).parent.name) for name in names]
    if None in split:
        raise errors.UserError(f"{folder}: {names[split.index(None)]!r} is in no folder named ATTRIBUTE_OBJECT")
    return pair_names.make(folder.name, *zip(*split))


def _features(path: pathlib.Path, names: list[str], files: dict[str, str]) -> tuple[np.ndarray, dict[str, str]]:
    """The features of images, in their order, from an archive with `features` and `files`."""
    found = arrays.read(path)
    features, _ = pair_archive.inputs_of(path, found.arrays)
    listed = soundness.text(found.arrays.get("files", np.zeros(0)))
    if listed is None or len(listed) != len(features):
        raise errors.UserError(f"{path.name}: files [N], the path of each image, is wanted beside features")
    row = {name.replace("\\", "/").removeprefix("images/"): number for number, name in enumerate(listed)}
    without = [name for name in names if name.removeprefix("images/") not in row]
    if without:
        raise errors.UserError(f"{path.name} has no features of {len(without)} images, the first {without[0]!r}")
    rows = [row[name.removeprefix("images/")] for name in names]
    return features[rows], files | {path.name: found.sha256}


def read_layout(folder: pathlib.Path) -> Layout:
    """Reads the lists of pairs and the metadata; images without a pair or a split are left out.

    Raises:
      UserError: a file that is missing or holds something else.
    """
    listed, files = {}, {}
    for phase in PHASES:
        path = folder / SPLIT / f"{phase}_pairs.txt"
        if not path.is_file():
            raise errors.UserError(f"{folder} has no {SPLIT}/{path.name}")
        lines = [line.split() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        wrong = next((line for line in lines if len(line) != 2), None)
        if wrong:
            raise errors.UserError(f"{path}: {' '.join(wrong)!r} is no ATTRIBUTE OBJECT")
        listed[phase] = [(a, o) for a, o in lines]
        files[f"{SPLIT}/{path.name}"] = matfile.sha256(path)
    path = folder / f"metadata_{SPLIT}.t7"
    entries = plain_pickle.read(path)
    wanted = {"image", "attr", "obj", "set"}
    if not isinstance(entries, list) or not all(isinstance(x, dict) and wanted <= x.keys() for x in entries):
        raise errors.UserError(f"{path} is no list of images with image, attr, obj and set")
    used = [x for x in entries if x["set"] in PHASES and "NA" not in (x["attr"], x["obj"])]
    columns = [[str(x[name]) for x in used] for name in ("image", "attr", "obj", "set")]
    return Layout(listed, *columns, files | {path.name: matfile.sha256(path)})


def problems(layout: Layout, *, new_parts: bool = False) -> list[str]:
    """Returns all that forbids using a benchmark, one line each.

    Args:
      layout: of the benchmark.
      new_parts: whether attributes and objects without a training pair are allowed.
    """
    found = []
    of_phase: dict[str, set] = {phase: set() for phase in PHASES}
    first: dict[str, str] = {}
    for image, *pair, phase in zip(*layout[1:5]):
        of_phase[phase].add(tuple(pair))
        if first.setdefault(image, phase) != phase:
            found.append(f"image {image!r} is in the splits {first[image]} and {phase}")
    for phase, pairs in layout.listed.items():
        found += _of_lists(phase, pairs, of_phase[phase])
    train = set(layout.listed["train"])
    both = (set(layout.listed["val"]) & set(layout.listed["test"])) - train
    if both:
        found.append(f"{_some(both)} unseen in validation and in test: choices would look at test pairs")
    for side, part in enumerate(("attribute", "object") if not new_parts else ()):
        known = {pair[side] for pair in train}
        for phase in ("val", "test"):
            new = {pair[side] for pair in layout.listed[phase]} - known
            if new:
                found.append(
                    f"{part} {sorted(new)[0]!r} of {phase}_pairs.txt is in no pair of train_pairs.txt: leave it "
                    "out, or allow it with --config.data.new_parts=True"
                )
    return found


def _of_lists(phase: str, listed: list[tuple[str, str]], with_images: set[tuple[str, str]]) -> list[str]:
    """What is wrong between a list of pairs and the images of its split."""
    found = []
    if len(set(listed)) < len(listed):
        found.append(f"{phase}_pairs.txt names {_some({x for x in listed if listed.count(x) > 1})} twice")
    if without := set(listed) - with_images:
        found.append(f"{_some(without)} of {phase}_pairs.txt without an image")
    if unlisted := with_images - set(listed):
        found.append(f"images of {_some(unlisted)} in the split {phase}, but not in {phase}_pairs.txt")
    return found


def _some(pairs: set[tuple[str, str]]) -> str:
    """How many pairs, and the first of them.

    >>> _some({("ripe", "apple"), ("old", "car")})
    "2 pairs ('old car', ...)"
    """
    first = " ".join(min(pairs))
    return f"1 pair ({first!r})" if len(pairs) == 1 else f"{len(pairs)} pairs ({first!r}, ...)"
