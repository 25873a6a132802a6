"""`data export`: features of your own as a folder in the layout that other codebases read."""

import pathlib
from collections.abc import Sequence

from absl import flags

from zsl_jax import data, errors
from zsl_jax.data import in_memory, xlsa17_writing

LAYOUTS = ("xlsa17",)


def main(argv: Sequence[str]) -> int:
    values = flags.FlagValues()
    flags.DEFINE_string("layout", "xlsa17", "layout of the folder", flag_values=values)
    flags.DEFINE_string("out", None, "folder to write", flag_values=values)
    flags.DEFINE_string("unseen", "", "names of the unseen classes", flag_values=values)
    flags.DEFINE_string("semantics", None, "what describes the classes of an archive", flag_values=values)
    try:
        _, *places = values(["data", *argv])
    except flags.Error as error:
        raise errors.UserError(f"data export: {' '.join(str(error).split())}") from error
    if len(places) != 1:
        raise errors.UserError(f"data export takes one source, not {len(places)}; see zsl-jax data --help")
    if values.layout not in LAYOUTS:
        raise errors.unknown("layout", values.layout, LAYOUTS)
    if not values.out:
        raise errors.UserError("data export needs --out=FOLDER")
    source = _source(pathlib.Path(places[0]).expanduser(), values)
    counts = xlsa17_writing.write(source, pathlib.Path(values.out).expanduser())
    images = ", ".join(f"{number} {name}" for name, number in counts.items() if name.endswith("_loc"))
    print(f"{'images':<12}{counts['images']} of {counts['features']} features: {images}")
    print(f"{'classes':<12}{counts['classes']}, {counts['unseen']} of them unseen; {counts['attributes']} attributes")
    print(f"{'written':<12}{values.out}; zsl-jax data check {values.out} reads it")
    return 0


def _source(place: pathlib.Path, values: flags.FlagValues):
    """An archive, what `extract` wrote, or the data of a saved `zsl_jax.fit`."""
    chosen = {} if values.semantics is None else {"semantics": values.semantics}
    if place.suffix == ".npz" and place.is_file():
        return data.load("npz", file=place, unseen=values.unseen, **chosen)
    if chosen:
        raise errors.UserError("--semantics is for .npz archives, which may describe classes in several ways")
    if (place / in_memory.FILE).is_file():
        return data.load("in_memory", dir=place, unseen=values.unseen)
    if (place / "extraction.json").is_file():
        return data.load("features", dir=place, unseen=values.unseen)
    raise errors.UserError(
        f"{place}: an .npz archive of features, the folder that `extract` wrote or that a fitted model was saved in is "
        "wanted"
    )
