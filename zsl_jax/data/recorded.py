"""The sha256 of a file, where somebody recorded it beside: `NAME.sha256`, as `sha256sum NAME > NAME.sha256` writes."""

import os
import pathlib

from zsl_jax import errors


def check(path: str | os.PathLike, digest: str) -> bool:
    """Compares a file's sha256 with the recorded one.

    Args:
      path: of the file.
      digest: its sha256 now, in hexadecimal.

    Returns:
      Whether one is recorded.

    Raises:
      UserError: another one is recorded, or the record is none.
    """
    beside = pathlib.Path(f"{os.fspath(path)}.sha256")
    if not beside.is_file():
        return False
    words = beside.read_bytes()[:1000].decode("utf-8", "replace").split()
    if not words or words[0].lower() != digest:
        found = words[0][:16] if words else "nothing"
        raise errors.UserError(
            f"{path} has the sha256 {digest[:16]}..., where {beside.name} records {found}: damaged or another file"
        )
    return True


def words(path: str | os.PathLike, digest: str) -> str:
    """What to say of a file's sha256: that it is the recorded one, or that none is recorded.

    >>> words("nowhere.npz", "0" * 64)
    'sha256 0000000000000000, compared with nothing: no nowhere.npz.sha256 beside it'
    """
    known = check(path, digest)
    says = "as recorded" if known else f"compared with nothing: no {os.path.basename(path)}.sha256 beside it"
    return f"sha256 {digest[:16]}, {says}"
