"""Says what a benchmark folder holds and what is wrong with it, prepares it, imports images, or exports features."""

import contextlib
import io
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
import tqdm
from absl import flags
from absl import logging as absl_logging

from zsl_jax import bounds, errors
from zsl_jax.data import attribute_files, checks, missing, notes, pair_checks, published, recorded, xlsa17
from zsl_jax.verbs import data_import

USAGE = """\
usage: python -m zsl_jax data check FOLDER [--semantics=NAME]
       python -m zsl_jax data check PAIRS
       python -m zsl_jax data prepare FOLDER [--semantics=NAME] [--data_dir=DIR]
       python -m zsl_jax data import IMAGES_DIR --attributes=TABLE.csv [--out=DATASET] [--unseen=SHARE|NAMES]
                                     [--seed=N]
                                     [--skip_unmatched] [--skip_unreadable]
       python -m zsl_jax data export SOURCE --layout=xlsa17 --out=FOLDER [--unseen=NAMES] [--semantics=NAME]

check    says what a folder in the xlsa17 layout holds and lists all that is wrong with it; exit code 2 if anything is
         PAIRS is a benchmark of pairs (compositional-split-natural/, metadata_*.t7), a folder of images named
         ATTRIBUTE_OBJECT, or an .npz of pairs
prepare  writes the folder as a TFDS dataset (ArrayRecord) and prints where it is
import   joins a folder of images (IMAGES_DIR/CLASS/NAME.jpg) with a table of attributes (`class` and the attributes
         in the header, one class per line) by the names of the classes, and lists all that does not match; an unseen
         class may have no folder: it is a candidate without images, and where none has one nothing is scored
export   writes features of your own in the layout that other codebases read: SOURCE is an .npz archive, the folder that
         `extract` wrote, or one that a model of zsl_jax.fit was saved in

--semantics=NAME  which description of the classes: that of NAME_splits.mat (default: att)
--data_dir=DIR    where prepared datasets live (default: that of TFDS, $TFDS_DATA_DIR or ~/tensorflow_datasets)
--attributes      the table; a second column `split` (train, validation, test) or `seen` (true, false) says which
                  classes are unseen, otherwise they are drawn
--out=DATASET     where dataset.json is written (default: datasets/NAME, after IMAGES_DIR); the images stay in place
--unseen=SHARE    of the classes, where they are drawn (default 0.25); or their names, commas between them
--seed=N          of what is drawn (default 0)
--skip_unmatched  go on with the classes that are in both; --skip_unreadable: without the files that are no images

example: python -m zsl_jax data check xlsa17/data/CUB
         python -m zsl_jax data prepare xlsa17/data/CUB --data_dir=prepared
         python -m zsl_jax data import photos --attributes=classes.csv"""


def main(argv: Sequence[str]) -> int:
    if not argv:
        print(USAGE, file=sys.stderr)
        return 2
    if {"-h", "-help", "--help"} & set(argv):
        print(USAGE)
        return 0
    action, *rest = argv
    if action == "import":
        return data_import.main(rest)
    if action == "export":
        from zsl_jax.verbs import data_export  # with sources that `check` need not wait for

        return data_export.main(rest)
    actions = {"check": _check, "prepare": _prepare}
    if action not in actions:
        raise errors.unknown("action of data", action, [*actions, "import", "export"])
    values = flags.FlagValues()
    flags.DEFINE_string("semantics", "att", "which description of the classes", flag_values=values)
    if action == "prepare":
        flags.DEFINE_string("data_dir", None, "where prepared datasets live", flag_values=values)
    try:
        _, *folders = values(["data", *rest])
    except flags.Error as error:
        raise errors.UserError(f"data {action}: {error}") from error
    if len(folders) != 1:
        raise errors.UserError(f"data {action} takes one folder, not {len(folders)}; see python -m zsl_jax data --help")
    return actions[action](folders[0], values)


def _check(folder: str, values: flags.FlagValues) -> int:
    if pair_checks.is_pairs(folder):
        found = pair_checks.check(folder)
        for name, text in found.lines:
            print(f"{name:<12}{text}")
        return _verdict(found.problems)
    found = xlsa17.read(folder, semantics=values.semantics)
    for name, text in _description(found, values.semantics, xlsa17.find_folder(folder)):
        print(f"{name:<12}{text}")
    for line in notes.notes(found.variables):
        print(f"{'note':<12}{line}")
    return _verdict(found.problems)


def _verdict(problems: Sequence[str]) -> int:
    for line in problems:
        print(f"{'wrong':<12}{line}")
    print(f"{'verdict':<12}{checks.count(len(problems), 'problem') if problems else 'sound'}")
    return errors.UserError.exit_code if problems else 0


def _prepare(folder: str, values: flags.FlagValues) -> int:
    from zsl_jax.data import prepared  # imports TFDS, for which `check` need not wait

    absl_logging.set_verbosity(absl_logging.ERROR)  # TFDS warns of every configuration that its class does not list
    with tqdm.tqdm(desc="preparing", unit=" images", disable=not sys.stderr.isatty()) as bar:

        def show(written: int, total: int) -> None:
            if not bar.n:
                bar.reset(total)  # the clock starts with the first image, not with the reading of the files
            bar.update(written - bar.n)

        with contextlib.redirect_stdout(io.StringIO()):
            path = prepared.prepare(folder, values.data_dir, semantics=values.semantics, progress=show)
    print(path)
    return 0


def _description(folder: xlsa17.Folder, semantics: str, path: pathlib.Path) -> list[tuple[str, str]]:
    """What the folder holds, as far as it is sound: pairs of a heading and a line."""
    variables = folder.variables
    lines = [("folder", folder.name)]
    lines += [("file", f"{name:<18} {recorded.words(path / name, digest)}") for name, digest in folder.files.items()]
    counts = [f"{len(variables[name])} {split}" for split, name in checks.SPLITS.items() if name in variables]
    size = (
        f"{variables['features'].shape[1]} of {len(variables['features'])} features: "
        if "features" in variables
        else ""
    )
    if size or counts:
        lines.append(("images", f"{size}{', '.join(counts)}"))
    if "allclasses_names" in variables:
        lines.append(("classes", f"{len(variables['allclasses_names'])}: {_seen_and_unseen(folder)}"))
    lines += _images_per_class(variables)
    named = None
    if "att" in variables:
        if semantics == "att":
            named = attribute_files.of_folder(path, len(variables["att"]))
        words = f" ({', '.join(named[:2])}, ...)" if named else ""
        norms = np.linalg.norm(variables["att"], axis=0)
        low, high = variables["att"].min(), variables["att"].max()
        lines.append(
            (
                "attributes",
                f"{len(variables['att'])} of {semantics!r}{words}, values {low:.3g} to {high:.3g}, norms "
                f"{norms.min():.3g} to {norms.max():.3g}",
            )
        )
    if semantics == "att":
        lines += _numbers(variables, named)
    lines.append(("semantics", ", ".join(xlsa17.semantics_in(path)) or "none"))
    lines.append(("split", _split(folder)))
    return lines


def _numbers(variables: checks.Variables, named: tuple[str, ...] | None) -> list[tuple[str, str]]:
    """What the attributes say of the classes: quick numbers of original_att as probabilities, or of att as it is."""
    name = "original_att" if "original_att" in variables else "att"
    values = variables.get(name)
    if values is None or "allclasses_names" not in variables or values.shape[1] < 2:
        return []
    values = np.where(missing.marked(values), 0, values)
    if name == "original_att" and values.max() > 1:
        values = values / 100
    redundancy = np.asarray(bounds.redundancy(values.T))
    lines = [
        (
            "redundancy",
            f"{np.sum(redundancy > 0.95)} of {len(values)} attributes correlate with another by more than .95; median "
            f"{np.median(redundancy):.2f}",
        )
    ]
    if name == "att" or values.min() < 0 or values.max() > 1:  # no probabilities
        return lines
    separability = np.asarray(bounds.separability(values.T))
    nearest = int(np.argmin(separability))
    representative = np.asarray(bounds.representativeness(values.T))
    spoken_for = np.max(representative, axis=1)
    least = int(np.argmin(spoken_for))
    speaker = f" ({named[int(np.argmax(representative[least]))]})" if named else ""
    names = variables["allclasses_names"]
    return [
        (
            "separable",
            f"any two classes differ by {separability.min():.2f} or more in some attribute ({names[nearest]!r} is "
            f"nearest to another), median {np.median(separability):.2f}",
        ),
        (
            "RoA",
            f"the attribute that speaks most for a class{speaker} is there {np.exp(spoken_for[least]):.1f} times as "
            f"often as in the others for {names[least]!r}, the least; median {np.exp(np.median(spoken_for)):.1f} times",
        ),
        *lines,
    ]


def _seen_and_unseen(folder: xlsa17.Folder) -> str:
    variables = folder.variables
    if not {"labels", *checks.SPLITS.values()} <= variables.keys():
        return "which are seen and unseen is not known without sound labels and splits"
    seen, unseen = (len(checks.classes_of(variables, name)) for name in ("trainval_loc", "test_unseen_loc"))
    rows, origin = xlsa17.validation_classes(folder)
    validation = "none named for validation" if rows is None else f"{len(rows)} of them for validation by {origin}"
    return f"{seen} seen ({validation}), {unseen} unseen"


def _images_per_class(variables: checks.Variables) -> list[tuple[str, str]]:
    if "labels" not in variables:
        return []
    texts = []
    for split, name in checks.SPLITS.items():
        if name in variables:
            _, sizes = np.unique(variables["labels"][variables[name] - 1], return_counts=True)
            texts.append(f"{split} {sizes.min()} / {np.median(sizes):g} / {sizes.max()}")
    return [("per class", f"least / median / most images: {', '.join(texts)}")] if texts else []


def _split(folder: xlsa17.Folder) -> str:
    """The benchmark by counts and hash, and which form of its files this is by train_loc and val_loc."""
    variables = folder.variables
    name = xlsa17.benchmark(variables)
    if name is None:
        return "own split: its counts are those of no published benchmark"
    known = published.is_known_split(name, folder.files)
    by = "by counts and hash" if known else f"by counts; the hash of {xlsa17.SPLITS_FILE} is not one known here"
    sizes = tuple(len(variables[loc]) for loc in checks.VALIDATION_SPLITS if loc in variables)
    _, zsl, gzsl = xlsa17.PROPOSED_SPLITS[name]
    forms = {
        (): "as in v2, without train_loc and val_loc",
        zsl: "as in v1, with train_loc and val_loc that hold the seen test images",
        gzsl: "with train_loc and val_loc that leave the seen test images out",
    }
    return f"proposed split (PS) of {name} {by}; {forms.get(sizes, 'with train_loc and val_loc of its own')}"
