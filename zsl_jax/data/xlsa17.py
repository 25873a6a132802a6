"""Folders in the xlsa17 layout, in which the field exchanges features, class descriptions and splits.

    res101.mat            features [F, N], labels [N, 1], image_files
    att_splits.mat        att [A, C], original_att, allclasses_names, trainval_loc, test_seen_loc, test_unseen_loc;
                          some copies have train_loc and val_loc
    NAME_splits.mat       att [A, C] and allclasses_names once more, for the other semantics NAME
    valclasses1.txt       names of validation classes, used where there is no val_loc

Labels and locations count from 1 there and from 0 here. Labels and the columns of `att` follow `allclasses_names`.

Reference: Xian, Lampert, Schiele, Akata, "Zero-Shot Learning - A Comprehensive Evaluation of the Good, the Bad and the
Ugly", TPAMI 2018.
"""

import concurrent.futures
import dataclasses
import os
import pathlib

import numpy as np

from zsl_jax import errors
from zsl_jax.data import attribute_files, checks, dataset, matfile, missing, notes, recorded, tables

FEATURES_FILE, SPLITS_FILE, VALIDATION_FILE = "res101.mat", "att_splits.mat", "valclasses1.txt"
SOURCE = (
    "in xlsa17.zip on the page of the benchmark 'Zero-Shot Learning - A Comprehensive Evaluation of the Good, the Bad "
    "and the Ugly'"
)

# Classes, then images of trainval, seen test and unseen test; then of train_loc and val_loc in the form for ZSL (which
# holds the seen test images) and in the form for GZSL (which does not). Early copies of the archive have these (v1),
# copies since 2020 do not (v2).
PROPOSED_SPLITS = {
    "SUN": ((717, 10320, 2580, 1440), (11600, 1300), (9280, 1040)),
    "CUB": ((200, 7057, 1764, 2967), (5875, 2946), (4702, 2355)),
    "AWA1": ((50, 19832, 4958, 5685), (16864, 7926), (13460, 6372)),
    "AWA2": ((50, 23527, 5882, 7913), (20218, 9191), (16187, 7340)),
    "APY": ((32, 5932, 1483, 7924), (6086, 1329), (4906, 1026)),
}


@dataclasses.dataclass(frozen=True)
class Folder:
    """What a folder holds, before anything is made of it.

    Args:
      name: of the folder.
      variables: those without a problem, as `checks.problems` leaves them.
      files: sha256 by name, of the files that were read.
      validation_names: of valclasses1.txt, if it is there and needed.
      problems: all that forbids training on it, one line each.
    """

    name: str
    variables: checks.Variables
    files: dict[str, str]
    validation_names: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def load(dir: str | os.PathLike = "", *, semantics: str = "att", attributes: str = "att") -> dataset.Dataset:
    """A folder in the xlsa17 layout as a dataset in memory.

    Training images are those of `trainval_loc`. `train_loc` and `val_loc` serve for nothing but the names of the
    validation classes, and only by their images in `trainval_loc`, because together they may hold seen test images.

    Attributes that `original_att` marks as missing (-1 among percentages, on AWA) are replaced by the attribute's mean
    over the seen classes that know it, 0 where none does: the mark would count as a value below "absent", and unseen
    classes must not shape a seen one. `att` is used as the file gives it; there the marks are part of the normalised
    column (four values of -0.004 for one class of AWA, where others reach 0.36).

    Args:
      dir: the folder.
      semantics: which description of the classes: `att`, or NAME for `NAME_splits.mat`. Its classes must be those of
        `att_splits.mat` in the same order, and the splits are always those of `att_splits.mat`.
      attributes: which variable describes the classes: `att` (each class of norm 1 in the benchmark's own files) or
        `original_att` (not normalised).

    Returns:
      The dataset; `inputs [N, F]` and the class embedding `[C, A]` are float32. `info` holds `semantics`, `attributes`,
      `split` ("PS", the layout's way of splitting), `benchmark` (the published one whose counts these are, or None),
      `validation` (where the validation classes come from, or None), `files` (sha256 by name), `image_files` and, where
      attributes.txt or predicates.txt in the folder has them, `attribute_names`.

    Raises:
      UserError: a file or variable is missing, damaged or at odds with the others.
    """
    if not os.fspath(dir):
        raise errors.UserError("xlsa17 needs the folder of a benchmark in its option dir: --config.data.dir=FOLDER")
    folder = read(dir, semantics=semantics, attributes=attributes)
    if folder.problems:
        more = f" (1 of {len(folder.problems)} problems, see `data check`)" if len(folder.problems) > 1 else ""
        raise errors.UserError(f"{dir}: {folder.problems[0]}{more}")
    variables = folder.variables
    names = tuple(variables["allclasses_names"])
    labels = (variables["labels"] - 1).astype(np.int32)
    splits = {split: variables[name] - 1 for split, name in checks.SPLITS.items()}
    is_seen = np.isin(np.arange(len(names)), labels[splits["train"]])
    described = variables[attributes]
    if attributes == "original_att":
        described = missing.filled(described, is_seen)
    validation, origin = validation_classes(folder)
    # The names are those of `att`: another description has columns of its own.
    named = attribute_files.of_folder(pathlib.Path(dir).expanduser(), len(described)) if semantics == "att" else None
    return dataset.Dataset(
        name=folder.name,
        inputs=np.ascontiguousarray(variables["features"].T, np.float32),
        labels=labels,
        classes=dataset.ClassTable(np.ascontiguousarray(described.T, np.float32), is_seen, names),
        splits=splits,
        validation_classes=validation,
        info={
            "semantics": semantics,
            "attributes": attributes,
            "split": "PS",
            "benchmark": benchmark(variables),
            "validation": origin,
            "files": folder.files,
            "image_files": tuple(variables.get("image_files", ())),
            **({"attribute_names": named} if named else {}),
        },
    )


def read(dir: str | os.PathLike, *, semantics: str = "att", attributes: str = "att") -> Folder:
    """Reads and checks a folder; what is wrong inside it is listed, not raised.

    Raises:
      UserError: there is no such folder, or it has no such semantics.
    """
    if attributes not in ("att", "original_att"):
        raise errors.unknown("attributes", attributes, ("att", "original_att"))
    path = find_folder(dir)
    available = semantics_in(path)
    if semantics not in available and semantics != "att":
        raise errors.unknown("semantics", semantics, available or ("att",))
    described_by = f"{semantics}_splits.mat"
    wanted = {FEATURES_FILE: ["features", "labels"], SPLITS_FILE: ["allclasses_names", *checks.SPLITS.values()]}
    wanted[described_by] = [*wanted.get(described_by, ["allclasses_names"]), attributes]

    with concurrent.futures.ThreadPoolExecutor() as pool:
        contents = dict(zip(wanted, pool.map(lambda name: _read(path / name), wanted)))
    problems = [error for _, _, error in contents.values() if error]
    files = {name: digest for name, (_, digest, _) in contents.items() if digest}
    for name, (held, _, error) in contents.items():
        absent = [] if error else [variable for variable in wanted[name] if variable not in held.variables]
        problems += [f"{name}: {_absence(variable, held)}" for variable in absent]

    described = contents[described_by][0].variables
    variables = {**contents[FEATURES_FILE][0].variables, **contents[SPLITS_FILE][0].variables}
    if semantics != "att":
        problems += [
            f"{described_by}: {line}" for line in _disagreements(described, contents[SPLITS_FILE][0].variables)
        ]
        for name in ("att", "original_att"):
            variables.pop(name, None)
        variables |= {name: described[name] for name in ("att", "original_att") if name in described}
    found, sound = checks.problems(variables)
    validation_names = ()
    if "val_loc" not in variables and (path / VALIDATION_FILE).is_file():
        files[VALIDATION_FILE] = matfile.sha256(path / VALIDATION_FILE)
        validation_names, error = _names(path / VALIDATION_FILE)
        if validation_names and not set(validation_names) & set(sound.get("allclasses_names", validation_names)):
            error = f"{VALIDATION_FILE}: none of its lines is a class of allclasses_names, as {validation_names[0]!r}"
        problems += [error] if error else []
    return Folder(pathlib.Path(os.path.abspath(path)).name, sound, files, validation_names, (*problems, *found))


def find_folder(dir: str | os.PathLike) -> pathlib.Path:
    """The folder as a path.

    Raises:
      UserError: it is not a folder.
    """
    path = pathlib.Path(dir).expanduser()
    if not str(dir) or not path.is_dir():
        raise errors.UserError(
            f"no folder {str(dir)!r}: one with {FEATURES_FILE} and {SPLITS_FILE} is wanted ({SOURCE})"
        )
    return path


def semantics_in(path: pathlib.Path) -> tuple[str, ...]:
    """The descriptions of classes that a folder offers: NAME for each NAME_splits.mat."""
    return tuple(sorted(file.name.removesuffix("_splits.mat") for file in path.glob("*_splits.mat")))


def validation_classes(folder: Folder) -> tuple[np.ndarray | None, str | None]:
    """Rows of the seen classes to validate on, and the variable or file that says so; None and None without."""
    variables = folder.variables
    held_out, origin = notes.validation_classes(variables), "val_loc"
    if folder.validation_names and {"allclasses_names", "labels", "trainval_loc"} <= variables.keys():
        listed = np.flatnonzero(np.isin(variables["allclasses_names"], folder.validation_names)) + 1
        held_out, origin = np.intersect1d(listed, checks.classes_of(variables, "trainval_loc")), VALIDATION_FILE
    return (held_out - 1, origin) if held_out is not None and len(held_out) else (None, None)


def benchmark(variables: checks.Variables) -> str | None:
    """The published benchmark whose numbers of classes and of images in each split these are."""
    names = ("allclasses_names", *checks.SPLITS.values())
    counts = tuple(len(variables.get(name, ())) for name in names)
    return next((name for name, (published, _, _) in PROPOSED_SPLITS.items() if published == counts), None)


def _read(path: pathlib.Path) -> tuple[matfile.Contents, str | None, str | None]:
    """What a file holds, names in one Unicode form; its sha256, and what is wrong with it."""
    if not path.is_file():
        return matfile.Contents({}, {}), None, f"{path.name} is missing; it is {SOURCE}"
    try:
        held = matfile.read(path)
        if "allclasses_names" in held.variables and isinstance(held.variables["allclasses_names"], list):
            held.variables["allclasses_names"] = list(map(tables.name, held.variables["allclasses_names"]))
        digest = matfile.sha256(path)
        recorded.check(path, digest)
        return held, digest, None
    except errors.UserError as error:
        return matfile.Contents({}, {}), None, str(error).replace(str(path), path.name)


def _absence(variable: str, held: matfile.Contents) -> str:
    if variable in held.left_out:
        return f"{variable} is {held.left_out[variable]}"
    return f"no variable {variable!r} among {', '.join(sorted(held.variables))}"


def _names(path: pathlib.Path) -> tuple[tuple[str, ...], str | None]:
    """The names in a file, one per line, and what is wrong with it."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return (), f"{path.name}: {'not UTF-8; save it so' if isinstance(error, ValueError) else error.strerror}"
    return tuple(tables.name(line.strip()) for line in lines if line.strip()), None


def _disagreements(described: checks.Variables, splits: checks.Variables) -> list[str]:
    """In what another description of the classes differs from `att_splits.mat` where it repeats it."""
    lines = []
    if "allclasses_names" in described and "allclasses_names" in splits:
        theirs, ours = described["allclasses_names"], splits["allclasses_names"]
        if len(theirs) != len(ours):
            lines.append(f"{len(theirs)} classes in allclasses_names, where {SPLITS_FILE} has {len(ours)}")
        elif theirs != ours:
            first = next(i for i, (a, b) in enumerate(zip(theirs, ours)) if a != b)
            lines.append(
                f"class {first + 1} is {theirs[first]!r}, where {SPLITS_FILE} has {ours[first]!r}; one order is wanted"
            )
    for name in checks.SPLITS.values():
        if (
            name in described
            and name in splits
            and not np.array_equal(np.ravel(described[name]), np.ravel(splits[name]))
        ):
            lines.append(f"its {name} is not that of {SPLITS_FILE}")
    return lines
