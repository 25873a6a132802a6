"""`data import`: a folder of images and a table of attributes become a dataset, or a list of what does not match."""

import pathlib
from collections.abc import Sequence

from absl import flags

from zsl_jax import errors
from zsl_jax.data import checks, image_folder, importing, matfile


def main(argv: Sequence[str]) -> int:
    values = flags.FlagValues()
    flags.DEFINE_string("attributes", None, "table of the classes", flag_values=values)
    flags.DEFINE_string("out", None, "folder to write", flag_values=values)
    flags.DEFINE_string("unseen", "0.25", "share of the classes that are drawn, or names", flag_values=values)
    flags.DEFINE_integer("seed", 0, "of what is drawn", lower_bound=0, flag_values=values)
    flags.DEFINE_boolean("skip_unmatched", False, "only classes that are in both", flag_values=values)
    flags.DEFINE_boolean("skip_unreadable", False, "without files that are no images", flag_values=values)
    try:
        _, *folders = values(["data", *argv])
    except flags.Error as error:
        raise errors.UserError(f"data import: {' '.join(str(error).split())}") from error
    if len(folders) != 1:
        raise errors.UserError(f"data import takes one folder of images, not {len(folders)}; see zsl-jax data --help")
    if not values.attributes:
        raise errors.UserError(
            "data import needs --attributes=TABLE.csv, one class per line, by the names of the folders"
        )
    unseen = _share_or_names(values.unseen)
    found = importing.survey(folders[0], values.attributes, unseen)
    unforgiven = _report(found, values)
    if unforgiven:
        return errors.UserError.exit_code
    imported = importing.make(
        folders[0],
        importing.without_unreadable(found),
        unseen=unseen,
        seed=values.seed,
        files={pathlib.Path(values.attributes).name: matfile.sha256(pathlib.Path(values.attributes).expanduser())},
    )
    out = pathlib.Path(values.out or f"datasets/{imported.name}")
    image_folder.write(out, imported)
    for name, text in _description(imported):
        print(f"{name:<12}{text}")
    print(f"{'dataset':<12}{out}")
    return 0


def _share_or_names(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _report(found: importing.Survey, values: flags.FlagValues) -> bool:
    """Prints what does not match and what cannot be read; returns whether anything of it forbids to go on."""
    forbids = False
    for lines, flag in ((found.problems, "skip_unmatched"), (tuple(found.unreadable.values()), "skip_unreadable")):
        skip = values[flag].value
        for line in lines:
            print(f"{'left out' if skip else 'wrong':<12}{line}")
        if lines and not skip:
            print(f"{'verdict':<12}{checks.count(len(lines), 'problem')}; --{flag} goes on without")
            forbids = True
    return forbids


def _description(imported: image_folder.Imported) -> list[tuple[str, str]]:
    seen = sum(imported.is_seen)
    held_out = len(imported.validation_classes or ())
    validation = f" ({held_out} of them for validation)" if held_out else ""
    without = [name for row, name in enumerate(imported.class_names) if row not in set(imported.labels)]
    counts = ", ".join(f"{len(rows)} {name}" for name, rows in imported.splits.items())
    return [
        ("images", f"{len(imported.images)}: {counts}"),
        (
            "classes",
            f"{len(imported.class_names)} by {imported.split_by}: {seen} seen{validation}, "
            f"{len(imported.class_names) - seen} unseen",
        ),
        ("attributes", str(len(imported.attributes))),
        *([("no images", f"{', '.join(without)}: candidates all the same")] if without else []),
        *([] if imported.splits["test_unseen"] else [("no test", "no unseen class has an image: all images train")]),
    ]
