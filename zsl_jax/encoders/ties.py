"""A tie: a linear map from the space of a text tower to that of image features, so that two frozen towers meet.

    class vector = (e - m) M / ||(e - m) M||          e [D] the class's text, m [D] the mean text, M [D, F] the map

    ridge    M = argmin sum_i ||(e_i - m) M - t_i||^2 + lambda ||M||^2      t_i [F]: a classifier's row, an image, ...
    lambda   the smallest leave-one-out error: each pair told from all others, in closed form

A file is an .npz with `map [D, F]` and `text_mean [D]`, and `about`, a JSON text that says what it was fitted on.

Reference: Zhai, Wang, Mustafa, Steiner, Keysers, Kolesnikov, Beyer, "LiT: Zero-Shot Transfer with Locked-image text
Tuning", CVPR 2022, for locked towers that meet; Allen, "The Relationship between Variable Selection and Data
Augmentation and a Method for Prediction", Technometrics 1974, for the error.
"""

import json
import os
import pathlib
from typing import Any, NamedTuple

import numpy as np

from zsl_jax import errors, whole_files
from zsl_jax.data import arrays, recorded, soundness

LAMBDAS = tuple(float(x) for x in np.logspace(-3, 3, 25))


class Tie(NamedTuple):
    """A map between two spaces.

    Fields:
      map: `[D, F]`.
      text_mean: `[D]`.
      about: what it was fitted on; empty where the file does not say.
      name: of its file.
      sha256: of its file.
    """

    map: np.ndarray
    text_mean: np.ndarray
    about: dict[str, Any]
    name: str = ""
    sha256: str = ""

    def __call__(self, texts: np.ndarray) -> np.ndarray:
        """Returns `[N, F]`, of unit length, for text vectors `[N, D]`.

        Raises:
          UserError: vectors of another width, or a text that is sent to 0.
        """
        if texts.shape[-1] != len(self.map):
            raise errors.UserError(
                f"{self.name or 'the tie'} takes text vectors of {len(self.map)} numbers, the text tower gives "
                f"{texts.shape[-1]}: it was fitted to another tower"
            )
        tied = (texts.astype(np.float32) - self.text_mean) @ self.map
        if not np.isfinite(tied).all() or not tied.any(axis=1).all():
            raise errors.UserError(f"{self.name or 'the tie'} sends a text to 0, or beyond float32: fit another one")
        return unit_rows(tied)


def unit_rows(x: np.ndarray) -> np.ndarray:
    """Returns the rows of `[N, F]` at unit length, of any scale; rows of zeros stay.

    >>> unit_rows(np.array([[3e30, 4e30], [3e-30, 4e-30]], np.float32)).round(6).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.6000000238418579, 0.800000011920929]]
    """
    _, exponent = np.frexp(np.abs(x).max(axis=1, keepdims=True))
    x = np.ldexp(x, -exponent)  # which rounds nothing, so that squares have room
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def load(path: str | os.PathLike) -> Tie:
    """Reads a tie.

    Raises:
      UserError: no such file, or one of another kind.
    """
    path = pathlib.Path(path).expanduser()
    held, digest = arrays.read(path)
    recorded.check(path, digest)
    for name in ("map", "text_mean"):
        if name not in held:
            some = ", ".join([*sorted(held)[:3], *(["..."] if len(held) > 3 else [])])
            raise errors.UserError(f"{path} is no tie: it has no {name}, only {some or 'nothing'}")
        if wrong := soundness.numbers(held[name]):
            raise errors.UserError(f"{path}: {name}: {wrong}")
    matrix, mean = held["map"].astype(np.float32), held["text_mean"].astype(np.float32)
    if matrix.ndim != 2 or mean.shape != matrix.shape[:1]:
        raise errors.UserError(
            f"{path} is no tie: map {matrix.shape} and text_mean {mean.shape}, wanted [D, F] and [D]"
        )
    try:
        about = json.loads(str(held["about"])) if "about" in held else {}
        if not isinstance(about, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError) as error:
        raise errors.UserError(f"{path} is damaged: about is no JSON text") from error
    return Tie(matrix, mean, about, path.name, digest)


def write(path: str | os.PathLike, tie: Tie) -> None:
    """Writes a tie whole, or not at all.

    Raises:
      UserError: it cannot be written.
    """
    path = pathlib.Path(path)
    try:
        with whole_files.replacing(path) as part, part.open("wb") as file:
            np.savez(file, map=tie.map, text_mean=tie.text_mean, about=np.array(json.dumps(tie.about)))
    except OSError as error:
        raise errors.UserError(f"cannot write to --out={path}: {error.strerror}") from error


class Pairs(NamedTuple):
    """Vectors with what each is of.

    Fields:
      words: N names or texts.
      vectors: `[N, F]`.
      named: which of the two `words` are, `names` or `texts`.
      sha256: of the file.
    """

    words: tuple[str, ...]
    vectors: np.ndarray
    named: str
    sha256: str


def load_pairs(path: str | os.PathLike) -> Pairs:
    """Reads an archive of `vectors [N, F]`, such as the rows of a classifier, with `names [N]` or `texts [N]`.

    Raises:
      UserError: no such file, or one of another kind.
    """
    held, digest = arrays.read(pathlib.Path(path).expanduser())
    named = next((name for name in ("texts", "names") if name in held), None)
    if named is None or "vectors" not in held:
        raise errors.UserError(
            f"{path} holds {', '.join(sorted(held)[:5]) or 'nothing'}: vectors, and names or texts, are wanted"
        )
    words, vectors = soundness.text(held[named]), held["vectors"]
    if words is None or vectors.ndim != 2 or len(words) != len(vectors):
        raise errors.UserError(
            f"{path}: vectors {vectors.shape} and {named} {held[named].shape}, wanted [N, F] and [N] texts"
        )
    if wrong := soundness.features(vectors):
        raise errors.UserError(f"{path}: vectors: {wrong}")
    return Pairs(tuple(words), np.asarray(vectors, np.float64), named, digest)


def ridge(texts: np.ndarray, targets: np.ndarray, *, strength: float | None = None) -> Tie:
    """Returns the tie of pairs by ridge regression.

    Args:
      texts: `[N, D]` text vectors.
      targets: `[N, F]` what each should come to; they are centred, and scaled to unit length.
      strength: lambda > 0, in units of the mean eigenvalue of the texts' covariance; None chooses it among `LAMBDAS`.

    Raises:
      UserError: fewer than two pairs, texts or targets that are all one, or a strength that is none beside them.

    >>> rng = np.random.default_rng(0)
    >>> texts, truth = rng.standard_normal((50, 4)), rng.standard_normal((4, 3))
    >>> tie = ridge(texts, texts @ truth)
    >>> found, wanted = tie(texts[:1])[0], (texts[0] - texts.mean(0)) @ truth
    >>> bool(found @ wanted > 0.9 * np.linalg.norm(wanted))
    True
    """
    if len(texts) < 2 or len(texts) != len(targets):
        raise errors.UserError(f"a tie needs at least 2 pairs, not {len(texts)} texts and {len(targets)} vectors")
    mean = texts.mean(axis=0, dtype=np.float64)
    x, y = texts - mean, targets - targets.mean(axis=0, dtype=np.float64)
    if np.abs(y).max() <= 1e-6 * np.abs(targets).max():
        raise errors.UserError("a tie needs vectors that differ: these are all one")
    y = unit_rows(y)
    left, values, right = np.linalg.svd(x, full_matrices=False)
    scale = float(np.sum(values**2)) / x.shape[1]
    if scale < 1e-12:
        raise errors.UserError("a tie needs texts that differ: these are all one vector")
    with np.errstate(divide="ignore", invalid="ignore"):
        left_out = {s: _left_out(left, values, y, s * scale) for s in (LAMBDAS if strength is None else (strength,))}
    best = min(left_out, key=left_out.get)
    if not np.isfinite(left_out[best]):
        raise errors.UserError(f"a tie of strength {best:g} tells no text from the others: choose a greater one")
    shrunk = values / (values**2 + best * scale)
    matrix = (right.T * shrunk) @ (left.T @ y)
    about = {"pairs": len(x), "strength": best, "left_out_error": left_out[best]}
    return Tie(matrix.astype(np.float32), mean.astype(np.float32), about)


def _left_out(left: np.ndarray, values: np.ndarray, y: np.ndarray, shift: float) -> float:
    """The mean squared error of each row told by the ridge on all other rows; the mean is of all rows."""
    shares = values**2 / (values**2 + shift)
    leverage = np.sum(left**2 * shares, axis=1)
    residual = (y - (left * shares) @ (left.T @ y)) / (1 - leverage)[:, None]
    return float(np.mean(np.sum(residual**2, axis=1)))
