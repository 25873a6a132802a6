"""What data of pairs hold, and all that is wrong with them: for `data check`."""

import os
import pathlib
from typing import NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.data import images, pair_archive, pair_folders, pair_names, pair_splits


class Checked(NamedTuple):
    """Lines of (heading, text), and the problems, one line each."""

    lines: list[tuple[str, str]]
    problems: list[str]


def is_pairs(path: str | os.PathLike) -> bool:
    """Whether a path holds pairs: an archive, a benchmark's layout, or folders named ATTRIBUTE_OBJECT alone."""
    path = pathlib.Path(path).expanduser()
    if path.suffix == ".npz" or (path / pair_folders.SPLIT).is_dir():
        return True
    folders = [x for x in path.iterdir() if x.is_dir()] if path.is_dir() and not any(path.glob("*.mat")) else []
    return bool(folders) and all(pair_names.of_folder(folder.name) for folder in folders)


def check(path: str | os.PathLike) -> Checked:
    """Returns what there is and what is wrong with it."""
    path = pathlib.Path(path).expanduser()
    try:
        if (path / pair_folders.SPLIT).is_dir():
            return _benchmark(path)
        if path.suffix == ".npz":
            found = pair_archive.read(path)
            pairs, use, count = found.pairs, found.use, f"{len(found.inputs)} {found.kind}"
        else:
            names = [str(name) for name in images.find(path)]
            pairs, use, count = pair_folders.by_folder(path, names), None, f"{len(names)} images"
    except errors.UserError as error:
        return Checked([("pairs", str(path))], [str(error)])
    lines = [("pairs", str(path)), ("inputs", count), *_counts(pairs)]
    if use is None:
        free = len(pair_splits.draw(pairs.parts, len(pairs.parts), np.random.default_rng(0)))
        lines.append(("split", f"none given; at most {free} pairs can be unseen so that every part stays seen"))
        return Checked(lines, [])
    split = pair_splits.given(pairs, use)
    lines.append(("split", f"{split.said}: {', '.join(f'{len(rows)} {name}' for name, rows in split.rows.items())}"))
    lines.append(("unseen", f"{np.sum(~split.is_seen)} of {len(pairs.parts)} pairs"))
    try:
        pair_splits.check(path.name, "inputs", pairs, split, new_parts=False)
    except errors.UserError as error:
        return Checked(lines, [str(error)])
    return Checked(lines, [])


def _benchmark(folder: pathlib.Path) -> Checked:
    layout = pair_folders.read_layout(folder)
    lines = [("pairs", str(folder))]
    lines += [("file", f"{name:<44} sha256 {digest[:16]}") for name, digest in layout.files.items()]
    train = set(layout.listed["train"])
    for phase, listed in layout.listed.items():
        unseen = f", {len(set(listed) - train)} of them unseen" if phase != "train" else ""
        lines.append((phase, f"{len(listed)} pairs{unseen}; {layout.phases.count(phase)} images"))
    listed = set().union(*layout.listed.values())
    sizes = [len({pair[side] for pair in listed}) for side in (0, 1)]
    lines.append(("open world", f"{sizes[0]} attributes x {sizes[1]} objects = {sizes[0] * sizes[1]} candidates"))
    there = sum((folder / "images" / name).is_file() for name in layout.images)
    lines.append(("images", f"{there} of {len(layout.images)} are in {folder / 'images'}"))
    for side, part in enumerate(("attribute", "object")):
        try:
            pair_names.check_spelling(folder.name, part, sorted({pair[side] for pair in listed}))
        except errors.UserError as error:
            lines.append(("note", str(error).removesuffix(": choose one")))
    return Checked(lines, pair_folders.problems(layout))


def _counts(pairs: pair_names.Pairs) -> list[tuple[str, str]]:
    sizes = np.bincount(pairs.labels)
    every = len(pairs.attributes) * len(pairs.objects)
    return [
        ("classes", f"{len(pairs.parts)} pairs of {len(pairs.attributes)} attributes and {len(pairs.objects)} objects"),
        ("open world", f"{every} candidates"),
        ("per pair", f"least / median / most: {sizes.min()} / {np.median(sizes):g} / {sizes.max()}"),
    ]
