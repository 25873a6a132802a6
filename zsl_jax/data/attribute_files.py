"""Names of attributes from a text file, one per line; leading numbers, as in CUB's attributes.txt, are left out."""

import os
import pathlib

from zsl_jax import errors

# What the benchmarks call theirs: CUB and SUN, AWA.
NAMES = ("attributes.txt", "predicates.txt")


def read(path: str | os.PathLike, what: str = "") -> list[str]:
    """Returns the names in a file.

    Args:
      path: of the file.
      what: what asked for it, which an error begins with; "" for the path alone.

    Raises:
      UserError: it cannot be read as text.
    """
    try:
        lines = pathlib.Path(path).expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(f"{what}{path}: a text file with a name per line is wanted") from error
    found = [line.strip() for line in lines if line.strip()]
    numbered = all(line.split()[0].isdecimal() and len(line.split()) > 1 for line in found)
    return [line.split(maxsplit=1)[1] for line in found] if numbered else found


def of_folder(folder: pathlib.Path, count: int) -> tuple[str, ...] | None:
    """Returns the names of a benchmark's attributes where a file in its folder has them, else None.

    Raises:
      UserError: the file has other than `count` names, or one of them twice.
    """
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if path is None:
        return None
    found = read(path)
    if len(found) != count:
        raise errors.UserError(f"{path} names {len(found)} attributes, and the benchmark has {count}: a line for each")
    twice = next((name for name in found if found.count(name) > 1), None) if len(set(found)) < count else None
    if twice is not None:
        raise errors.UserError(f"{path}: {twice!r} is there twice")
    return tuple(found)
